use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The variable with the history file's name. If it is empty, no history is kept.
const VARIABLE: &str = "PARTITA_HISTORY";
/// How large the file may become before its older half is dropped.
const MAX_BYTES: u64 = 4 << 20;
/// How long another kernel may take to write its lines.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// A cell that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub session: usize,
    /// The execution count; 0 marks the start of a session.
    pub number: usize,
    pub input: String,
    pub output: String,
}

/// The file in which cells outlive their kernel: one JSON object per line, newest last. All kernels of a
/// person append whole lines to it under a lock. The lock is a file of its own, because the history file
/// is replaced when it becomes too large.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    max_bytes: u64,
}

impl Store {
    /// The file named by `PARTITA_HISTORY`, or the one in the person's data directory. `None` if no
    /// history is wanted or there is no home directory.
    pub fn of_this_person() -> Option<Self> {
        let path = match std::env::var_os(VARIABLE) {
            Some(path) if path.is_empty() => return None,
            Some(path) => path.into(),
            None => dirs::data_dir()?.join("partita").join("jupyter-history.jsonl"),
        };
        Some(Self::at(path))
    }

    pub fn at(path: PathBuf) -> Self {
        Self { path, max_bytes: MAX_BYTES }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a session number that no other kernel has.
    pub fn begin(&self) -> io::Result<usize> {
        let _lock = self.lock()?;
        let last = self.read_locked()?.iter().map(|line| line.session).max().unwrap_or(0);
        let session = last.saturating_add(1);
        self.append_locked(&[Line { session, number: 0, input: String::new(), output: String::new() }])?;
        Ok(session)
    }

    /// Appends lines.
    pub fn append(&self, lines: &[Line]) -> io::Result<()> {
        let _lock = self.lock()?;
        self.append_locked(lines)
    }

    /// All cells, oldest session first.
    pub fn read(&self) -> io::Result<Vec<Line>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let mut lines = self.read_locked()?;
        lines.retain(|line| line.number > 0);
        // Sessions may have run at the same time. Within a session the order of its cells is kept.
        lines.sort_by_key(|line| line.session);
        Ok(lines)
    }

    /// Skips lines that cannot be parsed: one kernel's broken line must not cost the others their
    /// history.
    fn read_locked(&self) -> io::Result<Vec<Line>> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            // Other programs may have made it longer.
            Ok(file) => file.take(2 * self.max_bytes).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn append_locked(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        if !ends_with_newline(&mut file)? {
            text.push(b'\n');
        }
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        if file.metadata()?.len() > self.max_bytes { self.shorten() } else { Ok(()) }
    }

    /// Keeps the newer half.
    fn shorten(&self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(self.max_bytes / 2)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // The first line is cut off in the middle.
        let start = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
        // Created with private permissions, like the file that it replaces.
        let mut shorter = tempfile::NamedTempFile::new_in(self.directory())?;
        shorter.write_all(&text[start..])?;
        shorter.persist(&self.path)?;
        Ok(())
    }

    fn lock(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.directory())?;
        let path = self.path.with_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another kernel has locked it"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// A kernel that was killed while writing left half a line.
fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn line(session: usize, number: usize, input: &str) -> Line {
        Line { session, number, input: input.to_owned(), output: String::new() }
    }

    fn store(directory: &tempfile::TempDir) -> Store {
        Store::at(directory.path().join("data").join("history.jsonl"))
    }

    #[test]
    fn kernels_that_write_at_once_get_numbers_of_their_own_and_lose_no_line() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        let kernel = || {
            // On a loaded machine this may wait longer than a kernel would.
            let insist = |act: &dyn Fn() -> io::Result<usize>| loop {
                match act() {
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    done => break done.unwrap(),
                }
            };
            let session = insist(&|| store.begin());
            for number in 1..=20 {
                insist(&|| store.append(&[line(session, number, "x")]).map(|()| 0));
            }
            session
        };
        let sessions: BTreeSet<usize> = std::thread::scope(|scope| {
            let kernels: Vec<_> = (0..10).map(|_| scope.spawn(kernel)).collect();
            kernels.into_iter().map(|kernel| kernel.join().unwrap()).collect()
        });
        assert_eq!(sessions, (1..=10).collect());
        let expected: Vec<(usize, usize)> =
            (1..=10).flat_map(|session| (1..=20).map(move |number| (session, number))).collect();
        let read = store.read().unwrap();
        assert_eq!(read.iter().map(|line| (line.session, line.number)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_cells_said_is_for_nobody_else_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        store.begin().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
    }

    #[test]
    fn a_file_that_becomes_too_large_loses_its_older_half_and_stays_private() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store { max_bytes: 4096, ..store(&directory) };
        let session = store.begin().unwrap();
        for number in 1..=200 {
            store.append(&[line(session, number, "some code")]).unwrap();
        }
        assert!(std::fs::metadata(store.path()).unwrap().len() <= 4096);
        let read = store.read().unwrap();
        assert_eq!(read.last().unwrap().number, 200);
        let numbers: Vec<usize> = read.iter().map(|line| line.number).collect();
        assert_eq!(numbers, (numbers[0]..=200).collect::<Vec<_>>());
        assert_eq!(std::fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(store.begin().unwrap(), session + 1);
    }

    #[test]
    fn half_a_line_costs_no_other_line() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        let session = store.begin().unwrap();
        store.append(&[line(session, 1, "a")]).unwrap();
        let mut file = OpenOptions::new().append(true).open(store.path()).unwrap();
        file.write_all(b"{\"session\": 1, \"number\": 2, \"inp\xff").unwrap();
        store.append(&[line(session, 3, "c")]).unwrap();
        let inputs: Vec<String> = store.read().unwrap().into_iter().map(|line| line.input).collect();
        assert_eq!(inputs, ["a", "c"]);
    }
}
