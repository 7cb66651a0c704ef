//! The columns of each published schema, and their names.

use std::fmt;

use polars::prelude::Schema;

/// The schemas of trip records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2009: `Trip_Pickup_DateTime`, `Start_Lon`, payment as text in several spellings.
    Year2009,
    /// 2010 to June 2016: `pickup_datetime` (later with the prefix `tpep_` or `lpep_`), `pickup_longitude`,
    /// payment as text until 2014, then as a code.
    Coordinates,
    /// Since July 2016: `PULocationID`, payment as a code. Also older months that TLC has republished with
    /// zones.
    Zones,
    /// The schema of this module, as in generated trips.
    Normalised,
}

impl Era {
    /// All schemas, in the order in which they are tried.
    pub(super) const ALL: [Era; 4] = [Era::Normalised, Era::Zones, Era::Coordinates, Era::Year2009];

    /// For every field of [`Field::ALL`], in order, the accepted names in lower case; empty if the schema has
    /// no such field.
    fn names(self) -> [&'static [&'static str]; Field::COUNT] {
        const PICKUP: &[&str] = &["tpep_pickup_datetime", "lpep_pickup_datetime", "pickup_datetime"];
        const DROPOFF: &[&str] = &["tpep_dropoff_datetime", "lpep_dropoff_datetime", "dropoff_datetime"];
        match self {
            Era::Year2009 => [
                &["trip_pickup_datetime"],
                &["trip_dropoff_datetime"],
                &["passenger_count"],
                &["trip_distance"],
                &[],
                &[],
                &["start_lon"],
                &["start_lat"],
                &["end_lon"],
                &["end_lat"],
                &["payment_type"],
                &["fare_amt"],
                &["tip_amt"],
                &["tolls_amt"],
                &["total_amt"],
            ],
            Era::Coordinates => [
                PICKUP,
                DROPOFF,
                &["passenger_count"],
                &["trip_distance"],
                &[],
                &[],
                &["pickup_longitude"],
                &["pickup_latitude"],
                &["dropoff_longitude"],
                &["dropoff_latitude"],
                &["payment_type"],
                &["fare_amount"],
                &["tip_amount"],
                &["tolls_amount"],
                &["total_amount"],
            ],
            Era::Zones => [
                PICKUP,
                DROPOFF,
                &["passenger_count"],
                &["trip_distance"],
                &["pulocationid"],
                &["dolocationid"],
                &[],
                &[],
                &[],
                &[],
                &["payment_type"],
                &["fare_amount"],
                &["tip_amount"],
                &["tolls_amount"],
                &["total_amount"],
            ],
            Era::Normalised => [
                &["pickup_at"],
                &["dropoff_at"],
                &["passengers"],
                &["distance_miles"],
                &["pickup_zone"],
                &["dropoff_zone"],
                &["pickup_lon"],
                &["pickup_lat"],
                &["dropoff_lon"],
                &["dropoff_lat"],
                &["payment"],
                &["fare"],
                &["tip"],
                &["tolls"],
                &["total"],
            ],
        }
    }

    /// The source column of every field, or the columns that are missing. Case and surrounding spaces do not
    /// matter, because TLC's own headers vary in both.
    pub(super) fn columns(self, schema: &Schema) -> Result<[Option<String>; Field::COUNT], Vec<String>> {
        let mut columns = [const { None }; Field::COUNT];
        let mut missing = Vec::new();
        for (column, accepted) in columns.iter_mut().zip(self.names()) {
            let Some(usual) = accepted.first() else { continue };
            *column = accepted.iter().find_map(|name| {
                schema.iter_names().find(|have| have.trim().eq_ignore_ascii_case(name)).map(|n| n.to_string())
            });
            if column.is_none() {
                missing.push(usual.to_string());
            }
        }
        if missing.is_empty() { Ok(columns) } else { Err(missing) }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Era::Year2009 => "the schema of 2009",
            Era::Coordinates => "the schema of 2010 to June 2016",
            Era::Zones => "the schema since July 2016",
            Era::Normalised => "the normalised schema",
        })
    }
}

/// How a field is converted to its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Integer,
    Number,
    Payment,
}

/// A column of the normalised schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

impl Field {
    pub(super) const COUNT: usize = 15;

    /// The normalised schema, in order.
    pub(super) const ALL: [Field; Field::COUNT] = [
        Field { name: "pickup_at", kind: Kind::Time },
        Field { name: "dropoff_at", kind: Kind::Time },
        Field { name: "passengers", kind: Kind::Integer },
        Field { name: "distance_miles", kind: Kind::Number },
        Field { name: "pickup_zone", kind: Kind::Integer },
        Field { name: "dropoff_zone", kind: Kind::Integer },
        Field { name: "pickup_lon", kind: Kind::Number },
        Field { name: "pickup_lat", kind: Kind::Number },
        Field { name: "dropoff_lon", kind: Kind::Number },
        Field { name: "dropoff_lat", kind: Kind::Number },
        Field { name: "payment", kind: Kind::Payment },
        Field { name: "fare", kind: Kind::Number },
        Field { name: "tip", kind: Kind::Number },
        Field { name: "tolls", kind: Kind::Number },
        Field { name: "total", kind: Kind::Number },
    ];
}
