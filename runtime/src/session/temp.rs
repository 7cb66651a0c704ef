use std::path::{Path, PathBuf};
use std::{fs, io};

use partita_engine::own_directory::{OwnDirectory, give_to_owner_of};

use super::Session;
use crate::error::{PartitaError, Result};

const PREFIX: &str = "partita-session-";

/// The part of the session's directory that the user sees.
const FILES: &str = "files";

impl Session {
    /// A directory for this session's files, which this process and its tasks reach under the same path. It
    /// is empty at first, stays the same, and is removed with its contents when the session ends. Use it like
    /// `std::env::temp_dir` in a program whose tasks may run elsewhere. A directory that a killed process
    /// left is removed when the next one is created beside it.
    ///
    /// In an embedded session it is in the system's directory for temporary files. On a pool it is in a
    /// directory that all workers may write to and that exists here too (`--output-dir`, or compose's
    /// `PARTITA_OUTPUT_DIR`); if there is none, in one that they may read (`--data-dir`).
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::from_env()?;
    /// let folder = session.temp_dir()?.join("squares");
    /// session.range(0, 100, 4).write_parquet(&folder)?;
    /// assert_eq!(session.read_parquet(&folder)?.count()?, 100);
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    ///
    /// # Errors
    /// When it cannot be created: on a pool, when no directory that its workers have in common exists here
    /// and can be written to.
    pub fn temp_dir(&self) -> Result<PathBuf> {
        let mut made = self.inner.temp.lock();
        if let Some(made) = &*made {
            return Ok(made.path().join(FILES));
        }
        let (fresh, files) = self
            .make_temp()
            .map_err(|(problem, remedy)| PartitaError::argument("temp_dir", problem, remedy))?;
        *made = Some(fresh);
        Ok(files)
    }

    fn make_temp(&self) -> Result<(OwnDirectory, PathBuf), (String, &'static str)> {
        let Some(places) = self.inner.engine.file_directories() else {
            let parent = self.inner.host.temp_dir();
            return make(&parent, 0o700).map_err(|error| {
                let problem = format!("cannot create a directory in {}: {error}", parent.display());
                (problem, "set TMPDIR to a directory that this process may write to")
            });
        };
        let mut problems = Vec::new();
        for parent in &places {
            match make(parent, 0o755) {
                Ok(made) => return Ok(made),
                Err(error) => problems.push(format!("{}: {error}", parent.display())),
            }
        }
        let problem = match problems[..] {
            [] => "the pool's workers have no file directory in common".to_owned(),
            _ => format!(
                "this process cannot write to any of the directories that the pool's workers use ({})",
                problems.join("; ")
            ),
        };
        Err((problem, "start the workers with --output-dir DIR, where DIR exists under the same path here"))
    }
}

/// Removes the directories of all sessions of this process, which is about to end without dropping them.
pub fn remove_temp_dirs() {
    for session in super::live() {
        // A directory that is being created now is left to the next process.
        let made = session.inner.temp.try_lock().and_then(|mut made| made.take());
        drop(made);
    }
}

fn make(parent: &Path, mode: u32) -> io::Result<(OwnDirectory, PathBuf)> {
    let made = OwnDirectory::make(parent, PREFIX, mode)?;
    let files = made.path().join(FILES);
    fs::create_dir(&files)?;
    give_to_owner_of(parent, &files)?;
    Ok((made, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_with_the_session() {
        let session = Session::embedded(1).unwrap();
        let directory = session.temp_dir().unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::write(directory.join("a"), "text").unwrap();
        assert_eq!(session.clone().temp_dir().unwrap(), directory);
        assert_ne!(Session::embedded(1).unwrap().temp_dir().unwrap(), directory);
        assert!(directory.join("a").exists());
        drop(session);
        assert!(!directory.exists() && !directory.parent().unwrap().exists());
    }
}
