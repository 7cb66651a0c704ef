//! All names that can stand at the cursor: in scope, inside a module, or after a type (`members`). Each is a
//! `candidate` with a rank until it becomes an answer.

mod candidate;
mod members;

use std::collections::BTreeSet;

use super::{
    index::{Entry, Index, Page},
    kind::Kind,
    user::UserItems,
    words,
};
use crate::state::Snapshot;
pub use candidate::Candidate;
use candidate::{described, plain, sorted};

/// How many pages are read for the signatures of one answer.
const SIGNATURES: usize = 256;

/// The modules that std's prelude takes its types from.
const TYPES: [&str; 5] =
    ["std::boxed::Box", "std::option::Option", "std::result::Result", "std::string::String", "std::vec::Vec"];

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
