//! A cell can end its process in many ways, or refuse to end. The session reports which it was and what
//! was lost, and the next cell runs.

mod support;

use partita_bridge::Stream;
use partita_interpreter::Outcome;
use partita_kernel::evaluators::EvaluatorKind;
use support::{Expect::*, Notebook, plain, run_script};

const DIED: &str = "EvaluationProcessDied";

#[test]
fn each_way_to_die_is_told_from_the_others() {
    run_script(
        EvaluatorKind::Direct,
        &[
            (
                "fn deep(n: u64) -> u64 { if n == 0 { 0 } else { 1 + deep(std::hint::black_box(n + 1)) } }",
                Nothing,
            ),
            ("let v = vec![1];", Nothing),
            ("let w = 2;", Nothing),
            ("deep(1)", Fails(DIED, &["ran out of stack (SIGSEGV)", "Lost: `v` (cell 2), `w` (cell 3)."])),
            ("v", Fails("CompileError", &["`v` was lost with the evaluation process; cell 2 made it"])),
            (
                "std::thread::spawn(|| deep(1)).join().is_err()",
                Fails(DIED, &["ran out of stack in a thread that the cell started"]),
            ),
            (
                "unsafe { std::ptr::write_volatile(8 as *mut u8, 1) }",
                Fails(DIED, &["memory that is not its own", "0x0000000000000008"]),
            ),
            (
                "let huge = vec![0u8; 1 << 46]; huge.len()",
                Fails(DIED, &["ran out of memory", "70368744177664 bytes"]),
            ),
            ("std::process::abort()", Fails(DIED, &["aborted (SIGABRT): the cell or a library"])),
            (
                "struct D; impl Drop for D { fn drop(&mut self) { panic!(\"in drop\") } }\nlet d = D;\npanic!(\"first\")",
                Fails(DIED, &["because a panic could not unwind", "cell 10, line 3: first"]),
            ),
            ("std::process::exit(3)", Fails(DIED, &["`std::process::exit(3)`"])),
            (
                "std::process::Command::new(\"kill\").arg(\"-9\").arg(std::process::id().to_string()).status()?;",
                Fails(DIED, &["killed from outside (SIGKILL)"]),
            ),
            ("let v = 3; v + 1", Value("4")),
        ],
    );
}

#[test]
fn a_panic_names_what_survived_and_the_calls_that_led_to_it() {
    run_script(
        EvaluatorKind::Direct,
        &[
            ("let v = vec![1];\nlet kept = 1;\nfn pick(v: &[i32], i: usize) -> i32 {\n    v[i]\n}", Nothing),
            (
                "let fresh = 1;\npick(&v, 5)",
                Fails(
                    "Panic",
                    &[
                        "index out of bounds",
                        "at cell 1, line 4: v[i]",
                        "in `pick`, defined in cell 1",
                        "in cell 2",
                        "Every variable of earlier cells is kept. Not bound, because the cell did not finish: `fresh`.",
                    ],
                ),
            ),
            ("fresh", Fails("CompileError", &["`fresh` was not bound: cell 2 did not finish"])),
            (
                "let taken = v; Err::<(), _>(std::io::Error::other(\"x\".parse::<i32>().unwrap_err()))?;",
                Fails(
                    "Error",
                    &["Lost, because the cell had taken ownership: `v`. Every other variable is kept."],
                ),
            ),
            ("kept", Value("1")),
            // In a library, the position says little; the calls show where to look.
            (
                "fn first(s: f64) -> std::time::Duration { std::time::Duration::from_secs_f64(s) }\n\
                 fn go(s: f64) -> std::time::Duration { first(s) }",
                Nothing,
            ),
            (
                "go(-1.0)",
                Fails(
                    "Panic",
                    &[
                        "at library/core/src/time.rs",
                        "in `first`, defined in cell 6",
                        "in `go`, defined in cell 6",
                        "in cell 7",
                    ],
                ),
            ),
        ],
    );
}

