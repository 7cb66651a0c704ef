//! Laws through a sweep over partition counts: the Universal Scalability Law (`usl`) and the two costs
//! of a partition count on so many slots (`costs`). Both are linear in three parameters that cannot be
//! negative, so that one exact solver (`least_squares`) does for both, and the best count's interval comes
//! from the runs by bootstrap (`curve`). What to do with a fit is `advise`'s matter.

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
    /// Three parameters need more points than that.
    #[error(
        "a fit of three parameters needs at least {} different settings from 1 up, and the sweep has {settings}; \
         sweep over more, such as [1, 2, 4, 8, 16]",
        curve::LEAST_POINTS
    )]
    TooFew {
        /// Different settings from 1 up.
        settings: usize,
    },
    /// A time without length tells nothing.
    #[error("at {setting} the median time is zero: the work is too short for the clock; give it more to do")]
    NoTime {
        /// The setting.
        setting: usize,
    },
    /// Nothing to run on.
    #[error("there are 0 slots; give session.slots()")]
    NoSlots,
}

/// The best setting of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    /// The setting with the least predicted time, of all from the sweep's least to its largest.
    pub count: usize,
    /// 95 % of fits to resampled runs have theirs from here …
    pub low: usize,
    /// … to here.
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
