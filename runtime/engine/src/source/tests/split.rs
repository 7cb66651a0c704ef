//! Splitting is fair and loses nothing.

use proptest::prelude::*;

use crate::source::split::{at_least, balanced, shares};

proptest! {
    #[test]
    fn balanced_ranges_cover_every_unit_once_in_order(
        weights in prop::collection::vec(0u64..1000, 0..100),
        wanted in 0usize..120,
    ) {
        let ranges = balanced(&weights, wanted);
        let covered: Vec<usize> = ranges.iter().cloned().flatten().collect();
        prop_assert_eq!(covered, (0..weights.len()).collect::<Vec<_>>());
        prop_assert!(ranges.iter().all(|range| !range.is_empty()));
        prop_assert_eq!(ranges.len(), wanted.max(1).min(weights.len()));
    }

    #[test]
    fn no_balanced_range_exceeds_its_share_by_more_than_the_largest_unit(
        weights in prop::collection::vec(1u64..1000, 1..100),
        wanted in 1usize..20,
    ) {
        let largest = weights.iter().max().unwrap();
        let ranges = balanced(&weights, wanted);
        let share = weights.iter().sum::<u64>() / ranges.len() as u64 + 1;
        for range in ranges {
            let units = range.len() as u64;
            let weight: u64 = weights[range].iter().sum();
            prop_assert!(units == 1 || weight <= share + largest, "{} > {} + {}", weight, share, largest);
        }
    }

    #[test]
    fn ranges_of_a_least_weight_cover_every_unit_once_and_none_is_too_light(
        weights in prop::collection::vec(0u64..1000, 0..100),
        least in 1u64..2000,
    ) {
        let ranges = at_least(&weights, least);
        let covered: Vec<usize> = ranges.iter().cloned().flatten().collect();
        prop_assert_eq!(covered, (0..weights.len()).collect::<Vec<_>>());
        if ranges.len() > 1 {
            prop_assert!(ranges.into_iter().all(|range| weights[range].iter().sum::<u64>() >= least));
        }
    }

    #[test]
    fn shares_give_every_unit_one_and_add_up(
        weights in prop::collection::vec(0u64..1000, 1..20),
        more in 0usize..40,
    ) {
        let shares = shares(&weights, weights.len() + more);
        prop_assert!(shares.iter().all(|&share| share >= 1));
        prop_assert_eq!(shares.iter().sum::<usize>(), weights.len() + more);
    }
}

#[test]
fn equal_units_are_dealt_out_evenly() {
    let lengths = |units, wanted| -> Vec<usize> {
        balanced(&vec![7; units], wanted).into_iter().map(|range| range.len()).collect()
    };
    assert_eq!(lengths(8, 4), [2, 2, 2, 2]);
    assert_eq!(lengths(10, 4).into_iter().max(), Some(3));
    assert_eq!(lengths(3, 10), [1, 1, 1]);
}
