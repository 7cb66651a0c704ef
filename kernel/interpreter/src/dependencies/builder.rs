use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use crate::{evaluation_process::Outputs, interrupts::Interrupts, toolchain::WarmBuild};

/// Builds crates and reports progress.
pub struct Builder<'a> {
    /// The build that they are linked against.
    pub build: &'a WarmBuild,
    /// The sysroot of cells.
    pub sysroot: &'a Path,
    /// Stops the build on an interrupt.
    pub interrupts: &'a Interrupts,
    /// Where cargo's progress goes.
    pub outputs: &'a Outputs,
}

/// A short name for a long text. A different name only causes a rebuild.
pub fn hash(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
