//! The notebook's half of a session, built on [`partita`].
//!
//! [`evaluation`] is the process that a kernel starts beside the data: it loads compiled cells, keeps
//! their variables and sends their outputs over the bridge. [`comm`] has the channels to the page, and
//! [`widgets`] uses them for the timeline under a cell and for controls. Values, datasets and jobs belong
//! to `partita`; splitting and compiling cells is the kernel's work. Nothing here knows Jupyter's wire
//! format.
//!
//! Cells find all of this in the crate `partita` that they are compiled against (`runtime/cells`).

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
