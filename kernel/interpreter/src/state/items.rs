//! How the items change with each cell: which items replace others, and which names change their meaning
//! because of that. A single item is described in `item`.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    item::{KeptItem, Kind, describe},
    opt_level::Hotness,
};
use crate::source::{CellSource, SplitItem};

/// What a cell changes about existing names.
#[derive(Debug, Default)]
pub struct Changes {
    /// Names whose meaning has changed, directly or through what they are made of. Includes `dyn` if the
    /// layout of an existing type may have changed, because any type may be behind a `dyn`.
    pub affected: BTreeSet<String>,
}

/// The items that the next cell sees. Cloned for every cell, and kept only if the cell succeeds.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// In the order of definition.
    pub kept: Vec<KeptItem>,
}

impl Items {
    /// Adds a cell's items. They replace what they redefine.
    pub fn add(&mut self, cell: &Arc<CellSource>, items: &[SplitItem]) -> Changes {
        let mut changes = Changes::default();
        let before: BTreeSet<String> = self
            .kept
            .iter()
            .filter(|item| matches!(item.kind, Kind::Layout))
            .flat_map(|item| item.names.iter().cloned())
            .collect();
        let globs = self.globs();
        let mut functions = BTreeSet::new();
        let fresh: Vec<KeptItem> = items.iter().flat_map(|item| describe(cell, item)).collect();
        for mut item in fresh {
            let mut same = false;
            let mut redecided = BTreeSet::new();
            self.kept.retain_mut(|old| {
                if Arc::ptr_eq(&old.cell, cell) {
                    // The compiler rejects a second definition in one cell.
                    return true;
                }
                if old.key == item.key {
                    if old.decides != item.decides {
                        redecided.extend(old.decides.names.iter().cloned());
                        redecided.extend(item.decides.names.iter().cloned());
                    }
                    if old.tokens == item.tokens {
                        same = true;
                        if let (Kind::Static(old), Kind::Static(new)) = (&old.kind, &mut item.kind) {
                            new.symbol.clone_from(&old.symbol);
                        }
                    }
                    return false;
                }
                let had = old.holes.len();
                let empty = old.yields_methods_to(&item);
                if old.holes.len() > had && old.decides != item.decides {
                    redecided.extend(item.decides.names.iter().cloned());
                }
                !empty
            });
            match &item.kind {
                _ if same => {}
                // A function takes over a variable's name and nothing else.
                Kind::Code => functions.extend(item.names.iter().cloned()),
                _ => changes.affected.extend(item.names.iter().cloned()),
            }
            changes.affected.extend(redecided);
            self.kept.push(item);
        }
        self.spread(&mut changes.affected, &globs);
        if !changes.affected.is_disjoint(&before) {
            changes.affected.insert("dyn".to_owned());
            self.spread(&mut changes.affected, &globs);
        }
        changes.affected.extend(functions);
        // A static whose type has changed starts anew.
        for item in &mut self.kept {
            if let Kind::Static(item_static) = &mut item.kind
                && item.mentions.iter().any(|name| changes.affected.contains(name))
            {
                item_static.symbol = None;
            }
        }
        changes
    }

    /// Removes an item that does not match what a cell has defined, and records what depended on it.
    pub fn remove(&mut self, index: usize, changes: &mut Changes) -> KeptItem {
        let item = self.kept.remove(index);
        if !item.decides.names.is_empty() {
            changes.affected.extend(item.decides.names.iter().cloned());
            changes.affected.insert("dyn".to_owned());
            self.spread(&mut changes.affected, &self.globs());
        }
        item
    }

    /// How hot code with these names is, including functions of earlier cells and its own that it may
    /// call. Also returns all names found on the way.
    pub fn hotness(&self, named: &BTreeSet<String>) -> (Hotness, BTreeSet<String>) {
        let mut named = named.clone();
        let mut hotness = Hotness::Cold;
        let mut reached = vec![false; self.kept.len()];
        loop {
            let before = named.len();
            for (item, reached) in self.kept.iter().zip(&mut reached) {
                let called = match item.kind {
                    Kind::Use(_) => false,
                    // Methods are called by names of their own.
                    _ if item.names.is_empty() => !item.mentions.is_disjoint(&named),
                    _ => item.names.iter().any(|name| named.contains(name.trim_end_matches('!'))),
                };
                if called && !*reached {
                    *reached = true;
                    hotness = hotness.max(item.hotness);
                    named.extend(item.mentions.iter().cloned());
                }
            }
            if named.len() == before {
                return (hotness, named);
            }
        }
    }

