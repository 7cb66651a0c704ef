//! The notebook's half of a session, on top of [`partita`].
//!
//! [`evaluation`] is the process that a kernel starts beside the data: it loads compiled cells, keeps their
//! variables and sends what they show over the bridge. [`comm`] has the channels to the page, and [`widgets`]
//! what is made of them: the timeline under a cell, and controls. What a value or a dataset is, and how a job
//! runs, is `partita`'s; how cells are split and compiled is the kernel's. Nothing here knows Jupyter's wire.
//!
//! Cells find all of it in the crate `partita` that they are compiled against (`runtime/cells`).

#![warn(missing_docs)]

mod bridge;
mod capture;
pub mod comm;
pub mod evaluation;
mod events;
mod host;
mod input;
mod print;
pub mod widgets;
