//! The advice that Partita adds to errors of first lessons, each on a real cell. Also checks that nothing
//! of the code generated around a cell appears in the compiler's messages.

mod support;

use partita_kernel::evaluators::EvaluatorKind;
use support::{Expect::*, Notebook, plain, run_script};

const REFUSED: &str = "CompileError";

#[test]
fn expressions_plans_and_results_are_explained() {
    run_script(
        EvaluatorKind::Direct,
        &[
            ("let df = df!(\"a\" => [1, 2], \"b\" => [\"x\", \"y\"])?;", Nothing),
            (
                "df.clone().lazy().filter(col(\"a\") > 1).collect()?",
                Fails(REFUSED, &["is compared by methods"]),
            ),
            (
                "df.clone().lazy().filter(col(\"a\") == 1).collect()?",
                Fails(REFUSED, &["is compared by methods"]),
            ),
            (
                "df.clone().lazy().filter(col(\"a\").gt(1) && col(\"a\").lt(2)).collect()?",
                Fails(REFUSED, &["joined by methods: `a.and(b)`"]),
            ),
            ("df.group_by([col(\"a\")])", Fails(REFUSED, &["begin it with `.lazy()`"])),
            ("df.filter(col(\"a\").gt(1))", Fails(REFUSED, &["begin it with `.lazy()`"])),
            ("df.with_columns([col(\"a\")])", Fails(REFUSED, &["begin it with `.lazy()`"])),
            ("df.clone().lazy().height()", Fails(REFUSED, &["`.collect()?` runs it"])),
            ("let d: DataFrame = df.clone().lazy();", Fails(REFUSED, &["`.collect()?` runs it"])),
            ("let d: LazyFrame = df.clone();", Fails(REFUSED, &["`.lazy()` makes one from it"])),
            ("df.clone().lazy().collect().height()", Fails(REFUSED, &["a `?` after it takes the value out"])),
            ("let d: DataFrame = df.clone().lazy().collect();", Fails(REFUSED, &["a `?` after it"])),
            ("vec![1].first().pow(2)", Fails(REFUSED, &["`.ok_or(\"what is missing\")?`"])),
            (
                "vec![1].first()?",
                Fails(REFUSED, &["`.ok_or(\"what is missing\")?` turns an `Option` into one"]),
            ),
            (
                "fn g() -> i32 { \"5\".parse::<i32>()? }",
                Fails(REFUSED, &["`-> Result<…, Box<dyn std::error::Error>>`"]),
            ),
            ("struct E; Err::<(), E>(E)?;", Fails(REFUSED, &["`.map_err("])),
            ("return 5;", Fails(REFUSED, &["a cell is not a function"])),
            ("Series::new(\"q\", [1])", Fails(REFUSED, &["`\"name\".into()`"])),
            (
                "let mut d = df.clone(); d.with_column(Series::new(\"q\".into(), [1, 2]))?;",
                Fails(REFUSED, &["`.into_column()`"]),
            ),
        ],
    );
}

#[test]
fn ownership_numbers_and_the_rest_are_explained() {
    run_script(
        EvaluatorKind::Direct,
        &[
            ("let v = vec![1]; let w = v; v.len()", Fails(REFUSED, &["a value has one owner"])),
            ("let v = vec![1];", Nothing),
            ("v.push(2);", Fails(REFUSED, &["`let mut name = name;`"])),
            (
                "let r = &v; let s = r[0..1].to_vec(); let t = *r;",
                Fails(REFUSED, &["what is only borrowed cannot be given away"]),
            ),
            (
                "let mut s = String::new(); let r = &mut s; let q = &mut s; r.push('a'); q.push('b');",
                Fails(REFUSED, &["finish with the borrow first"]),
            ),
            ("std::thread::spawn(|| { v.len() });", Fails(REFUSED, &["`move ||`"])),
            ("1 + 1.0", Fails(REFUSED, &["Rust never converts numbers"])),
            ("let a: i32 = 1; let b: i64 = a;", Fails(REFUSED, &["Rust never converts numbers"])),
            ("let x: u8 = 256;", Fails(REFUSED, &["does not fit its type"])),
            ("let x = 255u8 + 1;", Fails(REFUSED, &["does not fit its type"])),
            ("fn f(x: i32) -> i32 { x + 1; }", Fails(REFUSED, &["a `;` after it throws that away"])),
            (
                "fn h() { std::future::ready(1).await; }",
                Fails(REFUSED, &["`.await` works at a cell's top level"]),
            ),
            ("let n = None;", Fails(REFUSED, &["the type cannot be inferred"])),
            (
                "use std::fmt as f; let mut s = String::new(); s.write_str(\"x\")",
                Fails(REFUSED, &["must be imported", "use std::fmt::Write;"]),
            ),
            ("serde_yaml::from_str(\"\")", Fails(REFUSED, &["`:dep NAME`"])),
        ],
    );
}

/// Words that occur only in generated code.
const GENERATED: [&str; 14] = [
    "__p",
    "__value",
    "__kept",
    "__bundle",
    "__outcome",
    "CellFailure",
    "MimeBundle",
    "partita_cell",
    "main.rs",
    "partita::",
    "cells::",
    "on by default",
    ".cargo",
    "/rustc/",
];

#[test]
fn no_generated_code_shows_and_the_place_is_in_the_cell() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    notebook.run("let s = String::from(\"a\"); #[derive(Debug)] struct P { x: i32 }");
    for code in [
        "let t = s; s",
        "let a = [1, 2, 3]; a[5]",
        "foo(",
        "let x = \"abc",
        "let x = 3 x",
        "return 5;",
        "Some(1)?",
        "struct E; Err::<(), E>(E)?;",
        "let p: P = 5;",
        "let c = |x: i32| x; c(\"a\")",
        "let c = |x: i32| x; c == 1",
        "let d = P { x: 1 }; d + 1",
        "std::thread::spawn(|| s.len());",
        "let r = &s; std::thread::spawn(move || r.len());",
        "let s2: &'static str = &s;",
        "println!(\"{} {}\", 1)",
        "println!(\"{}\", P { x: 1 })",
        "vec![1, 2",
        "async { 1 }.await?",
        "std::future::ready(1).await + \"a\"",
        "const N: usize = [1, 2][5]; N",
        "let f: fn(i32) -> i32 = |x| x + s.len() as i32;",
        "let it = vec![1].iter().map(|x| x + 1).filter(|x| x > 1).zip(0..).map(|x| x.0).rev().foo();",
        "let b: Box<dyn Fn() -> i32 + Send> = Box::new(|| std::rc::Rc::new(1).abs());",
        "1.foo()",
        "df![\"a\" => [1]]?.column(\"a\")?.i32()?.to_string()",
        "match s { 1 => 2 }",
        "break;",
        "use nothing::at_all;",
        "macro_rules! m { ($x:expr) => { $x + \"a\" } } m!(1)",
        "static X: String = s;",
        "let x: i32 = s",
    ] {
        let done = notebook.run(code);
        let error = done.error();
        let text = plain(&error.traceback.join("\n"));
        assert_eq!(error.name, REFUSED, "`{code}`:\n{text}");
        for word in GENERATED {
            assert!(!text.contains(word) && !error.message.contains(word), "`{code}` shows {word}:\n{text}");
        }
        assert!(text.contains("--> cell "), "`{code}` has no place:\n{text}");
    }
}

#[test]
fn a_let_at_the_end_of_a_cell_may_leave_out_its_semicolon() {
    run_script(EvaluatorKind::Direct, &[("let x = 1;\nlet y = x + 1 // two", Nothing), ("y", Value("2"))]);
}
