//! Measurements as tables: the common part of sweeps, comparisons and repeats.

use polars::prelude::*;

use super::{Conditions, Measurement};
use crate::display::{MimeBundle, MimeDisplay, html};

/// Names of columns that tables and plots add themselves.
const TAKEN: [&str; 15] = [
    "median_ms",
    "low_ms",
    "high_ms",
    "runs",
    "outliers",
    "round",
    "ms",
    "outlier",
    "outlier_ms",
    "predicted_ms",
    "law",
    "measured",
    "whole",
    "work on the slots",
    "overhead of partitions",
];

/// A name for the column of variants that differs from all others.
pub(super) fn free(name: &str) -> String {
    if TAKEN.contains(&name) { format!("{name} (setting)") } else { name.to_owned() }
}

/// One row per variant: the variant, `median_ms`, the quartiles `low_ms` and `high_ms`, `runs`, and how many
/// of them are `outliers`.
pub(super) fn summary(variants: Column, measurements: &[Measurement]) -> DataFrame {
    let quantile = |q| measurements.iter().map(|m| m.quantile_ms(q)).collect::<Vec<f64>>();
    let count = |of: &dyn Fn(&Measurement) -> usize| -> Vec<u32> {
        measurements.iter().map(|m| of(m) as u32).collect()
    };
    joined(
        variants,
        df!(
            "median_ms" => quantile(0.5),
            "low_ms" => quantile(0.25),
            "high_ms" => quantile(0.75),
            "runs" => count(&|m| m.runs.len()),
            "outliers" => count(&|m| m.outliers().into_iter().filter(|is| *is).count()),
        ),
    )
}

/// One row per run: the variant, `round` (from 0), `ms`, and whether it is an `outlier`.
pub(super) fn runs(variants: &Column, measurements: &[Measurement]) -> DataFrame {
    let lengths = || measurements.iter().map(|m| m.runs.len());
    let of: IdxCa = lengths()
        .enumerate()
        .flat_map(|(variant, runs)| std::iter::repeat_n(variant as IdxSize, runs))
        .collect_ca("variant".into());
    let variants = variants.take(&of).expect("indices of variants");
    joined(
        variants,
        df!(
            "round" => lengths().flat_map(|runs| 0..runs as u32).collect::<Vec<_>>(),
            "ms" => measurements
                .iter()
                .flat_map(|m| m.runs.iter().map(|run| run.as_secs_f64() * 1e3))
                .collect::<Vec<_>>(),
            "outlier" => measurements.iter().flat_map(Measurement::outliers).collect::<Vec<_>>(),
        ),
    )
}

/// The summary with one more row for each outlier, whose time is in a column `outlier_ms`: for plots.
pub(super) fn with_outliers(summary: &DataFrame, runs: &DataFrame, variant: &str) -> DataFrame {
    let outliers =
        runs.clone().lazy().filter(col("outlier")).select([col(variant), col("ms").alias("outlier_ms")]);
    let summary =
        summary.clone().lazy().with_columns([lit(NULL).cast(DataType::Float64).alias("outlier_ms")]);
    let args = UnionArgs { diagonal: true, ..UnionArgs::default() };
    concat([summary, outliers], args).and_then(LazyFrame::collect).expect("columns of one type")
}

fn joined(first: Column, rest: PolarsResult<DataFrame>) -> DataFrame {
    let mut columns = vec![first];
    columns.extend(rest.expect("columns of one length").into_columns());
    DataFrame::new_infer_height(columns).expect("columns of one length")
}

/// A table with notes below it.
pub(super) fn shown(frame: &DataFrame, notes: &[String]) -> MimeBundle {
    let bundle = frame.mime_bundle();
    let mut text = bundle.get("text/plain").unwrap_or_default().trim_end().to_owned();
    let mut html = bundle.get("text/html").unwrap_or_default().to_owned();
    for note in notes {
        text.push('\n');
        text.push_str(note);
        html.push_str(&format!("<div style=\"opacity:0.75\">{}</div>", html::escape(note)));
    }
    MimeBundle::text(text).with("text/html", html)
}

/// The conditions as a note.
pub(super) fn note(conditions: &Conditions) -> String {
    conditions.to_string()
}

/// One row per setting: the setting, `median_ms`, and the `predicted_ms` of a law.
pub(super) fn predictions(name: &str, points: &[(usize, f64)], predict: impl Fn(usize) -> f64) -> DataFrame {
    let settings = Column::new(name.into(), points.iter().map(|&(n, _)| n as u32).collect::<Vec<_>>());
    joined(
        settings,
        df!(
            "median_ms" => points.iter().map(|&(_, ms)| ms).collect::<Vec<_>>(),
            "predicted_ms" => points.iter().map(|&(n, _)| predict(n)).collect::<Vec<_>>(),
        ),
    )
}
