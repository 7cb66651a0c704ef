//! The direct evaluator: one `rustc` call a cell, against the `partita` library that was compiled
//! once ([`WarmBuild`]). Here is the road of a cell: its items join those of earlier cells
//! (`items`), a crate is written around it (`generate`), compiled (`compile`, by a `rustc` that was started
//! before the cell came), run in the evaluation
//! process (`run`), and what it changed is noted (`variables`). How well it is optimised, `heat` says.
//!
//! Rust decides what is right; two things it cannot know beforehand are found by trying. A variable
//! that the cell moves out cannot be put back, and a borrow cannot outlive its cell: the compiler's
//! error about the generated line says so (`blame`), and the cell is compiled again without the line.
//! The same way an item of an earlier cell leaves that does not fit a redefinition.
//!
//! Variables are lent to the cell's body, which is a closure: what it only borrows or changes in
//! place is put back however the body ends, by a panic or a `?` too; what it moves is the body's, and
//! is gone with it.

mod advice;
pub(super) mod blame;
pub(super) mod compile;
pub mod dependencies;
mod diagnostics;
mod frames;
pub(super) mod generate;
mod heat;
mod interrupts;
mod item;
pub(super) mod items;
mod linker;
pub(super) mod report;
mod run;
mod rustc;
mod session_directory;
pub(super) mod source;
pub(super) mod types;
pub(super) mod variables;
mod warm_build;
mod wording;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use partita_bridge::{Command, Stream, Variable};
use thiserror::Error;

pub use self::warm_build::{DIRECTORY_VARIABLE, WarmBuild, WarmBuildError};
use self::{
    blame::{Blame, blame},
    compile::{Compiled, Compiler, Depth},
    dependencies::{Dependencies, Dependency, DependencyError},
    generate::{CellPlan, Generated, generate},
    heat::Heat,
    interrupts::Interrupts,
    items::Items,
    session_directory::SessionDirectory,
    source::CellSource,
    variables::Variables,
};
use super::{
    Cell, CellError, Evaluator, Interrupter, Messenger, Optimisation, Outcome, OutputSender, Phase, Settings,
    Timing,
    completion::Snapshot,
    evaluation_process::{EvaluationProcess, Line, Outputs, SpawnError},
    split::{self, Split, hidden_static},
};

/// The level of cells with loops of their own.
const OPTIMISED: u8 = 2;

/// How often a cell is compiled before its errors count as its own.
const ATTEMPTS: usize = 8;

const NOT_RUN: &str = "the cell was interrupted before it ran; nothing has changed";

