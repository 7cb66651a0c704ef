//! A cell as text: whether it is whole (`completeness`, `brackets`), what it is made of (`split`), and
//! where its pieces stand in the files that a compiler is given (`file`). What a cell means to those
//! before it, and commands, are not known here.

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
