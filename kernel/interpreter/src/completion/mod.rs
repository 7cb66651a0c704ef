//! Completion and inspection: what can stand at the cursor, and what the name under it is, with kinds,
//! signatures and docs. All answers come from a [`Snapshot`](crate::state::Snapshot) of the state that
//! cells have left, so they are available while a cell runs. Front ends turn the answers into messages or
//! menus; nothing here knows them.
//!
//! `text` finds out what kind of name can stand at the cursor. After a dot, `probe` asks the compiler for
//! the type before it. `names` knows all names: the person's items (`user`) and everything else
//! (`index`). Without compiler or index the answers are incomplete, but nothing fails.

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

/// What a name refers to.
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
    /// A type alias, an associated type or a primitive type.
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
    /// The name that front ends use; JupyterLab has icons for most.
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

/// One thing that can stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What to insert.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// Its declaration on one line: `fn lazy(self) -> LazyFrame`, or the type of a variable.
    pub signature: Option<String>,
    /// The first sentence of its docs.
    pub summary: Option<String>,
}

/// What can stand at the cursor, best first, and the text it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// First byte of the text that a completion replaces.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// The completions.
    pub items: Vec<Completion>,
}
