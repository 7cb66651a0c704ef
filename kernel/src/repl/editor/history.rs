use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::LineEditor;

/// The number of cells kept; older ones are dropped.
pub const ENTRIES: usize = 10_000;

/// The file that keeps cells from one session to the next, readable only by its owner. Every cell is
/// written when it is entered, because a session may end without notice.
pub struct History {
    path: PathBuf,
    /// Whether a failure was reported; it is reported only once.
    broken: bool,
}

impl History {
    /// The file in the person's data directory; `None` if there is no such directory.
    pub fn of_user() -> Option<Self> {
        Some(Self { path: dirs::data_dir()?.join("partita").join("history.txt"), broken: false })
    }

    /// Reads the file.
    pub fn load(&self, editor: &mut LineEditor) {
        // In the first session there is no file.
        let _ = editor.load_history(&self.path);
    }

    /// Writes what was entered since the last call. Reports the first failure.
    pub fn save(&mut self, editor: &mut LineEditor) {
        let saved =
            create_folder(&self.path).map_err(Into::into).and_then(|()| editor.append_history(&self.path));
        if let Err(error) = saved
            && !self.broken
        {
            self.broken = true;
            eprintln!("cannot save the history to {}: {error}", self.path.display());
        }
    }
}

fn create_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustyline::history::History as _;

    use super::*;
    use crate::repl::editor;

    #[test]
    fn cells_of_many_lines_come_back_whole_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partita").join("history.txt");
        let mut history = History { path: path.clone(), broken: false };
        let mut first = editor::new(false).unwrap();
        let cell = "fn f() {\n    \"a\\n\"\n}";
        first.add_history_entry(cell).unwrap();
        history.save(&mut first);
        first.add_history_entry("f()").unwrap();
        history.save(&mut first);
        let mut second = editor::new(false).unwrap();
        history.load(&mut second);
        let entries: Vec<&String> = second.history().iter().collect();
        assert_eq!(entries, [cell, "f()"]);
        assert_eq!(second.history().len(), 2);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
