use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::conditions::Before;
use super::{Conditions, Measurement};

/// Measures variants of some work in rounds, each of which runs every variant once. So drift (temperature,
/// other load, memory) affects all of them alike. The order within a round is drawn anew each time, so that
/// no variant always follows the same other one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds {
    pub warmup: usize,
    pub repeats: usize,
    pub seed: u64,
}

impl Rounds {
    /// Runs `work` of each of the variants `0..variants`, and passes each measured result to `keep`. Every
    /// measurement has its runs by round.
    pub fn run<R, E>(
        self,
        variants: usize,
        mut work: impl FnMut(usize) -> Result<R, E>,
        mut keep: impl FnMut(usize, R),
    ) -> Result<(Vec<Measurement>, Conditions), E> {
        let repeats = self.repeats.max(1);
        let before = Before::now();
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut order: Vec<usize> = (0..variants).collect();
        let mut runs = vec![Vec::with_capacity(repeats); variants];
        for round in 0..self.warmup + repeats {
            order.shuffle(&mut random);
            for &variant in &order {
                let started = Instant::now();
                let result = work(variant)?;
                let took = started.elapsed();
                if round >= self.warmup {
                    runs[variant].push(took);
                    // The time to drop the previous round's result is not measured.
                    keep(variant, result);
                }
            }
        }
        let measurements = runs.into_iter().map(|runs| Measurement { runs }).collect();
        Ok((measurements, before.conditions(self.seed, self.warmup, repeats)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn order_of(seed: u64) -> Vec<usize> {
        let mut order = Vec::new();
        let work = |variant| {
            order.push(variant);
            Ok::<_, Infallible>(())
        };
        let rounds = Rounds { warmup: 1, repeats: 20, seed };
        let (measurements, _) = rounds.run(3, work, |_, ()| ()).unwrap();
        assert!(measurements.iter().all(|measurement| measurement.runs.len() == 20));
        order
    }

    #[test]
    fn every_round_runs_every_variant_once_in_an_order_that_the_seed_alone_decides() {
        let order = order_of(7);
        assert_eq!(order.len(), 3 * 21);
        for round in order.chunks(3) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2]);
        }
        assert!(order.chunks(3).any(|round| round != [0, 1, 2]));
        assert_eq!(order_of(7), order);
        assert_ne!(order_of(8), order);
    }

    #[test]
    fn an_error_ends_it_and_warm_up_results_are_not_kept() {
        let rounds = Rounds { warmup: 2, repeats: 3, seed: 0 };
        let (mut ran, mut kept) = (0, 0);
        let work = |_| {
            ran += 1;
            if ran == 4 { Err("the fourth") } else { Ok(ran) }
        };
        let end = rounds.run(1, work, |_, _| kept += 1);
        assert_eq!((end.unwrap_err(), ran, kept), ("the fourth", 4, 1));
    }
}
