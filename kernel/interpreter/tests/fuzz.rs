//! Any text in a cell is split, or it is an error: no panic, no hang, and ranges that lie in the text.

use partita_interpreter::is_complete;
use partita_interpreter::source::{lexes, split, split_open_ended};

#[test]
fn cells() {
    partita_fuzz::run("tests/corpus/cells", |bytes| {
        let Ok(code) = std::str::from_utf8(bytes) else { return };
        is_complete(code);
        lexes(code);
        if let Ok(split) = split(code) {
            for range in split.items.iter().map(|item| &item.range).chain(&split.value) {
                // A range that does not lie at characters' boundaries panics.
                std::hint::black_box(&code[range.clone()]);
            }
        }
        drop(split_open_ended(code));
    });
}
