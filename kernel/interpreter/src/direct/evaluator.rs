use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use partita_bridge::{Command, Stream, Variable};
use thiserror::Error;

use super::{
    compile::{Compiler, Depth},
    compiled_cell::CompiledCell,
};
use crate::{
    dependencies::{self, Dependency, DependencyError, SessionCrates},
    errors,
    evaluation_process::{CurrentProcess, EvaluationProcess, Outputs, SpawnError},
    evaluator::{Cell, CellError, Description, Evaluator, Interrupter, Messenger, Outcome},
    interrupts::Interrupts,
    output::OutputSender,
    session_directory::SessionDirectory,
    source::{self, CellSource, hidden_static},
    state::{Items, Snapshot, Variables},
    timing::{Settings, Timing},
    toolchain::{WarmBuild, WarmBuildError},
};

const DESCRIPTION: Description = Description {
    name: "direct",
    own_commands: &[],
    reads_unknown_commands: false,
    has_bridge: true,
    help: "",
};

/// The message of a cell that was interrupted before it ran.
pub(super) const NOT_RUN: &str = "the cell was interrupted before it ran; nothing has changed";

/// Why the direct evaluator could not be started.
#[derive(Debug, Error)]
pub enum DirectError {
    /// There is no library to compile cells against.
    #[error(transparent)]
    WarmBuild(#[from] WarmBuildError),
    /// There is no process to run cells.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The kernel and the library have different versions.
    #[error(
        "the kernel has version {kernel}, but the partita library has version {library}: install both from the same build"
    )]
    OtherVersion {
        /// The kernel's version.
        kernel: &'static str,
        /// The library's version.
        library: String,
    },
    /// A directory could not be created.
    #[error("cannot prepare a directory for cells: {0}")]
    Io(#[from] io::Error),
}

/// Partita's own evaluator. See the module docs.
pub struct DirectEvaluator {
    pub(super) build: WarmBuild,
    pub(super) compiler: Compiler,
    pub(super) executable: PathBuf,
    /// `None` if it has ended and could not be started again.
    pub(super) process: Option<EvaluationProcess>,
    pub(super) current_process: CurrentProcess,
    pub(super) outputs: Outputs,
    pub(super) interrupts: Interrupts,
    pub(super) items: Items,
    pub(super) variables: Variables,
    pub(super) dependencies: SessionCrates,
    /// Variables that the next cell to run will drop.
    pub(super) forget: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
    /// Whether the notice about statics that start anew in each cell was shown.
    pub(super) noted_reset_static: bool,
    pub(super) serial: u64,
    pub(super) settings: Settings,
    /// Where the time of the running or last cell went.
    pub(super) timing: Timing,
    // Dropped last: everything else uses the directory.
    pub(super) directory: SessionDirectory,
}

impl DirectEvaluator {
    /// Finds the warm build beside `executable` and starts `executable` as the evaluation process.
    ///
    /// # Errors
    /// When the build is missing or does not match, or the process does not start.
    pub fn start(executable: &Path, background: OutputSender) -> Result<Self, DirectError> {
        let build = WarmBuild::locate(executable)?;
        let directory = SessionDirectory::create()?;
        let outputs = Outputs::new(background);
        let compiler = Compiler::new(build.clone(), directory.path().to_path_buf())?;
        let mut evaluator = Self {
            compiler,
            build,
            executable: executable.to_path_buf(),
            process: None,
            current_process: CurrentProcess::default(),
            interrupts: Interrupts::new(outputs.clone()),
            outputs,
            items: Items::default(),
            variables: Variables::default(),
            dependencies: SessionCrates::default(),
            forget: BTreeSet::new(),
            labels: BTreeSet::new(),
            noted_reset_static: false,
            serial: 0,
            settings: Settings::default(),
            timing: Timing::default(),
            directory,
        };
        // The compiler starts up in parallel with the evaluation process.
        evaluator.compiler.spare().replenish();
        evaluator.spawn()?;
        Ok(evaluator)
    }

    pub(super) fn spawn(&mut self) -> Result<(), DirectError> {
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
        self.current_process.connect(process.control());
        self.process = Some(process);
        Ok(())
    }

