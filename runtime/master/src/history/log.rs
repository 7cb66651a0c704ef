use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use partita_events::Event;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most lines that wait for the disk. When there are more, new lines are dropped and counted.
const WAITING: usize = 65_536;

/// After this time without new lines, the files are flushed.
const IDLE: Duration = Duration::from_millis(200);

/// The location and limits of the event log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The directory; it is created if it is missing.
    pub directory: PathBuf,
    /// The size limit of one file, in bytes. A full file becomes the session's older half, in place of the
    /// previous one, and a new file is started.
    pub file_bytes: u64,
    /// The most sessions whose files are kept; the oldest are removed.
    pub sessions: usize,
}

impl LogOptions {
    /// A log in `directory` with the default limits: twice 64 MiB per session, 200 sessions.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), file_bytes: 64 << 20, sessions: 200 }
    }
}

/// The event log cannot be written.
#[derive(Debug, Error)]
#[error("cannot write the event log to {directory}: {cause}. Use another directory, or none")]
pub struct LogError {
    directory: PathBuf,
    cause: io::Error,
}

/// A line of a session's file. Most lines are events, in the bridge's format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Line {
    /// The first line.
    Session {
        id: String,
        session: u64,
        name: String,
        /// Seconds since the Unix epoch.
        opened: f64,
        /// Time zero of the events, in the same unit.
        zero: f64,
        partita: String,
    },
    /// The last line.
    Closed { at: f64 },
    /// The number of events that are missing here because the disk was too slow.
    Dropped { events: u64 },
    #[serde(untagged)]
    Event(Event),
}

enum Message {
    Line { id: Arc<str>, line: Box<Line> },
    Close { id: Arc<str> },
}

/// Writes the files on a thread of its own.
#[derive(Debug)]
pub(super) struct Log {
    queue: Option<SyncSender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    pub fn start(options: LogOptions) -> Result<Self, LogError> {
        let failed = |cause| LogError { directory: options.directory.clone(), cause };
        fs::create_dir_all(&options.directory).map_err(failed)?;
        // Report an unwritable directory now, not after the first job.
        let probe = options.directory.join(".partita-probe");
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed)?;
        let (queue, waiting) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer { options: options.clone(), files: HashMap::new(), dropped: dropped.clone() };
        let thread = thread::Builder::new()
            .name("event-log".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(failed)?;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)), dropped })
    }

    /// Queues a line for a session's file; never waits.
    pub fn write(&self, id: &Arc<str>, line: Line) {
        self.send(Message::Line { id: id.clone(), line: Box::new(line) });
    }

    pub fn close(&self, id: &Arc<str>) {
        self.send(Message::Close { id: id.clone() });
    }

    /// The number of lines that could not be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, message: Message) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(message) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    /// Writes the queued lines.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// The file of a session, and the file of its older half.
pub(super) fn paths(directory: &Path, id: &str) -> [PathBuf; 2] {
    [directory.join(format!("{id}.older.jsonl")), directory.join(format!("{id}.jsonl"))]
}

struct Writer {
    options: LogOptions,
    files: HashMap<Arc<str>, Open>,
    dropped: Arc<AtomicU64>,
}

struct Open {
    file: BufWriter<File>,
    bytes: u64,
    /// The beginning of every file: the session and its current workers.
    head: Vec<Line>,
    told: u64,
}

impl Writer {
    fn run(&mut self, waiting: &Receiver<Message>) {
        let mut dirty = false;
        loop {
            match waiting.recv_timeout(IDLE) {
                Ok(Message::Line { id, line }) => {
                    self.line(&id, *line);
                    dirty = true;
                }
                Ok(Message::Close { id }) => {
                    self.flush(&id);
                    self.files.remove(&id);
                }
                Err(RecvTimeoutError::Timeout) if dirty => {
                    let ids: Vec<_> = self.files.keys().cloned().collect();
                    ids.iter().for_each(|id| self.flush(id));
                    dirty = false;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn line(&mut self, id: &Arc<str>, line: Line) {
        if let Err(error) = self.try_line(id, line) {
            // The disk may be full for a while; that must not stop the pool.
            if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                let directory = self.options.directory.display();
                tracing::warn!("cannot write the event log to {directory}: {error}");
            }
        }
    }

    fn try_line(&mut self, id: &Arc<str>, line: Line) -> io::Result<()> {
        if matches!(line, Line::Session { .. }) {
            self.make_room();
            let file = BufWriter::new(create(&paths(&self.options.directory, id)[1])?);
            let told = self.dropped.load(Ordering::Relaxed);
            self.files.insert(id.clone(), Open { file, bytes: 0, head: Vec::new(), told });
        }
        let (dropped, most) = (self.dropped.load(Ordering::Relaxed), self.options.file_bytes);
        let Some(open) = self.files.get_mut(id) else { return Err(io::Error::other("its file is not open")) };
        if dropped > open.told {
            let events = dropped - open.told;
            open.told = dropped;
            open.put(&Line::Dropped { events })?;
        }
        // If possible a new file begins between jobs, so that a job is in one file.
        let between = matches!(line, Line::Event(Event::JobSubmitted { .. }));
        if open.bytes > most || (between && open.bytes > most / 4 * 3) {
            open.file.flush()?;
            let [older, path] = paths(&self.options.directory, id);
            fs::rename(&path, older)?;
            open.file = BufWriter::new(create(&path)?);
            open.bytes = 0;
            for line in open.head.clone() {
                open.put(&line)?;
            }
        }
        open.put(&line)?;
        open.remember(line);
        Ok(())
    }

    fn flush(&mut self, id: &Arc<str>) {
        if let Some(Err(error)) = self.files.get_mut(id).map(|open| open.file.flush()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("cannot write the event log of {id}: {error}");
        }
    }

    /// Removes the files of the oldest sessions; file names sort by age.
    fn make_room(&self) {
        let Ok(sessions) = super::replay::sessions(&self.options.directory) else { return };
        let surplus = (sessions.len() + 1).saturating_sub(self.options.sessions.max(1));
        for id in sessions.iter().filter(|id| !self.files.contains_key(id.as_str())).take(surplus) {
            for path in paths(&self.options.directory, id) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Open {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.bytes += text.len() as u64;
        self.file.write_all(&text)
    }

    fn remember(&mut self, line: Line) {
        match &line {
            Line::Session { .. } => self.head.insert(0, line),
            Line::Event(Event::WorkerJoined { .. }) if self.head.len() < 1024 => self.head.push(line),
            Line::Event(Event::WorkerLost { worker: gone, .. }) => self.head.retain(
                |line| !matches!(line, Line::Event(Event::WorkerJoined { worker, .. }) if worker == gone),
            ),
            _ => {}
        }
    }
}

/// Only the owner may read a file, because events may be confidential.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
