//! Brackets, strings and comments of a text that need not be Rust: how deep they nest, and what is open.

/// The state of brackets, strings and comments at the end of a text.
pub(super) enum Scan {
    /// All are closed.
    Closed,
    /// Something is open, inside this many brackets.
    Open {
        /// The number of open brackets.
        depth: usize,
    },
    /// A bracket is closed by one of another kind.
    Mismatched,
}

/// The deepest nesting of brackets. Also works on text that is not Rust.
pub(super) fn deepest(code: &str) -> usize {
    let mut deepest = 0;
    visit(code, |depth| deepest = deepest.max(depth));
    deepest
}

/// The state at the end of the text.
pub(super) fn scan(code: &str) -> Scan {
    visit(code, |_| {})
}

/// Scans the text as the lexer would, because the lexer does not report what was left open. Calls `seen`
/// with the depth of each bracket.
fn visit(code: &str, mut seen: impl FnMut(usize)) -> Scan {
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
