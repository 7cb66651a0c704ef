//! Runs scripts of cells in a real interpreter and reports outcomes that differ from the expected ones.

// Each test binary uses its part.
#![allow(dead_code)]

use partita_bridge::Stream;
use partita_interpreter::{Cell, CellError, Interpreter, Outcome, Output, Viewer};
use partita_kernel::evaluators::EvaluatorKind;
use tokio::sync::mpsc;

/// What a cell is expected to do.
pub enum Expect {
    /// Ends with exactly this `text/plain`.
    Value(&'static str),
    /// Ends with a value whose `text/plain` contains this.
    Shows(&'static str),
    /// Ends without a value.
    Nothing,
    /// Ends without a value and without text.
    Quiet,
    /// Prints exactly this to standard output, and has no value.
    Prints(&'static str),
    /// Ends without a value and prints this to standard error.
    Notes(&'static str),
    /// Fails with an error of this name, whose rendering contains each of these.
    Fails(&'static str, &'static [&'static str]),
}

/// The result of a cell.
pub struct Done {
    pub outcome: Outcome,
    pub outputs: Vec<Output>,
}

impl Done {
    pub fn text(&self, wanted: Stream) -> String {
        let texts = self.outputs.iter().filter_map(|output| match output {
            Output::Text { stream, text } if *stream == wanted => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    pub fn error(&self) -> &CellError {
        match &self.outcome {
            Outcome::Failed(error) => error,
            Outcome::Finished(bundle) => panic!("the cell was to fail, but finished with {bundle:?}"),
        }
    }
}

/// An interpreter whose cells are numbered from 1.
pub struct Notebook {
    pub interpreter: Interpreter,
    cells: u32,
}

impl Notebook {
    pub fn new(kind: EvaluatorKind) -> Self {
        let (background, _) = mpsc::channel(64);
        let executable = std::path::Path::new(env!("CARGO_BIN_EXE_partita"));
        let interpreter = kind.start_as(executable, background).expect("the interpreter starts");
        Self { interpreter, cells: 0 }
    }

    /// Starts afresh in the same session, with evcxr's command for it.
    pub fn clear(&mut self) {
        let done = self.run(":clear");
        assert_eq!(done.outcome, Outcome::Finished(None));
        self.cells = 0;
    }

    pub fn run(&mut self, code: &str) -> Done {
        self.run_watching(code, |_| {})
    }

    /// Runs a cell and passes each output to `watch` as it comes.
    pub fn run_watching(&mut self, code: &str, mut watch: impl FnMut(&Output)) -> Done {
        self.cells += 1;
        let cell = Cell { number: self.cells, code: code.to_owned(), viewer: Viewer::Terminal };
        let (sender, mut receiver) = mpsc::channel(64);
        let interpreter = self.interpreter.clone();
        let running = std::thread::spawn(move || interpreter.execute_blocking(cell, sender));
        let mut outputs = Vec::new();
        while let Some(output) = receiver.blocking_recv() {
            watch(&output);
            outputs.push(output);
        }
        Done { outcome: running.join().expect("the cell's thread ends"), outputs }
    }
}

impl Drop for Notebook {
    fn drop(&mut self) {
        self.interpreter.shutdown();
    }
}

/// Runs the cells of a script one after the other.
pub fn run_script(kind: EvaluatorKind, script: &[(&str, Expect)]) {
    run_script_in(&mut Notebook::new(kind), script);
}

/// The same in a notebook that has run others.
pub fn run_script_in(notebook: &mut Notebook, script: &[(&str, Expect)]) {
    for (code, expect) in script {
        let done = notebook.run(code);
        check(code, &done, expect);
    }
}

fn check(code: &str, done: &Done, expect: &Expect) {
    let outcome = &done.outcome;
    let stderr = done.text(Stream::Stderr);
    let value = match outcome {
        Outcome::Finished(bundle) => {
            bundle.as_ref().map(|bundle| bundle.get("text/plain").unwrap_or("").to_owned())
        }
        Outcome::Failed(error) => {
            let Expect::Fails(name, pieces) = expect else {
                panic!("`{code}` failed:\n{}\n{stderr}", error.traceback.join("\n"));
            };
            let text = plain(&error.traceback.join("\n"));
            assert_eq!(error.name, *name, "`{code}`:\n{text}");
            for piece in *pieces {
                assert!(text.contains(piece), "`{code}`: {piece:?} is missing in\n{text}");
            }
            return;
        }
    };
    let stdout = done.text(Stream::Stdout);
    match expect {
        Expect::Value(text) => assert_eq!(value.as_deref(), Some(*text), "`{code}` {stderr}"),
        Expect::Shows(text) => {
            assert!(value.as_ref().is_some_and(|v| v.contains(text)), "`{code}`: {value:?}")
        }
        Expect::Nothing => assert_eq!(value, None, "`{code}`"),
        Expect::Quiet => assert_eq!((stdout.as_str(), stderr.as_str(), value), ("", "", None), "`{code}`"),
        Expect::Prints(text) => assert_eq!((stdout.as_str(), value), (*text, None), "`{code}` {stderr}"),
        Expect::Notes(text) => {
            assert_eq!(value, None, "`{code}`");
            assert!(plain(&stderr).contains(text), "`{code}`: {text:?} is missing in {stderr}");
        }
        Expect::Fails(name, _) => panic!("`{code}` was to fail with {name}, but finished with {value:?}"),
    }
}

/// Without ANSI colours.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = rest.find('m').map_or("", |end| &rest[end + 1..]);
    }
    plain + rest
}
