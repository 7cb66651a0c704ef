//! What sessions told of their jobs: kept in memory for the page, and as files of JSON lines that can
//! be shown again. A view of events and nothing else: what the pool is at the moment is
//! [`View`](crate::View)'s matter, and how it looks is the page's.

mod attempts;
mod fold;
mod log;
mod replay;
mod session;
mod store;

pub(crate) use attempts::{Attempt, Outcome, attempts};
pub(crate) use fold::{JobFold, JobState, StageFold, WorkerFold};
pub use log::{LogError, LogOptions};
pub use replay::{ReplayError, Replayed};
pub(crate) use session::{Session, epoch};
pub(crate) use store::{Cursor, Piece};
pub use store::{History, HistoryLimits};
