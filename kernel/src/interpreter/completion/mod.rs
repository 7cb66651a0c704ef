//! What could stand at the cursor, and what the name under it is: names with their kinds, signatures
//! and docs. Everything is answered from a [`Snapshot`] of what the cells have left, so also while a
//! cell runs. Front ends turn the answers into messages or menus; nothing here knows them.

mod place;
mod snapshot;
mod words;

use std::sync::{Arc, Mutex, PoisonError};

use partita_bridge::MimeBundle;

use place::Place;
pub use snapshot::{Snapshot, VisibleVariable};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A column of a table.
    Column,
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
            Self::Column => "column",
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

/// Answers for one interpreter. The evaluator's thread hands it a [`Snapshot`] after every cell.
#[derive(Default)]
pub struct Completer {
    snapshot: Mutex<Arc<Snapshot>>,
}

impl Completer {
    /// From now on, this is what the cells have left.
    pub fn update(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What could stand at byte `cursor` of `code`.
    pub fn complete(&self, code: &str, cursor: usize) -> Completions {
        let snapshot = self.snapshot();
        let place = Place::before(code, cursor);
        let mut items = Vec::new();
        // Behind a dot or a path stands something neither variables nor keywords can be.
        if !place.word.is_empty() && !place.qualified {
            let variables = snapshot.variables.iter().map(|variable| Completion {
                text: variable.name.clone(),
                kind: Kind::Variable,
                signature: Some(variable.shown.clone()),
                summary: None,
            });
            items = variables
                .chain(words::all())
                .filter(|completion| completion.text.starts_with(place.word))
                .collect();
            items.sort_by(|one, other| one.text.cmp(&other.text));
            items.dedup_by(|one, other| one.text == other.text);
        }
        Completions { start: place.start, end: place.end, items }
    }

    /// What stands at byte `cursor` of `code`: its signature, then its docs, as `text/plain` and
    /// `text/markdown`.
    pub fn inspect(&self, code: &str, cursor: usize) -> Option<MimeBundle> {
        let name = Place::around(code, cursor).word;
        let snapshot = self.snapshot();
        let variable = snapshot.variables.iter().find(|variable| variable.name == name)?;
        let text = format!("{}: {}", variable.name, variable.shown);
        let markdown = format!("```rust\n{text}\n```");
        Some(MimeBundle::text(text).with("text/markdown", markdown))
    }

    /// The type of an expression, as people write it.
    ///
    /// # Errors
    /// What the compiler says against the expression.
    pub fn type_of(&self, expression: &str) -> Result<String, String> {
        let snapshot = self.snapshot();
        let name = expression.trim();
        let variable = snapshot.variables.iter().find(|variable| variable.name == name);
        variable
            .map(|variable| variable.shown.clone())
            .ok_or_else(|| format!("there is no variable `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completer() -> Completer {
        let variable = |name: &str, ty: &str| VisibleVariable {
            name: name.to_owned(),
            ty: ty.to_owned(),
            shown: ty.to_owned(),
            mutable: false,
            bytes: None,
        };
        let completer = Completer::default();
        completer
            .update(Snapshot { variables: vec![variable("trips", "DataFrame"), variable("größe", "f64")] });
        completer
    }

    fn completed(code: &str, cursor: usize) -> (Vec<String>, usize, usize) {
        let found = completer().complete(code, cursor);
        (found.items.into_iter().map(|item| item.text).collect(), found.start, found.end)
    }

    #[test]
    fn variables_and_keywords_complete_the_word_before_the_cursor() {
        assert_eq!(completed("let x = tr", 10), (vec!["trait".into(), "trips".into(), "true".into()], 8, 10));
    }

    #[test]
    fn positions_are_bytes_and_a_cursor_inside_a_character_is_moved_before_it() {
        assert_eq!(completed("ö + grö", 9), (vec!["größe".into()], 5, 9));
        assert_eq!(completed("ö", 1), (vec![], 0, 0));
    }

    #[test]
    fn beyond_the_end_nothing_is_offered() {
        assert_eq!(completed("", 99), (vec![], 0, 0));
    }

    #[test]
    fn the_variable_under_the_cursor_is_described_with_its_type() {
        for cursor in 1..=6 {
            assert!(completer().inspect("(trips)", cursor).is_some(), "{cursor}");
        }
        assert!(completer().inspect("(trips)", 99).is_none());
        assert_eq!(completer().type_of("trips"), Ok("DataFrame".into()));
    }
}
