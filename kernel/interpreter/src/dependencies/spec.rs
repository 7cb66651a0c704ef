use std::{ops::Range, path::Path};

use thiserror::Error;
use toml::{Table, Value};

/// Crates that every cell has anyway; a second copy would have different types.
const INSIDE: [&str; 2] = ["polars", "partita"];

/// A crate as the person requested it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Its name in cells, before `-` becomes `_`.
    pub name: String,
    /// The text after the `=` in a `Cargo.toml`.
    pub value: Value,
}

/// Why the text after `:dep` is not a dependency.
#[derive(Debug, Error, PartialEq)]
pub enum SpecError {
    /// It cannot be parsed.
    #[error(
        "`{spec}` is not a dependency ({why}); write `:dep rand`, `:dep rand = \"0.9\"` or `:dep rand = {{ … }}` as in a Cargo.toml"
    )]
    Unreadable {
        /// The text.
        spec: String,
        /// The reason.
        why: String,
    },
    /// The path is a directory without a crate.
    #[error("there is no Cargo.toml in {0}, the path of `{1}`")]
    NoCrate(String, String),
}

impl Dependency {
    /// Parses `name`, `name = "1.2"` or `name = { … }`. A relative `path` is relative to `base`.
    ///
    /// # Errors
    /// When it has none of these forms.
    pub fn parse(spec: &str, base: &Path) -> Result<Self, SpecError> {
        let unreadable = |why: &str| SpecError::Unreadable { spec: spec.to_owned(), why: why.to_owned() };
        if is_name(spec) {
            return Ok(Self { name: spec.to_owned(), value: Value::String("*".to_owned()) });
        }
        let table: Table = spec.parse().map_err(|error: toml::de::Error| {
            unreadable(error.message().lines().next().unwrap_or("not valid TOML"))
        })?;
        let mut entries = table.into_iter();
        let (Some((name, mut value)), None) = (entries.next(), entries.next()) else {
            return Err(unreadable("give one crate at a time"));
        };
        if !is_name(&name) {
            return Err(unreadable("not a valid crate name"));
        }
        match &mut value {
            Value::String(_) => {}
            Value::Table(details) => {
                if let Some(Value::String(path)) = details.get_mut("path") {
                    let whole = base.join(&*path);
                    if !whole.join("Cargo.toml").is_file() {
                        return Err(SpecError::NoCrate(whole.display().to_string(), name));
                    }
                    *path = whole.display().to_string();
                }
            }
            _ => return Err(unreadable("a version must be in quotes")),
        }
        Ok(Self { name, value })
    }

    /// Whether every cell has it anyway.
    pub fn is_inside(&self) -> bool {
        INSIDE.contains(&self.name.as_str())
    }

    /// Whether its source may change between two builds.
    pub fn can_change(&self) -> bool {
        self.value.get("path").is_some()
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// The `:dep` lines at the start of a cell: the text after each `:dep`, and its line's range. Blank lines
/// and comments may come between them.
pub fn leading_dep_lines(code: &str) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let range = at..at + line.trim_end_matches('\n').len();
        at += line.len();
        let text = line.trim();
        match text.strip_prefix(":dep") {
            Some(spec) if spec.is_empty() || spec.starts_with(char::is_whitespace) => {
                found.push((spec.trim(), range));
            }
            _ if text.is_empty() || text.starts_with("//") => {}
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str) -> Result<Dependency, SpecError> {
        Dependency::parse(spec, Path::new("/work"))
    }

    #[test]
    fn a_name_a_version_and_a_table_are_dependencies() {
        assert_eq!(parse("serde-json").unwrap().value, Value::String("*".into()));
        assert_eq!(parse("rand = \"0.9\"").unwrap().value, Value::String("0.9".into()));
        let serde = parse("serde = { version = \"1\", features = [\"derive\"] }").unwrap();
        assert_eq!(serde.value["features"][0].as_str(), Some("derive"));
        assert!(!serde.can_change() && !serde.is_inside());
    }

    #[test]
    fn what_is_no_dependency_says_what_is_missing() {
        for (spec, why) in
            [("rand = 1", "quotes"), ("rand 0.9", "`rand 0.9`"), ("a = \"1\"\nb = \"1\"", "one crate")]
        {
            let error = parse(spec).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(":dep rand"), "{error}");
        }
    }

    #[test]
    fn a_relative_path_counts_from_where_the_kernel_runs() {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("mine")).unwrap();
        let spec = "mine = { path = \"mine\" }";
        assert!(matches!(Dependency::parse(spec, base.path()), Err(SpecError::NoCrate(..))));
        std::fs::write(base.path().join("mine/Cargo.toml"), "").unwrap();
        let mine = Dependency::parse(spec, base.path()).unwrap();
        assert_eq!(mine.value["path"].as_str(), base.path().join("mine").to_str());
        assert!(mine.can_change());
    }

    #[test]
    fn only_the_lines_at_the_head_of_a_cell_are_read() {
        let code = "// crates\n:dep rand = \"0.9\"\n\n  :dep serde\nlet a = 1;\n:dep late";
        let found = leading_dep_lines(code);
        assert_eq!(found.iter().map(|(spec, _)| *spec).collect::<Vec<_>>(), ["rand = \"0.9\"", "serde"]);
        assert_eq!(&code[found[1].1.clone()], "  :dep serde");
        assert!(leading_dep_lines(":depend x").is_empty() && leading_dep_lines("::dep()").is_empty());
        assert_eq!(leading_dep_lines(":dep"), [("", 0..4)]);
    }
}
