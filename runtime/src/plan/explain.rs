//! Explains a plan: its stages, and what one task of each does.

use std::cell::Cell;
use std::fmt::Write as _;

use partita_engine::shuffle::ShuffleId;
use partita_engine::task::Input;

use super::cut::{Want, stages_of};
use super::physical::Sink;
use super::{Plan, Settings};
use crate::error::Result;

pub(crate) fn explain(plan: &Plan, settings: Settings) -> Result<String> {
    let next = Cell::new(0);
    let plan = stages_of(plan, Want::Rows, settings, &|| ShuffleId(next.replace(next.get() + 1)), &|_| 0)?;
    let mut text = String::new();
    for (index, stage) in plan.stages.iter().enumerate() {
        let after = match stage.after.as_slice() {
            [] => String::new(),
            stages => {
                let list: Vec<String> = stages.iter().map(ToString::to_string).collect();
                format!(", after stage {}", list.join(", "))
            }
        };
        let tasks = stage.inputs.len();
        let s = if tasks == 1 { "" } else { "s" };
        let _ = writeln!(text, "stage {index}: {} [{tasks} partition{s}{after}]", stage.name);
        if let Some(input) = stage.inputs.first() {
            let mut lines = String::new();
            describe(input, 0, &mut lines);
            for line in lines.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        let _ = writeln!(text, "    ⇒ {}", sink(&stage.sink));
    }
    Ok(text)
}

fn sink(sink: &Sink) -> String {
    match sink {
        Sink::Shuffle { partitioner, .. } => {
            format!("shuffle write into {} partitions", partitioner.partitions())
        }
        Sink::RangeShuffle { sample, n, .. } => {
            format!("shuffle write into {n} ranges, bounds from stage {sample}")
        }
        Sink::SaltedShuffle { sample, n, salts, copied, .. } => {
            let what = if *copied { "copied to" } else { "dealt over" };
            format!(
                "shuffle write into {n} partitions, rows of hot keys (from stage {sample}) {what} {salts}"
            )
        }
        Sink::Sample { rows, .. } => format!("a sample of {rows} rows per partition"),
        Sink::Broadcast { .. } => "broadcast to every task".into(),
        Sink::Result => "result".into(),
    }
}

/// What a task does with this input, outermost first, as Polars describes plans.
fn describe(input: &Input, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let mut line = |what: &str| {
        let _ = writeln!(text, "{indent}{what}");
    };
    match input {
        Input::Frame(frame) => line(&format!("{} rows in memory", frame.height())),
        Input::Range { start, end } => line(&format!("the integers from {start} up to {end}")),
        Input::Plan(plan) => {
            line("read with Polars' own readers:");
            let described = plan.describe_optimized_plan().unwrap_or_else(|error| error.to_string());
            described.lines().for_each(|text| line(&format!("  {text}")));
        }
        Input::Piece(piece) => line(&piece.to_string()),
        Input::Shuffle { partition, schema, .. } => {
            line(&format!("shuffle read, partition {partition}: {}", names(schema)));
        }
        Input::Broadcast { schema, .. } => line(&format!("broadcast: {}", names(schema))),
        Input::Lost => line("cached"),
        Input::Fragment { fragment, inputs } => {
            fragment.plan().describe().lines().for_each(&mut line);
            inputs.iter().for_each(|input| describe(input, depth + 1, text));
        }
        Input::Concat { inputs, .. } => {
            line(&format!("{} neighbouring partitions, the first of them:", inputs.len()));
            inputs.iter().take(1).for_each(|input| describe(input, depth + 1, text));
        }
        Input::Cache { level, input, .. } => {
            line(&format!("cached, {level}: the steps after it see rows, nothing is pushed through it"));
            describe(input, depth + 1, text);
        }
    }
}

fn names(schema: &polars::prelude::SchemaRef) -> String {
    schema.iter_names().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
