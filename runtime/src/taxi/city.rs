//! The distributions from which a generated trip is drawn: its time, its start and its destination.
//!
//! Sources, all public: TLC's 2019 yellow taxi trip records and monthly aggregated reports for the shares of
//! hours, days and zones; the trip record data dictionary for the meaning of the columns.

use std::sync::OnceLock;

use rand::{Rng, RngExt};
use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

use super::zones::{Borough, EWR, JFK, LGA, ZONES, Zone};

/// Miles per degree at 40.75 degrees north.
const MILES_PER_LON: f64 = 52.4;
const MILES_PER_LAT: f64 = 69.0;

/// Pickups by hour of the day, Monday to Friday, in percent: lowest from 3 to 5, highest from 18 to 20.
const WEEKDAY: [f64; 24] = [
    1.9, 1.1, 0.7, 0.5, 0.5, 0.9, 2.4, 4.1, 5.1, 5.0, 4.7, 4.7, 4.9, 4.9, 5.2, 5.3, 5.1, 6.0, 6.9, 6.8, 6.2,
    6.1, 5.6, 4.0,
];
/// The same for Saturday and Sunday, when nights are long and mornings quiet.
const WEEKEND: [f64; 24] = [
    5.0, 4.1, 3.2, 2.3, 1.3, 0.8, 1.0, 1.5, 2.4, 3.5, 4.4, 4.9, 5.3, 5.3, 5.3, 5.3, 5.2, 5.6, 5.9, 5.7, 5.0,
    5.0, 5.2, 5.1,
];
/// Pickups by day of the week from Monday, in percent.
const DAYS: [f64; 7] = [12.5, 14.1, 14.7, 15.3, 15.6, 15.0, 12.8];

/// The hours of a span of days, and the distribution of pickups over them.
pub(super) struct Calendar {
    first_day: i64,
    /// The share of pickups before each hour, and a last element, which is 1.
    before: Vec<f64>,
}

impl Calendar {
    /// A calendar of `days` days from `first_day`, a day number counted from 1 January 1970.
    pub(super) fn new(first_day: i64, days: usize) -> Calendar {
        let weights = (0..days as i64).flat_map(|day| {
            let weekday = weekday(first_day + day);
            let hours = if weekday < 5 { WEEKDAY } else { WEEKEND };
            hours.map(|share| share * DAYS[weekday])
        });
        let mut before = vec![0.0];
        let mut sum = 0.0;
        before.extend(weights.map(|weight| {
            sum += weight;
            sum
        }));
        before.iter_mut().for_each(|share| *share /= sum);
        Calendar { first_day, before }
    }

    /// The hour, counted from the first, that contains this quantile of all pickups.
    pub(super) fn hour_of(&self, quantile: f64) -> usize {
        (self.before.partition_point(|before| *before <= quantile)).clamp(1, self.before.len() - 1) - 1
    }

    /// The second within the hour at this quantile of all pickups.
    pub(super) fn second_of(&self, hour: usize, quantile: f64) -> i64 {
        let (from, to) = (self.before[hour], self.before[hour + 1]);
        (((quantile - from) / (to - from) * 3600.0) as i64).clamp(0, 3599)
    }

    /// Whether the quantile is after the hour.
    pub(super) fn is_past(&self, hour: usize, quantile: f64) -> bool {
        quantile >= self.before[hour + 1] && hour + 2 < self.before.len()
    }

    /// The start of the hour in seconds since 1970.
    pub(super) fn start_of(&self, hour: usize) -> i64 {
        self.first_day * 86_400 + hour as i64 * 3600
    }

    /// The hour of the day, and whether it is on a weekend.
    pub(super) fn of_week(&self, hour: usize) -> (usize, bool) {
        (hour % 24, weekday(self.first_day + hour as i64 / 24) >= 5)
    }
}

/// From 0 for Monday; 1 January 1970 was a Thursday.
fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// The number of a day counted from 1 January 1970.
pub(super) fn day_number(year: i32, month: u32) -> i64 {
    let years = i64::from(year) - 1;
    let leap_days = |years: i64| years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = month as usize - 1;
    (years - 1969) * 365 + leap_days(years) - leap_days(1969) + before[month] + i64::from(leap && month > 1)
}

/// Starts and destinations of trips, as tables that need only a few random draws per trip.
pub(super) struct City {
    day: WeightedAliasIndex<f64>,
    night: WeightedAliasIndex<f64>,
    /// For every pickup zone, the drop-off zones.
    dropoffs: Vec<WeightedAliasIndex<f64>>,
    /// Zones that pay New York State's congestion surcharge: Manhattan south of 96th Street.
    pub(super) congested: Vec<bool>,
}

