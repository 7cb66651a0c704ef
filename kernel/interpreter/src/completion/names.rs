use std::collections::BTreeSet;

use syn::{GenericArgument, PathArguments, Type, TypeParamBound};

use super::{
    answers::Completion,
    index::{Entry, Group, Index, Member, Page},
    kind::Kind,
    user::UserItems,
    words,
};
use crate::state::Snapshot;

/// How many times a type is dereferenced at most.
const DEREFERENCES: usize = 8;
/// How many pages are read for the signatures of one answer.
const SIGNATURES: usize = 256;

/// Types that have the members of their first type argument.
const POINTERS: [&str; 12] = [
    "Arc",
    "Box",
    "Cow",
    "LazyCell",
    "LazyLock",
    "ManuallyDrop",
    "MutexGuard",
    "Pin",
    "Rc",
    "Ref",
    "RefMut",
    "RwLockReadGuard",
];

/// The traits of std's prelude, whose methods need no import. The first [`CALLED`] are those that people
/// call.
const TRAITS: [&str; 25] = [
    "Clone",
    "DoubleEndedIterator",
    "ExactSizeIterator",
    "Extend",
    "IntoIterator",
    "Iterator",
    "ToString",
    "Default",
    "From",
    "FromIterator",
    "AsMut",
    "AsRef",
    "Copy",
    "Drop",
    "Eq",
    "Fn",
    "FnMut",
    "FnOnce",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "ToOwned",
    "TryFrom",
    "TryInto",
];
const CALLED: usize = 10;

/// The modules that std's prelude takes its types from.
const TYPES: [&str; 5] =
    ["std::boxed::Box", "std::option::Option", "std::result::Result", "std::string::String", "std::vec::Vec"];

/// A result before it becomes an answer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The name and everything about it.
    pub member: Member,
    /// Its origin: the header of an `impl`, or a path.
    pub owner: String,
    /// Smaller is better.
    rank: (u8, usize),
}

/// All known names: the person's, and those of the index if there is one.
pub struct Names<'a> {
    snapshot: &'a Snapshot,
    user: UserItems,
    index: Option<&'a Index>,
}

impl<'a> Names<'a> {
    /// Collects the names that cells have left and those of the cell being written.
    pub fn new(snapshot: &'a Snapshot, index: Option<&'a Index>, cell: &[String]) -> Self {
        let mut user = UserItems::default();
        for source in snapshot.item_sources().iter().chain(cell) {
            user.add(source);
        }
        Self { snapshot, user, index }
    }

    /// Fields and methods of a type, including those reached by dereferencing, best first, each name
    /// once.
    pub fn members(&self, ty: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        if let Some(ty) = parse_type(ty) {
            self.visit(&ty, 0, &mut found);
        }
        found.retain(|one| matches!(one.member.kind, Kind::Field | Kind::Method));
        sorted(found)
    }

