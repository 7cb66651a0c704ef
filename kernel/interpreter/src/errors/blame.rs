use std::sync::Arc;

use super::render::place;
use crate::{
    source::{CellSource, Role, SourceFile},
    state::Items,
    toolchain::Diagnostic,
};

/// What caused an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// The cell itself: the person must see the error.
    Cell,
    /// The cell moved this variable, so it cannot be put back.
    Moved(String),
    /// The value that the cell bound to this name cannot be kept, with the reason.
    CannotKeep(String, &'static str),
    /// The type of this variable cannot be written.
    CannotTake(String),
    /// An item of an earlier cell does not match what this cell defines.
    Item(usize),
}

const BORROWS: &str = "it borrows from another value, and a borrow ends with its cell; own it (`.clone()`, \
`.to_owned()`), or use it in the same cell";

/// Finds the cause of an error. Generated code that stores values fails for values that were moved or
/// must not outlive the cell.
pub fn blame(error: &Diagnostic, files: &[SourceFile], items: &Items, current: &Arc<CellSource>) -> Blame {
    let roles: Vec<(&Role, bool)> = error
        .spans
        .iter()
        .filter_map(|span| {
            let file = files.iter().find(|file| file.name == span.file_name)?;
            Some((file.role(&(span.byte_start..span.byte_end))?, span.is_primary))
        })
        .collect();
    // Keeping a borrow also causes errors about its owner. The borrower is the one in a secondary span.
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
                "the cell moved it; clone it (`.clone()`) to keep it too",
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

/// Whether the error is about a borrow that outlives its owner.
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
