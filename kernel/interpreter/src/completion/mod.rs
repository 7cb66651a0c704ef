//! What could stand at the cursor, and what the name under it is: names with their kinds, signatures
//! and docs. Everything is answered from a [`Snapshot`](crate::state::Snapshot) of what the cells have left, so also while a
//! cell runs. Front ends turn the answers into messages or menus; nothing here knows them.
//!
//! `text` finds out what can stand at the cursor. For what stands behind a dot, `probe` asks the
//! compiler for the type of what stands before it. `names` says what there is: the person's items
//! (`user`) and everything else (`index`). Without compiler or index, less is known, and that is all.

mod completer;
mod engine;
mod index;
mod names;
mod probe;
mod text;
mod user;
mod words;

use serde::{Deserialize, Serialize};

pub use completer::Completer;
pub use engine::{make_index, run_if_child};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A variable of an earlier cell or of this one.
    Variable,
    /// A field of a struct.
    Field,
    /// A function that takes `self`.
    Method,
    /// Any other function.
    Function,
    /// A struct.
    Struct,
    /// An enum.
    Enum,
    /// One of an enum's variants.
    Variant,
    /// A union.
    Union,
    /// A trait.
    Trait,
    /// A type alias, an associated or a primitive type.
    Type,
    /// A module or crate.
    Module,
    /// A macro; its text ends in `!`.
    Macro,
    /// A constant.
    Constant,
    /// A static.
    Static,
    /// A keyword.
    Keyword,
}

impl Kind {
    /// As front ends name it; JupyterLab has an icon for most.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Field => "field",
            Self::Method => "method",
            Self::Function => "function",
            Self::Struct => "struct",
            Self::Enum => "enum",
            Self::Variant => "variant",
            Self::Union => "union",
            Self::Trait => "trait",
            Self::Type => "type",
            Self::Module => "module",
            Self::Macro => "macro",
            Self::Constant => "constant",
            Self::Static => "static",
            Self::Keyword => "keyword",
        }
    }
}

/// One thing that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What to insert.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// How it is declared, on one line: `fn lazy(self) -> LazyFrame`, or a variable's type.
    pub signature: Option<String>,
    /// The first sentence of its docs.
    pub summary: Option<String>,
}

/// What could stand at the cursor, best first, and what it would replace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// First byte of the text that a completion replaces.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The completions.
    pub items: Vec<Completion>,
}
