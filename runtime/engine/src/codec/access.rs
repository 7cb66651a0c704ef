use std::io;
use std::path::{Component, Path, PathBuf};

use polars::prelude::PlRefPath;
use thiserror::Error;

use crate::source::Opened;

/// The maximum number of directory entries checked for links.
const MAX_ENTRIES: usize = 100_000;

/// Which files tasks may read, and where they may write.
#[derive(Debug, Default)]
pub struct Access {
    data: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    /// Files of sources that tasks read, cached so that each footer is read once.
    pub(super) opened: Opened,
}

/// Why a task may not use a path.
#[derive(Debug, Error)]
pub enum AccessError {
    /// It is outside of what tasks may use; what is allowed, and the flag that would allow it.
    #[error("`{path}` is outside of the directories that this worker may {verb} ({allowed}); move it there, or start the worker with {flag}", path = path.display())]
    Outside { path: PathBuf, verb: &'static str, allowed: String, flag: String },
    /// The system does not let this worker use it.
    #[error("this worker cannot {verb} `{path}`: {cause}; does it exist under the same path on the worker's machine?", path = path.display())]
    Unusable { path: PathBuf, verb: &'static str, cause: io::Error },
    /// It is not a local file.
    #[error("`{path}`: a task in a pool can read local files only")]
    Remote { path: String },
    /// A directory with more entries than are looked at.
    #[error("`{path}` holds more than {MAX_ENTRIES} files: name fewer of them", path = path.display())]
    TooMany { path: PathBuf },
}

impl Access {
    /// Takes the directories for reading and for writing, which must exist.
    pub fn new(data: &[PathBuf], outputs: &[PathBuf]) -> Result<Self, AccessError> {
        let canonical = |paths: &[PathBuf], verb| {
            let one = |path: &PathBuf| {
                let found = path.canonicalize();
                found.map_err(|cause| AccessError::Unusable { path: path.clone(), verb, cause })
            };
            paths.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            data: canonical(data, "read")?,
            outputs: canonical(outputs, "write to")?,
            opened: Opened::default(),
        })
    }

    /// The directories that tasks may read.
    pub fn data(&self) -> &[PathBuf] {
        &self.data
    }

    /// The directories that tasks may write and read.
    pub fn outputs(&self) -> &[PathBuf] {
        &self.outputs
    }

    /// The canonical path of a file or directory that a task wants to read, if it may. What a job has
    /// written may be read again.
    pub fn read(&self, path: &Path) -> Result<PathBuf, AccessError> {
        let found = path.canonicalize().map_err(|cause| match self.literally_within(path) {
            true => AccessError::Unusable { path: path.to_owned(), verb: "read", cause },
            // Do not reveal whether a path exists that may not be read.
            false => self.may_not_read(path),
        })?;
        if self.data.iter().chain(&self.outputs).any(|allowed| found.starts_with(allowed)) {
            Ok(found)
        } else {
            Err(self.may_not_read(path))
        }
    }

    /// Checks a directory that a task wants to write files to. Parts of the path that do not exist yet
    /// must not contain `..`.
    pub fn write(&self, path: &Path) -> Result<PathBuf, AccessError> {
        let outside = || AccessError::Outside {
            path: path.to_owned(),
            verb: "write to",
            allowed: list(&self.outputs),
            flag: format!("--output-dir {}", path.display()),
        };
        let mut there = path;
        let mut below = Vec::new();
        let found = loop {
            match there.canonicalize() {
                Ok(found) => break found,
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && there.symlink_metadata().is_err() => {}
                Err(_) => return Err(outside()),
            }
            let (Some(parent), Some(Component::Normal(name))) =
                (there.parent(), there.components().next_back())
            else {
                return Err(outside());
            };
            below.push(name);
            there = parent;
        };
        if !self.outputs.iter().any(|allowed| found.starts_with(allowed)) {
            return Err(outside());
        }
        Ok(below.iter().rev().fold(found, |path, name| path.join(name)))
    }

    /// Checks one source of a Polars scan: a file, a directory, or a pattern. Everything that it reaches
    /// must be readable, including through links in a directory.
    pub(crate) fn read_scan(&self, source: &PlRefPath, glob: bool) -> Result<(), AccessError> {
        if source.has_scheme() {
            return Err(AccessError::Remote { path: source.to_string() });
        }
        let path = source.as_std_path();
        let is_pattern = glob && source.as_str().contains(['*', '?', '[']);
        if !is_pattern {
            let found = self.read(path)?;
            return if found.is_dir() { self.read_links(&found) } else { Ok(()) };
        }
        // The part before the first wildcard is checked even if nothing matches.
        let fixed: PathBuf = path
            .components()
            .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']))
            .collect();
        self.read(&fixed)?;
        let matches = glob::glob(source.as_str()).map_err(|error| AccessError::Unusable {
            path: path.to_owned(),
            verb: "read",
            cause: io::Error::other(error),
        })?;
        for (count, found) in matches.flatten().enumerate() {
            if count == MAX_ENTRIES {
                return Err(AccessError::TooMany { path: path.to_owned() });
            }
            let found = self.read(&found)?;
            if found.is_dir() {
                self.read_links(&found)?;
            }
        }
        Ok(())
    }

    /// Checks the targets of all links in a directory and below.
    fn read_links(&self, directory: &Path) -> Result<(), AccessError> {
        let unusable = |cause| AccessError::Unusable { path: directory.to_owned(), verb: "read", cause };
        let mut directories = vec![directory.to_owned()];
        let mut count = 0;
        while let Some(next) = directories.pop() {
            for entry in next.read_dir().map_err(unusable)? {
                let entry = entry.map_err(unusable)?;
                count += 1;
                if count > MAX_ENTRIES {
                    return Err(AccessError::TooMany { path: directory.to_owned() });
                }
                let kind = entry.file_type().map_err(unusable)?;
                if kind.is_symlink() {
                    self.read(&entry.path())?;
                } else if kind.is_dir() {
                    directories.push(entry.path());
                }
            }
        }
        Ok(())
    }

    fn literally_within(&self, path: &Path) -> bool {
        !path.components().any(|part| part == Component::ParentDir)
            && self.data.iter().chain(&self.outputs).any(|allowed| path.starts_with(allowed))
    }

    fn may_not_read(&self, path: &Path) -> AccessError {
        let directory = path.parent().unwrap_or(path).display();
        AccessError::Outside {
            path: path.to_owned(),
            verb: "read",
            allowed: list(&self.data),
            flag: format!("--data-dir {directory}"),
        }
    }
}

fn list(directories: &[PathBuf]) -> String {
    match directories {
        [] => "none".to_owned(),
        all => all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_lies_in_the_directories_may_be_used_wherever_links_and_dots_lead() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for directory in ["data/sub", "out", "private"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        fs::write(at("private/secret.csv"), "a\n1\n").unwrap();
        fs::write(at("data/sub/open.csv"), "a\n1\n").unwrap();
        let access = Access::new(&[at("data")], &[at("out")]).unwrap();
        assert!(access.read(&at("data/sub/open.csv")).is_ok());
        assert!(access.read(&at("data/../data/sub/open.csv")).is_ok());
        let refusal = access.read(&at("data/../private/secret.csv")).unwrap_err().to_string();
        assert!(refusal.contains("private/secret.csv") && refusal.contains("--data-dir"), "{refusal}");
        let allowed = at("data").canonicalize().unwrap();
        assert!(refusal.contains(allowed.to_str().unwrap()), "{refusal}");
        // The answer is the same whether it exists or not.
        let same = access.read(&at("private/none.csv")).unwrap_err();
        assert!(matches!(same, AccessError::Outside { .. }), "{same}");
        let scan = |path: PathBuf| access.read_scan(&PlRefPath::new(path.to_str().unwrap()), true);
        scan(at("data/**/*.csv")).unwrap();
        scan(at("data")).unwrap();
        assert!(scan(at("private/*.csv")).is_err());
        assert!(access.read_scan(&PlRefPath::new("s3://bucket/a.parquet"), true).is_err());
        symlink(at("private/secret.csv"), at("data/sub/link.csv")).unwrap();
        assert!(access.read(&at("data/sub/link.csv")).is_err());
        assert!(scan(at("data/**/*.csv")).is_err() && scan(at("data")).is_err());

        assert_eq!(access.write(&at("out/a/b")).unwrap(), at("out").canonicalize().unwrap().join("a/b"));
        for outside in ["data/x", "out/../private", "out/x/../../private", "private"] {
            assert!(access.write(&at(outside)).is_err(), "{outside}");
        }
        symlink(at("private"), at("out/link")).unwrap();
        assert!(access.write(&at("out/link")).is_err() && access.write(&at("out/link/x")).is_err());
        symlink(at("nowhere"), at("out/dangling")).unwrap();
        assert!(access.write(&at("out/dangling")).is_err());
    }
}
