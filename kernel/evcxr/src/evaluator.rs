use std::path::Path;
use std::sync::Arc;

use evcxr::{CompilationError, Error, EvalOutputs};
use partita_bridge::{CellOutcome, Command, MimeBundle, Stream, Variable};

use super::commands::without_commands;
use super::compiled_file::CompiledFile;
use super::compose::{Composer, forget};
use super::interrupts::Interrupts;
use super::markers;
use super::program::Program;
use super::session::{EvcxrError, Session};
use super::streams::forward_during;
use super::types::{probed, writable};
use partita_interpreter::errors::{self, Blame, blame};
use partita_interpreter::evaluation_process::ProcessDeath;
use partita_interpreter::evaluator::Description;
use partita_interpreter::source::{CellSource, Split, split};
use partita_interpreter::state::types::unwritable;
use partita_interpreter::state::{Changes, Items, Snapshot, StoredVariable, Variables};
use partita_interpreter::toolchain::{CompilerMessages, Diagnostic};
use partita_interpreter::{
    Cell, CellError, Evaluator, Interrupter, Messenger, Outcome, Output, OutputSender,
};

const DESCRIPTION: Description = Description {
    name: "evcxr",
    own_commands: &["clear", "dep", "doc", "env", "explain", "opt", "t", "timing", "type", "version"],
    reads_unknown_commands: true,
    has_bridge: false,
    help: "This is the evcxr evaluator. Its own commands (`:dep`, `:opt`, `:type`, `:explain` and others) are \
           available; commands about DataFrames and jobs need the direct evaluator.",
};

/// How often a cell is checked before its errors are taken as its own.
const ATTEMPTS: usize = 8;

/// Runs cells with evcxr.
pub struct EvcxrEvaluator {
    // `None` after shutdown.
    session: Option<Session>,
    background: OutputSender,
    interrupts: Interrupts,
    items: Items,
    variables: Variables,
}

/// A cell that passed its check.
struct Checked<'a> {
    composer: Composer<'a>,
    items: Items,
    changes: Changes,
    warnings: Vec<String>,
}

impl EvcxrEvaluator {
    /// Starts evcxr; the first cell can run when this returns. `program` is started both as evaluation
    /// process and as compiler, so its `main` must begin with [`run_if_child`](super::run_if_child).
    ///
    /// # Errors
    /// When the library is missing, evcxr does not start, or cells cannot be linked.
    pub fn start(program: &Path, background: OutputSender) -> Result<Self, EvcxrError> {
        let session = Session::start(program, &background)?;
        Ok(Self {
            interrupts: Interrupts::new(session.context.process_handle()),
            session: Some(session),
            background,
            items: Items::default(),
            variables: Variables::default(),
        })
    }

    fn evaluate(&mut self, cell: &Cell, outputs: &OutputSender) -> Result<Option<MimeBundle>, CellError> {
        let (commands, code) = without_commands(&cell.code.replace("\r\n", "\n"));
        let mut shown = None;
        if !commands.is_empty() {
            shown = self.command(&commands, outputs)?;
        }
        let source = Arc::new(CellSource { label: format!("cell {}", cell.number), code });
        let Ok(split) = split(&source.code) else {
            return Err(self.not_rust(&source));
        };
        if split.items.is_empty() && !split.has_statements {
            return Ok(shown);
        }
        if let Some(text) = shown.as_ref().and_then(|bundle| bundle.get("text/plain")) {
            say(outputs, Stream::Stdout, format!("{text}\n"));
        }
        let checked = self.check(&source, &split)?;
        for warning in &checked.warnings {
            say(outputs, Stream::Stderr, warning.clone());
        }
        self.drop_outdated(&checked.changes, &source, outputs)?;
        self.run_checked(checked, &source, outputs)
    }

