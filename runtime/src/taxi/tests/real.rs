//! TLC's own records, a small part of them. They are not part of the project: continuous integration and
//! development machines have them beside the checkout.

use std::path::PathBuf;

use polars::prelude::*;

use crate::taxi::{DIRTY, Era, Trips, read};

/// The trips of a file, which must exist if `PARTITA_TEST_DATA` names its folder. Without the variable and
/// without the folder beside the checkout, real records are not tested; the hand-made files of the other
/// tests still are.
fn real(name: &str) -> Option<Trips> {
    let variable = std::env::var_os("PARTITA_TEST_DATA").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if variable.is_none() && !beside.exists() {
        println!("not tested: there are no TLC records; set PARTITA_TEST_DATA to a folder that has them");
        return None;
    }
    let path = variable.unwrap_or(beside).join(name);
    assert!(path.exists(), "PARTITA_TEST_DATA names a folder without `{}`", path.display());
    Some(read(path.to_str().unwrap()).unwrap())
}

fn sum(frame: &DataFrame, column: &str) -> f64 {
    frame.column(column).unwrap().f64().unwrap().sum().unwrap()
}

fn count(frame: &DataFrame, predicate: Expr) -> usize {
    frame.clone().lazy().filter(predicate).collect().unwrap().height()
}

#[test]
fn the_trips_of_january_2009_are_read_whole() {
    let Some(trips) = real("tlc-2009-01.csv") else { return };
    assert_eq!(trips.files()[0].schema().era(), Era::Year2009);
    let all = trips.all().unwrap().collect().unwrap();
    assert_eq!(all.height(), 1000);
    let first = all.get_row(0).unwrap().0;
    assert_eq!(first[2], AnyValue::Int32(1));
    assert_eq!(first[3], AnyValue::Float64(2.63));
    assert_eq!(first[4], AnyValue::Null);
    assert_eq!(first[6..10].to_vec(), [-73.991957, 40.721567, -73.993803, 40.695922].map(AnyValue::Float64));
    assert_eq!(first[10], AnyValue::String("cash"));
    assert_eq!(first[14], AnyValue::Float64(9.4));
    assert_eq!(count(&all, col("payment").eq(lit("cash"))), 765);
    assert_eq!(count(&all, col("payment").eq(lit("credit card"))), 234);
    assert_eq!(count(&all, col("payment").eq(lit("no charge"))), 1);
    assert_eq!(count(&all, col("pickup_lon").eq(lit(0.0))), 15);
    assert!((sum(&all, "total") - TOTAL_2009).abs() < 0.005, "{}", sum(&all, "total"));
    assert!((sum(&all, "distance_miles") - MILES_2009).abs() < 0.005, "{}", sum(&all, "distance_miles"));
    let report = trips.report().unwrap();
    assert_eq!(report.rows_read, 1000);
    assert_eq!(report.rows_of("zero coordinates"), ZERO_2009);
    assert_eq!(report.rows_of("unreadable value") + report.rows_of("ragged line"), 0);
    assert_eq!(trips.lazy().unwrap().collect().unwrap().height() as u64, report.rows_clean);
    assert_eq!(count(&all, col(DIRTY).is_not_null()) as u64, report.rows_dirty());
}

#[test]
fn the_yellow_and_green_trips_of_march_2019_are_read_whole() {
    let Some(trips) = real("tlc-2019-03.csv") else { return };
    assert_eq!(trips.files()[0].schema().era(), Era::Zones);
    let all = trips.all().unwrap().collect().unwrap();
    assert_eq!(all.height(), 6500);
    let first = all.get_row(0).unwrap().0;
    assert_eq!(first[4..6].to_vec(), [141, 233].map(AnyValue::Int32));
    assert_eq!(first[6], AnyValue::Null);
    assert_eq!(first[10], AnyValue::String("credit card"));
    assert_eq!(first[11..15].to_vec(), [7.0, 2.15, 0.0, 12.95].map(AnyValue::Float64));
    assert_eq!(count(&all, col("payment").eq(lit("credit card"))), 4614);
    assert_eq!(count(&all, col("payment").eq(lit("cash"))), 1832);
    assert_eq!(count(&all, col("pickup_zone").eq(lit(161))), 231);
    assert!((sum(&all, "total") - TOTAL_2019).abs() < 0.005, "{}", sum(&all, "total"));
    let report = trips.report().unwrap();
    assert_eq!((report.rows_read, report.rows_dirty()), (6500, DIRTY_2019));
    assert_eq!(report.rows_of("no fare of 0 to 1000 dollars"), NEGATIVE_2019);
}

// Counted and summed outside this library.
const TOTAL_2009: f64 = 10854.89;
const MILES_2009: f64 = 2823.88;
const ZERO_2009: u64 = 15;
const TOTAL_2019: f64 = 121443.90;
const DIRTY_2019: u64 = 10;
const NEGATIVE_2019: u64 = 10;
