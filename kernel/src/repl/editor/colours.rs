use std::borrow::Cow;
use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, Token, TokenKind, tokenize};

const KEYWORD: &str = "35";
const STRING: &str = "32";
const NUMBER: &str = "33";
const LIFETIME: &str = "33";
const COMMENT: &str = "90";
const MACRO: &str = "34";
const TYPE: &str = "36";
const COMMAND: &str = "1;34";
/// For the bracket under the cursor and its partner.
const PAIR: &str = "1;4";

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "type", "unsafe", "use", "where", "while", "yield",
];

const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16", "u32",
    "u64", "u8", "usize", "Self",
];

/// The cell with syntax colours. It need not be complete: the compiler's lexer accepts unfinished text.
/// With a cursor, the bracket at the cursor and its partner are marked.
pub fn coloured(text: &str, cursor: Option<usize>) -> Cow<'_, str> {
    let tokens = tokens(text);
    let pair = cursor.and_then(|cursor| pair(&tokens, cursor));
    let mut result = String::with_capacity(text.len() * 2);
    for (index, (kind, range)) in tokens.iter().enumerate() {
        let piece = &text[range.clone()];
        let colour = match pair {
            Some((one, other)) if index == one || index == other => Some(PAIR),
            _ => colour(text, &tokens, index, *kind),
        };
        match colour {
            Some(colour) => {
                // A colour ends at the end of the line; code that redraws single lines would lose it
                // otherwise.
                for (line, part) in piece.split('\n').enumerate() {
                    if line > 0 {
                        result.push('\n');
                    }
                    if !part.is_empty() {
                        result.push_str(&format!("\x1b[{colour}m{part}\x1b[0m"));
                    }
                }
            }
            None => result.push_str(piece),
        }
    }
    if result == text { Cow::Borrowed(text) } else { Cow::Owned(result) }
}

type Piece = (TokenKind, Range<usize>);

fn tokens(text: &str) -> Vec<Piece> {
    let mut at = 0;
    // A command's mark and name are not Rust.
    let mark = text.len() - text.trim_start().len();
    let command =
        text[mark..].starts_with("%%") || (text[mark..].starts_with(':') && !text[mark..].starts_with("::"));
    let mut pieces = Vec::new();
    if command {
        let end = text[mark..].find(char::is_whitespace).map_or(text.len(), |end| mark + end);
        pieces.push((TokenKind::Unknown, 0..end));
        at = end;
    }
    for Token { kind, len } in tokenize(&text[at..], FrontmatterAllowed::No) {
        let end = at + len as usize;
        pieces.push((kind, at..end));
        at = end;
    }
    pieces
}

fn colour(text: &str, tokens: &[Piece], index: usize, kind: TokenKind) -> Option<&'static str> {
    let piece = &text[tokens[index].1.clone()];
    match kind {
        TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Some(COMMENT),
        TokenKind::Lifetime { .. } | TokenKind::RawLifetime => Some(LIFETIME),
        TokenKind::Literal { kind, .. } => Some(match kind {
            ra_ap_rustc_lexer::LiteralKind::Int { .. } | ra_ap_rustc_lexer::LiteralKind::Float { .. } => {
                NUMBER
            }
            _ => STRING,
        }),
        TokenKind::Ident => {
            let next = tokens.get(index + 1).map(|(kind, _)| *kind);
            // `a != b` is not a macro.
            let unequal = matches!(tokens.get(index + 2), Some((TokenKind::Eq, _)));
            if KEYWORDS.contains(&piece) {
                Some(KEYWORD)
            } else if matches!(piece, "true" | "false") {
                Some(NUMBER)
            } else if next == Some(TokenKind::Bang) && !unequal {
                Some(MACRO)
            } else if PRIMITIVES.contains(&piece) || piece.starts_with(char::is_uppercase) {
                Some(TYPE)
            } else {
                None
            }
        }
        TokenKind::Unknown if index == 0 && piece.trim_start().starts_with([':', '%']) => Some(COMMAND),
        _ => None,
    }
}

