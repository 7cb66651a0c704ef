//! The evaluation process when a cell misbehaves: crashes, interrupts, streams.

mod support;

use std::{io::Read, time::Duration};

use partita_bridge::Stream;
use partita_interpreter::{Cell, Outcome, Output, Viewer};
use partita_kernel::evaluators::EvaluatorKind;
use support::{Expect::*, Notebook, plain, run_script};

/// A guard against waiting for ever, far beyond any normal duration.
const GUARD: Duration = Duration::from_secs(120);

#[test]
fn a_crash_loses_variables_but_neither_the_kernel_nor_the_items() {
    run_script(
        EvaluatorKind::Direct,
        &[
            (
                "fn one() -> i32 { 1 } static N: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(3);",
                Nothing,
            ),
            ("let v = vec![1]; N.load(std::sync::atomic::Ordering::Relaxed)", Value("3")),
            ("std::process::abort()", Fails("EvaluationProcessDied", &["SIGABRT", "variables are lost"])),
            ("v", Fails("CompileError", &["`v` was lost with the evaluation process"])),
            ("one()", Value("1")),
            ("N.load(std::sync::atomic::Ordering::Relaxed)", Value("3")),
            (
                "fn deep(n: u64) -> u64 { if n == 0 { 0 } else { 1 + deep(std::hint::black_box(n + 1)) } }",
                Nothing,
            ),
            ("deep(1)", Fails("EvaluationProcessDied", &["SIGSEGV", "stack"])),
            ("std::process::exit(7)", Fails("EvaluationProcessDied", &["exit code 7"])),
            ("one() + 1", Value("2")),
        ],
    );
}

#[test]
fn all_that_was_printed_before_a_crash_arrives() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let done = notebook.run("println!(\"one\"); eprintln!(\"two\"); std::process::abort()");
    assert_eq!(done.error().name, "EvaluationProcessDied");
    assert_eq!(done.text(Stream::Stdout), "one\n");
    assert!(done.text(Stream::Stderr).contains("two\n"));
}

#[test]
fn printed_text_keeps_its_order_across_streams() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let done = notebook.run("for i in 0..3 { print!(\"o{i} \"); eprint!(\"e{i} \"); }");
    let order: Vec<(Stream, String)> = done
        .outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Text { stream, text } => Some((stream, text)),
            _ => None,
        })
        .collect();
    let expected =
        (0..3).flat_map(|i| [(Stream::Stdout, format!("o{i} ")), (Stream::Stderr, format!("e{i} "))]);
    assert_eq!(order, expected.collect::<Vec<_>>());
}

#[test]
fn text_that_bypasses_the_bridge_arrives_before_the_cell_ends() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let done = notebook.run("let x = dbg!(1 + 1); std::println!(\"direct\"); std::print!(\"no newline\");");
    assert_eq!(done.text(Stream::Stdout), "direct\nno newline");
    assert!(done.text(Stream::Stderr).contains("[cell 1:1:"), "{}", done.text(Stream::Stderr));
}

#[test]
fn an_interrupt_cancels_the_job_and_keeps_every_variable() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let mut v = vec![1];");
    let interpreter = notebook.interpreter.clone();
    let done = notebook.run_watching(
        "println!(\"started\"); let token = partita::cancel::current(); \
         while !token.is_cancelled() { std::thread::yield_now(); } v.push(2); Err(\"job cancelled\")?;",
        |_| interpreter.interrupt(),
    );
    assert_eq!(done.error().name, "Interrupted", "{:?}", done.error());
    let done = notebook.run("assert!(!partita::cancel::current().is_cancelled()); v");
    let Outcome::Finished(Some(bundle)) = done.outcome else { panic!("{:?}", done.outcome) };
    assert_eq!(bundle.get("text/plain"), Some("[1, 2]"));
}

#[test]
fn a_cell_that_ignores_an_interrupt_is_ended_by_a_second_one() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let v = vec![1];");
    let interpreter = notebook.interpreter.clone();
    // The first output shows that it runs, the second that it does not return.
    let done = notebook.run_watching("println!(\"started\"); loop { std::hint::spin_loop() }", |_| {
        interpreter.interrupt();
    });
    assert_eq!(done.error().name, "Interrupted");
    assert!(done.text(Stream::Stderr).contains("Interrupt once more"));
    assert!(plain(&done.error().traceback.join("\n")).contains("all variables are lost"));
    assert!(notebook.interpreter.variables().is_empty());
    assert!(matches!(notebook.run("1").outcome, Outcome::Finished(Some(_))));
}