/// Why the direct evaluator could not be started.
#[derive(Debug, Error)]
pub enum DirectError {
    /// There is nothing to compile cells against.
    #[error(transparent)]
    WarmBuild(#[from] WarmBuildError),
    /// There is no process to run them.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The kernel and the library are of different versions.
    #[error("this kernel is version {kernel}, but the partita library is {library}: install them together")]
    OtherVersion {
        /// The kernel's.
        kernel: &'static str,
        /// The library's.
        library: String,
    },
    /// A directory could not be made.
    #[error("cannot prepare a directory for cells: {0}")]
    Io(#[from] io::Error),
}

/// Partita's own evaluator. See the module's text.
pub struct DirectEvaluator {
    build: WarmBuild,
    compiler: Compiler,
    executable: PathBuf,
    /// `None` after it ended and could not be started again.
    process: Option<EvaluationProcess>,
    line: Line,
    outputs: Outputs,
    interrupts: Interrupts,
    items: Items,
    variables: Variables,
    dependencies: Dependencies,
    /// Variables to be dropped by the next cell that runs.
    forget: BTreeSet<String>,
    labels: BTreeSet<String>,
    /// Whether it was said that some statics begin anew in each cell.
    said_anew: bool,
    serial: u64,
    settings: Settings,
    /// Where the time of the running cell, or of the last one, went.
    account: Timing,
    // Last: the directory goes when everything that uses it is gone.
    directory: SessionDirectory,
}

/// A cell that compiled.
struct Ready {
    compiled: Compiled,
    generated: Generated,
    items: Items,
    /// Variables that go when it runs, because of what it redefines.
    outdated: Vec<String>,
    moved: BTreeSet<String>,
    unkept: Vec<(String, &'static str)>,
    dropped: Vec<String>,
    depth: Depth,
}

impl DirectEvaluator {
    /// Finds the warm build beside `executable` and starts that as the evaluation process.
    ///
    /// # Errors
    /// When the build is missing or does not fit, or the process does not come up.
    pub fn start(executable: &Path, background: OutputSender) -> Result<Self, DirectError> {
        let build = WarmBuild::locate(executable)?;
        let directory = SessionDirectory::create()?;
        let sysroot = build.make_sysroot(directory.path())?;
        let outputs = Outputs::new(background);
        let compiler = Compiler::new(build.clone(), directory.path().to_path_buf(), sysroot);
        let mut evaluator = Self {
            compiler,
            build,
            executable: executable.to_path_buf(),
            process: None,
            line: Line::default(),
            interrupts: Interrupts::new(outputs.clone()),
            outputs,
            items: Items::default(),
            variables: Variables::default(),
            dependencies: Dependencies::default(),
            forget: BTreeSet::new(),
            labels: BTreeSet::new(),
            said_anew: false,
            serial: 0,
            settings: Settings::default(),
            account: Timing::default(),
            directory,
        };
        // It gets ready beside the evaluation process.
        evaluator.compiler.prepare();
        evaluator.spawn()?;
        Ok(evaluator)
    }

    fn spawn(&mut self) -> Result<(), DirectError> {
        self.process = None;
        let process = EvaluationProcess::spawn(
            &self.executable,
            &self.build.library,
            self.directory.path(),
            &self.outputs,
        )?;
        self.build.check_compiler(process.rustc())?;
        if process.version() != env!("CARGO_PKG_VERSION") {
            let library = process.version().to_owned();
            return Err(DirectError::OtherVersion { kernel: env!("CARGO_PKG_VERSION"), library });
        }
        self.line.connect(process.control());
        self.process = Some(process);
        Ok(())
    }

    fn evaluate(&mut self, cell: &Cell) -> Result<Outcome, CellError> {
        let began = Instant::now();
        self.compiler.check_unchanged().map_err(|error| report::trouble(&error.to_string()))?;
        if self.process.is_none() {
            self.spawn().map_err(|error| report::trouble(&error.to_string()))?;
        }
        let code = self.read_dependencies(cell.code.replace("\r\n", "\n"))?;
        let source = Arc::new(CellSource { label: self.label(cell.number), code });
        if let Some(depth) = split::too_deep(&source.code) {
            return Err(report::too_deep(depth, split::DEEPEST));
        }
        let split = split::split_open_ended(&source.code).ok();
        if split.as_ref().is_some_and(|split| split.items.is_empty() && !split.has_statements) {
            return Ok(Outcome::Finished(None));
        }
        let ready = self.prepare(&source, split.as_ref(), began)?;
        report::warnings(&ready.compiled.diagnostics, &source.label, &ready.generated.files)
            .into_iter()
            .for_each(|warning| self.outputs.text(Stream::Stderr, warning));
        let hidden =
            split.as_ref().and_then(|split| split.items.iter().find_map(|item| hidden_static(&item.item)));
        if let Some(name) = hidden.filter(|_| !self.said_anew) {
            self.said_anew = true;
            self.outputs.text(Stream::Stderr, report::begins_anew(&name));
        }
        if ready.depth == Depth::Check {
            self.leave_behind(&source.label, &ready);
            self.items = ready.items;
            return Ok(Outcome::Finished(None));
        }
        self.run_compiled(&source, split.as_ref(), ready, cell.viewer)
    }

    /// Takes the `:dep` lines off a cell's head and does what they ask for. Lines keep their numbers.
    fn read_dependencies(&mut self, code: String) -> Result<String, CellError> {
        let lines = dependencies::leading(&code);
        if lines.is_empty() {
            return Ok(code);
        }
        let specs: Vec<&str> = lines.iter().map(|(spec, _)| *spec).filter(|spec| !spec.is_empty()).collect();
        if specs.is_empty() {
            self.outputs.text(Stream::Stdout, self.dependencies.list());
        } else {
            self.depend(&specs).map_err(|error| report::dependency(&error))?;
        }
        let ranges: Vec<_> = lines.into_iter().map(|(_, range)| range).collect();
        Ok(source::blank_out(&code, &ranges))
    }

    fn depend(&mut self, specs: &[&str]) -> Result<(), DependencyError> {
        let here = std::env::current_dir().unwrap_or_default();
        let mut wanted = Vec::new();
        for spec in specs {
            let dependency = Dependency::parse(spec, &here)?;
            if dependency.is_inside() {
                let note =
                    format!("`{0}` is in every cell already: `use {0}::prelude::*;`\n", dependency.name);
                self.outputs.text(Stream::Stderr, note);
            } else {
                wanted.push(dependency);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let builder = dependencies::Builder {
            build: &self.build,
            sysroot: self.compiler.sysroot(),
            interrupts: &self.interrupts,
            outputs: &self.outputs,
        };
        let ready = self.dependencies.add(wanted, &builder)?;
        self.compiler
            .depend_on(self.dependencies.built().map(dependencies::Built::arguments).unwrap_or_default());
        self.outputs.text(Stream::Stderr, ready);
        Ok(())
    }

    /// Drops what does not fit what the cell redefines, and says so.
    fn leave_behind(&mut self, label: &str, ready: &Ready) {
        if let Some(notice) = report::left_behind(&ready.outdated, &ready.dropped) {
            self.outputs.text(Stream::Stderr, notice);
        }
        for name in &ready.outdated {
            self.variables.remove(name, format!("was dropped when {label} redefined what it is made of"));
            self.forget.insert(name.clone());
        }
    }

    fn label(&mut self, number: u32) -> String {
        let mut label = format!("cell {number}");
        // Front ends count; should one not, files still need names of their own.
        while !self.labels.insert(label.clone()) {
            label.push('\'');
        }
        label
    }

    /// Compiles until what is wrong, if anything, is the cell's own fault.
    fn prepare(
        &mut self,
        source: &Arc<CellSource>,
        split: Option<&Split>,
        began: Instant,
    ) -> Result<Ready, CellError> {
        let mut prepared = began;
        let mut items = self.items.clone();
        let mut changes = split.map(|split| items.add(source, &split.items)).unwrap_or_default();
        let mut outdated = self.variables.outdated_by(&changes);
        let mut moved = BTreeSet::new();
        let mut unkept: Vec<(String, &'static str)> = Vec::new();
        let mut dropped = Vec::new();
        let level = self.level(split, &items);
        self.account.level = Some(level);
        for attempt in 1.. {
            let skipped = unkept.iter().map(|(name, _)| name.clone()).collect();
            self.serial += 1;
            let generated = generate(&CellPlan {
                cell: source,
                split,
                items: &items,
                variables: &self.variables,
                outdated: &outdated,
                moved: &moved,
                unkept: &skipped,
                dependencies: self.dependencies.built().is_some(),
                serial: self.serial,
            });
            let depth = match split {
                Some(split) if !split.has_statements => Depth::Check,
                _ => Depth::Link,
            };
            self.account.add(Phase::Split, prepared.elapsed());
            let compiled = self
                .compiler
                .compile(&generated, depth, level, &self.interrupts)
                .map_err(|error| report::trouble(&format!("cannot run the compiler: {error}")))?;
            prepared = Instant::now();
            if self.interrupts.asked() {
                return Err(report::interrupted(NOT_RUN));
            }
            if compiled.succeeded {
                let [check, codegen, link] = compiled.took;
                self.account.add(Phase::Check, check);
                self.account.add(Phase::Codegen, codegen);
                self.account.add(Phase::Link, link);
                return Ok(Ready { compiled, generated, items, outdated, moved, unkept, dropped, depth });
            }
            self.account.add(Phase::Probe, compiled.took.iter().sum());
            let errors: Vec<_> =
                compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            let blames: Vec<Blame> =
                errors.iter().map(|error| blame(error, &generated.files, &items, source)).collect();
            let own = blames.iter().any(|blame| {
                *blame == Blame::Cell || matches!(blame, Blame::Item(_)) && changes.affected.is_empty()
            });
            if blames.is_empty() || own || attempt == ATTEMPTS {
                return Err(report::compile_error(&compiled, &blames, &generated.files, &self.variables));
            }
            let mut leaving = BTreeSet::new();
            for blame in blames {
                match blame {
                    Blame::Moved(name) => drop(moved.insert(name)),
                    Blame::CannotKeep(name, why) if unkept.iter().all(|(known, _)| *known != name) => {
                        unkept.push((name, why));
                    }
                    Blame::CannotTake(name) => {
                        self.variables.remove(&name, "has a type that cells cannot name".into());
                        self.forget.insert(name);
                    }
                    Blame::Item(index) => drop(leaving.insert(index)),
                    Blame::CannotKeep(..) | Blame::Cell => {}
                }
            }
            for index in leaving.into_iter().rev() {
                dropped.push(items.remove(index, &mut changes).describe());
            }
            outdated = self.variables.outdated_by(&changes);
        }
        Err(report::trouble("the cell was given up after too many attempts"))
    }

    /// The optimisation level for a cell that sees these items.
    fn level(&self, split: Option<&Split>, items: &Items) -> u8 {
        if let Optimisation::Level(level) = self.settings.optimisation {
            return level;
        }
        let Some(split) = split.filter(|split| split.has_statements) else { return 0 };
        let plans = self.variables.plans();
        let (called, named) = items.heat(&split.named);
        match heat::of_statements(&split.statements, &plans).max(called) {
            Heat::Hot => OPTIMISED,
            Heat::Warm if !heat::plans(&named, &plans) => OPTIMISED,
            Heat::Warm | Heat::Cold => 0,
        }
    }
}

/// Ends a cell, also one over which the evaluator panics.
struct Over {
    outputs: Outputs,
    interrupts: Interrupts,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.outputs.set_cell(None);
        self.interrupts.end();
    }
}

impl Evaluator for DirectEvaluator {
    fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome {
        self.interrupts.begin();
        self.outputs.set_cell(Some(outputs.clone()));
        let over = Over { outputs: self.outputs.clone(), interrupts: self.interrupts.clone() };
        self.account = Timing::default();
        let outcome = self.evaluate(cell).unwrap_or_else(Outcome::Failed);
        drop(over);
        self.compiler.prepare();
        // Positions were kept for this cell alone.
        proc_macro2::extra::invalidate_current_thread_spans();
        outcome
    }

    fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome {
        self.interrupts.begin();
        self.outputs.set_cell(Some(outputs.clone()));
        let over = Over { outputs: self.outputs.clone(), interrupts: self.interrupts.clone() };
        let outcome = self.run_command(command).unwrap_or_else(Outcome::Failed);
        drop(over);
        outcome
    }

    fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    fn timing(&self) -> Option<Timing> {
        Some(self.account.clone())
    }

    fn messenger(&self) -> Messenger {
        self.line.messenger()
    }

    fn interrupter(&self) -> Interrupter {
        self.interrupts.interrupter()
    }

    fn terminator(&self) -> Interrupter {
        self.interrupts.terminator()
    }

    fn variables(&self) -> Vec<Variable> {
        self.variables.list()
    }

    fn items(&self) -> Vec<String> {
        self.items.kept.iter().map(|item| item.describe()).collect()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.display().to_string();
        vec![
            ("compiler", self.build.compiler().to_owned()),
            ("rustc", path(&self.build.rustc)),
            ("library", path(&self.build.library)),
            ("files of cells", path(self.directory.path())),
        ]
    }

    fn processor_time(&self) -> Option<Duration> {
        self.process.as_ref()?.processor_time()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { variables: self.variables.visible(), items: Arc::new(self.items.clone()) }
    }

    fn shutdown(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.shutdown();
        }
    }
}
