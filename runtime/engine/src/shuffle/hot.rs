//! Finds the keys that have many of a map task's rows. It uses a bounded sample, so that the cost is
//! microseconds whatever the rows are.

use std::collections::HashMap;

use partita_events::{HotKey, PartitionId};
use polars::prelude::*;

use super::hash::hash_rows;
use super::keys::evaluate;
use super::partition::Partitioner;

/// For fewer rows no keys are reported: such a small task does not matter.
const LEAST_ROWS: usize = 512;
/// The number of rows sampled.
const SAMPLE: usize = 512;
/// A key is hot if it has at least one in this many of the sampled rows.
const ONE_IN: usize = 20;
/// The maximum number of keys that a task reports.
const MOST_KEYS: usize = 3;
/// The maximum length of a key's text, in characters.
const LONGEST: usize = 60;

impl Partitioner {
    /// The keys with at least a twentieth of the rows, most frequent first, judged by a sample of the
    /// rows. Empty if rows are not assigned by keys, or if the keys cannot be evaluated: partitioning the
    /// rows then reports the error better.
    pub fn hot_keys(&self, df: &DataFrame, map_partition: usize) -> Vec<HotKey> {
        self.find_hot_keys(df, map_partition).unwrap_or_default()
    }

    fn find_hot_keys(&self, df: &DataFrame, map_partition: usize) -> Option<Vec<HotKey>> {
        let keys = match self {
            Self::Hash { keys, .. } => keys.as_slice(),
            Self::Range { by, .. } => by.as_slice(),
            Self::ByExpr { expr, .. } => std::slice::from_ref(expr),
            // Rows that are spread already need no remedy.
            Self::RoundRobin { .. } | Self::Salted { .. } | Self::Copied { .. } => return None,
        };
        if df.height() < LEAST_ROWS || self.partitions() < 2 {
            return None;
        }
        let rows = df.height();
        // At distances by the golden ratio, because rows of one key may come at even distances.
        let place = |i: usize| ((i as f64 * 0.618_033_988_75).fract() * rows as f64) as IdxSize;
        let places: IdxCa = (0..SAMPLE).map(place).collect_ca(PlSmallStr::EMPTY);
        let sample = df.take(&places).ok()?;
        let mut found: HashMap<u64, (usize, usize)> = HashMap::new();
        for (row, hash) in hash_rows(&sample, keys).ok()?.into_iter().enumerate() {
            found.entry(hash).or_insert((row, 0)).1 += 1;
        }
        let mut hot: Vec<(usize, usize)> =
            found.into_values().filter(|(_, n)| n * ONE_IN >= SAMPLE).collect();
        if hot.is_empty() {
            return None;
        }
        hot.sort_unstable_by_key(|&(row, n)| (std::cmp::Reverse(n), row));
        hot.truncate(MOST_KEYS);
        let ids = self.ids(&sample, map_partition).ok()??;
        let values = evaluate(&sample, keys).ok()?;
        let columns = cut(keys.iter().map(code).collect::<Vec<_>>().join(", "));
        let hot = hot.into_iter().map(|(row, n)| HotKey {
            columns: columns.clone(),
            value: cut(values.iter().map(|column| text(column, row)).collect::<Vec<_>>().join(", ")),
            partition: PartitionId(ids[row] as usize),
            rows: (n as f64 / SAMPLE as f64 * rows as f64).round() as u64,
        });
        Some(hot.collect())
    }
}

/// A key as written in a cell, if that is simple.
fn code(key: &Expr) -> String {
    match key {
        Expr::Column(name) => format!("col({:?})", name.as_str()),
        other => other.to_string(),
    }
}

fn text(column: &Column, row: usize) -> String {
    column.get(row).map_or_else(|_| "?".to_owned(), |value| value.to_string())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skewed() -> DataFrame {
        df!(
            "key" => (0..10_000i64).map(|i| if i % 5 > 0 { 132 } else { i }).collect::<Vec<_>>(),
            "name" => (0..10_000).map(|i| if i % 2 == 0 { "ä" } else { "b" }).collect::<Vec<_>>(),
        )
        .unwrap()
    }

    #[test]
    fn the_key_with_most_rows_is_named_with_its_partition_and_about_its_rows() {
        let rows = skewed();
        let by_hash = Partitioner::Hash { keys: vec![col("key")], n: 8 };
        let hot = by_hash.hot_keys(&rows, 0);
        let [key] = hot.as_slice() else { panic!("{hot:?}") };
        assert_eq!((key.columns.as_str(), key.value.as_str()), ("col(\"key\")", "132"));
        assert!(key.rows.abs_diff(8000) < 500, "{key:?}");
        let there = &by_hash.split(&rows, 0).unwrap()[key.partition.0];
        assert!(there.height() >= 8000);
        let by_both = Partitioner::Hash { keys: vec![col("key"), col("name")], n: 8 };
        let hot = by_both.hot_keys(&rows, 0);
        assert_eq!(hot.len(), 2, "{hot:?}");
        assert!(hot[0].value.starts_with("132, "), "{hot:?}");
    }

    #[test]
    fn nothing_is_said_of_even_few_or_dealt_rows() {
        let rows = skewed();
        assert!(Partitioner::RoundRobin { n: 8 }.hot_keys(&rows, 0).is_empty());
        let by_hash = Partitioner::Hash { keys: vec![col("key")], n: 8 };
        assert!(by_hash.hot_keys(&rows.head(Some(100)), 0).is_empty());
        let even = df!("key" => (0..10_000i64).collect::<Vec<_>>()).unwrap();
        assert!(by_hash.hot_keys(&even, 0).is_empty());
        assert!(Partitioner::Hash { keys: vec![col("none")], n: 8 }.hot_keys(&rows, 0).is_empty());
    }

    #[test]
    fn a_long_key_is_cut() {
        let rows = df!("key" => vec!["ä".repeat(1000); 1000]).unwrap();
        let hot = Partitioner::Hash { keys: vec![col("key")], n: 2 }.hot_keys(&rows, 0);
        assert_eq!(hot[0].value.chars().count(), LONGEST + 1);
    }
}
