use super::{
    brackets::{Scan, scan},
    split,
};

/// Whether a front end should run the input or let the person keep typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// It can be run.
    Complete,
    /// Something is still open; `indent` is the indentation of the next line.
    Incomplete {
        /// The spaces to begin the line with.
        indent: String,
    },
    /// No continuation can make it valid.
    Invalid,
}

const INDENT: &str = "    ";

/// Tells whether `code`, which has no commands, is a complete cell: all brackets, strings and comments
/// are closed and no statement is cut off.
pub fn is_complete(code: &str) -> Completeness {
    match scan(code) {
        Scan::Open { depth } => return Completeness::Incomplete { indent: INDENT.repeat(depth) },
        Scan::Mismatched => return Completeness::Invalid,
        Scan::Closed => {}
    }
    if split::too_deep(code).is_some() {
        // Running it reports what is wrong.
        return Completeness::Complete;
    }
    if !split::lexes(code) {
        return Completeness::Invalid;
    }
    // Drop the syntax tree on the large stack too: dropping recurses as deeply as parsing did.
    split::with_stack(code, || match split::split(code) {
        Ok(_) => Completeness::Complete,
        Err(error) if at_end(&error, code) => Completeness::Incomplete { indent: INDENT.into() },
        // The compiler explains a syntax error better than a prompt that never runs the cell.
        Err(_) => Completeness::Complete,
    })
}

/// Whether the parser hit the end of the text while it expected more: `let x =`, `a +`,
/// `#[derive(Debug)]`.
fn at_end(error: &syn::Error, code: &str) -> bool {
    error.to_string().starts_with("unexpected end of input")
        && !code.trim_end().is_empty()
        && !code.trim_end().ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incomplete(indent: usize) -> Completeness {
        Completeness::Incomplete { indent: " ".repeat(indent) }
    }

    #[test]
    fn open_brackets_strings_and_comments_ask_for_more() {
        assert_eq!(is_complete("fn f() {"), incomplete(4));
        assert_eq!(is_complete("fn f() { g("), incomplete(8));
        assert_eq!(is_complete("let s = \"abc"), incomplete(0));
        assert_eq!(is_complete("let s = r#\"abc\""), incomplete(0));
        assert_eq!(is_complete("/* a /* b */"), incomplete(0));
        assert_eq!(is_complete("let x ="), incomplete(4));
    }

    #[test]
    fn whole_cells_run_and_a_wrong_bracket_is_invalid() {
        for code in [
            "",
            "1 + 1",
            "let c = '{';",
            "let c = '\\'';",
            "fn f<'a>(x: &'a str) -> &'a str { x }",
            "let s = \"}\"; // (",
            "let s = r#\"a \" b\"#;",
            "fn two() -> i32 { 2 }",
        ] {
            assert_eq!(is_complete(code), Completeness::Complete, "{code}");
        }
        assert_eq!(is_complete("(1]"), Completeness::Invalid);
    }
}
