//! Any bytes on the socket decode to a message or an error: no panic, and no memory for a length that was
//! only announced.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use partita_bridge::{
    CellOutcome, Comm, CommAction, FromEvaluation, LoadCell, MAX_FRAME_BYTES, MimeBundle, Panic, Spent,
    Stream, ToEvaluation, Variable, Viewer, read_frame, write_frame,
};
use proptest::{collection::vec, prelude::*, sample::Index};

/// The largest single allocation since the last reset.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watched;

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The same cases on every run, without files of failures in the tree.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    }
}

fn read_all(mut wire: &[u8]) {
    while let Ok(Some(message)) = read_frame::<FromEvaluation>(&mut wire) {
        std::hint::black_box(message);
    }
}

fn read_all_to(mut wire: &[u8]) {
    while let Ok(Some(message)) = read_frame::<ToEvaluation>(&mut wire) {
        std::hint::black_box(message);
    }
}

fn from_evaluation() -> Vec<FromEvaluation> {
    let bundle = MimeBundle::text("3").with("text/html", "<b>3</b>");
    let variable = Variable { name: "v".into(), type_name: "Vec<i32>".into(), bytes: Some(12) };
    let panic = Panic { message: "no".into(), file: "cell 1".into(), line: 1, column: 2, frames: Vec::new() };
    vec![
        FromEvaluation::Ready { version: "1".into(), rustc: "rustc".into() },
        FromEvaluation::Text { stream: Stream::Stdout, text: "é\n".into() },
        FromEvaluation::Display { id: Some("a".into()), bundle: bundle.clone() },
        FromEvaluation::Events { session: 1, events: Vec::new() },
        FromEvaluation::Done {
            outcome: CellOutcome::Finished(Some(bundle)),
            variables: vec![variable.clone(), variable],
            spent: Spent::default(),
        },
        FromEvaluation::Done {
            outcome: CellOutcome::Panicked(panic),
            variables: Vec::new(),
            spent: Spent::default(),
        },
    ]
}

fn to_evaluation() -> Vec<ToEvaluation> {
    let comm = Comm {
        id: "c".into(),
        action: CommAction::Open { target: "t".into() },
        data: "{}".into(),
        metadata: "{}".into(),
        buffers: vec![vec![1, 2], Vec::new()],
    };
    let cell =
        LoadCell { library: "/x".into(), symbol: "f".into(), forget: vec!["a".into()], viewer: Viewer::Page };
    vec![
        ToEvaluation::Run(cell),
        ToEvaluation::Comm(comm),
        ToEvaluation::Input(Err("no".into())),
        ToEvaluation::Interrupt,
    ]
}

fn framed<T: serde::Serialize>(messages: &[T]) -> Vec<u8> {
    let mut wire = Vec::new();
    messages.iter().for_each(|message| write_frame(&mut wire, message).unwrap());
    wire
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
        read_all_to(&bytes);
    }

    #[test]
    fn any_body_in_a_sound_frame_is_a_message_or_an_error(body in vec(any::<u8>(), 0..200)) {
        let mut wire = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
        wire.extend(body);
        read_all(&wire);
        read_all_to(&wire);
    }

    #[test]
    fn a_spoilt_message_is_a_message_or_an_error(
        spoilt in vec((any::<Index>(), any::<u8>()), 1..6), cut in any::<Index>(), cuts in any::<bool>(),
    ) {
        for mut wire in [framed(&from_evaluation()), framed(&to_evaluation())] {
            for (at, byte) in &spoilt {
                let at = at.index(wire.len());
                wire[at] = *byte;
            }
            if cuts {
                wire.truncate(cut.index(wire.len()));
            }
            read_all(&wire);
            read_all_to(&wire);
        }
    }
}

#[test]
fn an_announcement_that_nothing_follows_takes_no_memory() {
    let mut wire = MAX_FRAME_BYTES.to_le_bytes().to_vec();
    wire.extend([0; 100]);
    LARGEST.store(0, Ordering::Relaxed);
    assert!(read_frame::<FromEvaluation>(&mut wire.as_slice()).is_err());
    // The same for lengths inside a body, which the decoder reads.
    let mut body = vec![1, 0, 255, 255, 255, 15];
    body.extend([b'a'; 50]);
    let mut wire = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    wire.extend(body);
    assert!(read_frame::<FromEvaluation>(&mut wire.as_slice()).is_err());
    // Other tests of this file allocate at the same time, but less than this.
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest < 16 << 20, "{largest} bytes were allocated");
}
