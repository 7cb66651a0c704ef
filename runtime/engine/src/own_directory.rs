use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// In such a directory: locked while its process lives.
pub const ALIVE: &str = "alive";

/// A directory of this process, removed with all that is in it when dropped. Those of processes that
/// died without that are removed when another one is made beside them.
pub struct OwnDirectory {
    directory: TempDir,
    _alive: File,
}

impl OwnDirectory {
    /// Makes one in `parent`, its name beginning with `prefix`, with these permissions, for the parent's
    /// owner if this process may give directories away.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(parent: &Path, prefix: &str, mode: u32) -> io::Result<Self> {
        // While one is made or looked at. Another user's door stays shut, and what is behind it is not
        // ours to remove.
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

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}

/// Root makes directories for others to write to.
pub fn give_to_owner_of(parent: &Path, directory: &Path) -> io::Result<()> {
    let (theirs, ours) = (fs::metadata(parent)?, fs::metadata(directory)?);
    if ours.uid() == 0 && theirs.uid() != 0 {
        std::os::unix::fs::chown(directory, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    Ok(())
}

/// Whether nobody holds the directory's lock; it is taken before the door is opened again.
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