#[test]
fn variables_are_listed_with_short_types_and_a_restart_forgets_them() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let names = vec![String::new()]; let n = 1u8; fn f() {}");
    let listed: Vec<(String, String)> =
        notebook.interpreter.variables().into_iter().map(|v| (v.name, v.type_name)).collect();
    assert_eq!(listed, [("n".into(), "u8".into()), ("names".into(), "Vec<String>".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(notebook.interpreter.restart()).unwrap();
    assert!(notebook.interpreter.variables().is_empty());
    assert_eq!(notebook.run("f()").error().name, "CompileError");
}

#[test]
fn a_shutdown_ends_a_running_cell_too() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let interpreter = notebook.interpreter.clone();
    let mut ending = None;
    let done = notebook.run_watching("println!(\"started\"); loop { std::hint::spin_loop() }", |_| {
        let interpreter = interpreter.clone();
        ending = Some(std::thread::spawn(move || interpreter.shutdown()));
    });
    assert_eq!(done.error().name, "Interrupted");
    ending.expect("the cell printed").join().unwrap();
    assert_eq!(notebook.run("1").error().name, "EvaluationProcessDied");
}

#[test]
fn a_program_that_writes_without_end_does_not_hold_up_the_cells() {
    let notebook = Notebook::new(EvaluatorKind::Direct);
    let interpreter = notebook.interpreter.clone();
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let cells = [
            "let mut noise = std::process::Command::new(\"yes\").spawn()?;",
            // Ends while there is more to read than anyone can.
            "let heard = 1;",
            "noise.kill()?; noise.wait()?;",
        ];
        for (number, code) in (1..).zip(cells) {
            // What it writes while a cell runs is output of that cell.
            let (outputs, mut written) = tokio::sync::mpsc::channel(64);
            // It writes faster than this reads, so there is always more.
            let reader = std::thread::spawn(move || {
                while let Some(output) = written.blocking_recv() {
                    (0..100).for_each(|_| drop(std::hint::black_box(format!("{output:?}"))));
                }
            });
            let outcome = interpreter
                .execute_blocking(Cell { number, code: code.into(), viewer: Viewer::Terminal }, outputs);
            reader.join().unwrap();
            sender.send(outcome).unwrap();
        }
    });
    for _ in 0..3 {
        let outcome = ended.recv_timeout(GUARD).expect("the cell never ended");
        assert_eq!(outcome, Outcome::Finished(None));
    }
}

#[test]
fn a_value_too_large_to_show_costs_neither_the_session_nor_the_variables() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run(
        "struct Large; impl MimeDisplay for Large { \
         fn mime_bundle(&self) -> MimeBundle { MimeBundle::text(\"x\".repeat(65 << 20)) } }",
    );
    let done = notebook.run("let n = 7; Large");
    let Outcome::Finished(Some(bundle)) = done.outcome else { panic!("{}", done.error().message) };
    assert!(bundle.get("text/plain").unwrap().contains("too large to show"));
    let done = notebook.run("Err(\"x\".repeat(65 << 20))?;");
    assert!(done.error().message.contains("too large to show"));
    let done = notebook.run("panic!(\"{}\", \"x\".repeat(65 << 20))");
    assert!(done.error().message.contains("too large to show"));
    let Outcome::Finished(Some(bundle)) = notebook.run("n").outcome else { panic!("`n` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("7"));
}

#[test]
fn printed_text_larger_than_a_message_arrives_whole() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let done = notebook.run("print!(\"a{}z\", \"é\".repeat(33 << 20));");
    assert_eq!(done.outcome, Outcome::Finished(None));
    let text = done.text(Stream::Stdout);
    assert!(text == format!("a{}z", "é".repeat(33 << 20)), "{} bytes arrived", text.len());
}

#[test]
fn a_panic_while_an_old_value_is_dropped_is_said_and_ends_nothing() {
    run_script(
        EvaluatorKind::Direct,
        &[
            (
                "struct Loud(i32); impl Drop for Loud { fn drop(&mut self) { if self.0 > 0 { panic!(\"loud {}\", self.0) } } }",
                Nothing,
            ),
            ("let a = Loud(1); let b = Loud(2); let kept = vec![3];", Nothing),
            // The old value was lent, and its name is bound anew.
            ("let seen = a.0; let a = Loud(seen - 1);", Notes("`a` panicked at cell 1")),
            // `b` is dropped with its type, which is redefined.
            ("struct Loud(i32, u8); let c = 4;", Notes("`b` panicked at cell 1")),
            ("(kept, seen, c)", Value("([3], 1, 4)")),
        ],
    );
}

#[test]
fn only_the_owner_may_look_into_the_directories_of_a_session() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let mode = "std::fs::metadata(path)?.permissions().mode() & 0o777";
    let done = notebook.run(&format!(
        "use std::os::unix::fs::PermissionsExt; \
         let spill = std::path::PathBuf::from(std::env::var(\"PARTITA_SPILL\")?); \
         let modes = [spill.parent().unwrap(), &spill].map(|path| -> std::io::Result<u32> {{ Ok({mode}) }}); \
         for mode in modes {{ print!(\"{{:o}} \", mode?); }}"
    ));
    assert_eq!(done.text(Stream::Stdout), "700 700 ", "{:?}", done.outcome);
}

#[test]
fn programs_that_cells_have_started_end_with_the_session() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    // The program holds the other end; its closing is the event to wait for.
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("alive");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let (sender, ended) = std::sync::mpsc::channel();
    let reading = fifo.clone();
    std::thread::spawn(move || {
        let mut text = String::new();
        std::fs::File::open(reading).unwrap().read_to_string(&mut text).unwrap();
        sender.send(text).unwrap();
    });
    let done = notebook.run(&format!(
        "std::process::Command::new(\"sh\").arg(\"-c\").arg(\"echo here; exec sleep 1000000\") \
         .stdout(std::fs::File::create({fifo:?})?).spawn()?;"
    ));
    assert_eq!(done.outcome, Outcome::Finished(None));
    drop(notebook);
    assert_eq!(ended.recv_timeout(GUARD).expect("the program lives on"), "here\n");
}

#[test]
fn a_deeply_nested_cell_does_not_end_the_kernel() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let v = vec![1];");
    // The compiler decides whether it accepts this.
    notebook.run(&format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000)));
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("the variable is kept") };
    assert_eq!(bundle.get("text/plain"), Some("[1]"));
}
