//! Whole queries: what Polars can say runs in partitions, and its rows are those of `LazyFrame::collect`.
//! All of it is one program: each would be linked with Polars, which takes longer than most tests run.
//!
//! `random` compares random plans, made in `plans`; the others are examples with their answers.

mod cases;
#[path = "../local_pool/mod.rs"]
mod local_pool;
mod plans;
mod random;
mod shuffles;
mod sql;
mod steps;
