//! Advice: what a job's report suggests to make the job faster, by how much, and with which code. Each rule
//! (`skew`, `partitions`, `joins`, `reading`, `memory`) reads figures of a report and computes the job's time
//! with the remedy by one stated model (`model`). Advice that saves little is not given. `check` compares a
//! prediction with a measurement.
//!
//! The model is list scheduling: the length of a stage follows from its task times, each task in partition
//! order on the slot that is free first (R. L. Graham, *Bounds on Multiprocessing Timing Anomalies*, 1969). A
//! remedy changes the times of tasks. The expected speed-up is the job's measured wall time over the wall
//! time that remains after subtracting the difference of the two schedules.

mod check;
mod joins;
mod memory;
mod model;
mod partitions;
mod reading;
mod show;
mod skew;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Deref;

pub use check::Check;

use super::SweepResult;
use crate::events::JobReport;
use crate::session::Session;
use model::Job;

/// The problem that a piece of advice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdviceKind {
    /// One partition has far more work than the others.
    Skew,
    /// Slots are idle because there are too few partitions, or slightly too many for the last turn.
    TooFewPartitions,
    /// Tasks that read a source do hardly more than start and end.
    TooManyPartitions,
    /// Tasks after a shuffle do hardly more than start and end.
    Coalesce,
    /// Another partition count is better according to a law fitted to a sweep.
    PartitionCount,
    /// Both sides of a join were shuffled although one is small.
    Broadcast,
    /// Rows are read or processed that a filter then drops.
    Pushdown,
    /// Several jobs read the same files.
    Cache,
    /// Memory was short.
    Spill,
}

impl fmt::Display for AdviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skew => "skew",
            Self::TooFewPartitions => "too few partitions",
            Self::TooManyPartitions => "too many partitions",
            Self::Coalesce => "coalesce",
            Self::PartitionCount => "partition count",
            Self::Broadcast => "broadcast",
            Self::Pushdown => "pushdown",
            Self::Cache => "cache",
            Self::Spill => "spill",
        })
    }
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The problem.
    pub kind: AdviceKind,
    /// The job's stage that it is about.
    pub stage: Option<usize>,
    /// The problem and its remedy in words.
    pub message: String,
    /// Code to paste, with `data`, `left` and `right` for the datasets.
    pub code: String,
    /// The expected speed-up by the model; 1 if it is unknown.
    pub expected: f64,
}

/// Several pieces of advice, the highest expected speed-up first. As a cell's last expression it shows as a
/// list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advices {
    all: Vec<Advice>,
}

impl Advices {
    fn of(mut all: Vec<Advice>) -> Self {
        all.sort_by(|a, b| b.expected.total_cmp(&a.expected));
        Self { all }
    }
}

impl Deref for Advices {
    type Target = [Advice];

    fn deref(&self) -> &[Advice] {
        &self.all
    }
}

impl IntoIterator for Advices {
    type Item = Advice;
    type IntoIter = std::vec::IntoIter<Advice>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

/// Implemented for what can be advised on: a job's report, a session's jobs, a sweep.
pub trait Advise {
    /// The advice; empty if there is none.
    fn advice(&self) -> Advices;
}

/// Advice on one job by its report. A job that failed or still runs gets none.
impl Advise for JobReport {
    fn advice(&self) -> Advices {
        Advices::of(on_job(self))
    }
}

/// Advice on the session's last job, and on all its jobs together: files that several of them read.
impl Advise for Session {
    fn advice(&self) -> Advices {
        let reports = self.reports();
        let mut all = self.last_report().as_ref().map(on_job).unwrap_or_default();
        all.extend(reading::again(&reports));
        Advices::of(all)
    }
}

/// Advises the best setting by the Universal Scalability Law, against the first one of the sweep. There is no
/// advice if the law fits badly or promises little.
impl<R> Advise for SweepResult<R> {
    fn advice(&self) -> Advices {
        Advices::of(partitions::by_sweep(self).into_iter().collect())
    }
}

/// Advises how to make a job (its [`JobReport`]), a [`Session`]'s jobs or a sweep faster.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let (_, report) = session.range(0, 1000, 2).filter(col("id").gt(lit(10))).profile()?;
/// assert!(advise(&report).is_empty(), "a small even job");
/// # Ok::<(), partita::PartitaError>(())
/// ```
pub fn advise(of: &impl Advise) -> Advices {
    of.advice()
}

fn on_job(report: &JobReport) -> Vec<Advice> {
    let Some(job) = Job::of(report) else { return Vec::new() };
    let rules = [
        skew::advise,
        partitions::too_few,
        partitions::too_many,
        joins::advise,
        reading::advise,
        memory::advise,
    ];
    rules.into_iter().flat_map(|rule| rule(&job)).collect()
}
