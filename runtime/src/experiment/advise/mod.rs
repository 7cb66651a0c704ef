//! Advice: what a job's report says could be faster, by how much, and with which code. Each rule
//! (`skew`, `partitions`, `joins`, `reading`, `memory`) reads figures of a report and computes what the
//! job would have taken by one stated model (`model`); nothing is advised that saves little. `check`
//! holds a prediction against a measurement.
//!
//! The model is list scheduling: a stage takes as long as its tasks take on the slots, each task in
//! partition order on the slot that is free first (R. L. Graham, *Bounds on Multiprocessing Timing
//! Anomalies*, 1969). A remedy changes the times of tasks; the expected speed-up is the job's measured
//! wall time over what remains of it when the difference of the two schedules is taken away.

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

/// What kind of trouble an advice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdviceKind {
    /// One partition has far more to do than the others.
    Skew,
    /// Slots are idle because there are too few partitions, or a few too many for the last turn.
    TooFewPartitions,
    /// Tasks that read a source do hardly more than start and end.
    TooManyPartitions,
    /// Tasks after a shuffle do hardly more than start and end.
    Coalesce,
    /// Another partition count is better by a law fitted to a sweep.
    PartitionCount,
    /// Both sides of a join were shuffled although one is small.
    Broadcast,
    /// Rows are read, or worked on, that a filter then drops.
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

/// One thing that could be faster.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What kind of trouble it is.
    pub kind: AdviceKind,
    /// The stage of the job that it is about.
    pub stage: Option<usize>,
    /// What is the matter, and what would help.
    pub message: String,
    /// Code to paste, with `data`, `left` and `right` for the datasets in question.
    pub code: String,
    /// How many times as fast the job would be, by the model; 1 where that cannot be told.
    pub expected: f64,
}

/// Advice on one thing, what promises most first. As a cell's last expression it shows as a list.
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

/// What can be advised on: a job's report, a session's jobs, a sweep.
pub trait Advise {
    /// What could be faster; empty when nothing is wrong.
    fn advice(&self) -> Advices;
}

/// One job, by its report. A job that failed or still runs gets none.
impl Advise for JobReport {
    fn advice(&self) -> Advices {
        Advices::of(on_job(self))
    }
}

/// The session's last job, and what all its jobs show together: files that several of them read.
impl Advise for Session {
    fn advice(&self) -> Advices {
        let reports = self.reports();
        let mut all = self.last_report().as_ref().map(on_job).unwrap_or_default();
        all.extend(reading::again(&reports));
        Advices::of(all)
    }
}

/// The best setting by the Universal Scalability Law, against the first one of the sweep; none where the
/// law fits badly or promises little.
impl<R> Advise for SweepResult<R> {
    fn advice(&self) -> Advices {
        Advices::of(partitions::by_sweep(self).into_iter().collect())
    }
}

/// What could be faster about a job (its [`JobReport`]), a [`Session`]'s jobs or a sweep.
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