    /// The keys of glob imports that may bring types.
    fn globs(&self) -> BTreeSet<String> {
        let enums: BTreeSet<&String> =
            self.kept.iter().filter(|item| item.decides.is_enum).flat_map(|item| &item.names).collect();
        let brings_types = |item: &&KeptItem| {
            let path = item.key.strip_suffix("::*").map(|path| path.rsplit("::").next().unwrap_or(path));
            path.is_some_and(|target| !enums.contains(&target.to_owned()))
        };
        let globs = self.kept.iter().filter(|item| matches!(item.kind, Kind::Use(_)));
        globs.filter(brings_types).map(|item| item.key.clone()).collect()
    }

    /// Extends `affected` to everything that depends on it: a struct changes with the types of its
    /// fields, and an import with what it imports. `globs` are the glob imports that existed before.
    fn spread(&self, affected: &mut BTreeSet<String>, globs: &BTreeSet<String>) {
        let local: BTreeSet<&String> = self.kept.iter().flat_map(|item| &item.names).collect();
        loop {
            let before = affected.len();
            for item in &self.kept {
                let reached =
                    |name: &String| affected.contains(name) || affected.contains(&format!("{name}!"));
                if !item.decides.mentions.iter().any(reached) {
                    continue;
                }
                if globs.contains(&item.key) {
                    // It may bring any name, so it may affect any type.
                    let types = self.kept.iter().filter(|item| matches!(item.kind, Kind::Layout));
                    affected.extend(types.flat_map(|item| item.names.iter().cloned()));
                }
                // Names that are not from cells do not change.
                affected.extend(item.decides.names.iter().filter(|name| local.contains(name)).cloned());
            }
            if affected.len() == before {
                return;
            }
        }
    }

    /// The process that held the statics has ended; the next cell defines them anew.
    pub fn forget_statics(&mut self) {
        for item in &mut self.kept {
            if let Kind::Static(item) = &mut item.kind {
                item.symbol = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::split;

    fn add(items: &mut Items, code: &str) -> Changes {
        let cell = Arc::new(CellSource { label: "cell".into(), code: code.into() });
        items.add(&cell, &split(code).unwrap().items)
    }

    #[test]
    fn a_struct_changes_with_the_types_of_its_fields() {
        let mut items = Items::default();
        add(&mut items, "type Unit = i32; struct Point { x: Unit } struct Line(Point, Point); struct Other;");
        let changes = add(&mut items, "type Unit = i64;");
        assert!(["Unit", "Point", "Line"].iter().all(|name| changes.affected.contains(*name)), "{changes:?}");
        assert!(!changes.affected.contains("Other"));
        assert_eq!(items.kept.len(), 4);
    }

    #[test]
    fn the_same_cell_again_changes_nothing() {
        let mut items = Items::default();
        let code = "struct Point { x: i32 } impl Point { fn x(&self) -> i32 { self.x } } use std::fmt::{self, Debug};";
        add(&mut items, code);
        let changes = add(&mut items, code);
        assert!(changes.affected.is_empty(), "{changes:?}");
        assert_eq!(items.kept.len(), 4);
    }

    #[test]
    fn a_method_redefined_leaves_its_neighbours_alone() {
        let mut items = Items::default();
        add(&mut items, "struct P; impl P { fn a(&self) {} fn b(&self) {} }");
        add(&mut items, "impl P { fn b(&self) -> i32 { 1 } }");
        assert_eq!(items.kept.len(), 3);
        assert_eq!(items.kept[1].holes.len(), 1);
        add(&mut items, "impl P { fn a(&self) -> i32 { 1 } }");
        assert_eq!(items.kept.len(), 3, "the first block is empty now");
    }

    #[test]
    fn a_later_import_of_the_same_name_wins() {
        let mut items = Items::default();
        add(&mut items, "use std::fmt::{Result, Write as _, *};");
        add(&mut items, "use std::io::Result;");
        let uses: Vec<String> = items.kept.iter().map(|item| item.tokens.trim().to_owned()).collect();
        assert_eq!(uses, ["use std::fmt::Write as _;", "use std::fmt::*;", "use std::io::Result;"]);
    }
}
