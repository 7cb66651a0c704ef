use std::ops::Range;

use ra_ap_rustc_lexer::{DocStyle, FrontmatterAllowed, LiteralKind, TokenKind, tokenize};

/// A token as rustc's lexer produces it, without spaces and comments.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
    /// Its first byte.
    pub at: usize,
}

impl Token<'_> {
    /// Whether it is this word.
    pub fn is(&self, word: &str) -> bool {
        self.kind == TokenKind::Ident && self.text == word
    }

    fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// The tokens of `code`; `None` if it ends inside a string or a comment.
pub fn tokens(code: &str) -> Option<Vec<Token<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    for token in tokenize(code, FrontmatterAllowed::No) {
        let text = &code[at..at + token.len as usize];
        let last = at + text.len() == code.len();
        match token.kind {
            TokenKind::Whitespace => {}
            TokenKind::LineComment { .. } if last => return None,
            TokenKind::BlockComment { terminated: false, .. } => return None,
            TokenKind::LineComment { doc_style: None | Some(DocStyle::Outer | DocStyle::Inner) }
            | TokenKind::BlockComment { .. } => {}
            TokenKind::Literal { kind, .. } if !is_terminated(kind) => return None,
            kind => found.push(Token { kind, text, at }),
        }
        at += text.len();
    }
    Some(found)
}

fn is_terminated(kind: LiteralKind) -> bool {
    match kind {
        LiteralKind::Char { terminated }
        | LiteralKind::Byte { terminated }
        | LiteralKind::Str { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::CStr { terminated } => terminated,
        LiteralKind::RawStr { n_hashes }
        | LiteralKind::RawByteStr { n_hashes }
        | LiteralKind::RawCStr { n_hashes } => n_hashes.is_some(),
        LiteralKind::Int { .. } | LiteralKind::Float { .. } => true,
    }
}

/// What can stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// Nothing that can be known in advance: a string, a comment, the name of something new.
    Nothing,
    /// A name in scope.
    Name,
    /// A field or method of the expression in this range.
    Member(Range<usize>),
    /// A name inside what this path leads to.
    Path(Vec<String>),
    /// The same in a `use`. Empty at the start of the path.
    Import(Vec<String>),
}

/// A name in the code, possibly empty, and what can stand there. Positions are bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct CursorPlace<'a> {
    /// Where the name begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The name.
    pub word: &'a str,
    /// What can stand there.
    pub context: Context,
}

impl<'a> CursorPlace<'a> {
    /// The name that ends at the cursor.
    pub fn before(code: &'a str, cursor: usize) -> Self {
        let cursor = code.floor_char_boundary(cursor);
        Self::new(code, cursor, cursor)
    }

    /// The name around the cursor.
    pub fn around(code: &'a str, cursor: usize) -> Self {
        let cursor = code.floor_char_boundary(cursor);
        let rest = &code[cursor..];
        let end = rest.find(|c| !is_name(c)).map_or(code.len(), |length| cursor + length);
        Self::new(code, cursor, end)
    }

    fn new(code: &'a str, cursor: usize, end: usize) -> Self {
        let start = code[..cursor].trim_end_matches(is_name).len();
        let word = &code[start..end];
        let context = match tokens(&code[..start]) {
            Some(tokens) if !word.starts_with(|c: char| c.is_ascii_digit()) => context(&tokens, start),
            _ => Context::Nothing,
        };
        Self { start, end, word, context }
    }
}

