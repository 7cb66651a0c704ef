//! Directories that belong to one process and are removed with it, or after it if it crashed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The file in such a directory that is locked while its process lives.
pub(crate) const ALIVE: &str = "alive";

/// A directory of this process, removed with its contents on drop. Directories of processes that died
/// without removing theirs are removed when another is created beside them.
pub struct OwnDirectory {
    directory: TempDir,
    _alive: File,
}

impl OwnDirectory {
    /// Creates a directory in `parent` whose name begins with `prefix`, with these permissions. It
    /// belongs to the owner of `parent` if this process may change owners.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn make(parent: &Path, prefix: &str, mode: u32) -> io::Result<Self> {
        // Locked while a directory is being created or checked. Another user's lock file cannot be
        // opened, and that user's directories are not ours to remove.
        let door = parent.join(format!(".{}.lock", prefix.trim_end_matches('-')));
        let door = File::options().create(true).truncate(false).write(true).open(door);
        if let Ok(door) = &door {
            door.lock()?;
            for entry in fs::read_dir(parent)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with(prefix) && is_stale(&entry.path()) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        let permissions = Permissions::from_mode(mode);
        let directory =
            tempfile::Builder::new().prefix(prefix).permissions(permissions).tempdir_in(parent)?;
        let alive = File::create_new(directory.path().join(ALIVE))?;
        alive.lock()?;
        give_to_owner_of(parent, directory.path())?;
        Ok(Self { directory, _alive: alive })
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}

/// When root creates a directory for another user, gives it to the owner of `parent`.
pub fn give_to_owner_of(parent: &Path, directory: &Path) -> io::Result<()> {
    let (theirs, ours) = (fs::metadata(parent)?, fs::metadata(directory)?);
    if ours.uid() == 0 && theirs.uid() != 0 {
        std::os::unix::fs::chown(directory, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    Ok(())
}

/// Whether nobody holds the directory's lock. A directory being created takes its lock before the common
/// lock is released.
fn is_stale(directory: &Path) -> bool {
    match File::open(directory.join(ALIVE)) {
        Ok(alive) => alive.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_a_live_one_has_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("own-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(ALIVE), "").unwrap();
        fs::write(dead.join("0.arrows"), "rows").unwrap();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        let live = OwnDirectory::make(parent.path(), "own-", 0o700).unwrap();
        assert!(!dead.exists() && other.exists());
        let second = OwnDirectory::make(parent.path(), "own-", 0o755).unwrap();
        assert!(live.path().exists());
        assert_eq!(fs::metadata(live.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let path = second.path();
        drop(second);
        assert!(!path.exists());
    }
}
