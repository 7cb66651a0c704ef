//! The calls that led to a panic, in the person's terms. The evaluation process sends addresses; the
//! names are in the cell's shared object. Line numbers are not: they need debug information, which would
//! slow down the compilation of every cell for the sake of the few that panic.

use std::{collections::HashMap, fs, path::Path};

use object::{Object, ObjectSymbol};
use partita_bridge::Frame;

use super::generate::CELL_FUNCTION;
use crate::state::Items;

/// How many calls are shown.
const TOLD: usize = 12;

/// One line per call, innermost first. Recursive calls in a row are one line.
pub fn describe_calls(frames: &[Frame], label: &str, items: &Items) -> Vec<String> {
    let mut names = Names::default();
    let calls = frames.iter().filter_map(|frame| names.of(frame));
    describe(calls, label, items)
}

fn describe(calls: impl Iterator<Item = String>, label: &str, items: &Items) -> Vec<String> {
    let here = format!("in {label}");
    let mut lines: Vec<(String, usize)> = Vec::new();
    for call in calls {
        let line = match called(&call) {
            Call::TopLevel => here.clone(),
            Call::Function(name) => {
                format!("in `{name}`, defined in {}", defined_in(&name, items).unwrap_or(label))
            }
        };
        match lines.last_mut() {
            // The cell's own code counts as one call, including its closures.
            Some((last, times)) if *last == line => *times += usize::from(line != here),
            _ => lines.push((line, 1)),
        }
    }
    let more = lines.len().saturating_sub(TOLD);
    let mut told: Vec<String> = lines
        .into_iter()
        .take(TOLD)
        .map(
            |(line, times)| if times > 1 { format!("  {line} ({times} times)") } else { format!("  {line}") },
        )
        .collect();
    if more > 0 {
        told.push(format!("  and {more} more"));
    }
    told
}

enum Call {
    TopLevel,
    Function(String),
}

/// `cells::partita_cell_3::{{closure}}` is the cell's own code; the rest are its items.
fn called(path: &str) -> Call {
    let path = path.replace("cells::", "");
    let path = path.trim_end_matches("::{{closure}}");
    if path.starts_with(CELL_FUNCTION) { Call::TopLevel } else { Call::Function(path.to_owned()) }
}

/// The cell that an item was written in.
fn defined_in<'a>(path: &str, items: &'a Items) -> Option<&'a str> {
    let head = path.trim_start_matches('<').split([':', ' ', '<', '>']).next()?;
    let item = items.kept.iter().rev().find(|item| item.names.iter().any(|name| name == head))?;
    Some(&item.cell.label)
}

/// The functions in shared objects: their start addresses and names.
#[derive(Default)]
struct Names {
    libraries: HashMap<std::path::PathBuf, Vec<(u64, String)>>,
}

impl Names {
    /// The function that an address is in, if it is one of the person's.
    fn of(&mut self, frame: &Frame) -> Option<String> {
        let functions =
            self.libraries.entry(frame.library.clone()).or_insert_with_key(|library| functions(library));
        let index = functions.partition_point(|(start, _)| *start <= frame.address).checked_sub(1)?;
        let (_, name) = functions.get(index)?;
        let name = format!("{:#}", rustc_demangle::demangle(name));
        // The rest are instances of the library's generic functions.
        (name.starts_with("cells::") || name.starts_with("<cells::") || name.starts_with(CELL_FUNCTION))
            .then_some(name)
    }
}

fn functions(library: &Path) -> Vec<(u64, String)> {
    // Without names the panic is reported without calls.
    let Ok(data) = fs::read(library) else { return Vec::new() };
    let Ok(file) = object::File::parse(&*data) else { return Vec::new() };
    let mut functions: Vec<(u64, String)> = file
        .symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?.to_owned())))
        .collect();
    functions.sort();
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_as_the_person_wrote_them() {
        let calls = [
            "cells::deep",
            "cells::deep",
            "cells::deep::{{closure}}",
            "<cells::P as cells::Area>::area",
            "cells::partita_cell_7::{{closure}}",
        ];
        let lines = describe(calls.into_iter().map(str::to_owned), "cell 7", &Items::default());
        assert_eq!(
            lines,
            [
                "  in `deep`, defined in cell 7 (3 times)",
                "  in `<P as Area>::area`, defined in cell 7",
                "  in cell 7",
            ]
        );
    }
}