    fn evaluate(&mut self, cell: &Cell) -> Result<Outcome, CellError> {
        let began = Instant::now();
        self.compiler.check_unchanged().map_err(|error| errors::evaluator_error(&error.to_string()))?;
        if self.process.is_none() {
            self.spawn().map_err(|error| errors::evaluator_error(&error.to_string()))?;
        }
        let code = self.read_dependencies(cell.code.replace("\r\n", "\n"))?;
        let source = Arc::new(CellSource { label: self.label(cell.number), code });
        if let Some(depth) = source::too_deep(&source.code) {
            return Err(errors::too_deep(depth, source::DEEPEST));
        }
        let split = source::split_open_ended(&source.code).ok();
        if split.as_ref().is_some_and(|split| split.items.is_empty() && !split.has_statements) {
            return Ok(Outcome::Finished(None));
        }
        let ready = self.prepare(&source, split.as_ref(), began)?;
        errors::warnings(&ready.compiled.messages.diagnostics, &source.label, &ready.generated.files)
            .into_iter()
            .for_each(|warning| self.outputs.text(Stream::Stderr, warning));
        let hidden =
            split.as_ref().and_then(|split| split.items.iter().find_map(|item| hidden_static(&item.item)));
        if let Some(name) = hidden.filter(|_| !self.noted_reset_static) {
            self.noted_reset_static = true;
            self.outputs.text(Stream::Stderr, errors::reset_static_notice(&name));
        }
        if ready.depth == Depth::Check {
            self.drop_outdated(&source.label, &ready);
            self.items = ready.items;
            return Ok(Outcome::Finished(None));
        }
        self.run_compiled(&source, split.as_ref(), ready, cell.viewer)
    }

    /// Takes the `:dep` lines off the start of a cell and carries them out. Lines keep their numbers.
    fn read_dependencies(&mut self, code: String) -> Result<String, CellError> {
        let lines = dependencies::leading_dep_lines(&code);
        if lines.is_empty() {
            return Ok(code);
        }
        let specs: Vec<&str> = lines.iter().map(|(spec, _)| *spec).filter(|spec| !spec.is_empty()).collect();
        if specs.is_empty() {
            self.outputs.text(Stream::Stdout, self.dependencies.list());
        } else {
            self.depend(&specs).map_err(|error| error.report())?;
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
            sysroot: self.compiler.spare().sysroot(),
            interrupts: &self.interrupts,
            outputs: &self.outputs,
        };
        let ready = self.dependencies.add(wanted, &builder)?;
        self.compiler.spare().set_extra_crates(self.dependencies.extra_crates());
        self.outputs.text(Stream::Stderr, ready);
        Ok(())
    }

    /// Drops what does not match the cell's redefinitions, and prints a notice.
    pub(super) fn drop_outdated(&mut self, label: &str, ready: &CompiledCell) {
        if let Some(notice) = errors::removal_notice(&ready.outdated, &ready.dropped) {
            self.outputs.text(Stream::Stderr, notice);
        }
        for name in &ready.outdated {
            self.variables.remove(name, format!("was dropped when {label} redefined what it is made of"));
            self.forget.insert(name.clone());
        }
    }

    fn label(&mut self, number: u32) -> String {
        let mut label = format!("cell {number}");
        // Front ends count cells. If one does not, the files still need unique names.
        while !self.labels.insert(label.clone()) {
            label.push('\'');
        }
        label
    }
}

/// Ends a cell on drop, even if the evaluator panics.
struct CellGuard {
    outputs: Outputs,
    interrupts: Interrupts,
}

impl Drop for CellGuard {
    fn drop(&mut self) {
        self.outputs.set_cell(None);
        self.interrupts.end();
    }
}

impl Evaluator for DirectEvaluator {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome {
        self.interrupts.begin();
        self.outputs.set_cell(Some(outputs.clone()));
        let guard = CellGuard { outputs: self.outputs.clone(), interrupts: self.interrupts.clone() };
        self.timing = Timing::default();
        let outcome = self.evaluate(cell).unwrap_or_else(Outcome::Failed);
        drop(guard);
        self.compiler.spare().replenish();
        // Positions are kept for one cell only.
        proc_macro2::extra::invalidate_current_thread_spans();
        outcome
    }

    fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome {
        self.interrupts.begin();
        self.outputs.set_cell(Some(outputs.clone()));
        let guard = CellGuard { outputs: self.outputs.clone(), interrupts: self.interrupts.clone() };
        let outcome = self.run_command(command).unwrap_or_else(Outcome::Failed);
        drop(guard);
        outcome
    }

    fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    fn timing(&self) -> Option<Timing> {
        Some(self.timing.clone())
    }

    fn messenger(&self) -> Messenger {
        self.current_process.messenger()
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
        Snapshot {
            variables: self.variables.visible(),
            items: Arc::new(self.items.clone()),
            compiler: Some(Arc::clone(self.compiler.spare())),
        }
    }

    fn shutdown(&mut self) {
        self.compiler.spare().close();
        if let Some(mut process) = self.process.take() {
            process.shutdown();
        }
    }
}
