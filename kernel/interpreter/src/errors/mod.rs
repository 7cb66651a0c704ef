//! The errors that a person reads when a cell does not finish. `blame` decides whether the cell or the
//! code around it caused an error, `wording` and `advice` put it into the person's terms, `render` shows
//! the place in the cell, and `report` builds the cell's error. Both evaluators use this module; it does
//! not know how they compile and run.

mod advice;
mod blame;
mod render;
mod report;
mod wording;

pub use blame::{Blame, blame};
pub use report::{
    begins_anew, cell_error, compile_error, death, failure, interrupted, left_behind, not_loaded, panic,
    survivors, too_deep, trouble, warnings,
};