impl City {
    pub(super) fn get() -> &'static City {
        // Process-wide: a constant that is computed once.
        static CITY: OnceLock<City> = OnceLock::new();
        CITY.get_or_init(City::new)
    }

    fn new() -> City {
        let day = ZONES.iter().map(|z| f64::from(z.pickups));
        let night = ZONES.iter().map(|z| f64::from(z.pickups) * at_night(z));
        City {
            day: alias(day.collect()),
            night: alias(night.collect()),
            dropoffs: ZONES.iter().map(|from| alias(arrivals(from))).collect(),
            congested: ZONES.iter().map(is_congested).collect(),
        }
    }

    /// Draws the index of a pickup zone.
    pub(super) fn pickup(&self, hour_of_day: usize, rng: &mut impl Rng) -> usize {
        let table = if (5..22).contains(&hour_of_day) { &self.day } else { &self.night };
        table.sample(rng)
    }

    /// Draws the index of a drop-off zone.
    pub(super) fn dropoff(&self, pickup: usize, rng: &mut impl Rng) -> usize {
        self.dropoffs[pickup].sample(rng)
    }
}

/// A table of the zones by their weights, which are constants above zero (a test builds it).
fn alias(weights: Vec<f64>) -> WeightedAliasIndex<f64> {
    WeightedAliasIndex::new(weights).expect("zone weights are positive constants")
}

/// At night, pickups move from offices to places where people go out.
fn at_night(zone: &Zone) -> f64 {
    match zone.id {
        48 | 68 | 79 | 113 | 114 | 144 | 148 | 158 | 211 | 234 | 249 | 255 | 256 => 2.2,
        161 | 162 | 163 | 164 | 170 | 233 | 236 | 237 => 0.55,
        EWR | JFK | LGA => 0.6,
        _ => 1.0,
    }
}

fn is_airport(zone: &Zone) -> bool {
    matches!(zone.id, EWR | JFK | LGA)
}

/// South of 96th Street, which is tilted like Manhattan's grid.
fn is_congested(zone: &Zone) -> bool {
    zone.borough == Borough::Manhattan && zone.lat < 40.785 - 0.39 * (zone.lon + 73.947)
}

/// The drop-off weights for a pickup zone. Most trips are short: the weight of a zone falls with about the
/// square of the distance. From an airport everything is far, so the weight falls later, and airports attract
/// trips equally from everywhere. The constants were fitted to the distances of 2019 (median 1.6, mean 3
/// miles, a tenth over 7).
fn arrivals(from: &Zone) -> Vec<f64> {
    let fall = |miles: f64| 1.0 / (1.0 + miles * miles);
    let pull = |to: &Zone| match (is_airport(from), is_airport(to)) {
        (true, true) => 0.1 * f64::from(to.dropoffs),
        (true, false) => f64::from(to.dropoffs) * fall(miles(from, to) / 20.0),
        (false, true) => 0.0,
        (false, false) => f64::from(to.dropoffs) * (fall(miles(from, to)) + 0.012),
    };
    let mut weights: Vec<f64> = ZONES.iter().map(pull).collect();
    if !is_airport(from) {
        let per_dropoff =
            weights.iter().sum::<f64>() / ZONES.iter().map(|z| f64::from(z.dropoffs)).sum::<f64>();
        for (weight, to) in weights.iter_mut().zip(&ZONES).filter(|(_, to)| is_airport(to)) {
            *weight = 1.2 * f64::from(to.dropoffs) * per_dropoff;
        }
    }
    weights
}

fn miles(from: &Zone, to: &Zone) -> f64 {
    straight_miles((from.lon, from.lat), (to.lon, to.lat))
}

/// The straight-line distance on a plane, which is accurate enough for a city.
pub(super) fn straight_miles(from: (f64, f64), to: (f64, f64)) -> f64 {
    ((from.0 - to.0) * MILES_PER_LON).hypot((from.1 - to.1) * MILES_PER_LAT)
}

/// A place in a zone, spread around its middle.
pub(super) fn place_in(zone: &Zone, rng: &mut impl Rng) -> (f64, f64) {
    let reach = if zone.borough == Borough::Manhattan { 0.22 } else { 0.45 };
    let mut spread = || reach * (rng.random::<f64>() + rng.random::<f64>() - 1.0);
    (zone.lon + spread() / MILES_PER_LON, zone.lat + spread() / MILES_PER_LAT)
}
