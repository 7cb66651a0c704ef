//! The compiler and what it needs: where the library is that cells are compiled against (`warm_build`),
//! the root that all crates of cells have in common (`crate_root`), starting `rustc` and reading what it
//! says (`rustc`, `diagnostic`), linking (`linker`), and the compiler that is started before there is a
//! cell (`spare_compiler`). What a cell is is not known here.

mod crate_root;
mod diagnostic;
mod linker;
mod rustc;
mod spare_compiler;
mod warm_build;

pub use crate_root::{HEAD, IMPORTS, INCLUDED};
pub use diagnostic::{CompilerMessages, Diagnostic, Span};
pub use linker::{Linker, asks_for_libraries};
pub use rustc::{Compilation, Product, Rustc, Until};
pub use spare_compiler::{ExtraCrates, SpareCompiler};
pub use warm_build::{DIRECTORY_VARIABLE, WarmBuild, WarmBuildError};
