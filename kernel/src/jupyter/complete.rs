use jupyter_protocol::{
    CompleteReply, CompleteRequest, InspectReply, InspectRequest, IsCompleteReply, IsCompleteRequest,
};
use partita_bridge::{MimeBundle, Variable};

use super::mime::media;
use crate::interpreter::{self, Completeness};

/// Rust's keywords and the names of its prelude that people type most.
const WORDS: &[&str] = &[
    "Box",
    "Clone",
    "Debug",
    "Default",
    "Err",
    "HashMap",
    "Into",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Result",
    "Self",
    "Some",
    "String",
    "Vec",
    "as",
    "assert!",
    "assert_eq!",
    "async",
    "await",
    "bool",
    "break",
    "char",
    "const",
    "continue",
    "crate",
    "dbg!",
    "dyn",
    "else",
    "enum",
    "eprintln!",
    "extern",
    "f32",
    "f64",
    "false",
    "fn",
    "for",
    "format!",
    "i16",
    "i32",
    "i64",
    "i8",
    "if",
    "impl",
    "in",
    "isize",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "panic!",
    "print!",
    "println!",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "str",
    "struct",
    "super",
    "trait",
    "true",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "unsafe",
    "use",
    "usize",
    "vec!",
    "where",
    "while",
];

/// Says whether the code can be run as it stands.
pub fn is_complete(request: &IsCompleteRequest) -> IsCompleteReply {
    match interpreter::is_complete(&request.code) {
        Completeness::Complete => IsCompleteReply::complete(),
        Completeness::Incomplete { indent } => IsCompleteReply::incomplete(indent),
        Completeness::Invalid => IsCompleteReply::invalid(),
    }
}

/// Completes the name before the cursor from the variables and [`WORDS`].
pub fn complete(request: &CompleteRequest, variables: &[Variable]) -> CompleteReply {
    let place = Place::before(&request.code, request.cursor_pos);
    let mut matches: Vec<String> = Vec::new();
    // Behind a dot or a path stands something neither variables nor keywords can be.
    if !place.word.is_empty() && !place.qualified {
        let names = variables.iter().map(|variable| variable.name.as_str());
        matches = names
            .chain(WORDS.iter().copied())
            .filter(|name| name.starts_with(&place.word))
            .map(str::to_owned)
            .collect();
        matches.sort();
        matches.dedup();
    }
    CompleteReply { matches, cursor_start: place.start, cursor_end: place.end, ..CompleteReply::default() }
}

/// Shows the type of the variable under the cursor.
pub fn inspect(request: &InspectRequest, variables: &[Variable]) -> InspectReply {
    let name = Place::around(&request.code, request.cursor_pos).word;
    match variables.iter().find(|variable| variable.name == name) {
        Some(variable) => {
            let text = format!("{}: {}", variable.name, variable.type_name);
            InspectReply { found: true, data: media(&MimeBundle::text(text)), ..InspectReply::default() }
        }
        None => InspectReply::default(),
    }
}

/// A name in the code; positions count characters, as the protocol does.
struct Place {
    start: usize,
    end: usize,
    word: String,
    qualified: bool,
}

impl Place {
    fn before(code: &str, cursor: usize) -> Self {
        let chars: Vec<char> = code.chars().collect();
        let end = cursor.min(chars.len());
        Self::new(&chars, end, end)
    }

    fn around(code: &str, cursor: usize) -> Self {
        let chars: Vec<char> = code.chars().collect();
        let cursor = cursor.min(chars.len());
        let end = chars[cursor..].iter().position(|c| !is_name(*c)).map_or(chars.len(), |n| cursor + n);
        Self::new(&chars, cursor, end)
    }

    fn new(chars: &[char], cursor: usize, end: usize) -> Self {
        let start = chars[..cursor].iter().rposition(|c| !is_name(*c)).map_or(0, |at| at + 1);
        let qualified = start > 0 && matches!(chars[start - 1], '.' | ':');
        Self { start, end, word: chars[start..end].iter().collect(), qualified }
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Vec<Variable> {
        let variable = |name: &str, kind: &str| Variable {
            name: name.to_owned(),
            type_name: kind.to_owned(),
            bytes: None,
        };
        vec![variable("trips", "DataFrame"), variable("größe", "f64")]
    }

    fn completed(code: &str, cursor_pos: usize) -> (Vec<String>, usize, usize) {
        let reply = complete(&CompleteRequest { code: code.to_owned(), cursor_pos }, &variables());
        (reply.matches, reply.cursor_start, reply.cursor_end)
    }

    #[test]
    fn variables_and_keywords_complete_the_word_before_the_cursor() {
        assert_eq!(completed("let x = tr", 10), (vec!["trait".into(), "trips".into(), "true".into()], 8, 10));
    }

    #[test]
    fn positions_are_characters_and_not_bytes() {
        assert_eq!(completed("ö + grö", 7), (vec!["größe".into()], 4, 7));
    }

    #[test]
    fn behind_a_dot_or_beyond_the_end_nothing_is_offered() {
        assert_eq!(completed("trips.tr", 8), (vec![], 6, 8));
        assert_eq!(completed("", 99), (vec![], 0, 0));
    }

    #[test]
    fn the_variable_under_the_cursor_is_described_with_its_type() {
        let request = |cursor_pos| InspectRequest { code: "(trips)".into(), cursor_pos, detail_level: None };
        for cursor in 1..=6 {
            assert!(inspect(&request(cursor), &variables()).found, "{cursor}");
        }
        assert!(!inspect(&request(99), &variables()).found);
    }
}
