//! Expands patterns to files, and reads the bytes of files.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::polars_utils::mmap::MMapSemaphore;
use polars::prelude::{PolarsResult, polars_bail, polars_err};
use polars_buffer::Buffer;

use super::error::SourceError;

/// The files that a path, directory or glob refers to, sorted by name. In and below a directory these are
/// the files whose name ends in one of `endings`. Names that start with `.` or `_` (`_SUCCESS`, `.crc`)
/// are bookkeeping of whoever wrote the directory, and never data.
pub(super) fn expand(pattern: &str, endings: &[&str]) -> Result<Vec<PathBuf>, SourceError> {
    let path = Path::new(pattern);
    if path.is_dir() {
        let below = format!("{}/**/*", glob::Pattern::escape(pattern.trim_end_matches('/')));
        let mut files = matches(pattern, &below)?;
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            endings.iter().any(|ending| name.ends_with(ending)) && !is_hidden(path, file)
        });
        if files.is_empty() {
            return Err(SourceError::EmptyDirectory { path: path.into(), wanted: endings.join(" or ") });
        }
        return Ok(files);
    }
    // A file whose own name looks like a pattern is meant literally.
    if path.exists() {
        return Ok(vec![path.into()]);
    }
    if !pattern.contains(['*', '?', '[']) {
        return Err(SourceError::NotFound { pattern: pattern.into(), cwd: cwd() });
    }
    let mut files = matches(pattern, pattern)?;
    files.retain(|file| !file.file_name().is_some_and(hidden_name));
    if files.is_empty() {
        return Err(SourceError::NoMatch { pattern: pattern.into(), cwd: cwd() });
    }
    Ok(files)
}

fn matches(asked: &str, pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let found = glob::glob(pattern)
        .map_err(|error| SourceError::BadPattern { pattern: asked.into(), reason: error.to_string() })?;
    let mut files = Vec::new();
    for entry in found {
        let path = entry.map_err(|error| SourceError::Unreadable {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_hidden(root: &Path, file: &Path) -> bool {
    file.strip_prefix(root).unwrap_or(file).iter().any(hidden_name)
}

fn hidden_name(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with(['.', '_'])
}

fn cwd() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Opens a file and returns its length.
pub(super) fn open(path: &Path) -> Result<(File, u64), SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.into(), source };
    let file = File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    Ok((file, len))
}

/// Maps a file that must still have the length it had when the source was opened. Otherwise it would be
/// read at the wrong positions, so that is an error.
pub(super) fn map(path: &Path, len: u64) -> PolarsResult<Buffer<u8>> {
    let file = File::open(path)
        .map_err(|error| polars_err!(ComputeError: "cannot read `{}` any more: {error}", path.display()))?;
    let now = file.metadata()?.len();
    if now != len {
        polars_bail!(
            ComputeError: "`{}` has changed since the source was opened ({len} bytes then, {now} now): \
            open the source again", path.display()
        );
    }
    if len == 0 {
        return Ok(Buffer::new());
    }
    Ok(Buffer::from_owner(MMapSemaphore::new_from_file(&file)?))
}
