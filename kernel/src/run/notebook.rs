use std::{io::Write, path::Path};

use serde_json::{Value, json};
use thiserror::Error;

use super::record::Record;

/// A notebook file. Everything besides code cells is kept unchanged.
pub struct Notebook {
    content: Value,
    displays: Vec<(String, usize, usize)>,
}

/// A code cell to run.
pub struct CodeCell {
    /// Its index among all cells.
    pub index: usize,
    /// Its source.
    pub code: String,
    /// Whether it is meant to show an error.
    pub may_fail: bool,
}

/// Why a file is not a notebook for this kernel.
#[derive(Debug, Error)]
pub enum NotebookError {
    /// It is not JSON.
    #[error("it is not a notebook: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but not a notebook.
    #[error("it is not a notebook: it has no list of cells")]
    NoCells,
    /// The format is from before 2014.
    #[error(
        "it has notebook format {0}, but only format 4 can be run; convert it with `jupyter nbconvert --to notebook`"
    )]
    Format(Value),
    /// It is for another language.
    #[error("it is a {0} notebook; cells here are Rust")]
    Language(String),
}

impl Notebook {
    /// Parses a notebook.
    ///
    /// # Errors
    /// When it is not a notebook, or one for another language.
    pub fn parse(text: &str) -> Result<Self, NotebookError> {
        let content: Value = serde_json::from_str(text)?;
        match &content["nbformat"] {
            Value::Null => return Err(NotebookError::NoCells),
            format if *format != 4 => return Err(NotebookError::Format(format.clone())),
            _ => {}
        }
        if !content["cells"].is_array() {
            return Err(NotebookError::NoCells);
        }
        let metadata = &content["metadata"];
        let language = [&metadata["kernelspec"]["language"], &metadata["language_info"]["name"]]
            .into_iter()
            .find_map(Value::as_str);
        match language {
            Some(other) if !other.eq_ignore_ascii_case("rust") => {
                Err(NotebookError::Language(other.to_owned()))
            }
            _ => Ok(Self { content, displays: Vec::new() }),
        }
    }

    /// The code cells in order, without those tagged `skip-execution`. Removes the outputs of earlier
    /// runs, so that the file shows this run only.
    pub fn prepare(&mut self) -> Vec<CodeCell> {
        let mut code_cells = Vec::new();
        for (index, cell) in self.content["cells"].as_array_mut().into_iter().flatten().enumerate() {
            if cell["cell_type"] != "code" {
                continue;
            }
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
            let code = source(&cell["source"]);
            let tagged = |tag: &str| {
                cell["metadata"]["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag))
            };
            if !code.trim().is_empty() && !tagged("skip-execution") {
                code_cells.push(CodeCell { index, code, may_fail: tagged("raises-exception") });
            }
        }
        code_cells
    }

    /// The recorder for the outputs of the cell at `index`, which is the `number`th to run.
    pub fn record(&mut self, index: usize, number: u32) -> Record<'_> {
        let cells = self.content["cells"].as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
        cells[index]["execution_count"] = number.into();
        Record { cells, index, number, displays: &mut self.displays, clear: false }
    }

    /// Writes the notebook as Jupyter does, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        serde::Serialize::serialize(&self.content, &mut serializer)?;
        text.push(b'\n');
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory.unwrap_or(Path::new(".")))?;
        file.write_all(&text)?;
        file.persist(path)?;
        Ok(())
    }
}

fn source(source: &Value) -> String {
    match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebook(metadata: Value) -> String {
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [
            {"cell_type": "markdown", "source": "# Title"},
            {"cell_type": "code", "source": ["let a = 1;\n", "a"], "outputs": [1], "execution_count": 9},
            {"cell_type": "raw", "source": "raw"},
            {"cell_type": "code", "source": "oops", "metadata": {"tags": ["raises-exception"]}},
            {"cell_type": "code", "source": "no", "metadata": {"tags": ["skip-execution"]}},
            {"cell_type": "code", "source": " \n"},
        ]})
        .to_string()
    }

    #[test]
    fn code_cells_are_run_in_order_and_lose_their_old_outputs() {
        let mut notebook = Notebook::parse(&notebook(json!({}))).unwrap();
        let cells = notebook.prepare();
        let found: Vec<_> =
            cells.iter().map(|cell| (cell.index, cell.code.as_str(), cell.may_fail)).collect();
        assert_eq!(found, [(1, "let a = 1;\na", false), (3, "oops", true)]);
        assert_eq!(notebook.content["cells"][1]["outputs"], json!([]));
        assert_eq!(notebook.content["cells"][1]["execution_count"], Value::Null);
        assert_eq!(notebook.content["cells"][0], json!({"cell_type": "markdown", "source": "# Title"}));
    }

    #[test]
    fn notebooks_of_other_languages_and_formats_are_refused() {
        let python = Notebook::parse(&notebook(json!({"kernelspec": {"language": "python"}}))).err().unwrap();
        assert!(python.to_string().contains("python"), "{python}");
        assert!(Notebook::parse(&notebook(json!({"language_info": {"name": "Rust"}}))).is_ok());
        let old = Notebook::parse(r#"{"nbformat": 3, "worksheets": []}"#).err().unwrap();
        assert!(old.to_string().contains("nbconvert"), "{old}");
        assert!(matches!(Notebook::parse("{}"), Err(NotebookError::NoCells)));
        assert!(matches!(Notebook::parse("fn main() {}"), Err(NotebookError::NotJson(_))));
    }
}