    /// Runs evcxr's own commands: `:dep`, `:vars`, `:clear` and the like.
    fn command(&mut self, commands: &str, outputs: &OutputSender) -> Result<Option<MimeBundle>, CellError> {
        let said = self.execute(commands, outputs, |_| false).map_err(|error| {
            let message = error.to_string();
            CellError { name: "CommandError".into(), traceback: vec![message.clone()], message }
        })?;
        if commands.lines().any(|line| line.trim() == ":clear") {
            self.items = Items::default();
            self.variables.clear("was cleared");
            let background = self.background.clone();
            self.session()?
                .prepare(&background)
                .map_err(|error| errors::evaluator_error(&error.to_string()))?;
        }
        let contents = said.content_by_mime_type.into_iter();
        let bundle =
            contents.fold(MimeBundle::default(), |bundle, (mime, text)| bundle.with(&mime, text.trim_end()));
        Ok((!bundle.is_empty()).then_some(bundle))
    }

    /// Checks the cell, corrects it, and repeats until it passes or only its own errors remain.
    fn check<'a>(&mut self, source: &'a Arc<CellSource>, split: &'a Split) -> Result<Checked<'a>, CellError> {
        let mut composer = Composer::new(&source.code, split);
        let mut items = self.items.clone();
        let changes = items.add(source, &split.items);
        for attempt in 1.. {
            let program = composer.check();
            let (diagnostics, file) = self.diagnose(&program, source)?;
            if self.interrupts.requested() {
                return Err(errors::interrupted(
                    "the cell was interrupted before it ran; nothing has changed",
                ));
            }
            let errors: Vec<&Diagnostic> =
                diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            if errors.is_empty() {
                let warnings = errors::warnings(&diagnostics, &source.label, file.files());
                return Ok(Checked { composer, items, changes, warnings });
            }
            let blames: Vec<Blame> =
                errors.iter().map(|error| blame(error, file.files(), &Items::default(), source)).collect();
            let mut progress = false;
            for blame in &blames {
                progress |= match blame {
                    Blame::Moved(name) => composer.moved.insert(name.clone()),
                    Blame::CannotKeep(name, why) => composer.unkept.insert(name.clone(), why).is_none(),
                    Blame::Cell | Blame::CannotTake(_) | Blame::Item(_) => false,
                };
            }
            if blames.contains(&Blame::Cell) || !progress || attempt == ATTEMPTS {
                return Err(self.compile_error(diagnostics, &blames, &file));
            }
        }
        Err(errors::evaluator_error("the cell was given up after too many attempts"))
    }

    fn run_checked(
        &mut self,
        mut checked: Checked<'_>,
        source: &Arc<CellSource>,
        outputs: &OutputSender,
    ) -> Result<Option<MimeBundle>, CellError> {
        let mir = self.session()?.mir();
        let mir = mir.map_err(|error| {
            errors::evaluator_error(&format!("the check of the cell left no types: {error}"))
        })?;
        let typed = checked.composer.typed(&probed(&mir));
        for (variable, type_name) in &typed {
            if let Some(why) = unwritable(type_name) {
                checked.composer.unkept.insert(variable.name.clone(), why);
            }
        }
        let unkept = &checked.composer.unkept;
        let kept: Vec<_> =
            typed.into_iter().filter(|(variable, _)| !unkept.contains_key(&variable.name)).collect();
        let written: Vec<_> =
            kept.iter().map(|(variable, type_name)| (variable.clone(), writable(type_name))).collect();
        let is_shadowed =
            |name: &&String| self.variables.contains(name) && !checked.composer.moved.contains(*name);
        let shadowed: Vec<String> = unkept.keys().filter(is_shadowed).cloned().collect();
        let program = checked.composer.run(&written, &shadowed);
        self.interrupts.running(outputs);
        let said = match self.execute(program.text(), outputs, |result| result.is_ok()) {
            Ok(said) => said,
            Err(Error::CompilationErrors(errors)) => return Err(self.refused(&errors, &program, source)),
            Err(error) => return Err(self.ended(error)),
        };
        let label = &source.label;
        for name in &checked.composer.moved {
            let why = format!("was moved in {label}; clone it there (`{name}.clone()`) to keep it");
            self.variables.remove(name, why);
        }
        let outcome = markers::outcome(&said.content_by_mime_type).unwrap_or(CellOutcome::Finished(None));
        if let CellOutcome::Finished(_) = outcome {
            for (name, why) in checked.composer.unkept {
                self.variables.remove(&name, format!("was not kept after {label}: {why}"));
            }
            for (variable, ty) in kept {
                let known = StoredVariable { ty, mutable: variable.mutable };
                self.variables.insert(variable.name, known, label);
            }
        }
        // evcxr keeps the items however the statements ended.
        self.items = checked.items;
        match outcome {
            CellOutcome::Finished(bundle) => Ok(bundle),
            CellOutcome::Failed(chain) => Err(errors::cell_failed(&chain, self.interrupts.requested())),
            CellOutcome::NotLoaded(why) => {
                Err(errors::evaluator_error(&format!("the cell could not be run: {why}")))
            }
            CellOutcome::Panicked(mut panic) => {
                if let Ok(file) = self.compiled_file(&program, source)
                    && let Some((cell, line)) = file.line(&panic.file, panic.line)
                {
                    panic.file.clone_from(&cell.label);
                    panic.line = line;
                }
                Err(errors::panic(&panic, source, &self.items, Vec::new()))
            }
        }
    }

