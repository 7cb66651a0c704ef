//! Fits to curves with known parameters, exact and with noise.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};

use super::least_squares::{Equation, non_negative};
use super::{CostFit, FitError, UslFit};
use crate::experiment::Measurement;

const SETTINGS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Nine runs at each setting, spread by this fraction around the curve.
fn measured(curve: impl Fn(f64) -> f64, spread: f64) -> Vec<Measurement> {
    let mut random = StdRng::seed_from_u64(1);
    let noise = Normal::new(1.0, spread).unwrap();
    let run = |ms: f64, random: &mut StdRng| Duration::from_secs_f64(ms / 1e3 * noise.sample(random));
    SETTINGS
        .iter()
        .map(|&n| Measurement { runs: (0..9).map(|_| run(curve(n as f64), &mut random)).collect() })
        .collect()
}

fn usl(lambda: f64, sigma: f64, kappa: f64) -> impl Fn(f64) -> f64 {
    move |n| 1e3 * (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)) / (lambda * n)
}

#[track_caller]
fn near(value: f64, expected: f64, relative: f64) {
    assert!((value - expected).abs() <= relative * expected.abs() + 1e-9, "{value}, expected {expected}");
}

#[test]
fn usl_finds_the_parameters_it_was_drawn_with_and_their_optimum() {
    // N* = sqrt((1 − σ) / κ) = 13.8
    let fit = UslFit::of("n", &SETTINGS, &measured(usl(5.0, 0.05, 0.005), 0.0), 0).unwrap();
    near(fit.lambda, 5.0, 1e-6);
    near(fit.sigma, 0.05, 1e-6);
    near(fit.kappa, 0.005, 1e-6);
    near(fit.r_squared, 1.0, 1e-9);
    let best = fit.best();
    assert_eq!((best.count, best.low, best.high, best.at_end), (14, 14, 14, false));
    near(fit.predict_ms(8), usl(5.0, 0.05, 0.005)(8.0), 1e-6);
    assert!(!fit.fits_badly());
}

#[test]
fn usl_bears_noise_and_its_interval_holds_the_optimum() {
    let fit = UslFit::of("n", &SETTINGS, &measured(usl(5.0, 0.05, 0.005), 0.05), 3).unwrap();
    near(fit.lambda, 5.0, 0.1);
    near(fit.kappa, 0.005, 0.3);
    let best = fit.best();
    assert!(best.low <= 14 && 14 <= best.high && best.low < best.high, "{best:?}");
    assert!(fit.r_squared > 0.95, "{fit}");
    let again = UslFit::of("n", &SETTINGS, &measured(usl(5.0, 0.05, 0.005), 0.05), 3).unwrap();
    assert_eq!(again.best(), best, "the seed decides the resamples");
}

#[test]
fn what_only_gets_faster_has_its_best_at_the_end_and_says_so() {
    let fit = UslFit::of("n", &SETTINGS, &measured(usl(5.0, 0.1, 0.0), 0.0), 0).unwrap();
    assert_eq!((fit.best().count, fit.best().at_end), (64, true));
    assert!(fit.to_string().contains("more may be better"), "{fit}");
}

#[test]
fn costs_are_told_apart_and_the_best_count_is_that_of_the_slots() {
    let slots = 4;
    let curve = |n: f64| 20.0 + 800.0 * (n / 4.0).ceil() / n + 1.5 * n;
    let fit = CostFit::of("n", &SETTINGS, &measured(curve, 0.0), slots, 0).unwrap();
    near(fit.serial_ms, 20.0, 1e-5);
    near(fit.work_ms, 800.0, 1e-5);
    near(fit.overhead_ms, 1.5, 1e-5);
    assert_eq!(fit.best().count, 4);
    let noisy = CostFit::of("n", &SETTINGS, &measured(curve, 0.03), slots, 0).unwrap();
    near(noisy.work_ms, 800.0, 0.05);
    near(noisy.overhead_ms, 1.5, 0.15);
    assert_eq!(noisy.best().count, 4);
}

#[test]
fn partitions_beyond_the_slots_fit_the_costs_and_not_the_usl() {
    // Level from two slots on, then slowly rising: the USL has no such knee.
    let curve = |n: f64| 1000.0 * (n / 2.0).ceil() / n + 0.2 * n;
    let runs = measured(curve, 0.01);
    let costs = CostFit::of("n", &SETTINGS, &runs, 2, 0).unwrap();
    let usl = UslFit::of("n", &SETTINGS, &runs, 0).unwrap();
    assert!(costs.r_squared > 0.99 && !costs.fits_badly(), "{costs}");
    assert!(usl.r_squared < costs.r_squared, "{usl}\n{costs}");
}

#[test]
fn a_law_that_does_not_hold_says_that_it_fits_badly() {
    let curve = |n: f64| if n == 8.0 { 900.0 } else { 100.0 };
    let fit = UslFit::of("n", &SETTINGS, &measured(curve, 0.0), 0).unwrap();
    assert!(fit.fits_badly() && fit.to_string().contains("fits badly"), "{fit}");
}

#[test]
fn too_few_settings_and_no_time_are_refused_with_what_to_do() {
    let runs = measured(|_| 1.0, 0.0);
    let error = UslFit::of("n", &[1, 2, 2, 0, 4, 4, 1], &runs, 0).unwrap_err();
    assert_eq!(error, FitError::TooFew { settings: 3 });
    assert!(error.to_string().contains("[1, 2, 4, 8, 16]"), "{error}");
    let nothing = vec![Measurement { runs: vec![Duration::ZERO; 3] }; 7];
    assert_eq!(UslFit::of("n", &SETTINGS, &nothing, 0).unwrap_err(), FitError::NoTime { setting: 1 });
    assert_eq!(CostFit::of("n", &SETTINGS, &runs, 0, 0).unwrap_err(), FitError::NoSlots);
}

#[test]
fn least_squares_with_bounds_is_no_worse_than_any_point_around_it() {
    let equation = |factors, value| Equation { factors, value };
    // Without bounds the second parameter would be negative.
    let equations = [
        equation([1.0, 2.0, 0.5], 1.0),
        equation([1.0, 4.0, 0.1], 0.2),
        equation([1.0, 8.0, 0.3], 0.1),
        equation([1.0, 1.0, 0.9], 2.0),
    ];
    let sum = |p: [f64; 3]| -> f64 {
        let of = |e: &Equation| e.factors.iter().zip(p).map(|(f, p)| f * p).sum::<f64>() - e.value;
        equations.iter().map(|e| of(e).powi(2)).sum()
    };
    let best = non_negative(&equations);
    assert!(best.iter().all(|p| *p >= 0.0), "{best:?}");
    for i in 0..3 {
        for step in [-1e-3, 1e-3] {
            let mut other = best;
            other[i] = (other[i] + step).max(0.0);
            assert!(sum(best) <= sum(other) + 1e-12, "{best:?} {other:?}");
        }
    }
}
