//! New York taxi trips: real ones and generated ones, in one schema.
//!
//! The Taxi and Limousine Commission (TLC) has published its trip records in three schemas over the years.
//! [`schema_of`] distinguishes them by their columns, and [`TlcSchema::normalise`] converts each to the
//! schema below, as a plain `LazyFrame` expression pipeline. [`read()`] does this for files and counts dirty
//! rows ([`dirty_rules`], [`QualityReport`]): they are marked and reported, never dropped silently.
//! [`generate()`] makes any number of trips of the same schema from a seed, with distributions that follow the
//! published figures.
//!
//! `partitioned` makes datasets of them: [`Session::read_trips`](crate::Session::read_trips). The library
//! contains no trip records; [`download()`] fetches a month from TLC.
//!
//! # The schema of a trip
//!
//! | column | type | unit and meaning |
//! |---|---|---|
//! | `pickup_at`, `dropoff_at` | `Datetime(us)` | local New York time, without a time zone |
//! | `passengers` | `Int32` | as entered by the driver; null where not recorded |
//! | `distance_miles` | `Float64` | miles, from the taximeter |
//! | `pickup_zone`, `dropoff_zone` | `Int32` | TLC taxi zone, 1 to 263 (264 unknown, 265 outside the city); null before July 2016 |
//! | `pickup_lon`, `pickup_lat`, `dropoff_lon`, `dropoff_lat` | `Float64` | degrees, WGS 84; null since July 2016 |
//! | `payment` | `String` | `credit card`, `cash`, `no charge`, `dispute`, `unknown`, `voided` or `flex fare` |
//! | `fare`, `tip`, `tolls`, `total` | `Float64` | US dollars; `total` also contains surcharges and taxes; cash tips are not recorded |

mod city;
mod day;
mod download;
mod error;
mod generate;
mod partitioned;
mod quality;
mod read;
mod schema;
mod sources;
#[cfg(test)]
mod tests;
mod trips;
mod zones;

pub use day::midnight;
pub use download::{DownloadOptions, download, download_with};
pub use error::TaxiError;
pub use generate::{TripGenerator, TripSpec, generate};
pub use partitioned::PartitionedTrips;
pub use quality::{QualityReport, dirty_rules};
pub use read::{TripFile, Trips, read};
pub use schema::{DIRTY, TlcSchema, schema_of, trip_schema};
pub use sources::Era;
pub use zones::zones;

/// The examples in docs/taxi.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/taxi.md")]
struct Page;
