use serde::{Deserialize, Serialize};

use crate::completion::{kind::Kind, text};

/// Everything about one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The declaration, on several lines.
    pub declaration: String,
    /// Its docs, as Markdown.
    pub docs: String,
    /// Its members, in the order of its page.
    pub groups: Vec<Group>,
    /// What it dereferences to, if the page says so: `[T]`.
    pub target: Option<String>,
}

/// An `impl`, or the fields or variants of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `impl<T> Clone for Vec<T>`; empty for fields and variants, and for a trait's own methods.
    pub header: String,
    /// The path of the implemented trait.
    pub of_trait: Option<String>,
    /// Its members; empty if the trait's own page lists them.
    pub members: Vec<Member>,
}

/// A method, field, variant, constant or associated type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The declaration, on several lines.
    pub signature: String,
    /// Its docs, as Markdown.
    pub docs: String,
}

impl Member {
    /// Whether it is called after a dot.
    pub fn takes_self(&self) -> bool {
        let Some((_, parameters)) = self.signature.split_once('(') else { return false };
        let first = parameters.trim_start().split([',', ')', ':']).next().unwrap_or_default();
        first.split(|c: char| !text::is_name(c)).any(|word| word == "self")
    }
}

/// An entry in the index's list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `partita::prelude::DataFrame`; for a primitive type, only its name.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    pub(super) at: u64,
    pub(super) length: u32,
}

impl Entry {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }
}
