//! Measuring, and what follows from it. [`repeat()`], [`sweep()`] and [`compare()`] run work several times,
//! in rounds (`rounds`) that treat all variants alike, and say under which conditions; `fit` draws laws
//! through a sweep; [`advise()`] reads reports and says what would be faster, and by how much. Sits on top
//! of everything; the work itself comes as closures.

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

/// The examples of the page about experiments.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/experiments.md")]
struct Page;
