use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// An incomplete file: `name.part`, with its origin in `name.part.json`.
pub(super) struct Part {
    path: PathBuf,
    record: PathBuf,
    file: File,
    len: u64,
    origin: Origin,
}

/// The origin of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The address it comes from.
    pub address: String,
    /// The server's identifier of this version. Without one, it is unknown whether the rest still fits.
    pub validator: Option<String>,
    /// The total number of bytes, if the server reports it.
    pub total: Option<u64>,
}

impl Part {
    /// Opens the part of `target` that an earlier call has left, if it came from this address; otherwise an
    /// empty one.
    pub fn open(target: &Path, address: &str) -> io::Result<Self> {
        let (path, record) = (with_ending(target, ".part"), with_ending(target, ".part.json"));
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        let origin: Option<Origin> =
            fs::read(&record).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut part = Self { path, record, len: file.metadata()?.len(), file, origin: Origin::default() };
        match origin {
            Some(origin) if origin.address == address && origin.total.is_none_or(|all| part.len <= all) => {
                part.origin = origin;
                part.file.seek(SeekFrom::End(0))?;
            }
            _ => part.restart(Origin { address: address.to_owned(), ..Origin::default() })?,
        }
        Ok(part)
    }

    /// Discards all bytes: the next ones are the beginning of a file from `origin`.
    pub fn restart(&mut self, origin: Origin) -> io::Result<()> {
        // In this order, so that bytes of one version are never beside the record of another.
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.len = 0;
        let text = serde_json::to_vec(&origin).map_err(io::Error::other)?;
        fs::write(&self.record, text)?;
        self.origin = origin;
        Ok(())
    }

    /// The position to resume at, and the version that must still be there; `None` if the download must start
    /// from the beginning.
    pub fn resume(&self) -> Option<(u64, &str)> {
        let validator = self.origin.validator.as_deref()?;
        (self.len > 0).then_some((self.len, validator))
    }

    /// Appends received bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn total(&self) -> Option<u64> {
        self.origin.total
    }

    /// Whether all announced bytes are here.
    pub fn is_complete(&self) -> bool {
        self.origin.total == Some(self.len)
    }

    /// Renames the complete part to the target.
    pub fn keep(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        // Without its part the record is useless.
        let _ = fs::remove_file(&self.record);
        Ok(())
    }

    /// Deletes the part.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.record);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
