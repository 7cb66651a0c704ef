use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use super::entry::{Entry, Page};
use crate::completion::kind::Kind;

/// The start of the file. Change the number whenever the content changes.
const MAGIC: &[u8; 8] = b"partix01";

/// An open index: names in memory, pages on disk.
#[derive(Debug)]
pub struct Index {
    file: File,
    /// Sorted by path.
    entries: Vec<Entry>,
}

impl Index {
    /// Opens an index.
    ///
    /// # Errors
    /// When the file cannot be read or is not an index.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut head = [0; 24];
        file.read_exact_at(&mut head, 0)?;
        let (magic, numbers) = head.split_at(8);
        let number = |at: usize| {
            let bytes = numbers.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        let size = file.metadata()?.len();
        let (at, length) = (number(0), number(8));
        if magic != MAGIC || at.checked_add(length) != Some(size) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an index of this version"));
        }
        let entries = postcard::from_bytes(&read(&file, at, length)?).map_err(io::Error::other)?;
        Ok(Self { file, entries })
    }

    /// Writes an index.
    pub fn write(path: &Path, mut pages: Vec<(String, Kind, Page)>) -> io::Result<()> {
        pages.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&[0; 24])?;
        let mut at = 24;
        let mut entries = Vec::new();
        for (path, kind, page) in pages {
            let bytes = postcard::to_stdvec(&page).map_err(io::Error::other)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            out.write_all(&bytes)?;
            entries.push(Entry { path, kind, at, length });
            at += u64::from(length);
        }
        let list = postcard::to_stdvec(&entries).map_err(io::Error::other)?;
        out.write_all(&list)?;
        let file = out.into_inner().map_err(io::Error::other)?;
        file.write_all_at(MAGIC, 0)?;
        file.write_all_at(&at.to_le_bytes(), 8)?;
        file.write_all_at(&(list.len() as u64).to_le_bytes(), 16)?;
        file.sync_all()
    }

    /// The entries of this path; a macro and a module may share one.
    pub fn at(&self, path: &str) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.path.as_str() < path);
        let end = start + self.entries[start..].partition_point(|entry| entry.path == path);
        &self.entries[start..end]
    }

    /// The direct contents of a module.
    pub fn inside(&self, module: &str) -> impl Iterator<Item = &Entry> {
        let prefix = format!("{module}::");
        let start = self.entries.partition_point(|entry| entry.path < prefix);
        let length = prefix.len();
        self.entries[start..]
            .iter()
            .take_while(move |entry| entry.path.starts_with(&prefix))
            .filter(move |entry| !entry.path[length..].contains("::"))
    }

    /// All entries of this name, wherever they are.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.name() == name)
    }

    /// Everything about one name; `None` if the file is damaged.
    pub fn page(&self, entry: &Entry) -> Option<Page> {
        let bytes = read(&self.file, entry.at, u64::from(entry.length)).ok()?;
        postcard::from_bytes(&bytes).ok()
    }
}

fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_by_path_by_module_and_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index");
        let page = |docs: &str| Page { docs: docs.into(), ..Page::default() };
        Index::write(
            &path,
            vec![
                ("std::vec::Vec".into(), Kind::Struct, page("a vector")),
                ("std::vec".into(), Kind::Module, page("module")),
                ("std::vec".into(), Kind::Macro, page("macro")),
                ("std::vector".into(), Kind::Module, page("")),
            ],
        )
        .unwrap();
        let index = Index::open(&path).unwrap();
        assert_eq!(index.at("std::vec").len(), 2);
        assert_eq!(index.inside("std::vec").map(Entry::name).collect::<Vec<_>>(), ["Vec"]);
        let entry = index.named("Vec").next().unwrap();
        assert_eq!(index.page(entry).unwrap().docs, "a vector");
        assert!(index.at("std::ve").is_empty());
    }

    #[test]
    fn a_damaged_index_is_refused_and_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index");
        Index::write(&path, vec![("a".into(), Kind::Struct, Page::default())]).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.pop();
        std::fs::write(&path, &bytes).unwrap();
        assert!(Index::open(&path).is_err());
        std::fs::write(&path, "").unwrap();
        assert!(Index::open(&path).is_err());
    }
}
