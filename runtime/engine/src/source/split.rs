//! Splits a sequence of units (row groups, files) into contiguous pieces.

use std::ops::Range;

/// At most `wanted` ranges of nearly equal weight that cover `weights` in order, none of them empty.
pub(super) fn balanced(weights: &[u64], wanted: usize) -> Vec<Range<usize>> {
    let units = weights.len();
    let pieces = wanted.clamp(1, units.max(1));
    let mut sums = Vec::with_capacity(units + 1);
    sums.push(0u128);
    for &weight in weights {
        sums.push(sums[sums.len() - 1] + u128::from(weight));
    }
    let total = sums[units];

    let mut ranges = Vec::with_capacity(pieces);
    let mut start = 0;
    for piece in 1..=pieces {
        let end = if piece == pieces {
            units
        } else {
            // The boundary nearest to this piece's share that leaves a unit for each later piece.
            let target = total * piece as u128 / pieces as u128;
            let after = sums.partition_point(|&sum| sum < target);
            let nearest =
                if after > 0 && target - sums[after - 1] < sums[after] - target { after - 1 } else { after };
            nearest.clamp(start + 1, units - (pieces - piece))
        };
        if start < end {
            ranges.push(start..end);
        }
        start = end;
    }
    ranges
}

/// Ranges that cover `weights` in order, each as short as possible with a weight of at least `least`.
pub(super) fn at_least(weights: &[u64], least: u64) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut sum) = (0, 0u64);
    for (at, &weight) in weights.iter().enumerate() {
        sum = sum.saturating_add(weight);
        if sum >= least {
            ranges.push(start..at + 1);
            (start, sum) = (at + 1, 0);
        }
    }
    if start < weights.len() {
        // The remainder is too small to stand alone.
        match ranges.last_mut() {
            Some(last) => last.end = weights.len(),
            None => ranges.push(start..weights.len()),
        }
    }
    ranges
}

/// How many pieces each unit is split into: at least one each, `wanted` in total or fewer, so that no
/// piece is much larger than the others.
pub(super) fn shares(weights: &[u64], wanted: usize) -> Vec<usize> {
    let mut shares = vec![1; weights.len()];
    for _ in weights.len()..wanted {
        // The next split goes where pieces are currently largest.
        let largest = (0..weights.len()).max_by_key(|&unit| weights[unit] / shares[unit] as u64);
        let Some(largest) = largest else { break };
        shares[largest] += 1;
    }
    shares
}
