//! Generates trips one after the other, in columns.

use polars::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};

use super::TaxiError;
use super::city::{Calendar, City, place_in, straight_miles};
use super::sources::Field;
use super::zones::{Borough, EWR, JFK, LGA, ZONES, Zone};

/// Trips per block. A block's trips share one random stream, derived from the seed and the block's number, so
/// trip `n` is the same in whichever file it is and whichever thread generates it.
pub(super) const BLOCK: usize = 8192;

/// Speed of a short trip by the hour of the day, in miles per hour; weekends are faster.
const SPEED: [f64; 24] = [
    12.5, 13.0, 13.5, 14.5, 16.0, 15.5, 12.5, 9.8, 8.2, 8.0, 8.0, 7.8, 7.7, 7.7, 7.5, 7.4, 7.8, 7.6, 7.8,
    8.8, 9.8, 10.3, 10.8, 11.5,
];
const WEEKEND_SPEED: f64 = 1.15;
/// The toll of the Midtown Tunnel and the Triborough Bridge, and of the Hudson crossings.
const EAST_RIVER_TOLL: f64 = 5.76;
const HUDSON_TOLL: f64 = 12.50;

/// Trips as growing columns.
pub(super) struct Columns {
    pickup_at: Vec<i64>,
    dropoff_at: Vec<i64>,
    passengers: Vec<i32>,
    distance: Vec<f64>,
    zones: [Vec<i32>; 2],
    coordinates: [Vec<f64>; 4],
    payment: Vec<&'static str>,
    fare: Vec<f64>,
    tip: Vec<f64>,
    tolls: Vec<f64>,
    total: Vec<f64>,
}

impl Columns {
    pub(super) fn with_capacity(rows: usize) -> Columns {
        Columns {
            pickup_at: Vec::with_capacity(rows),
            dropoff_at: Vec::with_capacity(rows),
            passengers: Vec::with_capacity(rows),
            distance: Vec::with_capacity(rows),
            zones: std::array::from_fn(|_| Vec::with_capacity(rows)),
            coordinates: std::array::from_fn(|_| Vec::with_capacity(rows)),
            payment: Vec::with_capacity(rows),
            fare: Vec::with_capacity(rows),
            tip: Vec::with_capacity(rows),
            tolls: Vec::with_capacity(rows),
            total: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, trip: &Trip) {
        self.pickup_at.push(trip.pickup_at * 1_000_000);
        self.dropoff_at.push(trip.dropoff_at * 1_000_000);
        self.passengers.push(trip.passengers);
        self.distance.push(trip.distance);
        self.zones.iter_mut().zip(trip.zones).for_each(|(column, value)| column.push(value));
        self.coordinates.iter_mut().zip(trip.coordinates).for_each(|(column, value)| column.push(value));
        self.payment.push(trip.payment);
        self.fare.push(trip.fare);
        self.tip.push(trip.tip);
        self.tolls.push(trip.tolls);
        self.total.push(trip.total);
    }

    pub(super) fn into_frame(self) -> Result<DataFrame, TaxiError> {
        let time = |values: Vec<i64>| {
            Int64Chunked::from_vec("".into(), values)
                .into_datetime(TimeUnit::Microseconds, None)
                .into_column()
        };
        let whole = |values: Vec<i32>| Column::new("".into(), values);
        let number = |values: Vec<f64>| Column::new("".into(), values);
        let [pickup_zone, dropoff_zone] = self.zones.map(whole);
        let [pickup_lon, pickup_lat, dropoff_lon, dropoff_lat] = self.coordinates.map(number);
        let columns = [
            time(self.pickup_at),
            time(self.dropoff_at),
            whole(self.passengers),
            number(self.distance),
            pickup_zone,
            dropoff_zone,
            pickup_lon,
            pickup_lat,
            dropoff_lon,
            dropoff_lat,
            Column::new("".into(), self.payment),
            number(self.fare),
            number(self.tip),
            number(self.tolls),
            number(self.total),
        ];
        let named =
            columns.into_iter().zip(Field::ALL).map(|(column, field)| column.with_name(field.name.into()));
        DataFrame::new_infer_height(named.collect())
            .map_err(TaxiError::polars("put the generated trips in a frame"))
    }
}

struct Trip {
    /// Seconds since 1970.
    pickup_at: i64,
    dropoff_at: i64,
    passengers: i32,
    distance: f64,
    zones: [i32; 2],
    /// Pickup longitude and latitude, drop-off longitude and latitude.
    coordinates: [f64; 4],
    payment: &'static str,
    fare: f64,
    tip: f64,
    tolls: f64,
    total: f64,
}

/// Draws trips in the order of their pickup.
pub(super) struct Model {
    calendar: Calendar,
    seed: u64,
    rows: usize,
    city: &'static City,
    detour: LogNormal<f64>,
    traffic: LogNormal<f64>,
}

impl Model {
    pub(super) fn new(calendar: Calendar, seed: u64, rows: usize) -> Model {
        // The spreads are constants that a log-normal distribution accepts.
        let spread = |sigma| LogNormal::new(0.0, sigma).expect("a spread above zero");
        Model { calendar, seed, rows, city: City::get(), detour: spread(0.13), traffic: spread(0.28) }
    }

