use super::{Completion, Kind};

const KEYWORDS: &[&str] = &[
    "Self", "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where",
    "while",
];

const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16", "u32",
    "u64", "u8", "usize",
];

/// What std's prelude and macros bring into every cell, for when there is no index to say more.
const STANDARD: &[(&str, Kind)] = &[
    ("Box", Kind::Struct),
    ("Clone", Kind::Trait),
    ("Default", Kind::Trait),
    ("Err", Kind::Variant),
    ("Into", Kind::Trait),
    ("Iterator", Kind::Trait),
    ("None", Kind::Variant),
    ("Ok", Kind::Variant),
    ("Option", Kind::Enum),
    ("Result", Kind::Enum),
    ("Some", Kind::Variant),
    ("String", Kind::Struct),
    ("Vec", Kind::Struct),
    ("assert!", Kind::Macro),
    ("assert_eq!", Kind::Macro),
    ("dbg!", Kind::Macro),
    ("eprintln!", Kind::Macro),
    ("format!", Kind::Macro),
    ("panic!", Kind::Macro),
    ("print!", Kind::Macro),
    ("println!", Kind::Macro),
    ("vec!", Kind::Macro),
];

/// Keywords, primitive types and the names that people type most.
pub fn all() -> impl Iterator<Item = Completion> {
    let keywords = KEYWORDS.iter().map(|word| (*word, Kind::Keyword));
    let primitives = PRIMITIVES.iter().map(|word| (*word, Kind::Type));
    keywords.chain(primitives).chain(STANDARD.iter().copied()).map(|(word, kind)| Completion {
        text: word.to_owned(),
        kind,
        signature: None,
        summary: None,
    })
}
