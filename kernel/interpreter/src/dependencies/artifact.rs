use std::path::PathBuf;

/// A file that cargo has built.
#[derive(Debug)]
pub struct Artifact {
    /// Its path.
    pub file: PathBuf,
    /// Whether its source may change without a new version.
    pub can_change: bool,
    /// The package's id.
    pub package: String,
    /// Whether it is compiled for the cells, and not for a build script.
    pub optimised: bool,
}
