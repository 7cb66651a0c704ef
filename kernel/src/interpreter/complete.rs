use super::{commands, split};

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

/// Tells whether `code` is a complete cell: all brackets, strings and comments are closed and no
/// statement is cut off. Most commands (`:help`) are one line and always complete.
pub fn is_complete(code: &str) -> Completeness {
    if let Some(completeness) = commands::completeness(code) {
        return completeness;
    }
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

enum Scan {
    Closed,
    Open { depth: usize },
    Mismatched,
}

/// The deepest nesting of brackets. Also works on text that is not Rust.
pub fn deepest(code: &str) -> usize {
    let mut deepest = 0;
    walk(code, |depth| deepest = deepest.max(depth));
    deepest
}

fn scan(code: &str) -> Scan {
    walk(code, |_| {})
}

/// Scans the text as the lexer would, because the lexer does not report what was left open. Calls `seen`
/// with the depth of each bracket.
fn walk(code: &str, mut seen: impl FnMut(usize)) -> Scan {
    let bytes = code.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        seen(open.len());
        match byte {
            b'(' => open.push(b')'),
            b'[' => open.push(b']'),
            b'{' => open.push(b'}'),
            b')' | b']' | b'}' if open.pop() != Some(byte) => return Scan::Mismatched,
            b'/' if bytes.get(at) == Some(&b'/') => {
                at = code[at..].find('\n').map_or(bytes.len(), |end| at + end);
            }
            b'/' if bytes.get(at) == Some(&b'*') => match end_of_comment(bytes, at + 1) {
                Some(end) => at = end,
                None => return Scan::Open { depth: open.len() },
            },
            b'"' => {
                let end = match raw_hashes(bytes, at - 1) {
                    Some(hashes) => {
                        let close = format!("\"{}", "#".repeat(hashes));
                        code[at..].find(&close).map(|found| at + found + close.len())
                    }
                    None => end_of_string(bytes, at),
                };
                match end {
                    Some(end) => at = end,
                    None => return Scan::Open { depth: 0 },
                }
            }
            b'\'' => at = after_quote(code, at),
            _ => {}
        }
    }
    if open.is_empty() { Scan::Closed } else { Scan::Open { depth: open.len() } }
}

fn end_of_comment(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 1;
    while depth > 0 {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// If the quote opens a raw string (`r"`, `br##"`), the number of `#` that close it.
fn raw_hashes(bytes: &[u8], quote: usize) -> Option<usize> {
    let before = &bytes[..quote];
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let prefix = &before[..before.len() - hashes];
    let letter = prefix.last() == Some(&b'r');
    let previous = prefix.len().checked_sub(2).map(|index| prefix[index]);
    let part_of_word = previous
        .is_some_and(|byte| (byte.is_ascii_alphanumeric() || byte == b'_') && byte != b'b' && byte != b'c');
    (letter && !part_of_word).then_some(hashes)
}

/// A `'` begins a character or a lifetime; only a character can hide a bracket or a quote.
fn after_quote(code: &str, at: usize) -> usize {
    let rest = &code[at..];
    let mut chars = rest.char_indices();
    match chars.next() {
        Some((_, '\\')) => {
            let escaped = chars.next().map_or(1, |(index, c)| index + c.len_utf8());
            rest[escaped..].find('\'').map_or(at + escaped, |end| at + escaped + end + 1)
        }
        Some((_, c)) if rest[c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => at,
    }
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
            ":help (",
            "fn two() -> i32 { 2 }",
        ] {
            assert_eq!(is_complete(code), Completeness::Complete, "{code}");
        }
        assert_eq!(is_complete("(1]"), Completeness::Invalid);
    }
}
