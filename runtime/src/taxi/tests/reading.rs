//! Hand-made files of every schema, so that reading is tested without real files.

use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::display::MimeDisplay;
use crate::taxi::{DIRTY, Era, QualityReport, TaxiError, read, schema_of, trip_schema};

const YEAR_2009: &str = "\
vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt
VTS,2009-05-04 02:52:00,2009-05-04 03:02:00,1,2.5,-73.99,40.72,,,-73.98,40.69,CASH,8.9,0.5,,0,0,9.4
CMT,2009-05-04 03:31:00,2009-05-04 03:38:00,3.0,4.5,-73.98,40.73,,,-73.95,40.76,Credit,12.1,0.5,,2,0,14.6
DDS,2009-05-04 04:31:00,2009-05-04 04:38:00,2,4.5,0.0,0.0,,,0.0,0.0,CREDIT,12.1,0.5,,2,0,14.6
DDS,2009-05-04 05:31:00,2009-05-04 05:38:00,2,4.5,-73.98,40.73,,,-73.1,41.3,No Charge,12.1,0.5,,0,0,12.6
";

/// With spaces in the header and a blank line under it, as in the files of 2013 and 2014.
const YEAR_2014: &str = "\
vendor_id, pickup_datetime, dropoff_datetime, passenger_count, trip_distance, pickup_longitude, pickup_latitude, rate_code, store_and_fwd_flag, dropoff_longitude, dropoff_latitude, payment_type, fare_amount, surcharge, mta_tax, tip_amount, tolls_amount, total_amount\r
\r
CMT,2014-01-09 20:45:25,2014-01-09 20:52:31,1,0.7,-73.99,40.73,1,N,-73.98,40.73,CRD,6.5,0.5,0.5,1.4,0,8.9\r
VTS,2014-01-09 20:46:12,2014-01-09 20:55:12,1,1.4,-73.98,40.77,1,,-73.99,40.75,CSH,8.5,0.5,0.5,0,0,9.5\r
CMT,2014-01-09 20:44:47,2014-01-09 20:59:46,2,2.3,-73.97,40.75,1,N,-73.99,40.74,NOC,11.5,0.5,0.5,0,0,12.5\r
CMT,2014-01-09 20:57:15,2014-01-09 20:58:20,1,0.4,-73.97,40.75,1,N,-73.97,40.75,DIS,2.5,0.5,0.5,0,0,3.5\r
CMT,2014-01-09 20:57:15,2014-01-09 20:58:20,1,0.4,-73.97,40.75,1,N,-73.97,40.75,UNK,2.5,0.5,0.5,0,0,3.5\r
";

const YEAR_2015: &str = "\
VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,pickup_longitude,pickup_latitude,RateCodeID,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount
2,2015-01-15 19:05:39,2015-01-15 19:23:42,1,1.59,-73.993896,40.750111,1,N,-73.974785,40.750618,1,12,1,0.5,3.25,0,0.3,17.05
";

/// Green, with more commas in the rows than in the header, as in the second half of 2016.
const GREEN_2016: &str = "\
VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,PULocationID,DOLocationID,Passenger_count,Trip_distance,Fare_amount,Extra,MTA_tax,Tip_amount,Tolls_amount,Ehail_fee,improvement_surcharge,Total_amount,Payment_type,Trip_type
2,2016-08-01 00:00:01,2016-08-01 00:10:45,N,1,179,226,1,2.07,9.5,0.5,0.5,0,0,,0.3,10.8,2,1,,
2,2016-08-01 00:01:14,2016-08-01 00:00:14,N,1,74,42,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
2,2016-08-01 00:02:14,2016-08-01 00:09:14,N,1,74,42,1,1.5,-7,0.5,0.5,0,0,,0.3,-8.3,4,1,,
2,2016-08-01 00:03:14,2016-08-01 00:09:14,N,1,74,42,one,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
2,2016-08-01 00:04:14,2016-08-01 00:09:14,N,1,74,42,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,7,8
2,2016-08-01 00:05:14,2016-08-01 00:09:14,N,1,74
2,yesterday,2016-08-01 00:09:14,N,1,74,42,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
2,2016-08-01 00:06:14,2016-08-01 00:09:14,N,1,74,300,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
2,2016-08-01 00:07:14,2016-08-01 00:09:14,N,1,74,42,1,NaN,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
2,2016-08-01 00:08:14,2016-08-01 00:09:14,N,1,74,42,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,5,1,,
2,2098-08-01 00:08:14,2098-08-01 00:09:14,N,1,74,42,1,1.5,7,0.5,0.5,0,0,,0.3,8.3,2,1,,
";

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn strings(frame: &DataFrame, column: &str) -> Vec<Option<String>> {
    frame.column(column).unwrap().str().unwrap().iter().map(|v| v.map(str::to_owned)).collect()
}

fn all(path: &str) -> DataFrame {
    read(path).unwrap().all().unwrap().collect().unwrap()
}

