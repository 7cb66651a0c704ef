//! The compiler and what it needs: the library that cells are compiled against (`warm_build`), the root
//! that all crates of cells share (`crate_root`), starting `rustc` and reading its messages (`rustc`,
//! `diagnostic`), linking (`linker`), and the compiler started before there is a cell (`spare_compiler`).
//! This module does not know what a cell is.

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
