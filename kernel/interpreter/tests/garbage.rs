//! What people type is not always Rust. Splitting a cell and checking whether it is complete must give an
//! answer for any text, even on the small stacks of the threads that ask.

use partita_interpreter::{
    Completeness, is_complete,
    source::{lexes, split, split_open_ended},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// The same cases on every run, and no files with failures in the tree.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    }
}

/// Tokens and parts of tokens that open what others close.
const PIECES: [&str; 58] = [
    "let",
    "mut",
    "x",
    "é",
    "=",
    "1",
    "2.5",
    "0x",
    "1e",
    "\"",
    "\\",
    "r#\"",
    "\"#",
    "br##\"",
    "c\"",
    "b'",
    "'",
    "'a",
    "'\\''",
    "/*",
    "*/",
    "//",
    "///",
    "//!",
    "\n",
    "\r\n",
    "\t",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "::",
    ";",
    ",",
    ".",
    "..=",
    "?",
    "!",
    "#",
    "#!",
    "|",
    "&&",
    "->",
    "=>",
    "fn",
    "struct",
    "macro_rules!",
    "async",
    ".await",
    "🦀",
    "\u{200b}",
    "\0",
    ":help",
];

fn ask(code: &str) {
    let whole = is_complete(code);
    if let Completeness::Incomplete { indent } = &whole {
        assert!(indent.bytes().all(|byte| byte == b' '));
    }
    lexes(code);
    if let Ok(split) = split(code) {
        let ranges =
            split.items.iter().map(|item| &item.range).chain(&split.value).chain(&split.inner_attributes);
        for range in ranges {
            // Every position is at a character boundary, or this panics.
            std::hint::black_box(&code[range.clone()]);
        }
    }
    drop(split_open_ended(code));
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn any_text_gets_an_answer(code in ".{0,80}") {
        ask(&code);
    }

    #[test]
    fn any_row_of_tokens_gets_an_answer(pieces in vec(select(&PIECES[..]), 0..40), spaced in any::<bool>()) {
        ask(&pieces.join(if spaced { " " } else { "" }));
    }

    #[test]
    fn a_sound_cell_that_was_spoilt_gets_an_answer(at in any::<prop::sample::Index>(), piece in select(&PIECES[..])) {
        let code = "/// two\nfn two<'a>(x: &'a str) -> usize { x.len() } // é\nlet s = r#\"a \" b\"#; two(s)?.max('\\'' as usize)";
        let places: Vec<usize> = code.char_indices().map(|(at, _)| at).collect();
        let at = places[at.index(places.len())];
        ask(&format!("{}{piece}{}", &code[..at], &code[at..]));
        ask(&code[at..]);
        ask(&code[..at]);
    }
}

#[test]
fn what_nests_without_end_neither_overflows_a_stack_nor_hangs() {
    let times = 10_000;
    let nested = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let cells = [
        nested("(", "1", ")"),
        nested("[", "1", "]"),
        nested("{", "", "}"),
        nested("(", "", ""),
        nested("", "", ")"),
        nested("f(", "", ")"),
        nested("/*", "", "*/"),
        nested("!", "1", ""),
        nested("&", "1", ""),
        nested("-", "1", ""),
        nested("return ", "", ""),
        nested("|| ", "1", ""),
        nested("", "1", " + 1"),
        nested("", "1", ".a()"),
        nested("", "1", "?"),
        nested("if a {} else ", "{}", ""),
        format!("let x: {} = 1;", nested("Vec<", "u8", ">")),
        format!("let x: {} = 1;", nested("&", "u8", "")),
        format!("fn f() {{ {} }}", nested("!", "1", "")),
        nested("fn f() { ", "", "}"),
        nested("mod m { ", "", "}"),
        nested("match 1 { _ => ", "1", "}"),
    ];
    // A thread as the front ends use it.
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || cells.iter().for_each(|code| drop(is_complete(code))))
        .unwrap()
        .join()
        .unwrap();
}
