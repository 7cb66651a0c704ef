//! A cell is linked against what the evaluation process has loaded, without a linker that reads all of
//! it. What cells call must be there, and what is missing must be reported.

mod support;

use std::{
    fs,
    process::{Command, Stdio},
};

use partita_kernel::evaluators::EvaluatorKind;
use support::{Expect::*, plain, run_script};

#[test]
fn what_is_declared_and_nowhere_defined_is_an_error_of_the_cell_and_loses_nothing() {
    run_script(
        EvaluatorKind::Direct,
        &[
            ("let kept = vec![1];", Nothing),
            ("unsafe extern \"C\" { fn frobnicate(x: i32) -> i32; }", Nothing),
            (
                "let fresh = unsafe { frobnicate(kept[0]) };",
                Fails(
                    "CompileError",
                    &[
                        "`frobnicate` is declared but not defined anywhere",
                        "#[link(name = \"…\")]",
                        "nothing has changed",
                    ],
                ),
            ),
            ("fresh", Fails("CompileError", &["cannot find value `fresh`"])),
            ("kept", Value("[1]")),
        ],
    );
}

#[test]
fn cells_call_what_the_compiler_the_system_and_earlier_cells_have() {
    run_script(
        EvaluatorKind::Direct,
        &[
            // Division of 128 bits is a function from the compiler.
            (
                "let (a, b) = (std::hint::black_box(u128::MAX), std::hint::black_box(7)); (a / b) % 1000",
                Value("636"),
            ),
            ("let x = std::hint::black_box(0.5f64); (x.sin() * 1000.0).round()", Value("479.0")),
            (
                "unsafe extern \"C\" { fn getpid() -> i32; }\nstd::process::id() == unsafe { getpid() } as u32",
                Value("true"),
            ),
            (
                "thread_local! { static MINE: std::cell::Cell<i32> = const { std::cell::Cell::new(4) }; }\nMINE.get()",
                Value("4"),
            ),
            ("static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(40);", Nothing),
            ("COUNT.fetch_add(2, std::sync::atomic::Ordering::Relaxed);", Nothing),
            ("COUNT.load(std::sync::atomic::Ordering::Relaxed)", Value("42")),
            // Both have the same name to a linker.
            ("#[inline(never)] fn which() -> i32 { 1 }\nwhich()", Value("1")),
            ("#[inline(never)] fn which() -> i32 { 2 }\nwhich()", Value("2")),
            (
                "#[unsafe(no_mangle)] pub extern \"C\" fn partita_which() -> i32 { 1 }\npartita_which()",
                Value("1"),
            ),
            (
                "#[unsafe(no_mangle)] pub extern \"C\" fn partita_which() -> i32 { 2 }\npartita_which()",
                Value("2"),
            ),
            ("std::panic::catch_unwind(|| panic!(\"caught\")).is_err()", Value("true")),
            (":opt 2", Value("optimisation is 2")),
            ("let b = std::hint::black_box(10u128.pow(30)); (b / 3) % 10", Value("3")),
        ],
    );
}

#[test]
fn a_cell_that_names_a_c_library_is_linked_with_it() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("twice.c");
    fs::write(&source, "int partita_twice(int x) { return 2 * x; }\n").unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(place.path().join("libpartita_twice.so"))
        .arg(&source)
        .status();
    assert!(built.unwrap().success());
    let output = Command::new(env!("CARGO_BIN_EXE_partita"))
        .args([
            "-e",
            "#[link(name = \"partita_twice\")] unsafe extern \"C\" { fn partita_twice(x: i32) -> i32; }",
        ])
        .args(["-e", "unsafe { partita_twice(21) }"])
        .args([
            "-e",
            "#[link(name = \"partita_nowhere\")] unsafe extern \"C\" { fn gone(); } unsafe { gone() }",
        ])
        .env("LIBRARY_PATH", place.path())
        .env("LD_LIBRARY_PATH", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = plain(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n", "{said}");
    assert!(!output.status.success() && said.contains("partita_nowhere"), "{said}");
}
