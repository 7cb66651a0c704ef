//! The public API that cells see (Partita's, Polars' through its prelude, std's) with signatures and
//! docs, as a file that is made once for each build and shared by all kernels. `make` lets rustdoc
//! write pages about a crate that re-exports everything, `page` and `markdown` read the pages, `file`
//! keeps what they say so that one page can be read at a time: only a list of names is held in memory.

mod file;
mod make;
mod markdown;
mod page;

use serde::{Deserialize, Serialize};

use super::Kind;
pub use file::Index;
pub use make::{ensure, location};

/// Everything about one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How it is declared, on several lines.
    pub declaration: String,
    /// Its docs, as Markdown.
    pub docs: String,
    /// What it has, in the order of its page.
    pub groups: Vec<Group>,
    /// What it dereferences to, if it says so: `[T]`.
    pub target: Option<String>,
}

/// An `impl`, or the fields or variants of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `impl<T> Clone for Vec<T>`; empty for fields and variants, and for a trait's own methods.
    pub header: String,
    /// The path of the trait, of which this is an implementation.
    pub of_trait: Option<String>,
    /// What is in it; nothing if the trait's own page says it.
    pub members: Vec<Member>,
}

/// A method, field, variant, constant or type of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How it is declared, on several lines.
    pub signature: String,
    /// Its docs, as Markdown.
    pub docs: String,
}

impl Member {
    /// Whether it is called behind a dot.
    pub fn takes_self(&self) -> bool {
        let Some((_, parameters)) = self.signature.split_once('(') else { return false };
        let first = parameters.trim_start().split([',', ')', ':']).next().unwrap_or_default();
        first.split(|c: char| !super::text::is_name(c)).any(|word| word == "self")
    }
}

/// A line of the index's list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `partita::prelude::DataFrame`; a primitive type is its name alone.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    at: u64,
    length: u32,
}

impl Entry {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }
}
