//! The rules for dirty trips, and the count of dirty trips.

use std::fmt;

use polars::prelude::*;

use super::TaxiError;
use super::schema::UNKNOWN_PAYMENT;
use crate::display::{MimeBundle, MimeDisplay};

/// 1 January 2009, when the records begin, in microseconds since 1970.
const YEAR_2009: i64 = 1_230_768_000_000_000;
/// 1 January 2040 likewise: taximeters with a wrong clock have recorded years up to 2098.
const YEAR_2040: i64 = 2_208_988_800_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// A box around the five boroughs and the three airports.
const LONGITUDES: (f64, f64) = (-74.30, -73.65);
const LATITUDES: (f64, f64) = (40.45, 40.95);

/// The rules that make a row of the normalised schema dirty: a name and the condition. The order matters: a
/// row is reported under the first rule whose condition holds.
pub fn dirty_rules() -> Vec<(&'static str, Expr)> {
    let time = |micros: i64| lit(micros).cast(DataType::Datetime(TimeUnit::Microseconds, None));
    let lasts = (col("dropoff_at") - col("pickup_at")).cast(DataType::Int64);
    // NaN and null are also outside every range.
    let outside = |name: &str, low: f64, high: f64| {
        col(name).is_between(lit(low), lit(high), ClosedInterval::Both).fill_null(lit(false)).not()
    };
    let place = |end: &str| col(format!("{end}_zone")).is_null().and(col(format!("{end}_lon")).is_null());
    let coordinates = |test: &dyn Fn(&str, (f64, f64)) -> Expr| {
        test("pickup_lon", LONGITUDES)
            .or(test("pickup_lat", LATITUDES))
            .or(test("dropoff_lon", LONGITUDES))
            .or(test("dropoff_lat", LATITUDES))
    };
    let zone = |name: &str| col(name).is_between(lit(1), lit(265), ClosedInterval::Both).not();
    vec![
        ("no pickup time", col("pickup_at").is_null()),
        ("no drop-off time", col("dropoff_at").is_null()),
        (
            "pickup outside 2009 to 2039",
            col("pickup_at").lt(time(YEAR_2009)).or(col("pickup_at").gt_eq(time(YEAR_2040))),
        ),
        ("drop-off before pickup", col("dropoff_at").lt(col("pickup_at"))),
        ("longer than a day", lasts.gt(lit(DAY_MICROS))),
        ("no distance of 0 to 200 miles", outside("distance_miles", 0.0, 200.0)),
        ("no fare of 0 to 1000 dollars", outside("fare", 0.0, 1000.0)),
        ("no tip, tolls or total of 0 to 2000 dollars", {
            outside("tip", 0.0, 2000.0).or(outside("tolls", 0.0, 2000.0)).or(outside("total", 0.0, 2000.0))
        }),
        ("passengers not 0 to 9", col("passengers").is_between(lit(0), lit(9), ClosedInterval::Both).not()),
        ("no pickup or drop-off place", place("pickup").or(place("dropoff"))),
        ("zero coordinates", coordinates(&|name, _| col(name).eq(lit(0.0)))),
        ("coordinates outside New York", {
            coordinates(&|name, (low, high)| {
                col(name).is_between(lit(low), lit(high), ClosedInterval::Both).not()
            })
        }),
        ("zone not 1 to 265", zone("pickup_zone").or(zone("dropoff_zone"))),
        ("unknown payment", col("payment").is_null().or(col("payment").eq(lit(UNKNOWN_PAYMENT)))),
    ]
}

/// How many rows were read, how many are clean, and why the others are not.
///
/// A dirty row counts once, under the first rule that it breaks, so the counts add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualityReport {
    /// All rows of the files.
    pub rows_read: u64,
    /// Rows that break no rule.
    pub rows_clean: u64,
    /// Every rule, in the order of checking, with the number of its rows.
    pub dirty: Vec<(String, u64)>,
}

impl QualityReport {
    /// Rows that break a rule.
    pub fn rows_dirty(&self) -> u64 {
        self.rows_read - self.rows_clean
    }

    /// The number of rows under one rule; 0 for a rule that does not exist.
    pub fn rows_of(&self, rule: &str) -> u64 {
        self.dirty.iter().find(|(name, _)| name == rule).map_or(0, |(_, rows)| *rows)
    }

    /// The rules as a frame: `rule`, `rows` and `share` of the rows read.
    pub fn data_frame(&self) -> Result<DataFrame, TaxiError> {
        let rules: Vec<&str> = self.dirty.iter().map(|(rule, _)| rule.as_str()).collect();
        let rows: Vec<u64> = self.dirty.iter().map(|(_, rows)| *rows).collect();
        let shares: Vec<f64> = rows.iter().map(|rows| self.share(*rows)).collect();
        DataFrame::new_infer_height(vec![
            Column::new("rule".into(), rules),
            Column::new("rows".into(), rows),
            Column::new("share".into(), shares),
        ])
        .map_err(TaxiError::polars("make a frame of the quality report"))
    }

    fn share(&self, rows: u64) -> f64 {
        if self.rows_read == 0 { 0.0 } else { rows as f64 / self.rows_read as f64 }
    }

    fn lines(&self) -> impl Iterator<Item = (&str, u64, String)> {
        let percent = |rows| format!("{:.2} %", 100.0 * self.share(rows));
        let met = self.dirty.iter().filter(|(_, rows)| *rows > 0);
        [("rows read", self.rows_read), ("clean", self.rows_clean)]
            .into_iter()
            .chain(met.map(|(rule, rows)| (rule.as_str(), *rows)))
            .map(move |(name, rows)| (name, rows, percent(rows)))
    }
}

impl fmt::Display for QualityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, rows, share)) in self.lines().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{rows:>12}  {share:>8}  {name}")?;
        }
        Ok(())
    }
}

impl MimeDisplay for QualityReport {
    fn mime_bundle(&self) -> MimeBundle {
        let rows: String = self
            .lines()
            .map(|(name, rows, share)| format!("<tr><td>{name}</td><td>{rows}</td><td>{share}</td></tr>"))
            .collect();
        let html = format!("<table><tr><th>Trips</th><th>rows</th><th>share</th></tr>{rows}</table>");
        MimeBundle::text(self.to_string()).with("text/html", html)
    }
}
