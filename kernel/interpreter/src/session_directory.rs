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

/// Held locked for as long as the kernel lives, however it ends.
const LOCK_FILE: &str = "session.lock";

/// A session's directory: cells on their way through the compiler, the evaluation process's spilled
/// data. It goes with the session; one whose kernel was killed is removed by a later kernel.
pub struct SessionDirectory {
    directory: TempDir,
    _lock: File,
}

impl SessionDirectory {
    /// Makes one, and removes those that were abandoned.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create() -> io::Result<Self> {
        let place = env::temp_dir();
        // Cells and their data are the person's own.
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&place)?;
        // The lock has its name only once it is locked, so that nobody finds it open.
        let unlocked = directory.path().join("lock");
        let lock = File::create_new(&unlocked)?;
        lock.lock()?;
        fs::rename(unlocked, directory.path().join(LOCK_FILE))?;
        // Nobody waits for it, and without it a directory stays a while longer.
        let _ = thread::Builder::new().name("sweep".into()).spawn(move || sweep(&place));
        Ok(Self { directory, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories of this user's sessions whose kernel is gone.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            // Should it fail, the next kernel tries again.
            let _ = remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(directory: &Path) -> io::Result<()> {
    // SAFETY: the call has no arguments and cannot fail.
    let user = unsafe { libc::geteuid() };
    // Not by way of a link that somebody else put there.
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.uid() != user {
        return Ok(());
    }
    let lock = File::open(directory.join(LOCK_FILE))?;
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(directory),
        // Its kernel lives, or another one is removing it.
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
