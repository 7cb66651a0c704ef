//! What sessions reported of their jobs: folded in memory for the page, and as files of JSON lines that can
//! be folded again. The current state of the pool is in [`View`](crate::View); the page
//! renders both.

mod log;
mod meter;
mod reader;
mod replay;
mod session;
mod store;

pub use log::{LogError, LogOptions};
pub(crate) use reader::{Piece, Reader};
pub use replay::{ReplayError, Replayed};
pub(crate) use session::{Clock, Session, epoch};
pub use store::{History, HistoryLimits};