    /// Drops the variables whose types the cell redefines: to the running program the new type is the old
    /// one, with another layout.
    fn drop_outdated(
        &mut self,
        changes: &Changes,
        source: &CellSource,
        outputs: &OutputSender,
    ) -> Result<(), CellError> {
        let outdated = self.variables.outdated_by(changes);
        let Some(notice) = errors::removal_notice(&outdated, &[]) else { return Ok(()) };
        let drops: String = outdated.iter().map(|name| forget(name)).collect();
        self.execute(&drops, outputs, |_| false).map_err(|error| self.ended(error))?;
        for name in outdated {
            let why = format!("was dropped when {} redefined what it is made of", source.label);
            self.variables.remove(&name, why);
        }
        say(outputs, Stream::Stderr, notice);
        Ok(())
    }

    /// The compiler's message about text that does not parse.
    fn not_rust(&mut self, source: &Arc<CellSource>) -> CellError {
        let mut program = Program::default();
        program.cells(&source.code, 0..source.code.len());
        match self.diagnose(&program, source) {
            Ok((diagnostics, file)) => {
                let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
                let blames = vec![Blame::Cell; errors.count()];
                self.compile_error(diagnostics, &blames, &file)
            }
            Err(error) => error,
        }
    }

    /// The compiler's messages about a program, in terms of cells.
    fn diagnose(
        &mut self,
        program: &Program,
        source: &Arc<CellSource>,
    ) -> Result<(Vec<Diagnostic>, CompiledFile), CellError> {
        let said = self.session()?.context.check(program.text());
        let said = said.map_err(|error| errors::evaluator_error(&error.to_string()))?;
        let file = self.compiled_file(program, source)?;
        Ok((diagnostics(&said, &file), file))
    }

    fn compiled_file(
        &mut self,
        program: &Program,
        source: &Arc<CellSource>,
    ) -> Result<CompiledFile, CellError> {
        let text = self.session()?.context.last_source();
        let text =
            text.map_err(|error| errors::evaluator_error(&format!("evcxr's source is gone: {error}")))?;
        Ok(CompiledFile::new(text, program, source, &self.items))
    }

    /// The error for a program that passed the check but failed to compile. The fault is in our code or
    /// evcxr's.
    fn refused(
        &mut self,
        said: &[CompilationError],
        program: &Program,
        source: &Arc<CellSource>,
    ) -> CellError {
        match self.compiled_file(program, source) {
            Ok(file) => {
                let diagnostics = diagnostics(said, &file);
                let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
                let blames: Vec<Blame> =
                    errors.map(|error| blame(error, file.files(), &Items::default(), source)).collect();
                self.compile_error(diagnostics, &blames, &file)
            }
            Err(error) => error,
        }
    }

