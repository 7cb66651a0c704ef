use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    thread,
};

use tempfile::TempDir;

const PREFIX: &str = "partita-";

/// Locked for as long as the kernel lives, however it ends.
const LOCK_FILE: &str = "session.lock";

/// A session's directory: files of cells being compiled, and data that the evaluation process spills. It
/// is removed with the session. If the kernel was killed, a later kernel removes it.
pub struct SessionDirectory {
    directory: TempDir,
    _lock: File,
}

impl SessionDirectory {
    /// Creates a session's directory and removes abandoned ones.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create() -> io::Result<Self> {
        let place = env::temp_dir();
        // Only the person may read cells and their data.
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&place)?;
        // The lock gets its name only once it is locked, so that nobody finds it unlocked.
        let unlocked = directory.path().join("lock");
        let lock = File::create_new(&unlocked)?;
        lock.lock()?;
        fs::rename(unlocked, directory.path().join(LOCK_FILE))?;
        // Nobody waits for this. Without the thread, an abandoned directory stays a while longer.
        let _ = thread::Builder::new().name("sweep".into()).spawn(move || sweep(&place));
        Ok(Self { directory, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories of this user's sessions whose kernel has ended.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            // If this fails, the next kernel tries again.
            let _ = remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(directory: &Path) -> io::Result<()> {
    // SAFETY: the call has no arguments and cannot fail.
    let user = unsafe { libc::geteuid() };
    // Do not follow a link that somebody else may have placed there.
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.uid() != user {
        return Ok(());
    }
    let lock = File::open(directory.join(LOCK_FILE))?;
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(directory),
        // Its kernel is alive, or another kernel is removing it.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_abandoned_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            (File::create(path.join(LOCK_FILE)).unwrap(), path)
        };
        let (_, abandoned) = make("partita-abandoned");
        let (lock, alive) = make("partita-alive");
        lock.lock().unwrap();
        let strange = place.path().join("partita-strange");
        fs::create_dir(&strange).unwrap();
        let (_, other) = make("other");
        let linked = place.path().join("partita-linked");
        std::os::unix::fs::symlink(&other, &linked).unwrap();
        sweep(place.path());
        assert!(!abandoned.exists());
        assert!(alive.exists() && strange.exists() && other.exists() && linked.exists());
    }
}
