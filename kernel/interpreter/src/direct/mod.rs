//! The direct evaluator: one `rustc` call per cell, against the `partita` library that was compiled once
//! ([`WarmBuild`](crate::toolchain::WarmBuild)). The path of a cell: its items join those of earlier
//! cells (`items`), a crate is generated around it (`generate`) and compiled (`compile`, by a `rustc`
//! started before the cell arrived), the result is run in the evaluation process (`run`), and its changes
//! are recorded (`variables`). `opt_level` decides how much it is optimised.
//!
//! Rust decides what is valid. Two things cannot be known beforehand and are found by trying: a variable
//! that the cell moves cannot be put back, and a borrow cannot outlive its cell. The compiler's error
//! about the generated line shows it (`blame`), and the cell is compiled again without the line. An item
//! of an earlier cell that does not match a redefinition is removed the same way.
//!
//! Variables are lent to the cell's body, which is a closure. What the body only borrows or changes in
//! place is put back however the body ends, even by a panic or a `?`. What it moves belongs to the body
//! and is gone with it.

mod compile;
mod compiled_cell;
mod evaluator;
mod frames;
mod generate;
mod prepare;
mod run;

pub use evaluator::{DirectError, DirectEvaluator};
