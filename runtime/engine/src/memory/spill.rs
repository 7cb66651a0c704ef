use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::own_directory::OwnDirectory;
use parking_lot::Mutex;

const PREFIX: &str = "partita-spill-";

/// A directory for what does not fit into memory, used by this process only. It is created with the first
/// file, readable only by its user, and removed with all files on drop.
pub struct SpillDirectory {
    parent: PathBuf,
    made: Mutex<Option<OwnDirectory>>,
    next: AtomicU64,
}

impl SpillDirectory {
    /// A directory that will be created in `parent`.
    pub fn new(parent: PathBuf) -> Self {
        Self { parent, made: Mutex::default(), next: AtomicU64::default() }
    }

    /// Creates it now, so that a problem with spilling is found early.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn make(&self) -> io::Result<PathBuf> {
        let mut made = self.made.lock();
        if let Some(made) = &*made {
            return Ok(made.path());
        }
        let fresh = OwnDirectory::make(&self.parent, PREFIX, 0o700).map_err(|error| {
            let parent = self.parent.display();
            io::Error::new(
                error.kind(),
                format!("cannot make a directory for data on disk in {parent}: {error}"),
            )
        })?;
        Ok(made.insert(fresh).path())
    }

    /// Removes it with all files. Holders of files will find them gone.
    pub fn remove(&self) {
        let made = self.made.lock().take();
        drop(made);
    }

    /// Creates a file with what `write` writes. On failure nothing of it remains.
    ///
    /// # Errors
    /// When it cannot be written. The message names the file and says what to do about a full disk.
    pub fn write<T, E: From<io::Error>>(
        self: &Arc<Self>,
        write: impl FnOnce(&mut SpillWriter) -> Result<T, E>,
    ) -> Result<(Arc<SpillFile>, T), E> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.make()?.join(format!("{number}.arrows"));
        let file = File::create_new(&path).map_err(|error| explained(&path, &error))?;
        // Removes the file on drop, in every case.
        let spilled = SpillFile { path: path.clone(), _directory: self.clone() };
        let mut writer = SpillWriter { file: BufWriter::with_capacity(1 << 18, file), path, written: 0 };
        let done = write(&mut writer)?;
        writer.flush()?;
        Ok((Arc::new(spilled), done))
    }
}

fn explained(path: &Path, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free space there, give another directory for spilled data, or use less data per worker"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot write data to disk at {}: {error}{remedy}", path.display()))
}

/// Writes one spill file. Its errors name the file.
pub struct SpillWriter {
    file: BufWriter<File>,
    path: PathBuf,
    written: u64,
}

impl SpillWriter {
    /// The number of bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl Write for SpillWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).map_err(|error| explained(&self.path, &error))?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| explained(&self.path, &error))
    }
}

/// A file in a spill directory. Removed on drop.
pub struct SpillFile {
    path: PathBuf,
    _directory: Arc<SpillDirectory>,
}

impl SpillFile {
    /// Reads a range of it.
    ///
    /// # Errors
    /// When the file cannot be read or is too short.
    pub fn read(&self, range: &Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.open(range)?.read_exact(&mut bytes).map_err(|error| self.unreadable(&error))?;
        Ok(bytes)
    }

    /// Copies a range of it.
    ///
    /// # Errors
    /// When the file cannot be read, or `to` cannot be written.
    pub fn copy(&self, range: &Range<u64>, to: &mut impl Write) -> io::Result<()> {
        let mut file = self.open(range)?;
        let mut left = range.end - range.start;
        let mut buffer = vec![0; (left as usize).min(1 << 18)];
        while left > 0 {
            let part = &mut buffer[..(left as usize).min(1 << 18)];
            file.read_exact(part).map_err(|error| self.unreadable(&error))?;
            to.write_all(part)?;
            left -= part.len() as u64;
        }
        Ok(())
    }

    fn open(&self, range: &Range<u64>) -> io::Result<File> {
        let open = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(range.start))?;
            Ok(file)
        };
        open().map_err(|error: io::Error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot read back {}: {error}", self.path.display()))
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // The directory is removed as well, in the end.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::own_directory::ALIVE;

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().flatten().filter(|entry| entry.file_name() != ALIVE).count()
    }

    #[test]
    fn files_are_this_users_alone_and_gone_with_what_needs_them() {
        let parent = tempfile::tempdir().unwrap();
        let spill = Arc::new(SpillDirectory::new(parent.path().to_owned()));
        let (file, ()) = spill.write::<_, io::Error>(|writer| writer.write_all(b"some rows")).unwrap();
        let directory = spill.make().unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(file.read(&(5..9)).unwrap(), b"rows");
        let failed = spill.write::<(), io::Error>(|writer| {
            writer.write_all(b"a part")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(files(&directory), 1, "a file that was not finished is gone");
        drop(file);
        assert_eq!(files(&directory), 0);
        drop(spill);
        assert!(!directory.exists());
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file_and_the_remedy() {
        // A device that is always full, in place of the file.
        let error = File::options()
            .write(true)
            .open("/dev/full")
            .and_then(|mut full| full.write_all(b"rows"))
            .unwrap_err();
        let text = explained(Path::new("/spill/7.arrows"), &error).to_string();
        assert!(text.contains("/spill/7.arrows") && text.contains("free space"), "{text}");
    }
}
