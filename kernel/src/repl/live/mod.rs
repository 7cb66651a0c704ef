//! What a person sees of a job while it runs: a picture below the cell's text that is redrawn in
//! place, and one line that stays when the job has ended. [`JobView`] is what is known of a job, made
//! from its events alone; [`render`] makes lines of it, and [`LiveView`] keeps them on the screen.

mod model;
mod render;
mod view;

pub use model::{End, JobView, Lane, Spent, StageView, Task};
pub use view::{LiveView, REDRAWN_EVERY};
