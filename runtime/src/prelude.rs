//! What a cell has in scope without asking: Partita's own names and Polars' prelude.

// By its own name too, because that is how people import from it.
pub use polars;
pub use polars::prelude::*;

pub use crate::cache::StorageLevel;
pub use crate::dataset::{Dataset, GroupedDataset, JoinOn};
pub use crate::display::{Html, Image, Markdown, MimeBundle, MimeDisplay, display};
pub use crate::error::PartitaError;
pub use crate::events::{JobReport, Skew};
pub use crate::experiment::{self, sweep};
pub use crate::plan::{JoinStrategy, Partitioning};
pub use crate::plot;
pub use crate::session::Session;
pub use crate::source::CsvOptions;
pub use crate::taxi;
