//! What is specific to the evcxr evaluator: it keeps variables although its rust-analyzer cannot see
//! their types, it reports where a cell failed, and it has commands of its own. Its agreement with the
//! direct evaluator is tested with the cells that both run.

#![cfg(feature = "evcxr")]

use std::path::Path;
use std::thread;

use partita_bridge::MimeBundle;
use partita_evcxr::EvcxrEvaluator;
use partita_interpreter::{Cell, CellError, Evaluator, Outcome, Output, Viewer};
use tokio::sync::mpsc;

struct Notebook {
    evaluator: EvcxrEvaluator,
    number: u32,
}

impl Notebook {
    fn start() -> Self {
        let (background, _) = mpsc::channel(64);
        let program = Path::new(env!("CARGO_BIN_EXE_partita"));
        Self { evaluator: EvcxrEvaluator::start(program, background).unwrap(), number: 0 }
    }

    fn run(&mut self, code: &str) -> (Outcome, Vec<Output>) {
        self.number += 1;
        let cell = Cell { number: self.number, code: code.to_owned(), viewer: Viewer::Terminal };
        let (sender, mut receiver) = mpsc::channel(4096);
        let outcome = self.evaluator.run(&cell, &sender);
        drop(sender);
        let mut outputs = Vec::new();
        while let Some(output) = receiver.blocking_recv() {
            outputs.push(output);
        }
        (outcome, outputs)
    }

    fn bundle(&mut self, code: &str) -> Option<MimeBundle> {
        match self.run(code).0 {
            Outcome::Finished(bundle) => bundle,
            Outcome::Failed(error) => {
                panic!("{code}\n{}: {}\n{}", error.name, error.message, error.traceback.join("\n"))
            }
        }
    }

    #[track_caller]
    fn shows(&mut self, code: &str, text: &str) {
        let bundle = self.bundle(code);
        assert_eq!(bundle.as_ref().and_then(|bundle| bundle.get("text/plain")), Some(text), "{code}");
    }

    #[track_caller]
    fn is_silent(&mut self, code: &str) {
        assert_eq!(self.bundle(code), None, "{code}");
    }

