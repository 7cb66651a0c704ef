//! Taxi trips as datasets: generated ones in partitions, real ones with their invalid rows counted.

use partita::prelude::*;

const MARCH_2019: &str = "\
VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,store_and_fwd_flag,\
PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount
1,2019-03-01 18:10:00,2019-03-01 18:20:00,1,1.5,1,N,237,236,1,8.5,1,0.5,2.0,0,0.3,12.3
2,2019-03-01 19:00:00,2019-03-01 18:20:00,1,1.5,1,N,237,236,2,8.5,1,0.5,0,0,0.3,10.3
";

#[test]
fn generated_trips_come_back_in_partitions_and_group_as_in_plain_polars() {
    let directory = tempfile::tempdir().unwrap();
    let spec =
        taxi::TripSpec { rows: 20_000, seed: 3, files: 2, row_group_rows: 5_000, ..Default::default() };
    let files = taxi::generate(spec).unwrap().write_parquet(directory.path()).unwrap();
    let session = Session::embedded(2).unwrap();
    let trips = session.read_trips(directory.path()).unwrap();
    assert_eq!(trips.clean().count().unwrap(), 20_000);

    let keys = [col("pickup_at").dt().hour().alias("hour")];
    let aggs = [len().alias("trips"), col("total").sum()];
    let ours = trips.clean().group_by(&keys).agg(&aggs).sort([col("hour")]).collect().unwrap();
    let scans = files.iter().map(|file| {
        LazyFrame::scan_parquet(PlRefPath::try_from_path(file).unwrap(), ScanArgsParquet::default()).unwrap()
    });
    let polars = concat(scans.collect::<Vec<_>>(), UnionArgs::default()).unwrap();
    let polars = polars.group_by(keys).agg(aggs).sort(["hour"], SortMultipleOptions::default());
    let polars = polars.collect().unwrap();
    assert_eq!(ours.column("trips").unwrap(), polars.column("trips").unwrap());
    let total = |frame: &DataFrame| frame.column("total").unwrap().f64().unwrap().sum().unwrap();
    assert!((total(&ours) - total(&polars)).abs() < 1e-3);
}

#[test]
fn dirty_rows_of_real_files_are_marked_and_counted_and_left_out_of_the_clean_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("yellow_tripdata_2019-03.csv");
    std::fs::write(&path, MARCH_2019).unwrap();
    let session = Session::embedded(2).unwrap();
    let trips = session.read_trips(&path).unwrap();
    assert_eq!((trips.all().count().unwrap(), trips.clean().count().unwrap()), (2, 1));
    let report = trips.report().unwrap();
    assert_eq!((report.rows_read, report.rows_clean), (2, 1));
    let zone = trips.clean().collect().unwrap().column("pickup_zone").unwrap().get(0).unwrap().to_string();
    assert_eq!(zone, "237");
}

#[test]
fn a_file_that_is_none_of_tlcs_says_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weather.csv");
    std::fs::write(&path, "day,rain\n1,0\n").unwrap();
    let error = Session::embedded(1).unwrap().read_trips(&path).unwrap_err().to_string();
    for word in ["weather.csv", "day", "rain", "pulocationid"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_filter_on_the_time_of_pickup_leaves_the_row_groups_of_other_days_out() {
    let directory = tempfile::tempdir().unwrap();
    let spec = taxi::TripSpec { rows: 31_000, row_group_rows: 1_000, ..taxi::TripSpec::default() };
    taxi::generate(spec).unwrap().write_parquet(directory.path()).unwrap();
    let session = Session::embedded(2).unwrap();
    let trips = session.read_parquet_in(directory.path(), 4).unwrap();
    let day = |day| taxi::midnight(day).unwrap();
    let between = col("pickup_at").is_between(day("2019-03-10"), day("2019-03-11"), ClosedInterval::Left);
    let (found, report) = trips.filter(between).profile().unwrap();
    let skipped = report.total(|task| task.row_groups_skipped);
    assert!((25..31).contains(&skipped), "{skipped}: {report}");
    let all = trips.collect().unwrap().lazy().filter(col("pickup_at").dt().day().eq(lit(10)));
    assert_eq!(found.height(), all.collect().unwrap().height());
    assert!(found.height() > 500);
    let also_by_hour =
        trips.filter(col("pickup_at").lt(day("2019-03-02")).and(col("pickup_at").dt().hour().gt(lit(12))));
    assert!(also_by_hour.profile().unwrap().1.total(|task| task.row_groups_skipped) > 25);
}
