//! The page and everything else the master answers over HTTP, tested over real sockets.

mod assets;
mod live;
mod logs;
mod made_up;
mod metrics;
mod served;
mod spark;
mod table;
mod trust;
