use std::path::PathBuf;

use polars::prelude::PolarsError;
use thiserror::Error;

/// What can go wrong with a dataset, from building its plan to running its last task. Every message names
/// what is wrong and, if possible, the remedy.
#[derive(Debug, Clone, Error)]
pub enum PartitaError {
    /// A step of the plan does not match its input: an unknown column, or a wrong type.
    #[error("{step}: {cause}{}", hint(columns))]
    Plan {
        /// The step as the user wrote it, such as `filter`.
        step: String,
        /// Polars' message.
        cause: String,
        /// The columns of the step's input, if the cause is about columns.
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
    /// A task failed in all its attempts. The session and all other work go on.
    #[error("job {job} failed: stage {stage} ({name}), partition {partition}: {}", attempts(causes))]
    Task {
        /// The job's number in the session.
        job: usize,
        /// The stage's number in the job.
        stage: usize,
        /// What the stage does.
        name: String,
        /// The partition whose task failed.
        partition: usize,
        /// Why each attempt failed, in order: the message of the error or panic.
        causes: Vec<String>,
    },
    /// A stage could not be completed for a reason that belongs to no single task.
    #[error("job {job} failed: stage {stage} ({name}): {cause}")]
    Stage {
        /// The job's number in the session.
        job: usize,
        /// The stage's number in the job.
        stage: usize,
        /// What the stage does.
        name: String,
        /// The cause.
        cause: String,
    },
    /// The job was cancelled by an interrupt.
    #[error("job {job} was cancelled; the session and its variables are unchanged")]
    Cancelled {
        /// The job's number in the session.
        job: usize,
    },
    /// A file or directory could not be used.
    #[error("{path}: {cause}")]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// A file source could not be opened.
    #[error(transparent)]
    Source(#[from] std::sync::Arc<partita_engine::source::SourceError>),
    /// Something built on datasets failed with an error of its own.
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
    /// The job that failed, if a job was run.
    pub(crate) fn job(&self) -> Option<usize> {
        match self {
            Self::Task { job, .. } | Self::Stage { job, .. } | Self::Cancelled { job } => Some(*job),
            _ => None,
        }
    }

    pub(crate) fn argument(step: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Argument { step: step.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A plan error with Polars' message, without the plan that Polars appends. If a column was not
    /// found, it lists the columns that exist.
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

/// A single cause as it is; several with the numbers of their attempts.
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
