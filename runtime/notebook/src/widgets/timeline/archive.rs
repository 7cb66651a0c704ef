//! Timelines that outlive their kernel. A notebook that is opened again refers to them in its outputs,
//! and the page asks the new kernel for them. When the jobs of a timeline below a cell have ended, its
//! state is written to a file named by its id. The new process answers for those timelines that the
//! notebook refers to.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, thread};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::widgets::model::{Model, State, state};
use crate::widgets::modules;

/// The variable in which Jupyter's servers pass the notebook's name.
const NOTEBOOK: &str = "JPY_SESSION_NAME";
/// The environment variable with the directory for timelines.
const DIRECTORY: &str = "PARTITA_TIMELINE_DIR";
/// The format of the files. Change the number whenever the format changes; files of other formats are
/// left alone.
const FORMAT: &str = "2";
/// The maximum number of files, of which the latest are kept, and of their bytes.
const MOST: usize = 1000;
const MOST_BYTES: u64 = 256 << 20;
/// The maximum number of attempts at tasks; larger timelines are not kept.
pub(super) const MOST_ATTEMPTS: usize = 20_000;

/// Keeps a timeline's state for a later kernel of the same notebook; without a notebook nobody would ask
/// for it. Does not wait for the disk.
pub(super) fn keep(id: &str, state: impl FnOnce() -> Value) {
    let Some(directory) = notebook().and_then(|_| directory()) else { return };
    let (id, state) = (id.to_owned(), state());
    let write = move || {
        if let Err(error) = write(&directory, &id, &state) {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "a timeline could not be saved for later kernels");
        }
        make_room(&directory, MOST, MOST_BYTES);
    };
    // A system that has no more threads has bigger problems.
    let _ = thread::Builder::new().name("archive".into()).spawn(write);
}

/// Opens the kept timelines that the notebook refers to.
pub(in crate::widgets) fn reopen() {
    let (Some(notebook), Some(directory)) = (notebook(), directory()) else { return };
    // A notebook that was not saved yet, or that is not one, refers to none.
    let named = File::open(&notebook).and_then(|file| named(BufReader::new(file)));
    let kept = named.unwrap_or_default().into_iter().map(|id| (directory.join(file_name(&id)), id));
    for (path, id) in kept.filter(|(path, _)| path.is_file()) {
        if open(&id, path).is_none() {
            break;
        }
    }
}

fn notebook() -> Option<PathBuf> {
    env::var_os(NOTEBOOK).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn directory() -> Option<PathBuf> {
    let named = env::var_os(DIRECTORY).filter(|path| !path.is_empty()).map(PathBuf::from);
    Some(named.or_else(|| Some(dirs::cache_dir()?.join("partita/timelines")))?.join(FORMAT))
}

fn file_name(id: &str) -> String {
    format!("{id}.json")
}

/// Only for its owner: names and values of rows may be in it.
fn write(directory: &Path, id: &str, state: &Value) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut file = NamedTempFile::new_in(directory)?;
    let mut writer = BufWriter::new(&mut file);
    serde_json::to_writer(&mut writer, state)?;
    writer.flush()?;
    drop(writer);
    file.persist(directory.join(file_name(id)))?;
    Ok(())
}

/// The kept state; a timeline without jobs if the file was removed or truncated meanwhile.
fn read(path: &Path) -> Value {
    let state = File::open(path).ok().and_then(|file| serde_json::from_reader(BufReader::new(file)).ok());
    state.unwrap_or_else(|| json!({"number": 0, "whole": true, "ended": true, "changes": []}))
}

/// A model that reads its state from the file on request. `None` if no more models can be opened.
fn open(id: &str, path: PathBuf) -> Option<()> {
    let mut traits = modules::timeline_traits().ok()?;
    traits.extend(state(json!({"folds": true, "state": null})));
    let file = path.clone();
    let now = move || -> State { state(json!({"state": read(&file)})) };
    let model = Model::open_again(id, traits, Some(Box::new(now))).ok()?;
    let answering = model.downgrade();
    model.on_custom(move |asked| {
        let Some(model) = answering.get() else { return };
        let mut state = read(&path);
        if asked["received"] == state["number"] {
            state["changes"] = json!([]);
        }
        // A front end that has gone needs no answer.
        let _ = model.send(state);
    });
    Some(())
}

