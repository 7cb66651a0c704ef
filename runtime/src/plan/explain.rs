//! Explains a plan: its stages, and what Polars makes of one task of each.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use partita_engine::shuffle::ShuffleId;
use partita_engine::task::Input;
use polars::prelude::*;

use super::NodeRef;
use super::physical::{Sink, stages_of};
use crate::error::Result;

pub(crate) fn explain(node: &NodeRef) -> Result<String> {
    let next = Cell::new(0);
    let plan = stages_of(node, &|| ShuffleId(next.replace(next.get() + 1)), &|_| 0);
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
            for line in one_task(input)?.lines() {
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

/// The optimised plan of a task over this input. It shows at the scan what reaches the file reader.
fn one_task(input: &Input) -> Result<String> {
    let mut notes = Vec::new();
    let plan = lazy(input, &mut notes)?;
    let mut text = plan.describe_optimized_plan()?;
    for note in notes {
        let _ = write!(text, "\n({note})");
    }
    Ok(text)
}

fn lazy(input: &Input, notes: &mut Vec<String>) -> PolarsResult<LazyFrame> {
    let empty = |schema: &SchemaRef| DataFrame::empty_with_schema(schema).lazy();
    Ok(match input {
        Input::Frame(frame) => frame.clear().lazy(),
        Input::Lost => DataFrame::empty().lazy(),
        Input::Range { .. } => {
            empty(&Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)])))
        }
        Input::Plan(plan) => (**plan).clone(),
        Input::Piece(piece) => piece.scan(Arc::default())?,
        Input::Shuffle { schema, .. } | Input::Broadcast { schema, .. } => empty(schema),
        Input::Step { input, step } => step.apply(lazy(input, notes)?),
        Input::Concat { inputs, schema } => match inputs.first() {
            Some(first) => {
                notes.push(format!("and {} neighbouring partitions more", inputs.len() - 1));
                lazy(first, notes)?
            }
            None => empty(schema),
        },
        Input::Join { left, right, join } => join.apply(lazy(left, notes)?, lazy(right, notes)?),
        Input::Cache { level, input, .. } => {
            notes.push(format!("cached, {level}: the steps after it see rows, nothing is pushed through it"));
            lazy(input, notes)?
        }
    })
}
