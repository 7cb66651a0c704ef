//! The stages of a job. A stage is a list of inputs, one per task, and what to do with their rows.

use std::sync::Arc;

use partita_engine::shuffle::{Partitioner, ShuffleId};
use partita_engine::task::Input;
use polars::prelude::*;

/// How many rows of each partition are sampled to find the bounds of a range partitioning.
pub(super) const SAMPLE_ROWS: usize = 1024;

/// Tasks that can run in parallel once the stages in `after` are done.
pub(crate) struct Stage {
    /// What it does, for people.
    pub name: String,
    /// One input per task.
    pub inputs: Vec<Arc<Input>>,
    /// What to do with the rows.
    pub sink: Sink,
    /// The indexes of the stages whose output this one reads.
    pub after: Vec<usize>,
}

/// What to do with a stage's rows. Like a task's output, but the partitioner may still need the sample of
/// an earlier stage.
#[derive(Clone)]
pub(crate) enum Sink {
    Shuffle {
        id: ShuffleId,
        partitioner: Arc<Partitioner>,
    },
    /// The bounds come from the sample of stage `sample`.
    RangeShuffle {
        id: ShuffleId,
        sample: usize,
        by: Vec<Expr>,
        descending: Vec<bool>,
        nulls_last: bool,
        n: usize,
    },
    /// The hot keys come from the sample of stage `sample`.
    SaltedShuffle {
        id: ShuffleId,
        sample: usize,
        keys: Vec<Expr>,
        n: usize,
        salts: usize,
        /// Whether rows of hot keys are copied to all of a key's partitions, or dealt among them.
        copied: bool,
    },
    Sample {
        by: Vec<Expr>,
        rows: usize,
    },
    /// The rows become broadcast number `index` of the job.
    Broadcast {
        index: usize,
        schema: SchemaRef,
    },
    /// The job's result.
    Result,
}

impl Sink {
    /// The shuffle that the rows go to.
    pub fn shuffle(&self) -> Option<ShuffleId> {
        match self {
            Self::Shuffle { id, .. } | Self::RangeShuffle { id, .. } | Self::SaltedShuffle { id, .. } => {
                Some(*id)
            }
            Self::Sample { .. } | Self::Broadcast { .. } | Self::Result => None,
        }
    }

    /// Changes the shuffle that the rows go to, if there is one.
    pub fn set_shuffle(&mut self, shuffle: ShuffleId) {
        if let Self::Shuffle { id, .. } | Self::RangeShuffle { id, .. } | Self::SaltedShuffle { id, .. } =
            self
        {
            *id = shuffle;
        }
    }
}

/// The stages of a job, each after those it reads. The last one produces the result, unless there are more
/// to come.
pub(crate) struct PhysicalPlan {
    pub stages: Vec<Stage>,
    /// The number of broadcasts that the stages create.
    pub broadcasts: usize,
    /// Of the last stage's rows, one partition after the other, only these are wanted: the number left out and
    /// the number taken. Its partitions need not all be computed.
    pub limit: Option<(usize, usize)>,
    /// The stage whose output must be measured before more stages can be planned.
    pub waits: Option<usize>,
}
