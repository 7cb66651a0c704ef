use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use partita_engine::execute::stack;
use polars::prelude::*;

use super::Dataset;
use crate::display::display;
use crate::error::{PartitaError, Result};
use crate::events::JobReport;
use crate::plan::explain;
use crate::scheduler::{Action, JobResult};

/// Rows `show` prints.
const SHOW_ROWS: usize = 20;

/// Actions: they run the plan as a job. After each, [`Session::last_report`] tells how it went.
///
/// [`Session::last_report`]: crate::Session::last_report
impl Dataset {
    /// All rows, partition after partition.
    ///
    /// # Errors
    /// When a step has a mistake, a task fails or the job is cancelled.
    pub fn collect(&self) -> Result<DataFrame> {
        let node = self.node()?;
        stacked(self.run(Action::Collect, "collect")?, &node.schema)
    }

    /// All rows, and the report of the job that made them.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn profile(&self) -> Result<(DataFrame, JobReport)> {
        let node = self.node()?;
        let result = self.run(Action::Collect, "profile")?;
        let report = self.report(&result)?;
        Ok((stacked(result, &node.schema)?, report))
    }

    /// The rows of each partition by itself: to see how they are spread.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn collect_partitions(&self) -> Result<Vec<DataFrame>> {
        Ok(self.run(Action::Collect, "collect_partitions")?.frames)
    }

    /// The number of rows.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn count(&self) -> Result<u64> {
        Ok(self.run(Action::Count, "count")?.count)
    }

    /// Shows the first 20 rows: as a table in a notebook, printed elsewhere.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn show(&self) -> Result<()> {
        let first = self.limit(SHOW_ROWS);
        let node = first.node()?;
        display(&stacked(first.run(Action::Collect, "show")?, &node.schema)?);
        Ok(())
    }

    /// Writes one Parquet file a partition into `directory` (made if it is not there, and it must be
    /// empty), and gives their paths.
    ///
    /// # Errors
    /// As [`collect`](Self::collect), and when the directory cannot be written or is not empty.
    pub fn write_parquet(&self, directory: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let directory = directory.as_ref();
        let file = |cause: String| PartitaError::File { path: directory.to_owned(), cause };
        make(directory).map_err(|error| file(format!("cannot be made: {error}")))?;
        let list = || fs::read_dir(directory).map_err(|error| file(error.to_string()));
        if list()?.next().is_some() {
            return Err(file("is not empty; give a new directory, or empty it".into()));
        }
        self.run(Action::Parquet(directory.to_owned()), "write_parquet")?;
        let mut paths: Vec<PathBuf> = list()?.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    }

    /// What a job would do: its stages with their partitions, and for one task of each what Polars
    /// makes of the plan, pushed-down filters and columns included. Runs nothing.
    ///
    /// # Errors
    /// When a step has a mistake.
    pub fn explain(&self) -> Result<String> {
        explain::explain(self.node()?)
    }

    fn run(&self, action: Action, name: &str) -> Result<JobResult> {
        self.session.run(self.node()?, action, name)
    }

    fn report(&self, result: &JobResult) -> Result<JobReport> {
        self.session.report(result.job).ok_or_else(|| {
            PartitaError::argument("profile", "the report is gone: many jobs ran at once", "run it again")
        })
    }
}

fn stacked(result: JobResult, schema: &SchemaRef) -> Result<DataFrame> {
    Ok(stack(result.frames, schema)?)
}

/// Makes a directory where there is none. Made by root in somebody else's directory it is theirs:
/// workers that write into it do not run as root.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make(parent)?;
    // Somebody else may just have made it.
    fs::create_dir_all(directory)?;
    let (owner, made) = (fs::metadata(parent)?, fs::metadata(directory)?);
    if made.uid() == 0 && owner.uid() != 0 {
        chown(directory, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