#[derive(Deserialize)]
struct Notebook {
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    outputs: Option<Vec<Output>>,
}

#[derive(Deserialize)]
struct Output {
    data: Option<Data>,
}

/// Outputs written by others may contain anything.
#[derive(Deserialize)]
struct Data {
    #[serde(rename = "application/vnd.jupyter.widget-view+json")]
    view: Option<Value>,
    /// An output with a picture beside it is a timeline.
    #[serde(rename = "image/svg+xml")]
    picture: Option<IgnoredAny>,
}

/// The timelines in a notebook's outputs. Only valid ids are returned, because they become file names.
fn named(notebook: impl io::Read) -> io::Result<BTreeSet<String>> {
    let notebook: Notebook = serde_json::from_reader(notebook)?;
    let outputs = notebook.cells.into_iter().filter_map(|cell| cell.outputs).flatten();
    let data = outputs.filter_map(|output| output.data).filter(|data| data.picture.is_some());
    let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = |data: Data| Some(data.view?["model_id"].as_str().filter(is_id)?.to_owned());
    Ok(data.filter_map(id).collect())
}

/// Removes the oldest files if there are too many or they are too large.
fn make_room(directory: &Path, most: usize, most_bytes: u64) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let file = |entry: fs::DirEntry| {
        let data = entry.metadata().ok()?;
        Some((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), data.len(), entry.path()))
    };
    let mut files: Vec<_> = entries.flatten().filter_map(file).collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let mut bytes = 0;
    for (index, (_, len, path)) in files.iter().enumerate() {
        bytes += len;
        if index >= most || bytes > most_bytes {
            // Another kernel may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_timelines_of_a_notebook_are_found_and_nothing_else_becomes_a_files_name() {
        let output = |id: &str, picture: bool| {
            let mut data =
                json!({"application/vnd.jupyter.widget-view+json": {"model_id": id, "version_major": 2}});
            if picture {
                data["image/svg+xml"] = "<svg/>".into();
            }
            json!({"output_type": "display_data", "data": data, "metadata": {}})
        };
        let (ours, panel) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
        let notebook = json!({"nbformat": 4, "cells": [
            {"cell_type": "markdown", "source": ["# ours"]},
            {"cell_type": "code", "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
                output(ours, true), output(panel, false), output("../../../etc/passwd", true), output("", true),
                // A cell that was copied with its outputs, and what others may write.
                output(ours, true), {"output_type": "error"}, {"data": null},
                {"data": {"application/vnd.jupyter.widget-view+json": 7, "image/svg+xml": []}},
            ]},
            {"cell_type": "code", "outputs": null},
        ]});
        assert_eq!(named(notebook.to_string().as_bytes()).unwrap(), BTreeSet::from([ours.to_owned()]));
        assert!(named(&b"no notebook"[..]).is_err());
    }

    #[test]
    fn what_is_kept_is_for_its_owner_and_the_oldest_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("timelines");
        for number in 0..5 {
            write(&directory, &format!("{number:032x}"), &json!({"number": number})).unwrap();
            // File systems may distinguish times only by milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = |number: u32| directory.join(file_name(&format!("{number:032x}")));
        assert_eq!((mode(&directory), mode(&path(4))), (0o700, 0o600));
        let left = || -> Vec<u32> { (0..5).filter(|number| path(*number).exists()).collect() };
        make_room(&directory, 3, 1 << 20);
        assert_eq!(left(), [2, 3, 4]);
        make_room(&directory, 3, 2 * fs::metadata(path(4)).unwrap().len());
        assert_eq!(left(), [3, 4]);
        assert_eq!(read(&path(4)), json!({"number": 4}));
        fs::write(path(4), "{\"numb").unwrap();
        assert_eq!(
            read(&path(4))["ended"],
            true,
            "a file that was cut off is no timeline that waits for ever"
        );
    }
}
