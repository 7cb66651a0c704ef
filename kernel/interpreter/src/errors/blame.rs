use std::sync::Arc;

use super::render::place;
use crate::{
    source::{CellSource, Role, SourceFile},
    state::Items,
    toolchain::Diagnostic,
};

/// Whose fault an error is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// The cell's own: the person must see it.
    Cell,
    /// The cell moved this variable; it cannot be put back.
    Moved(String),
    /// What the cell bound under this name cannot be kept, and why.
    CannotKeep(String, &'static str),
    /// The type of this variable cannot be written.
    CannotTake(String),
    /// An item of an earlier cell does not fit what this cell defines.
    Item(usize),
}

const BORROWS: &str = "it borrows from another value, and a borrow ends with its cell; own it (`.clone()`, \
`.to_owned()`), or use it in the same cell";

/// Says whose fault an error is: generated code that puts values into the store fails for values
/// that are not there any more or must not outlive the cell.
pub fn blame(error: &Diagnostic, files: &[SourceFile], items: &Items, current: &Arc<CellSource>) -> Blame {
    let roles: Vec<(&Role, bool)> = error
        .spans
        .iter()
        .filter_map(|span| {
            let file = files.iter().find(|file| file.name == span.file_name)?;
            Some((file.role(&(span.byte_start..span.byte_end))?, span.is_primary))
        })
        .collect();
    // Keeping a borrow makes errors about its owner too; the borrower is the one mentioned aside.
    let mut keeps = roles.iter().filter_map(|(role, primary)| match role {
        Role::Keep(name) => Some((name, *primary)),
        _ => None,
    });
    let first = keeps.next();
    let kept = keeps.chain(first).find(|(_, primary)| !primary).or(first).map(|(name, _)| name);
    if let (Some(name), true) = (kept, is_borrow(error.code())) {
        return Blame::CannotKeep(name.clone(), BORROWS);
    }
    let role = roles.iter().find(|(_, primary)| *primary).or_else(|| roles.first());
    match (role, error.code()) {
        (Some((Role::Take(name), true)), _) => return Blame::CannotTake(name.clone()),
        (Some((Role::Import(index), true)), _) => return Blame::Item(*index),
        (Some((Role::Restore(name), _)), "E0382" | "E0505" | "E0713") => return Blame::Moved(name.clone()),
        (Some((Role::Keep(name), true)), "E0382" | "E0381") => {
            return Blame::CannotKeep(
                name.clone(),
                "the cell moved it on; clone it (`.clone()`) to keep it too",
            );
        }
        (Some((Role::Keep(name), true)), "E0277" | "E0310" | "E0161") => {
            return Blame::CannotKeep(name.clone(), "its type cannot be stored; use it in the same cell");
        }
        (Some((Role::Restore(name), _)), code) if is_borrow(code) => return Blame::Moved(name.clone()),
        _ => {}
    }
    let primary = error.spans.iter().filter(|span| span.is_primary).find_map(|span| place(span, files));
    if let Some(primary) = primary
        && let Some(cell) = &primary.file.cell
        && !Arc::ptr_eq(cell, current)
    {
        let item = items.kept.iter().position(|item| {
            Arc::ptr_eq(&item.cell, cell)
                && item.range.start <= primary.range.start
                && primary.range.end <= item.range.end
        });
        if let Some(index) = item {
            return Blame::Item(index);
        }
    }
    Blame::Cell
}

/// Errors about a borrow that outlives what it borrows from.
fn is_borrow(code: &str) -> bool {
    matches!(
        code,
        "E0373"
            | "E0499"
            | "E0502"
            | "E0503"
            | "E0505"
            | "E0506"
            | "E0515"
            | "E0521"
            | "E0597"
            | "E0716"
            | "E0713"
    ) || code.is_empty()
}