    #[track_caller]
    fn fails(&mut self, code: &str) -> CellError {
        match self.run(code).0 {
            Outcome::Failed(error) => error,
            Outcome::Finished(bundle) => panic!("{code} finished with {bundle:?}"),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.evaluator.variables().into_iter().map(|variable| variable.name).collect();
        names.sort();
        names
    }
}

// One session for all of it, because evcxr takes seconds to start.
#[test]
fn a_session_keeps_what_the_cells_bind_and_survives_every_way_they_fail() {
    let mut notebook = Notebook::start();
    variables_of_types_unknown_to_rust_analyzer_live_on(&mut notebook);
    moved_variables_are_gone_and_borrowed_ones_stay(&mut notebook);
    errors_name_the_cells_own_lines(&mut notebook);
    a_failed_cell_leaves_the_variables_of_earlier_ones(&mut notebook);
    a_redefined_type_takes_its_variables_with_it(&mut notebook);
    text_arrives_to_the_last_character(&mut notebook);
    commands_are_evcxrs(&mut notebook);
    a_dead_process_is_replaced(&mut notebook);
    an_interrupt_cancels_a_job_and_keeps_the_variables(&mut notebook);
    an_interrupt_ends_a_cell_that_does_not_end(&mut notebook);
}

fn variables_of_types_unknown_to_rust_analyzer_live_on(notebook: &mut Notebook) {
    notebook.is_silent(
        r#"let df = df!["a" => [1, 2, 3]]?; let (lazy, mut sums) = (df.clone().lazy(), vec![df.height()]);"#,
    );
    notebook.is_silent(r#"let sum = lazy.select([col("a").sum()]).collect()?; sums.push(7);"#);
    notebook.shows("sums", "[3, 7]");
    let table = notebook.bundle("sum").unwrap();
    assert!(table.get("text/plain").unwrap().contains("6") && table.get("text/html").is_some(), "{table:?}");
    notebook.is_silent(
        "let word = \"static\"; let boxed: Box<dyn Fn(&str) -> usize> = Box::new(|text| text.len());",
    );
    notebook.shows("boxed(word)", "6");
    let types = notebook.evaluator.variables();
    let df = types.iter().find(|variable| variable.name == "df").unwrap();
    assert_eq!(df.type_name, "DataFrame");
    // A closure has no type by which it could be kept. The earlier value of its name is shadowed, as
    // always in Rust.
    notebook.is_silent("let word = |x: usize| x; word(1);");
    let error = notebook.fails("word");
    assert!(error.traceback.join("\n").contains("closure"), "{:?}", error.traceback);
}

fn moved_variables_are_gone_and_borrowed_ones_stay(notebook: &mut Notebook) {
    notebook.is_silent("let text = String::from(\"a\"); let gone = text; let number = 1usize;");
    notebook.is_silent("let length = gone.len() + number; drop(gone);");
    assert!(!notebook.names().contains(&"gone".to_owned()));
    let error = notebook.fails("gone.len()");
    assert!(error.message.contains("cannot find value `gone`"), "{}", error.message);
    notebook.shows("length + number", "3");
}

fn errors_name_the_cells_own_lines(notebook: &mut Notebook) {
    let error = notebook.fails("let a = 1;\nfn item() {}\n\nlet b: i32 = \"text\";");
    assert_eq!(error.name, "CompileError");
    assert!(error.message.contains("mismatched types"), "{}", error.message);
    let place = format!("cell {}:4:14", notebook.number);
    assert!(error.traceback.join("\n").contains(&place), "{:?}", error.traceback);
    let error = notebook.fails("let a = ;");
    let place = format!("cell {}:1:9", notebook.number);
    assert!(
        error.name == "CompileError" && error.traceback.join("\n").contains(&place),
        "{:?}",
        error.traceback
    );
    notebook.is_silent(
        "// a comment first\nfn at(index: usize) -> u8 {\n    let bytes = vec![1u8];\n    bytes[index]\n}",
    );
    let defined = notebook.number;
    let error = notebook.fails("at(5)");
    let place = format!("cell {defined}, line 4: bytes[index]");
    assert!(error.traceback.join("\n").contains(&place), "{:?}", error.traceback);
    let error = notebook.fails("let c = 1;\n\npanic!(\"on\\npurpose {c}\");");
    assert_eq!(error.name, "Panic");
    let place = format!("cell {}, line 3", notebook.number);
    assert_eq!(error.message, "on …");
    assert!(error.traceback.join("\n").contains("on\npurpose 1"), "{:?}", error.traceback);
    assert!(error.traceback.join("\n").contains(&place), "{:?}", error.traceback);
}

fn a_failed_cell_leaves_the_variables_of_earlier_ones(notebook: &mut Notebook) {
    notebook.is_silent("let mut kept = vec![1];");
    let error = notebook.fails("let never = 1; kept.push(2); let n: i32 = \"x\".parse()?;");
    assert_eq!((error.name.as_str(), error.message.as_str()), ("Error", "invalid digit found in string"));
    notebook.fails("kept.push(3); panic!();");
    notebook.shows("kept", "[1, 2, 3]");
    assert!(!notebook.names().contains(&"never".to_owned()));
    let error = notebook.fails("#[derive(Debug)] struct Outer(std::num::ParseIntError);\n\
        impl std::fmt::Display for Outer { fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result { f.write_str(\"outer\") } }\n\
        impl std::error::Error for Outer { fn source(&self) -> Option<&(dyn std::error::Error + 'static)> { Some(&self.0) } }\n\
        \"x\".parse::<i32>().map_err(Outer)?;");
    assert_eq!(error.message, "outer");
    assert!(error.traceback.join("\n").contains("invalid digit"), "{:?}", error.traceback);
}

fn a_redefined_type_takes_its_variables_with_it(notebook: &mut Notebook) {
    notebook.is_silent("#[derive(Debug)] struct Point { x: u8 }\nlet point = Point { x: 1 }; let points = vec![Point { x: 2 }];");
    notebook.is_silent("#[derive(Debug)] struct Point { x: u8 }\nlet other = 1;");
    notebook.shows("point.x", "1");
    let (outcome, outputs) =
        notebook.run("#[derive(Debug)] struct Point { x: [u64; 9] }\nlet new = Point { x: [3; 9] };");
    assert_eq!(outcome, Outcome::Finished(None));
    let said = format!("{outputs:?}");
    assert!(said.contains("point") && said.contains("points"), "{said}");
    assert!(!notebook.names().contains(&"points".to_owned()));
    notebook.shows("new.x[8]", "3");
}

fn text_arrives_to_the_last_character(notebook: &mut Notebook) {
    let (_, outputs) = notebook.run("println!(\"one\"); eprint!(\"err\"); print!(\"two\"); \"value\"");
    let text = |wanted: partita_bridge::Stream| -> String {
        let texts = outputs.iter().filter_map(|output| match output {
            Output::Text { stream, text } if *stream == wanted => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    };
    assert_eq!(text(partita_bridge::Stream::Stdout), "one\ntwo");
    assert_eq!(text(partita_bridge::Stream::Stderr), "err");
    // A string of several lines is shown unchanged.
    notebook.shows(r#""\n\\ leading line\r\n""#, "\n\\ leading line\r\n");
}

fn commands_are_evcxrs(notebook: &mut Notebook) {
    let types = notebook.bundle(":vars").unwrap();
    assert!(types.get("text/plain").unwrap().contains("length"), "{types:?}");
    notebook.is_silent(":clear");
    assert!(notebook.names().is_empty());
    notebook.shows(r#"df!["a" => [1]]?.height()"#, "1");
    let error = notebook.fails(":nonsense");
    assert!(error.message.contains("nonsense"), "{}", error.message);
}

fn a_dead_process_is_replaced(notebook: &mut Notebook) {
    notebook.is_silent("fn two() -> i32 { 2 }\nlet lost = 1;");
    let error = notebook.fails("std::process::abort();");
    assert_eq!(error.name, "EvaluationProcessDied");
    assert!(notebook.names().is_empty());
    notebook.shows("two()", "2");
}

fn an_interrupt_cancels_a_job_and_keeps_the_variables(notebook: &mut Notebook) {
    notebook.is_silent("let kept = vec![1];");
    let interrupter = notebook.evaluator.interrupter();
    let (sender, mut receiver) = mpsc::channel(64);
    notebook.number += 1;
    // This is what a job does: it checks its token.
    let code = "println!(\"begun\"); let token = partita::cancel::current();\n\
        while !token.is_cancelled() { std::thread::yield_now(); }\nErr(\"cancelled\")?;";
    let cell = Cell { number: notebook.number, code: code.into(), viewer: Viewer::Terminal };
    let waiting = thread::spawn(move || {
        while let Some(output) = receiver.blocking_recv() {
            if format!("{output:?}").contains("begun") {
                interrupter();
            }
        }
    });
    let outcome = notebook.evaluator.run(&cell, &sender);
    drop(sender);
    waiting.join().unwrap();
    let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.name.as_str(), error.message.as_str()), ("Interrupted", "cancelled"));
    notebook.shows("(kept.len(), partita::cancel::current().is_cancelled())", "(1, false)");
}

fn an_interrupt_ends_a_cell_that_does_not_end(notebook: &mut Notebook) {
    let interrupter = notebook.evaluator.interrupter();
    let (sender, mut receiver) = mpsc::channel(64);
    notebook.number += 1;
    let cell = Cell {
        number: notebook.number,
        code: "println!(\"begun\"); loop { std::hint::black_box(()); }".into(),
        viewer: Viewer::Terminal,
    };
    let waiting = thread::spawn(move || {
        while let Some(output) = receiver.blocking_recv() {
            let said = format!("{output:?}");
            // The first interrupt cancels the job; there is none, and the notice explains the second.
            if said.contains("begun") || said.contains("Interrupt once more") {
                interrupter();
            }
        }
    });
    let outcome = notebook.evaluator.run(&cell, &sender);
    drop(sender);
    waiting.join().unwrap();
    let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.name, "Interrupted");
    assert!(error.message.contains("variables are lost"), "{}", error.message);
    notebook.shows("1 + 1", "2");
}