#[test]
fn a_panic_of_another_thread_is_said_and_costs_nothing() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let v = vec![1];");
    let done = notebook.run(
        "std::thread::Builder::new().name(\"helper\".into()).spawn(|| panic!(\"elsewhere\"))?.join().is_err()",
    );
    assert_eq!(done.text(Stream::Stderr), "thread `helper` panicked at cell 2, line 1: elsewhere\n");
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("`v` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("[1]"));
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_ends_nothing() {
    run_script(
        EvaluatorKind::Direct,
        &[
            (
                "struct Bad; impl Drop for Bad { fn drop(&mut self) { panic!(\"again\") } } let v = 1;",
                Nothing,
            ),
            ("std::panic::panic_any(Bad)", Fails("Panic", &["a value that is not text"])),
            ("v", Value("1")),
        ],
    );
}

#[test]
fn an_old_value_that_panics_when_it_is_replaced_does_not_fail_the_cell() {
    run_script(
        EvaluatorKind::Direct,
        &[
            (
                "struct Loud; impl Drop for Loud { fn drop(&mut self) { panic!(\"loud\") } } let a = Loud;",
                Nothing,
            ),
            ("let a = 1; let b = 2;", Notes("`a` panicked at cell 1")),
            ("(a, b)", Value("(1, 2)")),
        ],
    );
}

#[test]
fn an_interrupt_reaches_a_cell_that_awaits() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let mut v = vec![1];");
    let interpreter = notebook.interpreter.clone();
    let done = notebook.run_watching(
        "v.push(2); println!(\"started\"); std::future::pending::<()>().await; v.push(3);",
        |_| interpreter.interrupt(),
    );
    assert_eq!(done.error().name, "Interrupted", "{:?}", done.error());
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("`v` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("[1, 2]"));
}

#[test]
fn an_interrupt_reaches_a_polars_query_of_the_cells_own() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run(
        "let v = vec![1]; let frame = df!(\"a\" => (0..3_000_000i64).collect::<Vec<_>>())?.lazy().with_columns([(col(\"a\") % lit(3)).alias(\"k\")]);",
    );
    let interpreter = notebook.interpreter.clone();
    // A million rows for each of three million: too long to wait for.
    let done = notebook.run_watching(
        "println!(\"started\"); frame.clone().join(frame, [col(\"k\")], [col(\"k\")], JoinArgs::new(JoinType::Inner))\
         .group_by([col(\"k\")]).agg([col(\"a\").sum()]).collect_with_engine(Engine::Streaming)?",
        |_| interpreter.interrupt(),
    );
    assert_eq!(done.error().name, "Interrupted", "{:?}", done.error());
    assert!(done.error().message.contains("the Polars query was interrupted"), "{}", done.error().message);
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("`v` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("[1]"));
}

#[test]
fn an_interrupt_reaches_a_query_in_sql() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run(
        "let v = vec![1]; let frame = df!(\"a\" => (0..3_000_000i64).collect::<Vec<_>>())?.lazy()\
         .with_columns([(col(\"a\") % lit(3)).alias(\"k\")])\
         .map(|rows| { println!(\"started\"); Ok(rows) }, Default::default(), None, None);",
    );
    let interpreter = notebook.interpreter.clone();
    let done = notebook.run_watching(
        ":sql SELECT x.k, SUM(x.a) FROM frame x JOIN frame y ON x.k = y.k GROUP BY x.k",
        |_| interpreter.interrupt(),
    );
    assert_eq!(done.error().name, "Interrupted", "{:?}", done.error());
    assert!(done.error().message.contains("the Polars query was interrupted"), "{}", done.error().message);
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("`v` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("[1]"));
}

#[test]
fn what_a_cell_that_ignores_an_interrupt_does_instead_is_said() {
    for (code, says) in [
        ("println!(\"started\"); loop { std::hint::spin_loop() }", "it computes"),
        (
            "println!(\"started\"); std::thread::sleep(std::time::Duration::from_secs(100_000))",
            "it waits: in",
        ),
    ] {
        let mut notebook = Notebook::new(EvaluatorKind::Direct);
        notebook.run("let v = 1;");
        let interpreter = notebook.interpreter.clone();
        // The first output shows that it runs, the second that it does not return.
        let done = notebook.run_watching(code, |_| interpreter.interrupt());
        assert!(done.text(Stream::Stderr).contains(says), "{}", done.text(Stream::Stderr));
        assert_eq!(done.error().name, "Interrupted");
        assert!(plain(&done.error().traceback.join("\n")).contains("Lost: `v` (cell 1)."));
    }
}

#[test]
fn an_interrupt_while_the_compiler_runs_changes_nothing() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let v = vec![1];");
    let interpreter = notebook.interpreter.clone();
    // The compiler computes this constant for ever; only the interrupt ends it.
    let interrupting = std::thread::spawn(move || {
        while !interpreter_compiles() {
            std::thread::yield_now();
        }
        interpreter.interrupt();
    });
    let done = notebook.run(
        "#![allow(long_running_const_eval)]\nconst N: u64 = { let mut n = 0u64; while n < u64::MAX { n += 1; } n }; let w = v; N",
    );
    interrupting.join().unwrap();
    assert_eq!(done.error().name, "Interrupted", "{:?}", done.error());
    assert!(done.error().message.contains("nothing has changed"));
    let Outcome::Finished(Some(bundle)) = notebook.run("v").outcome else { panic!("`v` is lost") };
    assert_eq!(bundle.get("text/plain"), Some("[1]"));
}

/// Whether a compiler of this process is working on a cell with attributes of its own, for which no spare
/// compiler exists.
fn interpreter_compiles() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let status = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((name, fields)) = status.rsplit_once(')') else { return false };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        name.contains("(rustc")
            && fields.split_whitespace().nth(1) == Some(own.as_str())
            && String::from_utf8_lossy(&arguments).contains("attributed.rs")
    })
}

#[test]
fn a_cell_that_nests_too_deep_is_refused_and_costs_nothing() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let v = 1;");
    let done = notebook.run(&format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)));
    assert!(done.error().message.contains("nest 10000 deep"), "{}", done.error().message);
    // A cell that is accepted also compiles.
    let done = notebook.run(&format!("{}v{}", "(".repeat(400), ")".repeat(400)));
    let Outcome::Finished(Some(bundle)) = done.outcome else { panic!("{:?}", done.error()) };
    assert_eq!(bundle.get("text/plain"), Some("1"));
}
