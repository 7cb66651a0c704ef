//! The names that are in scope in every cell: Partita's own and Polars' prelude.

// Also by its own name, because people import from it by that name.
pub use polars;
pub use polars::prelude::*;

pub use crate::check;
pub use crate::dataset::{Dataset, GroupedDataset, JoinOn};
pub use partita_engine::cache::StorageLevel;
// The module and the macro of this name; the function comes with the next lines.
pub use crate::display;
pub use crate::display::{
    DisplayHandle, Html, Image, Json, Latex, Markdown, MimeBundle, MimeDisplay, Progress, Text, clear_output,
    display, display_with_id, page, progress, update_display,
};
pub use crate::engines::pool::PoolOptions;
pub use crate::error::PartitaError;
pub use crate::events::{JobReport, Skew};
pub use crate::experiment::{self, Advise, advise, compare, sweep};
pub use crate::input::{input, password};
pub use crate::plan::{JoinStrategy, Partitioning};
pub use crate::plot;
pub use crate::session::Session;
pub use crate::taxi;
pub use partita_engine::source::CsvOptions;
