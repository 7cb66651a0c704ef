use std::collections::BTreeSet;

use super::{compile::Depth, generate::Generated};
use crate::{state::Items, toolchain::Compilation};

/// A cell that compiled.
pub(super) struct CompiledCell {
    /// What the compiler made of it.
    pub(super) compiled: Compilation,
    /// The crate that was compiled.
    pub(super) generated: Generated,
    /// The items after it has run.
    pub(super) items: Items,
    /// Variables that are dropped when it runs, because of what it redefines.
    pub(super) outdated: Vec<String>,
    /// Variables that it moves out of the store.
    pub(super) moved: BTreeSet<String>,
    /// Names that it binds and that cannot be kept, each with the reason.
    pub(super) unkept: Vec<(String, &'static str)>,
    /// Items of earlier cells that do not fit what it redefines.
    pub(super) dropped: Vec<String>,
    /// Whether there is something to run.
    pub(super) depth: Depth,
}
