//! Compiles a cell until any error left is the cell's own. What the cell moves, and which of its values
//! cannot be kept, is found by trying, because only the compiler knows.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use super::{
    compile::Depth,
    compiled_cell::CompiledCell,
    evaluator::{DirectEvaluator, NOT_RUN},
    generate::{CellPlan, generate},
};
use crate::{
    errors::{self, Blame, blame},
    evaluator::CellError,
    source::{CellSource, Split},
    state::{Hotness, Items, opt_level},
    timing::{Optimisation, Phase},
};

/// The optimisation level of cells with loops of their own.
const OPTIMISED: u8 = 2;

/// How often a cell is compiled before its errors are taken as its own.
const ATTEMPTS: usize = 8;

impl DirectEvaluator {
    /// Compiles until any error left is the cell's own.
    pub(super) fn prepare(
        &mut self,
        source: &Arc<CellSource>,
        split: Option<&Split>,
        began: Instant,
    ) -> Result<CompiledCell, CellError> {
        let mut prepared = began;
        let mut items = self.items.clone();
        let mut changes = split.map(|split| items.add(source, &split.items)).unwrap_or_default();
        let mut outdated = self.variables.outdated_by(&changes);
        let mut moved = BTreeSet::new();
        let mut unkept: Vec<(String, &'static str)> = Vec::new();
        let mut dropped = Vec::new();
        let level = self.level(split, &items);
        self.timing.level = Some(level);
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
                dependencies: !self.dependencies.is_empty(),
                serial: self.serial,
            });
            let depth = match split {
                Some(split) if !split.has_statements => Depth::Check,
                _ => Depth::Link,
            };
            self.timing.add(Phase::Split, prepared.elapsed());
            let compiled = self
                .compiler
                .compile(&generated, depth, level, &self.interrupts)
                .map_err(|error| errors::evaluator_error(&format!("cannot run the compiler: {error}")))?;
            prepared = Instant::now();
            if self.interrupts.requested() {
                return Err(errors::interrupted(NOT_RUN));
            }
            if compiled.succeeded {
                self.timing.add(Phase::Check, compiled.check);
                self.timing.add(Phase::Codegen, compiled.codegen);
                self.timing.add(Phase::Link, compiled.link);
                return Ok(CompiledCell {
                    compiled,
                    generated,
                    items,
                    outdated,
                    moved,
                    unkept,
                    dropped,
                    depth,
                });
            }
            self.timing.add(Phase::Probe, compiled.check + compiled.codegen + compiled.link);
            let blames: Vec<Blame> = compiled
                .messages
                .errors()
                .map(|error| blame(error, &generated.files, &items, source))
                .collect();
            let own = blames.iter().any(|blame| {
                *blame == Blame::Cell || matches!(blame, Blame::Item(_)) && changes.affected.is_empty()
            });
            if blames.is_empty() || own || attempt == ATTEMPTS {
                return Err(errors::compile_error(
                    &compiled.messages,
                    &blames,
                    &generated.files,
                    &self.variables,
                ));
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
        Err(errors::evaluator_error("the cell was given up after too many attempts"))
    }

    /// The optimisation level of a cell that sees these items.
    fn level(&self, split: Option<&Split>, items: &Items) -> u8 {
        if let Optimisation::Level(level) = self.settings.optimisation {
            return level;
        }
        let Some(split) = split.filter(|split| split.has_statements) else { return 0 };
        let plans = self.variables.plans();
        let (called, named) = items.hotness(&split.named);
        match opt_level::of_statements(&split.statements, &plans).max(called) {
            Hotness::Hot => OPTIMISED,
            Hotness::Warm if !opt_level::plans(&named, &plans) => OPTIMISED,
            Hotness::Warm | Hotness::Cold => 0,
        }
    }
}
