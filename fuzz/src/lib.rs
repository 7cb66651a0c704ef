//! Runs a fuzz target: on every file of a kept corpus, then on inputs made from it.
//!
//! A target is a function of bytes that must neither panic nor hang. It stands as a test beside the code
//! that it protects, with its corpus in `tests/corpus/NAME`. An input that once failed goes into the
//! corpus. Nothing here knows what is fuzzed.
//!
//! `PARTITA_FUZZ_RUNS` sets how many inputs are made (2,000 unless set), `PARTITA_FUZZ_SEED` where their
//! random numbers start; without it each run is the same.

#![warn(missing_docs)]

use std::path::Path;
use std::{env, fs};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

const RUNS: u32 = 2_000;
/// Bytes that parsers treat in a way of their own, and the ends of number ranges.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'\\,;:{}[]()<>/*#0-+.eE";

/// One change to an input.
#[derive(Debug, Clone)]
enum Edit {
    Truncate(Index),
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
    /// The rest comes from another file of the corpus.
    Splice(Index, Index, Index),
}

/// Runs `target` on the files of `corpus` and on inputs made from them by a few random changes.
///
/// ```no_run
/// partita_fuzz::run("tests/corpus/utf8", |bytes| {
///     let _ = std::str::from_utf8(bytes);
/// });
/// ```
///
/// # Panics
/// When the corpus is missing or empty, and when the target panics: with the smallest input found that
/// makes it panic.
pub fn run(corpus: impl AsRef<Path>, target: impl Fn(&[u8])) {
    let corpus = read(corpus.as_ref());
    for (name, bytes) in &corpus {
        eprintln!("corpus file {name}");
        target(bytes);
    }
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let config = Config {
        cases: number("PARTITA_FUZZ_RUNS").map_or(RUNS, |runs| u32::try_from(runs).unwrap_or(u32::MAX)),
        rng_seed: RngSeed::Fixed(number("PARTITA_FUZZ_SEED").unwrap_or(11)),
        failure_persistence: None,
        ..Config::default()
    };
    let inputs = (any::<Index>(), vec(edit(), 1..8)).prop_map(|(file, edits)| changed(&corpus, file, &edits));
    let outcome = TestRunner::new(config).run(&inputs, |bytes| {
        target(&bytes);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\nAdd the input to the corpus once this is mended.");
    }
}

/// The corpus, in the order of its files' names.
fn read(corpus: &Path) -> Vec<(String, Vec<u8>)> {
    let entries =
        fs::read_dir(corpus).unwrap_or_else(|error| panic!("no corpus {}: {error}", corpus.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let entry = entry.expect("a corpus that can be listed");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a corpus file"))
        })
        .collect();
    assert!(!files.is_empty(), "the corpus {} is empty", corpus.display());
    files.sort();
    files
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Edit::Truncate),
        4 => (index(), 0..8u32).prop_map(|(at, bit)| Edit::Flip(at, 1 << bit)),
        4 => (index(), any::<Index>()).prop_map(|(at, byte)| Edit::Set(at, *byte.get(SPECIAL))),
        2 => (index(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (index(), index()).prop_map(|(from, to)| Edit::Remove(from, to)),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        2 => (index(), index(), index()).prop_map(|(file, at, from)| Edit::Splice(file, at, from)),
    ]
}

fn changed(corpus: &[(String, Vec<u8>)], file: Index, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = file.get(corpus).1.clone();
    for edit in edits {
        let end = bytes.len() + 1;
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(end), to.index(end));
            from.min(to)..from.max(to)
        };
        match edit {
            Edit::Truncate(at) => bytes.truncate(at.index(end)),
            Edit::Flip(at, mask) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
            Edit::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Edit::Flip(..) | Edit::Set(..) => {}
            Edit::Insert(at, more) => {
                let at = at.index(end);
                bytes.splice(at..at, more.iter().copied());
            }
            Edit::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Edit::Repeat(from, to) => {
                let range = range(from, to);
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, again);
            }
            Edit::Splice(other, at, from) => {
                let other = &other.get(corpus).1;
                bytes.truncate(at.index(end));
                bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_panics_is_reported_with_a_small_input() {
        let directory = env!("CARGO_MANIFEST_DIR").to_owned() + "/src";
        let panics = std::panic::catch_unwind(|| {
            run(&directory, |bytes| assert!(!bytes.contains(&0xff), "it has a 255"));
        });
        let message = *panics.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("it has a 255"), "{message}");
    }

    #[test]
    #[should_panic(expected = "no corpus")]
    fn a_corpus_that_is_missing_is_no_success() {
        run("no/such/corpus", |_| {});
    }
}
