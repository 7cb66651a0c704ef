use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use partita_engine::execute::stack;
use polars::prelude::*;

use super::Dataset;
use crate::display::{MimeDisplay, fresh_id};
use crate::error::{PartitaError, Result};
use crate::events::JobReport;
use crate::host::Shown;
use crate::plan::explain;
use crate::scheduler::{Action, JobResult};

/// The number of rows that `show` prints.
const SHOW_ROWS: usize = 20;

/// Actions: they run the plan as a job. After each, [`Session::last_report`] returns the job's report.
///
/// [`Session::last_report`]: crate::Session::last_report
impl Dataset {
    /// Returns all rows, one partition after the other.
    ///
    /// # Errors
    /// When a step is invalid, a task fails or the job is cancelled.
    pub fn collect(&self) -> Result<DataFrame> {
        let plan = self.plan()?;
        stacked(self.run(Action::Collect, "collect")?, &plan.schema)
    }

    /// Returns all rows and the report of the job that computed them.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn profile(&self) -> Result<(DataFrame, JobReport)> {
        let plan = self.plan()?;
        let result = self.run(Action::Collect, "profile")?;
        let report = self.report(&result)?;
        Ok((stacked(result, &plan.schema)?, report))
    }

    /// Returns the rows of each partition separately, to see how they are distributed.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn collect_partitions(&self) -> Result<Vec<DataFrame>> {
        Ok(self.run(Action::Collect, "collect_partitions")?.frames)
    }

    /// Returns the number of rows.
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
        let plan = first.plan()?;
        let rows = stacked(first.run(Action::Collect, "show")?, &plan.schema)?;
        self.session().host().show(Shown::New { id: fresh_id(), bundle: rows.mime_bundle() });
        Ok(())
    }

    /// Writes one Parquet file per partition into `directory` and returns their paths. The directory is
    /// created if it does not exist; it must be empty.
    ///
    /// # Errors
    /// As [`collect`](Self::collect), and when the directory cannot be written or is not empty.
    pub fn write_parquet(&self, directory: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let directory = directory.as_ref();
        let file = |cause: String| PartitaError::File { path: directory.to_owned(), cause };
        make(directory).map_err(|error| file(format!("cannot be created: {error}")))?;
        let list = || fs::read_dir(directory).map_err(|error| file(error.to_string()));
        if list()?.next().is_some() {
            return Err(file("is not empty; use a new directory, or empty it".into()));
        }
        self.run(Action::Parquet(directory.to_owned()), "write_parquet")?;
        let mut paths: Vec<PathBuf> = list()?.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    }

    /// Describes what a job would do: its stages with their partitions, and for one task of each stage
    /// Polars' optimised plan, including pushed-down filters and columns. Runs nothing.
    ///
    /// # Errors
    /// When a step is invalid.
    pub fn explain(&self) -> Result<String> {
        explain::explain(self.plan()?, self.session.settings())
    }

    fn run(&self, action: Action, name: &str) -> Result<JobResult> {
        self.session.run(self.plan()?, action, name)
    }

    fn report(&self, result: &JobResult) -> Result<JobReport> {
        self.session.report(result.job.0).ok_or_else(|| {
            PartitaError::argument(
                "profile",
                "the report was dropped: too many jobs ran at the same time",
                "run it again",
            )
        })
    }
}

fn stacked(result: JobResult, schema: &SchemaRef) -> Result<DataFrame> {
    Ok(stack(result.frames, schema)?)
}

/// Creates a directory if there is none. If root creates it in another user's directory, it belongs to that
/// user: workers that write into it do not run as root.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make(parent)?;
    // Another process may have just created it.
    fs::create_dir_all(directory)?;
    let (owner, made) = (fs::metadata(parent)?, fs::metadata(directory)?);
    if made.uid() == 0 && owner.uid() != 0 {
        chown(directory, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
