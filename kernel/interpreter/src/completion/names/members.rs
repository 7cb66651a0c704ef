//! The fields and methods of a type, and which traits' methods can be called.

use syn::{GenericArgument, PathArguments, Type, TypeParamBound};

use super::{
    Names,
    candidate::{Candidate, sorted},
};
use crate::completion::{
    index::{Group, Member},
    kind::Kind,
};

/// How many times a type is dereferenced at most.
const DEREFERENCES: usize = 8;

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

impl Names<'_> {
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
    pub(super) fn add_type(&self, path: &str, level: usize, found: &mut Vec<Candidate>) -> Option<String> {
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

    pub(super) fn add_groups(
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
