//! Cleans the compiler's messages of what the person did not write: the names in code generated around a
//! cell, and long paths that are only there because two libraries share a name.

use crate::toolchain::Diagnostic;

/// Paths as the compiler writes them and as people do. The order matters.
const SHORTER: [(&str, &str); 7] = [
    ("partita::prelude::", ""),
    ("partita::evaluation::", ""),
    ("cells::", ""),
    ("std::string::String", "String"),
    ("std::result::Result", "Result"),
    ("std::option::Option", "Option"),
    ("Result<(), CellFailure>", "a cell's Result"),
];

/// Names that occur only in generated code.
const GENERATED: [&str; 11] = [
    "CellFailure",
    "CellOutcome",
    "MimeBundle",
    "__p",
    "__value",
    "__kept_",
    "__bundle",
    "__outcome",
    "partita_cell_",
    "main.rs",
    "mime_of",
];

/// The message as shown to people.
pub fn clean(diagnostic: &Diagnostic) -> Diagnostic {
    let mut clean = diagnostic.clone();
    clean.message = plainly(&clean.message);
    for span in &mut clean.spans {
        span.label = span.label.take().map(|label| plainly(&label)).filter(|label| !is_noise(label));
    }
    clean.children =
        clean.children.iter().map(self::clean).filter(|child| !is_noise(&child.message)).collect();
    clean
}

/// Whether the remark says nothing useful to the author of the cell.
fn is_noise(remark: &str) -> bool {
    remark.contains("on by default")
        || remark.contains("the full type name has been written")
        || remark.contains("the full name for the type has been written")
        || remark.contains("consider using `--verbose`")
        || remark.contains("originates in the macro")
        || GENERATED.iter().any(|name| remark.contains(name))
}

fn plainly(text: &str) -> String {
    SHORTER.iter().fold(text.to_owned(), |text, (long, short)| replace_paths(&text, long, short))
}

/// A library's file name without the path of somebody's cargo directory.
pub fn library_file(file: &str) -> &str {
    let after = |marker: &str| file.split_once(marker).map(|(_, rest)| rest);
    after("/registry/src/")
        .and_then(|rest| rest.split_once('/'))
        .map(|(_, rest)| rest)
        .or_else(|| file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest))
        .unwrap_or(file)
}

/// Replaces `long` where it begins a path: `xcells::` does not contain `cells::`.
fn replace_paths(text: &str, long: &str, short: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(long) {
        let (before, after) = rest.split_at(at);
        let part_of_word = before
            .chars()
            .next_back()
            .or_else(|| replaced.chars().next_back())
            .is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        replaced.push_str(before);
        replaced.push_str(if part_of_word { long } else { short });
        rest = &after[long.len()..];
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shortened_where_they_begin() {
        assert_eq!(plainly("expected `partita::prelude::Expr`"), "expected `Expr`");
        assert_eq!(plainly("`cells::P` is no `xcells::P`"), "`P` is no `xcells::P`");
        assert_eq!(
            plainly("expected `Result<(), CellFailure>`, found integer"),
            "expected `a cell's Result`, found integer"
        );
    }

    #[test]
    fn files_of_libraries_are_told_without_the_place_they_were_compiled_in() {
        let file = "/home/a/.cargo/registry/src/index.crates.io-1/polars-core-0.55.2/src/lib.rs";
        assert_eq!(library_file(file), "polars-core-0.55.2/src/lib.rs");
        assert_eq!(library_file("/rustc/0123/library/core/src/option.rs"), "library/core/src/option.rs");
    }

    #[test]
    fn remarks_about_generated_code_are_noise() {
        assert!(is_noise("required for `CellFailure` to implement `From<E>`"));
        assert!(is_noise("the full type name has been written to 'x.txt'"));
        assert!(!is_noise("consider giving `x` a type"));
    }
}
