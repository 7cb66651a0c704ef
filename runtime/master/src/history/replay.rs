use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use partita_events::fold::{Job, Limits, Session};
use partita_events::{Event, JobId};
use thiserror::Error;

use super::log::{Line, paths};

/// The most bytes of a line; a longer one is not from an event log.
const LINE_BYTES: u64 = 1 << 20;

/// The contents of a directory of event logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Sessions.
    pub sessions: usize,
    /// Events.
    pub events: usize,
    /// Lines that are not events; a truncated last line is not counted.
    pub unreadable: usize,
}

/// A directory of event logs cannot be read.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be listed.
    #[error("cannot read the event logs in {directory}: {cause}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file in it cannot be read.
    #[error("cannot read the event log {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// There are no event logs.
    #[error(
        "there are no event logs in {directory}: a master writes them into the directory that its \
         `--history-dir` names, one file `session-….jsonl` a session"
    )]
    Empty {
        /// The directory.
        directory: PathBuf,
    },
}

/// The sessions that have files in a directory, oldest first.
pub(super) fn sessions(directory: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".jsonl")) else { continue };
        let id = id.strip_suffix(".older").unwrap_or(id);
        if id.starts_with("session-") {
            found.insert(id.to_owned());
        }
    }
    Ok(found)
}

/// Passes every line of a session's files to `take`. Returns how many lines could not be decoded.
pub(super) fn read(directory: &Path, id: &str, mut take: impl FnMut(Line)) -> Result<usize, ReplayError> {
    let mut unreadable = 0;
    let mut first = true;
    for path in paths(directory, id) {
        let failed = |cause| ReplayError::File { path: path.clone(), cause };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let mut head = !first;
        first = false;
        unreadable += lines(BufReader::new(file), |line| {
            // The second file repeats the first one's lines about the session and its workers.
            head &= matches!(line, Line::Session { .. } | Line::Event(Event::WorkerJoined { .. }));
            if !head {
                take(line);
            }
        })
        .map_err(failed)?;
    }
    Ok(unreadable)
}

/// Folds one job of a session from its files, with the session's workers.
pub(super) fn job(directory: &Path, id: &str, job: JobId, interrupted: bool) -> Result<Session, ReplayError> {
    let mut session = Session::new(Limits::whole_jobs(1));
    read(directory, id, |line| {
        if let Line::Event(event) = line
            && event.job().is_none_or(|of| of == job)
        {
            session.apply(&event);
        }
    })?;
    if interrupted {
        session.jobs_mut().for_each(Job::interrupt);
    }
    Ok(session)
}

fn lines(mut from: impl BufRead, mut take: impl FnMut(Line)) -> io::Result<usize> {
    let mut unreadable = 0;
    let mut text = Vec::new();
    loop {
        text.clear();
        if from.by_ref().take(LINE_BYTES).read_until(b'\n', &mut text)? == 0 {
            return Ok(unreadable);
        }
        let whole = text.ends_with(b"\n");
        match serde_json::from_slice(&text) {
            Ok(line) => take(line),
            // A line that is still being written, or was being written when the master ended.
            Err(_) if !whole && from.fill_buf()?.is_empty() => {}
            Err(_) => {
                unreadable += 1;
                if !whole {
                    skip_line(&mut from)?;
                }
            }
        }
    }
}

fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let seen = from.fill_buf()?;
        if seen.is_empty() {
            return Ok(());
        }
        let (length, ended) = match seen.iter().position(|byte| *byte == b'\n') {
            Some(place) => (place + 1, true),
            None => (seen.len(), false),
        };
        from.consume(length);
        if ended {
            return Ok(());
        }
    }
}
