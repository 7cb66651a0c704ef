//! A cell as text: whether it is complete (`completeness`, `brackets`), its parts (`split`), and their
//! positions in the files that a compiler gets (`file`). This module knows neither earlier cells nor
//! commands.

mod brackets;
mod completeness;
mod file;
mod split;

pub use completeness::{Completeness, is_complete};
pub use file::{CellSource, Role, SourceFile, blank_all_but, blank_out};
pub use split::{
    Binding, DEEPEST, Split, SplitItem, collect_named, hidden_static, lexes, split, split_open_ended,
    too_deep,
};