fn sums(report: &QualityReport) {
    let dirty: u64 = report.dirty.iter().map(|(_, rows)| rows).sum();
    assert_eq!(report.rows_read, report.rows_clean + dirty);
}

#[test]
fn the_schema_of_2009_is_read_with_every_spelling_of_payment() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "2009.csv", YEAR_2009);
    let trips = read(&path).unwrap();
    assert_eq!(trips.files()[0].schema().era(), Era::Year2009);
    let frame = all(&path);
    let words = ["cash", "credit card", "credit card", "no charge"];
    assert_eq!(strings(&frame, "payment"), words.map(|w| Some(w.to_owned())));
    let marks = [None, None, Some("zero coordinates"), Some("coordinates outside New York")];
    assert_eq!(strings(&frame, DIRTY), marks.map(|m| m.map(str::to_owned)));
    assert_eq!(frame.column("pickup_lon").unwrap().f64().unwrap().get(0), Some(-73.99));
    assert_eq!(frame.column("dropoff_lat").unwrap().f64().unwrap().get(1), Some(40.76));
    assert_eq!(frame.column("passengers").unwrap().i32().unwrap().get(1), Some(3));
    assert_eq!(frame.column("pickup_zone").unwrap().null_count(), 4);
    // 4 May 2009, 02:52:00
    assert_eq!(
        frame.column("pickup_at").unwrap().datetime().unwrap().phys.get(0),
        Some(1_241_405_520_000_000)
    );
}

#[test]
fn headers_with_spaces_and_a_blank_line_are_those_of_2014() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "2014.csv", YEAR_2014);
    assert_eq!(read(&path).unwrap().files()[0].schema().era(), Era::Coordinates);
    let frame = all(&path).lazy().filter(col("pickup_at").is_not_null()).collect().unwrap();
    let words = ["credit card", "cash", "no charge", "dispute", "unknown"];
    assert_eq!(strings(&frame, "payment"), words.map(|w| Some(w.to_owned())));
    let total = frame.column("total").unwrap().f64().unwrap();
    assert_eq!(total.iter().collect::<Vec<_>>(), [8.9, 9.5, 12.5, 3.5, 3.5].map(Some));
    let report = read(&path).unwrap().report().unwrap();
    assert_eq!(report.rows_clean, 4);
    assert_eq!(report.rows_of("unknown payment"), 1);
    sums(&report);
}

#[test]
fn the_schema_of_2015_has_coordinates_and_payment_codes() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "2015.csv", YEAR_2015);
    assert_eq!(read(&path).unwrap().files()[0].schema().era(), Era::Coordinates);
    let frame = all(&path);
    assert_eq!(strings(&frame, "payment"), [Some("credit card".to_owned())]);
    assert_eq!(strings(&frame, DIRTY), [None]);
    assert_eq!(frame.column("dropoff_lon").unwrap().f64().unwrap().get(0), Some(-73.974785));
    assert_eq!(frame.column("tip").unwrap().f64().unwrap().get(0), Some(3.25));
}

#[test]
fn every_dirty_row_is_kept_marked_and_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "green.csv", GREEN_2016);
    let trips = read(&path).unwrap();
    assert_eq!(trips.files()[0].schema().era(), Era::Zones);
    let marks = [
        None,
        Some("drop-off before pickup"),
        Some("no fare of 0 to 1000 dollars"),
        Some("unreadable value"),
        Some("ragged line"),
        Some("no distance of 0 to 200 miles"),
        Some("unreadable value"),
        Some("zone not 1 to 265"),
        Some("no distance of 0 to 200 miles"),
        Some("unknown payment"),
        Some("pickup outside 2009 to 2039"),
    ];
    assert_eq!(strings(&all(&path), DIRTY), marks.map(|m| m.map(str::to_owned)));
    let report = trips.report().unwrap();
    assert_eq!((report.rows_read, report.rows_clean, report.rows_dirty()), (11, 1, 10));
    assert_eq!(report.rows_of("unreadable value"), 2);
    assert_eq!(report.rows_of("ragged line"), 1);
    sums(&report);
    let clean = trips.lazy().unwrap().collect().unwrap();
    assert_eq!(clean.height(), 1);
    assert_eq!(**clean.schema(), trip_schema());
    assert!(report.to_string().contains("11"), "{report}");
    assert!(report.mime_bundle().get("text/html").unwrap().contains("unreadable value"));
    assert_eq!(report.data_frame().unwrap().height(), report.dirty.len());
}

