use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::ShuffleError;
use super::hash::hash_rows;
use super::partition::scale;
use super::range::WEIGHT;

/// How many salted rows go to one partition before the next is used. Neighbours stay together, or
/// gathering them would jump through memory.
const RUN: usize = 64;

/// Which keys are spread over several partitions, and over how many.
///
/// A key's partitions are its own by hash and others at even distances from it, so that rows of a single
/// hot key fill exactly as many partitions as there are salts, independent of chance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt {
    /// The number of partitions of a salted key. A larger number than there are partitions means all of
    /// them.
    pub salts: usize,
    /// The sorted hashes of the salted keys; `None` for all keys.
    hot: Option<Vec<u64>>,
}

impl Salt {
    /// Salts every key.
    pub fn all(salts: usize) -> Self {
        Self { salts, hot: None }
    }

    /// Salts the keys with these hashes.
    pub fn only(salts: usize, mut hot: Vec<u64>) -> Self {
        hot.sort_unstable();
        Self { salts, hot: Some(hot) }
    }

    pub(super) fn check(&self) -> Result<(), ShuffleError> {
        if self.salts == 0 { Err(ShuffleError::NoSalts) } else { Ok(()) }
    }

    /// The distances of a key's partitions from its own, spaced as far apart as possible.
    fn offsets(&self, n: usize) -> Vec<u32> {
        let salts = self.salts.min(n);
        (0..salts).map(|salt| (salt * n / salts) as u32).collect()
    }

    fn salts(&self, hash: u64) -> bool {
        self.hot.as_ref().is_none_or(|hot| hot.binary_search(&hash).is_ok())
    }

    /// The partition of each row. Salted rows are dealt in runs, by their position among the salted rows.
    pub(super) fn deal(&self, hashes: &[u64], n: usize, map_partition: usize) -> Vec<u32> {
        let offsets = self.offsets(n);
        let (salts, seed) = (offsets.len(), (map_partition as u64) << 40);
        let mut dealt = 0;
        let mut offset = 0;
        let place = |hash: &u64| {
            let home = scale(*hash, n);
            if !self.salts(*hash) {
                return home;
            }
            if dealt % RUN == 0 {
                // Each round of runs uses every salt once and starts at a random one, because rows of one
                // key may come at regular distances.
                let (round, turn) = (dealt / RUN / salts, dealt / RUN % salts);
                let first = scale(mixed(round as u64 ^ seed), salts) as usize;
                offset = offsets[(first + turn) % salts];
            }
            dealt += 1;
            moved(home, offset, n)
        };
        hashes.iter().map(place).collect()
    }

    /// Rows with the partition of each. A salted key's rows appear once for each of its partitions.
    pub(super) fn copies(&self, hashes: &[u64], n: usize) -> (Vec<IdxSize>, Vec<u32>) {
        let offsets = self.offsets(n);
        let (mut rows, mut ids) = (Vec::with_capacity(hashes.len()), Vec::with_capacity(hashes.len()));
        for (row, hash) in hashes.iter().enumerate() {
            let copies = if self.salts(*hash) { offsets.len() } else { 1 };
            for offset in &offsets[..copies] {
                rows.push(row as IdxSize);
                ids.push(moved(scale(*hash, n), *offset, n));
            }
        }
        (rows, ids)
    }
}

/// Moves a partition by an offset, wrapping around after the last one.
fn moved(home: u32, offset: u32, n: usize) -> u32 {
    let (at, n) = (home + offset, n as u32);
    if at < n { at } else { at - n }
}

