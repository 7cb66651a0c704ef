//! What a person reads when a cell does not finish. `blame` finds out whether an error is the cell's own
//! or one of the code around it, `wording` and `advice` put it into the person's terms, `render` shows
//! where in the cell it is, `report` makes the cell's error of it. Both evaluators use it; how they
//! compile and run is not known here.

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
