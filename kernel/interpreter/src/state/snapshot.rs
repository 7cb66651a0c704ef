use std::sync::Arc;

use super::{item::Kind, items::Items};
use crate::{source::blank_out, toolchain::SpareCompiler};

/// What the cells have left, as completion sees it. Made after every cell, and never changed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The variables in the store.
    pub variables: Vec<VisibleVariable>,
    /// The items that the next cell sees.
    pub items: Arc<Items>,
    /// The cells' compilers, where one waits.
    pub compiler: Option<Arc<SpareCompiler>>,
}

/// A variable of an earlier cell.
#[derive(Debug, Clone)]
pub struct VisibleVariable {
    /// Its name.
    pub name: String,
    /// Its type, with paths that a cell can write.
    pub ty: String,
    /// Its type as people say it.
    pub shown: String,
    /// Whether it was bound `mut`.
    pub mutable: bool,
    /// About how much memory its value holds, if that was found out.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&VisibleVariable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The source of every item, macros first, whose scope is textual.
    pub fn item_sources(&self) -> Vec<String> {
        let (mut macros, mut others) = (Vec::new(), Vec::new());
        for item in &self.items.kept {
            match &item.kind {
                Kind::Use(text) => others.push(text.clone()),
                kind => {
                    let text = blank_out(&item.cell.code, &item.holes);
                    let source = text.get(item.range.clone()).unwrap_or_default().to_owned();
                    if matches!(kind, Kind::Macro) { macros.push(source) } else { others.push(source) }
                }
            }
        }
        macros.append(&mut others);
        macros
    }
}