#[test]
fn parquet_is_read_whatever_its_number_types() {
    let dir = tempfile::tempdir().unwrap();
    let months = [
        df!("VendorID" => [1i64], "tpep_pickup_datetime" => [1_700_000_000_000_000_000i64],
            "tpep_dropoff_datetime" => [1_700_000_600_000_000_000i64], "passenger_count" => [1.0],
            "trip_distance" => [1.5], "PULocationID" => [161i64], "DOLocationID" => [237i64],
            "payment_type" => [1i64], "fare_amount" => [9.0], "tip_amount" => [2.0],
            "tolls_amount" => [0.0], "total_amount" => [15.0], "congestion_surcharge" => [2.5])
        .unwrap()
        .lazy()
        .with_columns([col("^tpep.*$").cast(DataType::Datetime(TimeUnit::Nanoseconds, None))]),
        df!("VendorID" => [1i32], "tpep_pickup_datetime" => [1_700_000_000_000_000i64],
            "tpep_dropoff_datetime" => [1_700_000_600_000_000i64], "passenger_count" => [Option::<i64>::None],
            "trip_distance" => [1.5], "PULocationID" => [161i32], "DOLocationID" => [237i32],
            "payment_type" => [0i64], "fare_amount" => [9.0], "tip_amount" => [2.0],
            "tolls_amount" => [0.0], "total_amount" => [15.0], "Airport_fee" => [0.0],
            "cbd_congestion_fee" => [0.75])
        .unwrap()
        .lazy()
        .with_columns([col("^tpep.*$").cast(DataType::Datetime(TimeUnit::Microseconds, None))]),
    ];
    for (i, month) in months.into_iter().enumerate() {
        let file = std::fs::File::create(dir.path().join(format!("{i}.parquet"))).unwrap();
        ParquetWriter::new(file).finish(&mut month.collect().unwrap()).unwrap();
    }
    let frame = all(dir.path().to_str().unwrap());
    assert_eq!(strings(&frame, DIRTY), [None, None]);
    assert_eq!(strings(&frame, "payment"), ["credit card", "flex fare"].map(|w| Some(w.to_owned())));
    let passengers = frame.column("passengers").unwrap().i32().unwrap();
    assert_eq!(passengers.iter().collect::<Vec<_>>(), [Some(1), None]);
    let at = frame.column("pickup_at").unwrap().datetime().unwrap();
    assert_eq!(at.phys.iter().collect::<Vec<_>>(), [Some(1_700_000_000_000_000); 2]);
}

#[test]
fn files_of_different_schemas_are_read_together_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "b-2015.csv", YEAR_2015);
    file(dir.path(), "a-2009.csv", YEAR_2009);
    file(dir.path(), "c-2016.csv", GREEN_2016);
    file(dir.path(), "notes.txt", "not trips");
    let frame = all(dir.path().join("*.csv").to_str().unwrap());
    assert_eq!(frame.height(), 4 + 1 + 11);
    assert_eq!(frame, all(dir.path().to_str().unwrap()));
    assert_eq!(frame.column("total").unwrap().f64().unwrap().get(4), Some(17.05));
}

#[test]
fn a_filter_on_normalised_columns_reaches_the_parquet_scan() {
    let dir = tempfile::tempdir().unwrap();
    let spec = crate::taxi::TripSpec { rows: 100, ..Default::default() };
    crate::taxi::generate(spec).unwrap().write_parquet(dir.path()).unwrap();
    let trips = read(dir.path().to_str().unwrap()).unwrap();
    let file = &trips.files()[0];
    let plan = file
        .schema()
        .normalise(file.scan().unwrap())
        .filter(col("pickup_zone").eq(lit(161)))
        .select([col("fare")])
        .explain(true)
        .unwrap();
    assert!(plan.contains("PROJECT 2/15 COLUMNS"), "{plan}");
    assert!(plan.contains("SELECTION: col(\"pickup_zone\") == 161"), "{plan}");
}

#[test]
fn unknown_columns_are_refused_with_what_was_found_and_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "zones.csv", "LocationID,zone\n1,Newark Airport\n");
    let message = read(&path).unwrap_err().to_string();
    for part in [
        "zones.csv",
        "`LocationID`, `zone`",
        "2009",
        "2010 to June 2016",
        "since July 2016",
        "`pulocationid`",
        "plain CSV or Parquet",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert!(!message.contains("beyond"), "{message}");
    let none = schema_of(&Schema::default()).unwrap_err();
    assert!(matches!(none, TaxiError::UnknownSchema { found, .. } if found.is_empty()));
}

#[test]
fn what_is_not_there_or_no_trip_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing: PathBuf = dir.path().join("no-*.csv");
    let error = read(missing.to_str().unwrap()).unwrap_err();
    assert!(matches!(&error, TaxiError::NoFiles { pattern } if pattern.ends_with("no-*.csv")), "{error}");
    let text = file(dir.path(), "trips.txt", YEAR_2009);
    assert!(matches!(read(&text).unwrap_err(), TaxiError::Format { .. }));
    assert!(matches!(read("trips/[").unwrap_err(), TaxiError::Pattern { .. }));
    let empty = file(dir.path(), "empty.csv", "");
    let error = read(&empty).unwrap_err().to_string();
    assert!(error.contains("empty.csv"), "{error}");
    let garbage = file(dir.path(), "garbage.parquet", "no parquet");
    let error = read(&garbage).unwrap_err().to_string();
    assert!(error.contains("garbage.parquet"), "{error}");
}
