//! Measuring and evaluating. [`repeat()`], [`sweep()`] and [`compare()`] run work several times, in rounds
//! (`rounds`) that treat all variants alike, and report the conditions. `fit` fits laws to a sweep.
//! [`advise()`] reads reports and says how to make jobs faster, and by how much. This module is on top of all
//! others; the work itself is passed in as closures.

mod advise;
mod compare;
mod conditions;
mod fit;
mod measurement;
mod repeat;
mod rounds;
mod sweep;
mod table;

pub use advise::{Advice, AdviceKind, Advices, Advise, Check, advise};
pub use compare::{Compare, Comparison, SpeedUp, compare};
pub use conditions::Conditions;
pub use fit::{Best, CostFit, FitError, UslFit};
pub use measurement::Measurement;
pub use repeat::{Repeated, repeat};
pub use sweep::{Sweep, SweepResult, sweep};

/// The examples in docs/experiments.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/experiments.md")]
struct Page;
