//! The root of every crate of cells: what all cells have in common.

/// The start of every crate of cells. It turns off warnings that are noise at a notebook's top level.
pub const HEAD: &str = "\
#![allow(dead_code, unused_imports, unused_variables, unused_mut, unused_assignments, unused_parens, \
unused_macros, unused_labels, unreachable_code, private_interfaces, private_bounds, improper_ctypes, \
non_snake_case, non_upper_case_globals, non_camel_case_types, path_statements, static_mut_refs, unused_braces, \
unused_attributes, unused_doc_comments, redundant_semicolons)]\n";

/// In scope in every cell. A cell's own imports take precedence over the first line.
pub const IMPORTS: &str = "\
use ::partita::prelude::*;\n\
use ::partita::evaluation::macros::{eprint, eprintln, print, println};\n";

/// The crate's root, which is the same for all cells.
pub const ROOT: &str = "main.rs";

/// The file that the root includes: the code generated for one cell.
pub const INCLUDED: &str = "cells";

/// The text of the crate's root. It is the same for all cells without attributes, so a compiler can read
/// it before there is a cell.
pub fn root(attributes: &str) -> String {
    format!("{HEAD}{attributes}{IMPORTS}include!({INCLUDED:?});\n")
}
