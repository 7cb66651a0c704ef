//! Laws fitted to a sweep over partition counts: the Universal Scalability Law (`usl`) and the two costs of a
//! partition count on a number of slots (`costs`). Both are linear in three parameters that cannot be
//! negative, so one exact solver (`least_squares`) serves both. The interval of the best count comes from the
//! runs by bootstrap (`curve`). `advise` uses the fits.

mod costs;
mod curve;
mod least_squares;
#[cfg(test)]
mod tests;
mod usl;

use thiserror::Error;

pub use costs::CostFit;
pub(super) use least_squares::line_through;
pub use usl::UslFit;

/// Why no law can be fitted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FitError {
    /// Three parameters need more points.
    #[error(
        "a fit of three parameters needs at least {} different settings from 1 up, and the sweep has {settings}; \
         sweep over more, such as [1, 2, 4, 8, 16]",
        curve::LEAST_POINTS
    )]
    TooFew {
        /// The number of different settings from 1 up.
        settings: usize,
    },
    /// A time of zero cannot be fitted.
    #[error("at {setting} the median time is zero: the work is too short for the clock; give it more work")]
    NoTime {
        /// The setting.
        setting: usize,
    },
    /// There are no slots to run on.
    #[error("there are 0 slots; use session.slots()")]
    NoSlots,
}

/// The best setting of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    /// The setting with the lowest predicted time, between the sweep's smallest and largest.
    pub count: usize,
    /// The lower end of the 95 % interval: the best settings of fits to resampled runs.
    pub low: usize,
    /// The upper end of the 95 % interval.
    pub high: usize,
    /// Whether it is the sweep's largest setting, so that an even larger one may be better.
    pub at_end: bool,
}

impl std::fmt::Display for Best {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, low, high, at_end } = self;
        write!(f, "{count} (95 % interval {low} to {high})")?;
        if *at_end { f.write_str(", the end of the sweep: more may be better still") } else { Ok(()) }
    }
}