/// A pseudo-random number determined by its input (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The hashes of keys that by themselves fill an even share of `n` partitions or more, judged by the
/// samples: at most `n`. `samples` come from [`sample`](super::sample), one per map partition.
///
/// # Errors
/// When the samples do not belong together.
pub fn hot_hashes(samples: Vec<DataFrame>, n: usize) -> Result<Vec<u64>, ShuffleError> {
    let mut rows: std::collections::HashMap<u64, f64> = std::collections::HashMap::new();
    let mut all = 0.0;
    for sample in samples {
        let keys: Vec<Expr> = sample
            .columns()
            .iter()
            .map(|column| col(column.name().clone()))
            .filter(|key| *key != col(WEIGHT))
            .collect();
        let weights = sample.column(WEIGHT)?.f64()?.clone();
        for (hash, weight) in hash_rows(&sample, &keys)?.into_iter().zip(weights.iter()) {
            let weight = weight.unwrap_or(0.0);
            *rows.entry(hash).or_default() += weight;
            all += weight;
        }
    }
    let share = all / n.max(1) as f64;
    Ok(rows.into_iter().filter(|(_, rows)| n > 1 && *rows >= share).map(|(hash, _)| hash).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::{Partitioner, sample};

    fn frame(keys: impl Iterator<Item = i64>) -> DataFrame {
        df!("key" => keys.collect::<Vec<_>>()).unwrap()
    }

    fn sizes(partitioner: &Partitioner, rows: &DataFrame) -> Vec<usize> {
        partitioner.split(rows, 3).unwrap().iter().map(DataFrame::height).collect()
    }

    #[test]
    fn one_key_fills_as_many_partitions_as_there_are_salts_about_evenly() {
        let rows = frame(std::iter::repeat_n(7, 8000));
        for (n, salts) in [(8, 4), (8, 8), (7, 3), (3, 100), (1, 5)] {
            let salted = Partitioner::Salted { keys: vec![col("key")], n, salt: Salt::all(salts) };
            let sizes = sizes(&salted, &rows);
            let used: Vec<usize> = sizes.iter().copied().filter(|size| *size > 0).collect();
            assert_eq!(used.len(), salts.min(n), "{n} {salts}: {sizes:?}");
            let even = 8000 / used.len();
            assert!(used.iter().all(|size| size.abs_diff(even) < even / 5), "{sizes:?}");
        }
        // Even if the key's rows come at regular distances.
        let every_fourth = frame((0..8000).map(|i| if i % 4 == 0 { 7 } else { i }));
        let hot = hot_hashes(vec![sample(&every_fourth, &[col("key")], 8000, 0).unwrap()], 8).unwrap();
        let salt = Salt::only(4, hot);
        let pieces =
            Partitioner::Salted { keys: vec![col("key")], n: 8, salt }.split(&every_fourth, 0).unwrap();
        let sevens = |piece: &DataFrame| {
            piece.column("key").unwrap().i64().unwrap().iter().filter(|key| *key == Some(7)).count()
        };
        let sevens: Vec<usize> = pieces.iter().map(sevens).filter(|count| *count > 1).collect();
        assert_eq!(sevens.len(), 4, "{sevens:?}");
    }

    #[test]
    fn every_row_of_a_salted_key_meets_a_copy_of_every_other_of_that_key() {
        let (left, right) = (frame((0..500).map(|i| i % 5)), frame((0..50).map(|i| i % 7)));
        let hot = hot_hashes(vec![sample(&left, &[col("key")], 1000, 0).unwrap()], 6).unwrap();
        assert_eq!(hot.len(), 5, "each has a fifth of the rows, which is more than a sixth");
        for salt in [Salt::all(3), Salt::only(3, hot[..2].to_vec())] {
            let keys = || vec![col("key")];
            let left =
                Partitioner::Salted { keys: keys(), n: 6, salt: salt.clone() }.split(&left, 1).unwrap();
            let right = Partitioner::Copied { keys: keys(), n: 6, salt }.split(&right, 2).unwrap();
            let pairs: usize = left
                .iter()
                .zip(&right)
                .map(|(left, right)| left.inner_join(right, ["key"], ["key"]).unwrap().height())
                .sum();
            // Keys 0 to 4 have 8, 7, 7, 7 and 7 rows on the right; each has 100 on the left.
            assert_eq!(pairs, 100 * (8 + 7 + 7 + 7 + 7));
        }
    }

    #[test]
    fn keys_are_hot_that_fill_a_partition_by_themselves() {
        let samples = |rows: &DataFrame| vec![sample(rows, &[col("key")], 1 << 20, 0).unwrap()];
        let even = frame((0..10_000).map(|i| i % 100));
        assert!(hot_hashes(samples(&even), 8).unwrap().is_empty());
        let skewed = frame((0..10_000).map(|i| if i < 8000 { 132 } else { i }));
        let hot = hot_hashes(samples(&skewed), 8).unwrap();
        assert_eq!(hot, hash_rows(&frame([132].into_iter()), &[col("key")]).unwrap());
        assert!(hot_hashes(samples(&skewed), 1).unwrap().is_empty());
        assert!(hot_hashes(Vec::new(), 4).unwrap().is_empty());
    }

    #[test]
    fn no_salts_are_an_error() {
        let rows = frame(0..3);
        let salted = Partitioner::Salted { keys: vec![col("key")], n: 2, salt: Salt::all(0) };
        let copied = Partitioner::Copied { keys: vec![col("key")], n: 2, salt: Salt::all(0) };
        for partitioner in [salted, copied] {
            assert!(matches!(partitioner.split(&rows, 0), Err(ShuffleError::NoSalts)));
        }
    }
}
