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
    cell_error, cell_failed, compile_error, evaluator_error, interrupted, not_loaded, panic, process_died,
    removal_notice, reset_static_notice, survivors, too_deep, warnings,
};
