//! What happens while jobs run: one stream of events per session, and the views made from it.
//!
//! Everything that shows a job (its report, a timeline, a log) is computed from these events and
//! from nothing else, so no two views can disagree. This module is a leaf: everyone may emit to it,
//! it calls nobody.

mod bus;
mod report;

pub use bus::EventBus;
pub use partita_events::{Event, HotKey, Skew, TaskMetrics};
pub use report::{JobReport, StageReport, TaskReport};