/// The bracket at the cursor or just before it, and its partner, as indices of tokens.
fn pair(tokens: &[Piece], cursor: usize) -> Option<(usize, usize)> {
    let bracket = |at: usize| {
        tokens.iter().position(|(kind, range)| range.start == at && (closes(*kind) || opens(*kind).is_some()))
    };
    let here = bracket(cursor).or_else(|| bracket(cursor.checked_sub(1)?))?;
    let mut open: Vec<usize> = Vec::new();
    for (index, (kind, _)) in tokens.iter().enumerate() {
        if opens(*kind).is_some() {
            open.push(index);
        } else if closes(*kind) {
            let other = open.pop()?;
            if opens(tokens[other].0) != Some(*kind) {
                return None;
            }
            if index == here || other == here {
                return Some((other, index));
            }
        }
    }
    None
}

fn opens(kind: TokenKind) -> Option<TokenKind> {
    match kind {
        TokenKind::OpenParen => Some(TokenKind::CloseParen),
        TokenKind::OpenBrace => Some(TokenKind::CloseBrace),
        TokenKind::OpenBracket => Some(TokenKind::CloseBracket),
        _ => None,
    }
}

fn closes(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket)
}

#[cfg(test)]
mod tests {
    use console::strip_ansi_codes;

    use super::*;

    /// The coloured parts of a text.
    fn pieces(text: &str) -> Vec<(String, String)> {
        let shown = coloured(text, None).into_owned();
        shown
            .split("\x1b[")
            .skip(1)
            .filter_map(|piece| piece.split_once('m'))
            .filter(|(colour, _)| *colour != "0")
            .map(|(colour, text)| (text.to_owned(), colour.to_owned()))
            .collect()
    }

    fn expect(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(text, colour)| ((*text).to_owned(), (*colour).to_owned())).collect();
        assert_eq!(pieces(text), expected, "{text}");
    }

    #[test]
    fn words_have_the_colour_of_what_they_are() {
        expect("let é = \"a\";", &[("let", KEYWORD), ("\"a\"", STRING)]);
        expect("println!(\"{}\", 1.5)", &[("println", MACRO), ("\"{}\"", STRING), ("1.5", NUMBER)]);
        expect("a != b", &[]);
        expect(
            "fn f<'a>(x: &'a str) -> DataFrame // why",
            &[
                ("fn", KEYWORD),
                ("'a", LIFETIME),
                ("'a", LIFETIME),
                ("str", TYPE),
                ("DataFrame", TYPE),
                ("// why", COMMENT),
            ],
        );
        expect(":sql SELECT 1", &[(":sql", COMMAND), ("SELECT", TYPE), ("1", NUMBER)]);
    }

    #[test]
    fn text_that_is_not_finished_is_coloured_too_and_a_colour_ends_with_its_line() {
        expect("fn f() {", &[("fn", KEYWORD)]);
        expect("let s = \"a\nb", &[("let", KEYWORD), ("\"a", STRING), ("b", STRING)]);
        expect("/* a", &[("/* a", COMMENT)]);
    }

    #[test]
    fn the_bracket_at_the_cursor_and_its_other_half_are_marked() {
        let marked =
            |text: &str, cursor| coloured(text, Some(cursor)).matches(&format!("\x1b[{PAIR}m")).count();
        assert_eq!(marked("f(g(1), \")\")", 1), 2);
        assert_eq!(marked("f(g(1))", 7), 2);
        assert_eq!(marked("f(g(1)", 1), 0);
        assert_eq!(marked("f(]", 2), 0);
        assert_eq!(marked("abc", 1), 0);
    }

    proptest::proptest! {
        #[test]
        fn colours_never_change_the_text(text in "\\PC{0,60}", cursor in 0..60usize) {
            // The stripper would mistake a typed escape for one of ours.
            let text = text.replace(['\u{1b}', '\u{9b}'], "");
            let shown = coloured(&text, Some(cursor));
            proptest::prop_assert_eq!(strip_ansi_codes(&shown), text.as_str());
        }
    }
}