    fn visit(&self, ty: &Type, level: usize, found: &mut Vec<Candidate>) {
        if level > DEREFERENCES {
            return;
        }
        match ty {
            Type::Reference(reference) => self.visit(&reference.elem, level, found),
            Type::Paren(inner) => self.visit(&inner.elem, level, found),
            Type::Group(inner) => self.visit(&inner.elem, level, found),
            Type::Ptr(_) => drop(self.add_type("pointer", level, found)),
            Type::Slice(_) => drop(self.add_type("slice", level, found)),
            Type::Array(_) => {
                self.add_type("array", level, found);
                self.add_type("slice", level + 1, found);
            }
            Type::Tuple(tuple) => {
                for number in 0..tuple.elems.len() {
                    let member = Member {
                        name: number.to_string(),
                        kind: Kind::Field,
                        signature: number.to_string(),
                        docs: String::new(),
                    };
                    found.push(Candidate { member, owner: String::new(), rank: (0, level) });
                }
            }
            Type::ImplTrait(ty) => self.add_bounds(ty.bounds.iter(), level, found),
            Type::TraitObject(ty) => self.add_bounds(ty.bounds.iter(), level, found),
            Type::Path(ty) => {
                let path = path_text(&ty.path);
                let target = self.add_type(&path, level, found);
                let Some(last) = ty.path.segments.last() else { return };
                let name = last.ident.to_string();
                let inner = first_type(&last.arguments);
                match inner.filter(|_| POINTERS.contains(&name.as_str())) {
                    Some(inner) => self.visit(&inner, level + 1, found),
                    None if name == "Vec" => drop(self.add_type("slice", level + 1, found)),
                    None if name == "String" => drop(self.add_type("str", level + 1, found)),
                    None => {
                        if let Some(target) = target.as_deref().and_then(parse_type) {
                            self.visit(&target, level + 1, found);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn add_bounds<'b>(
        &self,
        bounds: impl Iterator<Item = &'b TypeParamBound>,
        level: usize,
        found: &mut Vec<Candidate>,
    ) {
        for bound in bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            let path = path_text(&bound.path);
            if let Some((path, _, page)) = self.page(&path, &[Kind::Trait]) {
                self.add_groups(&path, &page.groups, level, true, found);
            }
            // What all implementers have: every iterator has `IntoIterator`, and so on.
            self.add_type("", level, found);
        }
    }

    /// Adds the type's own members. Returns what it dereferences to according to its page.
    fn add_type(&self, path: &str, level: usize, found: &mut Vec<Candidate>) -> Option<String> {
        let kinds = [Kind::Struct, Kind::Enum, Kind::Union, Kind::Type];
        let mut target = None;
        let page = self.page(path, &kinds);
        if let Some((path, _, page)) = &page {
            self.add_groups(path, &page.groups, level, false, found);
            target.clone_from(&page.target);
        }
        let name = path.rsplit("::").next().unwrap_or(path);
        let groups: Vec<Group> = self
            .user
            .impls
            .iter()
            .filter(|(head, _)| head == name || head == "*")
            .map(|(_, group)| group.clone())
            .collect();
        self.add_groups(name, &groups, level, false, found);
        target
    }

    fn add_groups(
        &self,
        path: &str,
        groups: &[Group],
        level: usize,
        is_trait: bool,
        found: &mut Vec<Candidate>,
    ) {
        for group in groups {
            let owner = if group.header.is_empty() { path } else { group.header.as_str() };
            let rank = match &group.of_trait {
                None if is_trait => 2,
                None => 1,
                Some(_) if is_trait => continue,
                Some(name) if !self.in_scope(name) => continue,
                Some(name) => self.trait_rank(name),
            };
            let inherited = group.of_trait.as_ref().and_then(|name| self.page(name, &[Kind::Trait]));
            let inherited = inherited.iter().flat_map(|(_, _, page)| &page.groups);
            let inherited = inherited.filter(|group| group.of_trait.is_none());
            for member in group.members.iter().chain(inherited.flat_map(|group| &group.members)) {
                let rank = if member.kind == Kind::Field { 0 } else { rank };
                found.push(Candidate {
                    member: member.clone(),
                    owner: owner.to_owned(),
                    rank: (rank, level),
                });
            }
        }
    }

    fn trait_rank(&self, path: &str) -> u8 {
        let name = path.rsplit("::").next().unwrap_or(path);
        match TRAITS.iter().position(|known| *known == name) {
            _ if name == "Iterator" || self.user.pages.contains_key(name) => 2,
            Some(place) if place >= CALLED => 5,
            Some(_) => 4,
            None => 3,
        }
    }

    /// Whether a trait's methods can be called without an import.
    fn in_scope(&self, path: &str) -> bool {
        let name = path.rsplit("::").next().unwrap_or(path);
        let known = |path: &str| self.index.is_some_and(|index| !index.at(path).is_empty());
        self.user.pages.contains_key(name)
            || TRAITS.contains(&name)
            || known(&format!("partita::prelude::{name}"))
            || self.user.imports.iter().any(|(import, meaning)| match import.as_str() {
                "*" => known(&format!("{meaning}::{name}")),
                _ => meaning.rsplit("::").next() == Some(name),
            })
            || self.globbed("std::io::prelude") && ["Read", "Write", "BufRead", "Seek"].contains(&name)
    }

    fn globbed(&self, module: &str) -> bool {
        self.user.imports.iter().any(|(import, meaning)| import == "*" && meaning == module)
    }

    /// The page of a name, or of a path as the compiler writes it.
    fn page(&self, path: &str, kinds: &[Kind]) -> Option<(String, Kind, Page)> {
        let own = path.strip_prefix("cells::").unwrap_or(path);
        if let Some((kind, page)) = self.user.pages.get(own).filter(|(kind, _)| kinds.contains(kind)) {
            return Some((own.to_owned(), *kind, page.clone()));
        }
        let index = self.index?;
        let fits = |entry: &&Entry| kinds.contains(&entry.kind);
        let name = path.rsplit("::").next().unwrap_or(path);
        let place = |entry: &&Entry| {
            let order = ["partita::prelude::", "std::", "partita::"];
            order.iter().position(|start| entry.path.starts_with(start)).unwrap_or(order.len())
        };
        let entry = index.at(path).iter().find(fits);
        let entry = entry.or_else(|| index.named(name).filter(fits).min_by_key(place))?;
        Some((entry.path.clone(), entry.kind, index.page(entry)?))
    }

    /// The full path of a name, resolved as in a cell.
    fn resolve(&self, names: &[String]) -> Option<String> {
        let (first, rest) = names.split_first()?;
        let index_has = |path: &str| self.index.is_some_and(|index| !index.at(path).is_empty());
        let start = match first.as_str() {
            "crate" | "self" => return self.resolve(rest),
            "core" | "alloc" => "std".to_owned(),
            "partita" | "std" => first.clone(),
            _ if self.user.pages.contains_key(first) => first.clone(),
            _ => {
                let imported = self.user.imports.iter().find(|(name, _)| name == first);
                let globs = self.user.imports.iter().filter(|(name, _)| name == "*");
                let globs = globs.map(|(_, module)| format!("{module}::{first}"));
                let standard = TYPES.iter().find(|path| path.rsplit("::").next() == Some(first));
                imported
                    .map(|(_, path)| path.clone())
                    .or_else(|| {
                        globs.chain([format!("partita::prelude::{first}")]).find(|path| index_has(path))
                    })
                    .or_else(|| standard.map(|path| (*path).to_owned()))
                    .unwrap_or_else(|| first.clone())
            }
        };
        let path = [&[start], rest].concat().join("::");
        // rustdoc describes a module once, wherever it is re-exported.
        let twin = path.strip_prefix("partita::").map(|rest| match rest.strip_prefix("prelude::") {
            Some(rest) => format!("partita::{rest}"),
            None => format!("partita::prelude::{rest}"),
        });
        Some(twin.filter(|twin| !index_has(&path) && index_has(twin)).unwrap_or(path))
    }

    /// What is inside a module, or belongs to a type, and begins with `prefix`.
    pub fn inside(&self, names: &[String], prefix: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        let Some(path) = self.resolve(names) else {
            for name in ["partita", "std"].into_iter().filter(|name| name.starts_with(prefix)) {
                found.push(plain(name, Kind::Module));
            }
            return found;
        };
        self.add_entries(&path, prefix, &mut found);
        let start = format!("{path}::");
        for (name, (kind, page)) in &self.user.pages {
            if let Some(name) = name.strip_prefix(&start) {
                found.push(described(name, *kind, page, &path));
            }
        }
        let kinds = [Kind::Struct, Kind::Enum, Kind::Union, Kind::Type, Kind::Trait];
        let is_type = self.user.pages.get(&path).is_some_and(|(kind, _)| kinds.contains(kind))
            || self
                .index
                .is_some_and(|index| index.at(&path).iter().any(|entry| kinds.contains(&entry.kind)));
        if is_type {
            let mut members = Vec::new();
            self.add_type(&path, 0, &mut members);
            if let Some((path, _, page)) = self.page(&path, &[Kind::Trait]) {
                self.add_groups(&path, &page.groups, 0, true, &mut members);
            }
            members.retain(|one| one.member.kind != Kind::Field);
            for one in &mut members {
                // After a path, people mostly look for functions.
                let order = [Kind::Variant, Kind::Constant, Kind::Function];
                let place = order.iter().position(|kind| *kind == one.member.kind).unwrap_or(order.len());
                one.rank.1 = place;
            }
            found.append(&mut members);
        }
        found.retain(|one| one.member.name.starts_with(prefix));
        sorted(found)
    }

    fn add_entries(&self, module: &str, prefix: &str, found: &mut Vec<Candidate>) {
        let Some(index) = self.index else { return };
        let entries = index.inside(module).filter(|entry| entry.name().starts_with(prefix));
        for (number, entry) in entries.enumerate() {
            let page = (number < SIGNATURES).then(|| index.page(entry)).flatten().unwrap_or_default();
            found.push(described(entry.name(), entry.kind, &page, module));
        }
    }

    /// Every name in scope that begins with `prefix`: variables, items, imports, preludes, keywords.
    pub fn names(&self, locals: &BTreeSet<String>, prefix: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        for local in locals {
            found.push(plain(local, Kind::Variable));
        }
        for variable in &self.snapshot.variables {
            let mut one = plain(&variable.name, Kind::Variable);
            one.member.signature = format!("{}: {}", variable.name, variable.shown);
            found.push(one);
        }
        for (name, (kind, page)) in self.user.pages.iter().filter(|(name, _)| !name.contains("::")) {
            found.push(described(name, *kind, page, ""));
        }
        for (name, path) in &self.user.imports {
            match name.as_str() {
                "_" => {}
                "*" => self.add_entries(path, prefix, &mut found),
                name => {
                    let entry = self.index.and_then(|index| Some((index, index.at(path).first()?)));
                    found.push(match entry {
                        Some((index, entry)) => {
                            described(name, entry.kind, &index.page(entry).unwrap_or_default(), path)
                        }
                        None => plain(name, Kind::Type),
                    });
                }
            }
        }
        for one in &mut found {
            one.rank = (if one.member.kind == Kind::Variable { 0 } else { 1 }, 0);
        }
        let mut others = Vec::new();
        self.add_entries("partita::prelude", prefix, &mut others);
        let macros = words::MACROS.iter().map(|name| format!("std::{name}"));
        for path in TYPES.iter().map(|path| (*path).to_owned()).chain(macros) {
            let Some(index) = self.index else { break };
            let fits = |entry: &&Entry| entry.kind != Kind::Module && entry.name().starts_with(prefix);
            if let Some(entry) = index.at(&path).iter().find(fits) {
                others.push(described(
                    entry.name(),
                    entry.kind,
                    &index.page(entry).unwrap_or_default(),
                    "std",
                ));
            }
        }
        others.extend(words::all().map(|(word, kind)| plain(word, kind)));
        others.extend(["partita", "std"].map(|name| plain(name, Kind::Module)));
        others.iter_mut().for_each(|one| one.rank = (2, 0));
        found.append(&mut others);
        found.retain(|one| one.member.name.starts_with(prefix));
        sorted(found)
    }
}

impl Candidate {
    /// Converts it to an answer.
    pub fn completion(self) -> Completion {
        let Member { name, kind, signature, docs } = self.member;
        let signature = signature.split_whitespace().collect::<Vec<_>>().join(" ");
        let signature = signature.strip_prefix("pub ").unwrap_or(&signature).to_owned();
        let summary = docs.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let text = if kind == Kind::Macro { format!("{}!", name.trim_end_matches('!')) } else { name };
        Completion {
            text,
            kind,
            signature: (!signature.is_empty()).then_some(signature),
            summary: (!summary.is_empty() && !summary.starts_with("```")).then_some(summary),
        }
    }
}

fn plain(name: &str, kind: Kind) -> Candidate {
    let member = Member { name: name.to_owned(), kind, signature: String::new(), docs: String::new() };
    Candidate { member, owner: String::new(), rank: (1, 0) }
}

fn described(name: &str, kind: Kind, page: &Page, owner: &str) -> Candidate {
    let mut one = plain(name, kind);
    one.member.signature.clone_from(&page.declaration);
    one.member.docs.clone_from(&page.docs);
    owner.clone_into(&mut one.owner);
    one
}

/// Best first, each name once. What its author marked as internal comes last.
fn sorted(mut found: Vec<Candidate>) -> Vec<Candidate> {
    found.sort_by(|one, other| {
        let key = |one: &Candidate| (one.member.name.starts_with('_'), one.rank);
        (key(one), &one.member.name).cmp(&(key(other), &other.member.name))
    });
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert((one.member.name.clone(), one.member.kind == Kind::Macro)));
    found
}

/// Parses a type as the compiler prints it in its messages, where closures are in braces.
fn parse_type(text: &str) -> Option<Type> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        plain.push_str(&rest[..open]);
        let close = rest[open..].find('}').map(|length| open + length + 1)?;
        plain.push('_');
        rest = &rest[close..];
    }
    plain.push_str(rest);
    let parsed = syn::parse_str(&plain).ok();
    proc_macro2::extra::invalidate_current_thread_spans();
    parsed
}

fn path_text(path: &syn::Path) -> String {
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    names.join("::")
}

fn first_type(arguments: &PathArguments) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}