/// Whether a name may contain this character.
pub fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The index of the name of the call whose parentheses are still open at the end of `tokens`.
pub fn open_call(tokens: &[Token<'_>]) -> Option<usize> {
    let mut closed = 0;
    for (index, token) in tokens.iter().enumerate().rev() {
        match token.kind {
            TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket => closed += 1,
            TokenKind::OpenParen if closed == 0 => {
                let mut name = index.checked_sub(1)?;
                if tokens[name].kind == TokenKind::Bang {
                    name = name.checked_sub(1)?;
                }
                return (tokens[name].kind == TokenKind::Ident).then_some(name);
            }
            TokenKind::OpenBrace | TokenKind::Semi if closed == 0 => return None,
            TokenKind::OpenParen | TokenKind::OpenBrace | TokenKind::OpenBracket if closed > 0 => closed -= 1,
            _ => {}
        }
    }
    None
}

const NEW_NAMES: [&str; 9] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static", "union"];

/// Words that cannot end a value or a type.
pub const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "Self", "self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];

fn context(tokens: &[Token<'_>], end: usize) -> Context {
    if let Some(path) = import(tokens) {
        return Context::Import(path);
    }
    let Some(last) = tokens.last() else { return Context::Name };
    let before = tokens.len().checked_sub(2).map(|index| tokens[index]);
    match last.kind {
        TokenKind::Dot if before.is_none_or(|token| token.kind != TokenKind::Dot) => {
            match receiver(tokens, tokens.len() - 1) {
                Some(start) => Context::Member(start..last.at),
                None => Context::Nothing,
            }
        }
        // `pair.0.` is lexed as a name, a dot and a number that ends in a dot.
        TokenKind::Literal { .. } if last.text.ends_with('.') => {
            let field = before.is_some_and(|token| token.kind == TokenKind::Dot);
            match field.then(|| receiver(tokens, tokens.len() - 2)).flatten() {
                Some(start) => Context::Member(start..last.end() - 1),
                None => Context::Nothing,
            }
        }
        TokenKind::Colon if before.is_some_and(|token| token.kind == TokenKind::Colon) => {
            Context::Path(path_before(tokens, tokens.len() - 2))
        }
        TokenKind::Ident if NEW_NAMES.iter().any(|word| last.is(word)) => Context::Nothing,
        TokenKind::Lifetime { .. } | TokenKind::Literal { .. } if last.end() == end => Context::Nothing,
        _ => Context::Name,
    }
}

/// The path to the end of an unfinished `use`: `use a::{b, c::` gives `a`, `c`.
fn import(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let start = tokens.iter().rposition(|token| token.is("use"))?;
    let mut path: Vec<String> = Vec::new();
    let mut open = Vec::new();
    for token in &tokens[start + 1..] {
        match token.kind {
            TokenKind::Ident | TokenKind::RawIdent => path.push(token.text.to_owned()),
            TokenKind::Colon => {}
            TokenKind::OpenBrace => open.push(path.len()),
            TokenKind::Comma => path.truncate(*open.last()?),
            TokenKind::CloseBrace => path.truncate(open.pop()?),
            _ => return None,
        }
    }
    let ends_well = tokens.last().is_some_and(|token| {
        matches!(token.kind, TokenKind::Colon | TokenKind::OpenBrace | TokenKind::Comma) || token.is("use")
    });
    ends_well.then_some(path)
}

/// The names of the path that ends before token `end`, which is `::`. Generic arguments are left out.
pub fn path_before(tokens: &[Token<'_>], end: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = end;
    loop {
        if at > 0 && tokens[at - 1].kind == TokenKind::Gt {
            let Some(open) = opening_angle(tokens, at - 1) else { break };
            at = open;
            if is_path_separator(tokens, at) {
                at -= 2;
            }
        }
        if at == 0 || !matches!(tokens[at - 1].kind, TokenKind::Ident | TokenKind::RawIdent) {
            break;
        }
        path.push(tokens[at - 1].text.to_owned());
        at -= 1;
        if !is_path_separator(tokens, at) {
            break;
        }
        at -= 2;
    }
    path.reverse();
    path
}

/// Whether a `::` comes before token `at`.
pub fn is_path_separator(tokens: &[Token<'_>], at: usize) -> bool {
    at >= 2 && tokens[at - 1].kind == TokenKind::Colon && tokens[at - 2].kind == TokenKind::Colon
}

fn opening_angle(tokens: &[Token<'_>], close: usize) -> Option<usize> {
    let mut depth = 0;
    for index in (0..=close).rev() {
        match tokens[index].kind {
            TokenKind::Gt if index > 0 && tokens[index - 1].kind == TokenKind::Minus => {}
            TokenKind::Gt => depth += 1,
            TokenKind::Lt => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            TokenKind::Semi | TokenKind::OpenBrace => return None,
            _ => {}
        }
    }
    None
}

fn opening(tokens: &[Token<'_>], close: usize) -> Option<usize> {
    let mut depth = 0;
    for index in (0..=close).rev() {
        match tokens[index].kind {
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => depth += 1,
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenBrace => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The start of the expression that ends before token `end`, which is a dot. Goes back over calls,
/// indexing, `?`, paths and further dots.
fn receiver(tokens: &[Token<'_>], end: usize) -> Option<usize> {
    let is_keyword = |token: &Token<'_>| {
        KEYWORDS.contains(&token.text) && !["self", "Self", "super", "crate", "await"].contains(&token.text)
    };
    let mut at = end;
    loop {
        let last = tokens[at.checked_sub(1)?];
        match last.kind {
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                at = opening(tokens, at - 1)?;
                let called = at.checked_sub(1).map(|index| tokens[index]).is_some_and(|token| {
                    let name = token.kind == TokenKind::Ident && !is_keyword(&token);
                    let more = last.kind != TokenKind::CloseBrace
                        && matches!(
                            token.kind,
                            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::Question
                        );
                    let turbofish = last.kind == TokenKind::CloseParen
                        && token.kind == TokenKind::Gt
                        && opening_angle(tokens, at - 1).is_some_and(|open| is_path_separator(tokens, open));
                    name || more || turbofish || token.kind == TokenKind::Bang && at >= 2
                });
                if called {
                    continue;
                }
            }
            TokenKind::Question => {
                at -= 1;
                continue;
            }
            TokenKind::Bang => {
                at -= 1;
                continue;
            }
            TokenKind::Gt => {
                at = opening_angle(tokens, at - 1)?.checked_sub(2)?;
                continue;
            }
            TokenKind::Ident | TokenKind::RawIdent if !is_keyword(&last) => {
                at -= 1;
                if is_path_separator(tokens, at) {
                    at -= 2;
                    match tokens.get(at.checked_sub(1)?)?.kind {
                        TokenKind::Ident | TokenKind::RawIdent => continue,
                        TokenKind::Gt => {
                            at = opening_angle(tokens, at - 1)?;
                            if is_path_separator(tokens, at) {
                                at -= 2;
                                continue;
                            }
                        }
                        _ => {}
                    }
                }
            }
            TokenKind::Literal { .. } => at -= 1,
            _ => return None,
        }
        let before = at.checked_sub(1).map(|index| tokens[index]);
        let number = before.is_some_and(|token| {
            matches!(token.kind, TokenKind::Literal { .. })
                && token.text.ends_with('.')
                && at >= 2
                && tokens[at - 2].kind == TokenKind::Dot
        });
        let range = at >= 2 && tokens[at - 2].kind == TokenKind::Dot && !number;
        match before {
            Some(token) if token.kind == TokenKind::Dot && !range => at -= 1,
            Some(_) if number => at -= 2,
            _ => return Some(tokens[at].at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver_of(code: &str) -> Option<&str> {
        match CursorPlace::before(code, code.len()).context {
            Context::Member(range) => Some(&code[range]),
            _ => None,
        }
    }

    #[test]
    fn the_expression_before_a_dot_is_found_across_calls_paths_and_lines() {
        for (code, receiver) in [
            ("df.", "df"),
            ("let x = df.lazy().fi", "df.lazy()"),
            ("a + b[0].", "b[0]"),
            ("f(col(\"a\").", "col(\"a\")"),
            ("std::env::args().", "std::env::args()"),
            ("x?.y.await?.", "x?.y.await?"),
            ("\"1,2\".parse::<Vec<i32>>().", "\"1,2\".parse::<Vec<i32>>()"),
            ("Vec::<i32>::new().", "Vec::<i32>::new()"),
            ("vec![1].", "vec![1]"),
            ("-(a + b).", "(a + b)"),
            ("df\n  .lazy() // a\n  .", "df\n  .lazy() // a\n  "),
            ("pair.0.", "pair.0"),
            ("return x.", "x"),
            ("match x { A => y.", "y"),
            ("Point { x: 1 }.", "Point { x: 1 }"),
            ("|a| a.", "a"),
        ] {
            assert_eq!(receiver_of(code).map(str::trim), Some(receiver.trim()), "{code}");
        }
    }

    #[test]
    fn numbers_ranges_strings_and_comments_have_no_members() {
        for code in ["1.", "\"a.", "// a.", "/* a.", "fn na", "'a'"] {
            assert_eq!(CursorPlace::before(code, code.len()).context, Context::Nothing, "{code}");
        }
        // The end of a range can be any expression.
        assert_eq!(CursorPlace::before("0..", 3).context, Context::Name);
    }

    #[test]
    fn paths_and_imports_give_what_leads_to_the_name() {
        let context = |code: &str| CursorPlace::before(code, code.len()).context;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(context("StorageLevel::Mem"), Context::Path(names(&["StorageLevel"])));
        assert_eq!(context("Vec::<i32>::ne"), Context::Path(names(&["Vec"])));
        assert_eq!(
            context("use std::{fmt, collections::Ha"),
            Context::Import(names(&["std", "collections"]))
        );
        assert_eq!(context("use std::{fmt, io"), Context::Import(names(&["std"])));
        assert_eq!(context("use std::fmt; Ha"), Context::Name);
    }

    #[test]
    fn the_call_around_the_cursor_is_found() {
        let call = |code: &str| {
            let tokens = tokens(code).unwrap();
            open_call(&tokens).map(|index| tokens[index].text.to_owned())
        };
        assert_eq!(call("df.join(a, f(1), ").as_deref(), Some("join"));
        assert_eq!(call("println!(").as_deref(), Some("println"));
        assert_eq!(call("f(1)"), None);
        assert_eq!(call("f(|x| { x; "), None);
    }
}
