//! The state that cells have left: the items that the next cell sees (`items`, `item`), the variables in
//! the evaluation process (`variables`) with their types (`types`), and how much code is worth optimising
//! (`opt_level`). A [`Snapshot`] is all of this for completion. Nothing here compiles or runs cells.

mod item;
mod items;
pub mod opt_level;
mod snapshot;
pub mod types;
mod variables;

pub use item::{KeptItem, Kind};
pub use items::{Changes, Items};
pub use opt_level::Hotness;
pub use snapshot::{Snapshot, VisibleVariable};
pub use variables::{StoredVariable, Variables};
