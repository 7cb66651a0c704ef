use std::sync::Arc;

use super::{item::Kind, items::Items};
use crate::{source::blank_out, toolchain::SpareCompiler};

/// The state that cells have left, as completion sees it. Made after every cell and never changed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The variables in the store.
    pub variables: Vec<VisibleVariable>,
    /// The items that the next cell sees.
    pub items: Arc<Items>,
    /// The compilers for cells, if a spare one is kept ready.
    pub compiler: Option<Arc<SpareCompiler>>,
}

/// A variable of an earlier cell.
#[derive(Debug, Clone)]
pub struct VisibleVariable {
    /// Its name.
    pub name: String,
    /// Its type, with paths that a cell can write.
    pub ty: String,
    /// Its type as people write it.
    pub shown: String,
    /// Whether it was bound `mut`.
    pub mutable: bool,
    /// Roughly how much memory its value uses, if known.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&VisibleVariable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The source of every item. Macros come first, because their scope is textual.
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
