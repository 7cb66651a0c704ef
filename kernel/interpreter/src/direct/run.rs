//! Runs a compiled cell or a command in the evaluation process, and applies the result to the items and
//! variables that later cells see.

use std::sync::Arc;

use partita_bridge::{CellOutcome, Command, LoadCell, ToEvaluation, Viewer};

use super::{
    compiled_cell::CompiledCell,
    evaluator::{DirectEvaluator, NOT_RUN},
    frames,
};
use crate::{
    errors,
    evaluation_process::{CellEnd, EvaluationProcess, ProcessDeath},
    evaluator::{CellError, Outcome},
    source::{CellSource, Split},
    state::{Kind, StoredVariable, types},
    timing::Phase,
};

/// The type of a query's result, as a cell writes it.
const DATA_FRAME: &str = "partita::prelude::DataFrame";

impl DirectEvaluator {
    pub(super) fn run_compiled(
        &mut self,
        source: &Arc<CellSource>,
        split: Option<&Split>,
        ready: CompiledCell,
        viewer: Viewer,
    ) -> Result<Outcome, CellError> {
        let Some(control) = self.process.as_ref().map(EvaluationProcess::control) else {
            return Err(errors::evaluator_error("the evaluation process is not running; restart the kernel"));
        };
        let load = LoadCell {
            library: ready.compiled.written.library(),
            symbol: ready.generated.symbol.clone(),
            forget: self.forget.iter().chain(&ready.outdated).cloned().collect(),
            viewer,
        };
        let interrupts = self.interrupts.clone();
        let start = || {
            control.start(&ToEvaluation::Run(load));
            control
        };
        let Some(watch) = interrupts.running(start) else {
            return Err(errors::interrupted(NOT_RUN));
        };
        self.drop_outdated(&source.label, &ready);
        self.forget.clear();
        let Some(process) = &mut self.process else {
            return Err(errors::evaluator_error("the evaluation process is not running; restart the kernel"));
        };
        let ran = process.finish();
        drop(watch);
        let calls = match &ran {
            Ok(CellEnd { outcome: CellOutcome::Panicked(panic), .. }) => {
                frames::describe_calls(&panic.frames, &source.label, &ready.items)
            }
            _ => Vec::new(),
        };
        let CellEnd { outcome, variables: stored, spent } = match ran {
            Ok(ran) => ran,
            Err(death) => return Err(self.report_death(&death)),
        };
        self.timing.add(Phase::Load, spent.load);
        self.timing.add(Phase::Run, spent.run);
        self.timing.add(Phase::Display, spent.display);
        self.variables.set_sizes(&stored);
        let label = &source.label;
        let succeeded = matches!(outcome, CellOutcome::Finished(_));
        let moved = ready.moved.clone();
        for name in &moved {
            self.variables
                .remove(name, format!("was moved in {label}; clone it there (`{name}.clone()`) to keep it"));
        }
        let bound = ready.generated.kept.clone();
        if succeeded {
            self.commit(label, split, ready);
        } else {
            bound.iter().for_each(|name| self.variables.never_bound(name, label));
        }
        // What the process has is what counts.
        let lost: Vec<String> = self
            .variables
            .list()
            .into_iter()
            .map(|variable| variable.name)
            .filter(|name| stored.iter().all(|stored| stored.name != *name))
            .collect();
        for name in &lost {
            self.variables.remove(name, format!("was lost when {label} failed"));
        }
        let mut error = match outcome {
            CellOutcome::Finished(bundle) => return Ok(Outcome::Finished(bundle)),
            CellOutcome::Failed(chain) => errors::cell_failed(&chain, self.interrupts.requested()),
            CellOutcome::Panicked(panic) => errors::panic(&panic, source, &self.items, calls),
            CellOutcome::NotLoaded(why) => errors::not_loaded(&why),
        };
        let lost: Vec<String> = moved.into_iter().chain(lost).collect();
        let unbound: Vec<String> =
            bound.into_iter().filter(|name| !self.variables.contains(name) && !lost.contains(name)).collect();
        error.traceback.extend(errors::survivors(self.variables.count(), &lost, &unbound));
        Err(error)
    }