    /// Appends the trips of a block whose numbers are in `rows`.
    pub(super) fn block(&self, block: usize, rows: std::ops::Range<usize>, columns: &mut Columns) {
        let first = block * BLOCK;
        let last = (first + BLOCK).min(self.rows).min(rows.end);
        // SplitMix64's increment spreads block numbers over the seeds.
        let stream = self.seed ^ (block as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut rng = StdRng::seed_from_u64(stream);
        let mut hour = self.calendar.hour_of(first as f64 / self.rows as f64);
        for row in first..last {
            // One draw from each of `rows` equal shares of the pickups: the result is sorted, and every hour
            // has its share.
            let quantile = (row as f64 + rng.random::<f64>()) / self.rows as f64;
            while self.calendar.is_past(hour, quantile) {
                hour += 1;
            }
            let trip = self.trip(hour, quantile, &mut rng);
            if row >= rows.start {
                columns.push(&trip);
            }
        }
    }

    fn trip(&self, hour: usize, quantile: f64, rng: &mut StdRng) -> Trip {
        let (hour_of_day, weekend) = self.calendar.of_week(hour);
        let pickup_at = self.calendar.start_of(hour) + self.calendar.second_of(hour, quantile);
        let from = self.city.pickup(hour_of_day, rng);
        let to = self.city.dropoff(from, rng);
        let ends = [&ZONES[from], &ZONES[to]];
        let (start, end) = (place_in(ends[0], rng), place_in(ends[1], rng));
        // Routes are a third longer than straight lines, and a taxi seldom goes less than a block.
        let distance = cents((straight_miles(start, end) * 1.36 * self.detour.sample(rng)).max(0.15));
        let speed = SPEED[hour_of_day] * if weekend { WEEKEND_SPEED } else { 1.0 };
        let minutes =
            1.6 + 60.0 * distance / (speed * (1.0 + 0.12 * distance.min(18.0))) * self.traffic.sample(rng);

        let rush = !weekend && (16..20).contains(&hour_of_day);
        let (fare, rush_surcharge) = fare(ends, distance, minutes);
        let tolls = tolls(ends, distance, rng);
        let surcharges = if rush {
            rush_surcharge
        } else if !(6..20).contains(&hour_of_day) {
            0.5
        } else {
            0.0
        };
        let congestion = if self.city.congested[from] || self.city.congested[to] { 2.5 } else { 0.0 };
        // The state's tax (50 cents) and the improvement surcharge (30 cents) are on every trip.
        let due = cents(fare + surcharges + congestion + 0.8 + tolls);
        let payment = payment(rng);
        let tip = if payment == CARD { tip(due, rng) } else { 0.0 };
        Trip {
            pickup_at,
            dropoff_at: pickup_at + (minutes * 60.0) as i64,
            passengers: passengers(rng),
            distance,
            zones: ends.map(|zone| zone.id),
            coordinates: [start.0, start.1, end.0, end.1].map(|degrees| (degrees * 1e6).round() / 1e6),
            payment,
            fare,
            tip,
            tolls,
            total: cents(due + tip),
        }
    }
}

const CARD: &str = "credit card";

/// The payment types, with their shares in 2019.
fn payment(rng: &mut StdRng) -> &'static str {
    match rng.random::<f64>() {
        x if x < 0.722 => CARD,
        x if x < 0.992 => "cash",
        x if x < 0.997 => "no charge",
        _ => "dispute",
    }
}

fn passengers(rng: &mut StdRng) -> i32 {
    match rng.random::<f64>() {
        x if x < 0.720 => 1,
        x if x < 0.872 => 2,
        x if x < 0.914 => 3,
        x if x < 0.934 => 4,
        x if x < 0.976 => 5,
        _ => 6,
    }
}

/// The fare by the meter of 2019: $2.50, then 50 cents for each fifth of a mile, or for each minute when
/// slow. The flat fare between JFK and Manhattan is $52; Newark costs $17.50 extra. Also returns the
/// surcharge for this fare at rush hour.
fn fare(ends: [&Zone; 2], distance: f64, minutes: f64) -> (f64, f64) {
    if is_between(ends, JFK) {
        return (52.0, 4.5);
    }
    let units = (4.5 * distance + 0.5 * minutes).floor();
    let newark = if ends.iter().any(|zone| zone.id == EWR) { 17.5 } else { 0.0 };
    (2.5 + 0.5 * units + newark, 1.0)
}

/// Whether the trip is between Manhattan and this airport.
fn is_between(ends: [&Zone; 2], airport: i32) -> bool {
    ends.iter().any(|zone| zone.id == airport) && ends.iter().any(|zone| zone.borough == Borough::Manhattan)
}

fn tolls(ends: [&Zone; 2], distance: f64, rng: &mut StdRng) -> f64 {
    let chance: f64 = rng.random();
    if ends.iter().any(|zone| zone.id == EWR) {
        return if chance < 0.8 { HUDSON_TOLL } else { 0.0 };
    }
    let likely = if is_between(ends, JFK) || is_between(ends, LGA) {
        0.5
    } else if distance > 5.0 {
        0.06
    } else {
        0.0
    };
    if chance < likely { EAST_RIVER_TOLL } else { 0.0 }
}

/// Card tips cluster on the buttons of the payment screen (20, 25 and 30 % of the amount due), then on whole
/// dollars; one passenger in twenty gives none.
fn tip(due: f64, rng: &mut StdRng) -> f64 {
    let share = rng.random_range(0.05..0.35);
    cents(match rng.random::<f64>() {
        x if x < 0.046 => 0.0,
        x if x < 0.596 => due * 0.20,
        x if x < 0.696 => due * 0.25,
        x if x < 0.756 => due * 0.30,
        x if x < 0.930 => (due * 0.16).round().max(1.0),
        _ => due * share,
    })
}

fn cents(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
