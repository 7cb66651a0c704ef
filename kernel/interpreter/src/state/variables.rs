use std::collections::{BTreeMap, BTreeSet};

use partita_bridge::Variable;

use super::{items::Changes, opt_level, snapshot::VisibleVariable, types};

/// A variable in the store, as the next cell writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVariable {
    /// Its type, with paths that can be written.
    pub ty: String,
    /// Whether it was bound `mut`.
    pub mutable: bool,
}

/// What the kernel knows about the variables in the evaluation process, and about those that are gone.
#[derive(Debug, Default)]
pub struct Variables {
    known: BTreeMap<String, StoredVariable>,
    /// The size of each value, as last reported by the evaluation process.
    bytes: BTreeMap<String, u64>,
    absent: BTreeMap<String, String>,
    /// The cell that bound each variable.
    cells: BTreeMap<String, String>,
}

impl Variables {
    /// The variables among `named`.
    pub fn taken_by<'a>(&'a self, named: &BTreeSet<String>) -> Vec<(&'a String, &'a StoredVariable)> {
        self.known.iter().filter(|(name, _)| named.contains(*name)).collect()
    }

    /// Cell `label` has stored a variable.
    pub fn insert(&mut self, name: String, known: StoredVariable, label: &str) {
        self.absent.remove(&name);
        self.cells.insert(name.clone(), label.to_owned());
        self.known.insert(name, known);
    }

    /// A variable is gone, with the reason: `was moved in cell 4`.
    pub fn remove(&mut self, name: &str, why: String) {
        self.known.remove(name);
        self.absent.insert(name.to_owned(), why);
    }

    /// All variables are gone. Returns their names, each with the cell that bound it.
    pub fn clear(&mut self, why: &str) -> Vec<(String, String)> {
        let mut gone = Vec::new();
        for name in std::mem::take(&mut self.known).into_keys() {
            let cell = self.cells.remove(&name).unwrap_or_default();
            self.absent.insert(name.clone(), format!("{why}; {cell} made it"));
            gone.push((name, cell));
        }
        gone
    }

    /// A cell that did not finish would have bound this name.
    pub fn never_bound(&mut self, name: &str, label: &str) {
        if !self.known.contains_key(name) {
            self.absent.insert(name.to_owned(), format!("was not bound: {label} did not finish"));
        }
    }

    /// The number of variables.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Why a variable that once existed is gone.
    pub fn why_absent(&self, name: &str) -> Option<&str> {
        self.absent.get(name).map(String::as_str)
    }

    /// The variables whose values no longer match the cells' items, or whose name an item takes over.
    pub fn outdated_by(&self, changes: &Changes) -> Vec<String> {
        self.known
            .iter()
            .filter(|(name, known)| {
                changes.affected.contains(*name)
                    || types::first_names(&known.ty).iter().any(|head| changes.affected.contains(head))
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The variables that are plans for Polars.
    pub fn plans(&self) -> BTreeSet<String> {
        let plans = self.known.iter().filter(|(_, known)| opt_level::is_plan(&known.ty));
        plans.map(|(name, _)| name.clone()).collect()
    }

    /// Whether there is a variable of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Updates the sizes that the process reports.
    pub fn set_sizes(&mut self, stored: &[Variable]) {
        self.bytes = stored.iter().filter_map(|one| Some((one.name.clone(), one.bytes?))).collect();
    }

    /// The variables for completion.
    pub fn visible(&self) -> Vec<VisibleVariable> {
        let visible = |(name, known): (&String, &StoredVariable)| VisibleVariable {
            name: name.clone(),
            ty: known.ty.clone(),
            shown: types::short(&known.ty),
            mutable: known.mutable,
            bytes: self.bytes.get(name).copied(),
        };
        self.known.iter().map(visible).collect()
    }

    /// The variables for people.
    pub fn list(&self) -> Vec<Variable> {
        self.known
            .iter()
            .map(|(name, known)| Variable {
                name: name.clone(),
                type_name: types::short(&known.ty),
                bytes: self.bytes.get(name).copied(),
            })
            .collect()
    }
}