    pub(super) fn run_command(&mut self, command: &Command) -> Result<Outcome, CellError> {
        if self.process.is_none() {
            self.spawn().map_err(|error| errors::evaluator_error(&error.to_string()))?;
        }
        let Some(process) = &mut self.process else {
            return Err(errors::evaluator_error("the evaluation process is not running; restart the kernel"));
        };
        let control = process.control();
        let start = || {
            control.start(&ToEvaluation::Command(command.clone()));
            control
        };
        let Some(watch) = self.interrupts.running(start) else {
            return Err(errors::interrupted(
                "the command was interrupted before it ran; nothing has changed",
            ));
        };
        let ran = process.finish();
        drop(watch);
        match ran.map(|ended| (ended.outcome, ended.variables)) {
            Ok((CellOutcome::Finished(bundle), stored)) => {
                if let Command::Sql { into: Some(name), .. } = command {
                    self.forget.remove(name);
                    let known = StoredVariable { ty: DATA_FRAME.to_owned(), mutable: false };
                    self.variables.insert(name.clone(), known, "`:sql`");
                    self.variables.set_sizes(&stored);
                }
                Ok(Outcome::Finished(bundle))
            }
            Ok((CellOutcome::Failed(chain), _)) => {
                Err(errors::cell_failed(&chain, self.interrupts.requested()))
            }
            Ok((CellOutcome::Panicked(panic), _)) => {
                Err(errors::evaluator_error(&format!("the command failed: {}", panic.message)))
            }
            Ok((CellOutcome::NotLoaded(why), _)) => Err(errors::evaluator_error(&why)),
            Err(death) => Err(self.report_death(&death)),
        }
    }

    /// Records what a cell that ran to its end has defined and bound.
    fn commit(&mut self, label: &str, split: Option<&Split>, ready: CompiledCell) {
        self.items = ready.items;
        for (index, symbol) in ready.generated.statics {
            if let Some(Kind::Static(item)) = self.items.kept.get_mut(index).map(|item| &mut item.kind) {
                item.symbol = Some(symbol);
            }
        }
        let found = types::kept_types(&ready.compiled.mir);
        let bindings = split.map_or(&[][..], |split| &split.bindings);
        for (number, name) in ready.generated.kept.into_iter().enumerate() {
            let mutable = bindings.iter().any(|binding| binding.name == name && binding.mutable);
            match found.get(&number) {
                Some(ty) => match types::unwritable(ty) {
                    None => self.variables.insert(name, StoredVariable { ty: ty.clone(), mutable }, label),
                    Some(why) => {
                        self.variables.remove(&name, format!("was not kept after {label}: {why}"));
                        self.forget.insert(name);
                    }
                },
                // The compiler found that the cell never reaches it, so nothing was stored.
                None => self.variables.remove(&name, format!("was never stored by {label}")),
            }
        }
        for (name, why) in ready.unkept {
            // The name had another value before, which is now shadowed.
            if self.variables.contains(&name) {
                self.forget.insert(name.clone());
            }
            self.variables.remove(&name, format!("was not kept after {label}: {why}"));
        }
    }

    /// The process ended in the middle of a cell: reports it and starts another.
    fn report_death(&mut self, death: &ProcessDeath) -> CellError {
        let killed = self.interrupts.killed();
        let lost = self.variables.clear("was lost with the evaluation process");
        self.items.forget_statics();
        self.forget.clear();
        self.process = None;
        let restarted = if self.interrupts.closing() { Ok(()) } else { self.spawn() };
        errors::process_died(death, killed, &lost, restarted.err().map(|error| error.to_string()))
    }
}
