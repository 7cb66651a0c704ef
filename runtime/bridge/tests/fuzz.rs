//! Any bytes on the socket between kernel and evaluation process are messages or an error.

use std::hint::black_box;

use partita_bridge::{FromEvaluation, ToEvaluation, read_frame};

#[test]
fn frames() {
    partita_fuzz::run("tests/corpus/frames", |bytes| {
        let mut wire = bytes;
        while let Ok(Some(message)) = read_frame::<FromEvaluation>(&mut wire) {
            black_box(message);
        }
        let mut wire = bytes;
        while let Ok(Some(message)) = read_frame::<ToEvaluation>(&mut wire) {
            black_box(message);
        }
    });
}
