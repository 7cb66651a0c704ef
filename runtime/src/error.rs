use std::path::PathBuf;

use polars::prelude::PolarsError;
use thiserror::Error;

/// What can go wrong with a dataset, from building its plan to running its last task. Every message
/// names the thing that is wrong and, where there is one, the remedy.
#[derive(Debug, Clone, Error)]
pub enum PartitaError {
    /// A step of the plan does not fit its input: an unknown column, a type that does not match.
    #[error("{step}: {cause}{}", hint(columns))]
    Plan {
        /// The step as the user wrote it, such as `filter`.
        step: String,
        /// Polars' own words.
        cause: String,
        /// The columns the step's input has, when the cause is about columns.
        columns: Vec<String>,
    },
    /// An argument has no meaning, such as zero partitions.
    #[error("{step}: {problem}; {remedy}")]
    Argument {
        /// The method called.
        step: String,
        /// What is wrong with which value.
        problem: String,
        /// What to do instead.
        remedy: String,
    },
    /// A task failed as often as it may be tried; the session and all other work go on.
    #[error("job {job} failed: stage {stage} ({name}), partition {partition}: {}", attempts(causes))]
    Task {
        /// Job number in the session.
        job: usize,
        /// Stage number in the job.
        stage: usize,
        /// What the stage does.
        name: String,
        /// The partition whose task failed.
        partition: usize,
        /// Why each attempt failed, in order: the error's or the panic's message.
        causes: Vec<String>,
    },
    /// A stage could not be run to its end for a reason that is no single task's.
    #[error("job {job} failed: stage {stage} ({name}): {cause}")]
    Stage {
        /// Job number in the session.
        job: usize,
        /// Stage number in the job.
        stage: usize,
        /// What the stage does.
        name: String,
        /// Why.
        cause: String,
    },
    /// The job was cancelled by an interrupt.
    #[error("job {job} was cancelled; the session and its variables are as they were")]
    Cancelled {
        /// Job number in the session.
        job: usize,
    },
    /// A file or directory could not be used.
    #[error("{path}: {cause}")]
    File {
        /// The path at fault.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file source could not be opened.
    #[error(transparent)]
    Source(#[from] std::sync::Arc<partita_engine::source::SourceError>),
    /// Something built on datasets could not do its part; the error is its own.
    #[error(transparent)]
    Other(std::sync::Arc<dyn std::error::Error + Send + Sync>),
    /// Polars failed outside any task.
    #[error(transparent)]
    Polars(#[from] PolarsError),
}

impl From<partita_engine::source::SourceError> for PartitaError {
    fn from(error: partita_engine::source::SourceError) -> Self {
        Self::Source(std::sync::Arc::new(error))
    }
}

impl PartitaError {
    /// The job that failed, if it was one that ran.
    pub(crate) fn job(&self) -> Option<usize> {
        match self {
            Self::Task { job, .. } | Self::Stage { job, .. } | Self::Cancelled { job } => Some(*job),
            _ => None,
        }
    }

    pub(crate) fn argument(step: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Argument { step: step.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A plan error in Polars' words, without the plan it prints after them, and with the columns
    /// there are when one was not found.
    pub(crate) fn plan(step: &str, cause: PolarsError, schema: &polars::prelude::Schema) -> Self {
        let mut root = &cause;
        while let PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } = root {
            root = error;
        }
        let text = root.to_string();
        let mut words = text.split("\n\nResolved plan").next().unwrap_or(&text);
        let mut columns = Vec::new();
        if matches!(root, PolarsError::ColumnNotFound(_) | PolarsError::SchemaFieldNotFound(_)) {
            words = words.split("; valid columns").next().unwrap_or(words);
            columns = schema.iter_names().map(|name| name.to_string()).collect();
        }
        Self::Plan { step: step.into(), cause: words.to_owned(), columns }
    }
}

/// Result with [`PartitaError`].
pub type Result<T, E = PartitaError> = std::result::Result<T, E>;

fn hint(columns: &[String]) -> String {
    if columns.is_empty() { String::new() } else { format!("; the columns here are: {}", columns.join(", ")) }
}

/// One cause as it is; of several, each with the number of its attempt.
fn attempts(causes: &[String]) -> String {
    match causes {
        [cause] => cause.clone(),
        causes => {
            let lines =
                causes.iter().enumerate().map(|(attempt, cause)| format!("\n  attempt {attempt}: {cause}"));
            format!("all {} attempts failed{}", causes.len(), lines.collect::<String>())
        }
    }
}