    fn compile_error(
        &self,
        diagnostics: Vec<Diagnostic>,
        blames: &[Blame],
        file: &CompiledFile,
    ) -> CellError {
        let messages = CompilerMessages { diagnostics, ..CompilerMessages::default() };
        errors::compile_error(&messages, blames, file.files(), &self.variables)
    }

    fn execute(
        &mut self,
        code: &str,
        outputs: &OutputSender,
        said_end: impl FnOnce(&Result<EvalOutputs, Error>) -> bool,
    ) -> Result<EvalOutputs, Error> {
        let Some(session) = &mut self.session else {
            return Err(Error::Message(SHUT_DOWN.to_owned()));
        };
        let context = &mut session.context;
        forward_during(&session.streams, outputs, || context.execute(code), said_end)
    }

    fn session(&mut self) -> Result<&mut Session, CellError> {
        self.session.as_mut().ok_or_else(|| errors::evaluator_error(SHUT_DOWN))
    }

    /// Why the evaluation process ended before the cell. evcxr has already started another.
    fn ended(&mut self, error: Error) -> CellError {
        let Error::SubprocessTerminated(how) = error else {
            return errors::evaluator_error(&error.to_string());
        };
        let lost = self.variables.clear("was lost with the evaluation process");
        let how = how.trim().trim_start_matches("Subprocess terminated with status: ").to_owned();
        errors::process_died(&ProcessDeath(format!("ended: {how}")), self.interrupts.killed(), &lost, None)
    }
}

impl Evaluator for EvcxrEvaluator {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome {
        self.interrupts.begin();
        let result = self.evaluate(cell, outputs);
        self.interrupts.end();
        // Positions are kept for one cell only.
        proc_macro2::extra::invalidate_current_thread_spans();
        match result {
            Ok(bundle) => Outcome::Finished(bundle),
            Err(error) => Outcome::Failed(error),
        }
    }

    fn command(&mut self, _command: &Command, _outputs: &OutputSender) -> Outcome {
        let message = "the evcxr evaluator has no such command; the direct one has (`--evaluator direct`)";
        Outcome::Failed(CellError {
            name: "NotAvailable".into(),
            message: message.into(),
            traceback: vec![message.into()],
        })
    }

    fn messenger(&self) -> Messenger {
        // evcxr's child process has no bridge.
        Arc::new(|_| {})
    }

    fn interrupter(&self) -> Interrupter {
        self.interrupts.interrupter()
    }

    fn variables(&self) -> Vec<Variable> {
        self.variables.list()
    }

    fn snapshot(&self) -> Snapshot {
        let items = Arc::new(self.items.clone());
        Snapshot { variables: self.variables.visible(), items, compiler: None }
    }

    fn shutdown(&mut self) {
        if let Some(session) = self.session.take() {
            // evcxr waits for its process, which may be running a cell.
            self.interrupts.kill();
            drop(session);
        }
    }
}

impl Drop for EvcxrEvaluator {
    fn drop(&mut self) {
        self.shutdown();
    }
}

const SHUT_DOWN: &str = "the evaluator has been shut down; restart the kernel";

fn diagnostics(said: &[CompilationError], file: &CompiledFile) -> Vec<Diagnostic> {
    let read = said.iter().map(|error| {
        let mut diagnostic = serde_json::from_value(error.json.clone()).unwrap_or_else(|_| plain(error));
        file.translate(&mut diagnostic);
        diagnostic
    });
    read.collect()
}

/// An error of evcxr's own, without a position.
fn plain(error: &CompilationError) -> Diagnostic {
    Diagnostic {
        message: error.message(),
        code: None,
        level: "error".to_owned(),
        spans: Vec::new(),
        children: Vec::new(),
    }
}

fn say(outputs: &OutputSender, stream: Stream, text: String) {
    // The front end may have gone; the cell runs anyway.
    let _ = outputs.blocking_send(Output::Text { stream, text });
}
