use super::{kind::Kind, text::KEYWORDS};

const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16", "u32",
    "u64", "u8", "usize",
];

/// std's most used macros.
pub const MACROS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "eprint",
    "eprintln",
    "format",
    "matches",
    "panic",
    "print",
    "println",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// The names in std's prelude, for use without an index.
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
];

/// Keywords, primitive types and the most used names.
pub fn all() -> impl Iterator<Item = (&'static str, Kind)> {
    let keywords = KEYWORDS.iter().map(|word| (*word, Kind::Keyword));
    let primitives = PRIMITIVES.iter().map(|word| (*word, Kind::Type));
    let macros = MACROS.iter().map(|word| (*word, Kind::Macro));
    keywords.chain(primitives).chain(macros).chain(STANDARD.iter().copied())
}
