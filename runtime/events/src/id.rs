//! Names of things that are counted: sessions, jobs, stages, partitions, tasks, workers, shuffles. Each is
//! a type of its own, so that one cannot be passed where another is expected. In JSON and on the wire an
//! id is its bare number.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($number:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$number> for $name {
            fn from(number: $number) -> Self {
                Self(number)
            }
        }

        impl From<$name> for $number {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        /// So that a test or a caller can compare with a literal.
        impl PartialEq<$number> for $name {
            fn eq(&self, number: &$number) -> bool {
                self.0 == *number
            }
        }
    };
}

id! {
    /// A session. Embedded sessions count from 0 in their process; a master numbers those connected to it.
    SessionId(u64)
}
id! {
    /// A job of a session, from 0.
    JobId(usize)
}
id! {
    /// A stage of a job, from 0.
    StageId(usize)
}
id! {
    /// A partition of a stage, from 0: what one task computes.
    PartitionId(usize)
}
id! {
    /// A worker. A master never uses a number twice; 0 is the process of an embedded session.
    WorkerId(u64)
}
id! {
    /// A shuffle: what one stage writes for the stages that read it. Unique in a session.
    ShuffleId(u64)
}

impl WorkerId {
    /// The process of the session itself, whose slots are threads.
    pub const EMBEDDED: Self = Self(0);
}

/// A task: one partition of one stage of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job.
    pub job: JobId,
    /// The stage in the job.
    pub stage: StageId,
    /// The partition in the stage.
    pub partition: PartitionId,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} of stage {} of job {}", self.partition, self.stage, self.job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_travels_as_its_number() {
        assert_eq!(postcard::to_stdvec(&JobId(7)).unwrap(), postcard::to_stdvec(&7usize).unwrap());
        assert_eq!(
            postcard::from_bytes::<WorkerId>(&postcard::to_stdvec(&9u64).unwrap()).unwrap(),
            WorkerId(9)
        );
    }
}
