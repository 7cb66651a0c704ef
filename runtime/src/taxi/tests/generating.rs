//! Generated trips are the same for a seed, and match the published figures.

use polars::prelude::*;
use proptest::prelude::*;

use crate::taxi::{DIRTY, TaxiError, TripSpec, generate, read, trip_schema, zones};

fn frame(spec: TripSpec) -> DataFrame {
    generate(spec).unwrap().data_frame().unwrap()
}

fn share(trips: &DataFrame, predicate: Expr) -> f64 {
    trips.clone().lazy().filter(predicate).collect().unwrap().height() as f64 / trips.height() as f64
}

fn number(trips: &DataFrame, value: Expr) -> f64 {
    let frame =
        trips.clone().lazy().select([value.cast(DataType::Float64).alias("value")]).collect().unwrap();
    frame.column("value").unwrap().f64().unwrap().get(0).unwrap()
}

fn assert_near(what: &str, value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{what} is {value}, not {expected} ± {tolerance}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_seed_gives_the_same_trips_whatever_the_threads_files_and_row_groups(
        rows in 0usize..25_000, seed: u64, threads in 1usize..6, files in 1usize..9, group in 500usize..20_000,
    ) {
        let plain = TripSpec { rows, seed, threads: 1, ..Default::default() };
        let expected = frame(plain.clone());
        prop_assert_eq!(expected.height(), rows);
        let dir = tempfile::tempdir().unwrap();
        let spec = TripSpec { threads, files, row_group_rows: group, ..plain };
        let paths = generate(spec).unwrap().write_parquet(dir.path()).unwrap();
        prop_assert_eq!(paths.len(), files);
        let written = read(dir.path().to_str().unwrap()).unwrap().lazy().unwrap().collect().unwrap();
        prop_assert!(written.equals_missing(&expected));
    }
}

#[test]
fn other_seeds_give_other_trips() {
    let of = |seed| frame(TripSpec { rows: 1000, seed, ..Default::default() });
    assert!(!of(1).equals_missing(&of(2)));
}

#[test]
fn the_schema_is_the_normalised_one_and_every_trip_is_clean() {
    let trips = frame(TripSpec { rows: 200_000, seed: 3, ..Default::default() });
    assert_eq!(**trips.schema(), trip_schema());
    let dir = tempfile::tempdir().unwrap();
    let paths = generate(TripSpec { rows: 50_000, months: 12, month: 5, ..Default::default() })
        .unwrap()
        .write_parquet(dir.path())
        .unwrap();
    let read = read(paths[0].to_str().unwrap()).unwrap();
    let report = read.report().unwrap();
    assert_eq!((report.rows_read, report.rows_clean), (50_000, 50_000), "{report}");
    assert_eq!(read.all().unwrap().collect().unwrap().column(DIRTY).unwrap().null_count(), 50_000);
}

#[test]
fn trips_are_sorted_and_stay_within_their_months() {
    let trips = frame(TripSpec { rows: 30_000, year: 2019, month: 12, months: 3, ..Default::default() });
    let at = trips.column("pickup_at").unwrap().datetime().unwrap().phys.clone();
    let at: Vec<i64> = at.iter().flatten().collect();
    assert!(at.is_sorted());
    let hour = 3_600_000_000;
    let (first, end) = (1_575_158_400_000_000, 1_582_934_400_000_000 + 24 * hour); // 1 December 2019, 1 March 2020
    assert!((first..first + hour).contains(&at[0]), "{}", at[0]);
    assert!((end - hour..end).contains(&at[at.len() - 1]), "{}", at[at.len() - 1]);
}

#[test]
fn shares_follow_the_published_figures() {
    let trips = frame(TripSpec { rows: 400_000, seed: 11, ..Default::default() });
    let pays = |word: &'static str| share(&trips, col("payment").eq(lit(word)));
    assert_near("card", pays("credit card"), 0.722, 0.005);
    assert_near("cash", pays("cash"), 0.27, 0.005);
    let hour = |hours: std::ops::Range<i32>| {
        let of_day = col("pickup_at").dt().hour().cast(DataType::Int32);
        share(&trips, of_day.clone().gt_eq(lit(hours.start)).and(of_day.lt(lit(hours.end))))
            / hours.len() as f64
    };
    let busiest = (0..24).max_by(|a, b| hour(*a..a + 1).total_cmp(&hour(*b..b + 1))).unwrap();
    let quietest = (0..24).min_by(|a, b| hour(*a..a + 1).total_cmp(&hour(*b..b + 1))).unwrap();
    assert!((18..20).contains(&busiest) && (3..6).contains(&quietest), "{busiest} {quietest}");
    assert!(hour(18..20) > 6.0 * hour(3..6));
    let zone = |zone: i32| share(&trips, col("pickup_zone").eq(lit(zone)));
    assert_near("Upper East Side South", zone(237), 0.037, 0.006);
    assert_near("JFK", zone(132), 0.024, 0.004);
    assert!(zone(237) > 20.0 * zone(7));
    let miles = || col("distance_miles");
    assert_near("median distance", number(&trips, miles().median()), 1.65, 0.15);
    assert_near("mean distance", number(&trips, miles().mean()), 3.0, 0.3);
    let from = |zone: i32| {
        let part = trips.clone().lazy().filter(col("pickup_zone").eq(lit(zone))).collect().unwrap();
        number(&part, miles().median())
    };
    assert_near("miles from JFK", from(132), 17.0, 1.5);
    assert_near("miles from LaGuardia", from(138), 9.0, 1.5);
    assert_near("mean fare", number(&trips, col("fare").mean()), 13.0, 1.2);
    let minutes = (col("dropoff_at") - col("pickup_at")).cast(DataType::Int64).median() / lit(60e6);
    assert_near("median minutes", number(&trips, minutes), 11.0, 1.0);
}

#[test]
fn money_adds_up_and_cash_tips_are_not_recorded() {
    let trips = frame(TripSpec { rows: 100_000, seed: 5, ..Default::default() });
    assert_eq!(share(&trips, col("payment").neq(lit("credit card")).and(col("tip").gt(lit(0.0)))), 0.0);
    let untipped = col("payment").eq(lit("credit card")).and(col("tip").eq(lit(0.0)));
    assert_near("card trips without a tip", share(&trips, untipped) / 0.722, 0.046, 0.005);
    let rest = col("total") - col("fare") - col("tip") - col("tolls");
    // Tax and surcharges: at least 80 cents, at most 80 cents, $2.50 and JFK's $4.50.
    assert_eq!(share(&trips, rest.is_between(lit(0.795), lit(7.805), ClosedInterval::Both)), 1.0);
    let jfk =
        trips.clone().lazy().filter(col("pickup_zone").eq(lit(132)).and(col("dropoff_zone").eq(lit(161))));
    let jfk = jfk.select([col("fare")]).unique(None, UniqueKeepStrategy::Any).collect().unwrap();
    assert_eq!(jfk.column("fare").unwrap().f64().unwrap().iter().collect::<Vec<_>>(), [Some(52.0)]);
}

#[test]
fn places_lie_in_their_zones() {
    let trips = frame(TripSpec { rows: 20_000, seed: 5, ..Default::default() });
    let middles = zones().unwrap();
    assert_eq!(middles.height(), 263);
    let off = trips
        .lazy()
        .join(middles.lazy(), [col("dropoff_zone")], [col("zone")], JoinArgs::new(JoinType::Left))
        .select([
            (col("dropoff_lon") - col("lon")).abs().max(),
            (col("dropoff_lat") - col("lat")).abs().max(),
        ])
        .collect()
        .unwrap();
    for column in off.columns() {
        let degrees = column.f64().unwrap().get(0).unwrap();
        assert!(degrees > 0.0 && degrees < 0.009, "{degrees}");
    }
}

#[test]
fn a_row_group_is_never_larger_than_asked_and_has_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let spec = TripSpec { rows: 25_000, files: 2, row_group_rows: 10_000, ..Default::default() };
    let paths = generate(spec).unwrap().write_parquet(dir.path()).unwrap();
    for path in paths {
        let mut reader = ParquetReader::new(std::fs::File::open(path).unwrap());
        let metadata = reader.get_metadata().unwrap();
        let rows: Vec<usize> = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(rows, [10_000, 2_500]);
        for column in metadata.row_groups[0].parquet_columns() {
            assert!(
                column.statistics(&metadata.footer_buf).is_some(),
                "{:?}",
                column.descriptor().path_in_schema
            );
        }
    }
}

#[test]
fn trips_of_another_run_are_not_mixed_with_the_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let spec = |files| TripSpec { rows: 100, files, ..Default::default() };
    generate(spec(2)).unwrap().write_parquet(dir.path()).unwrap();
    generate(spec(2)).unwrap().write_parquet(dir.path()).unwrap();
    let error = generate(spec(3)).unwrap().write_parquet(dir.path()).unwrap_err();
    assert!(
        matches!(&error, TaxiError::Occupied { found, .. } if found == "trips-00001-of-00002.parquet"),
        "{error}"
    );
    assert_eq!(read(dir.path().to_str().unwrap()).unwrap().report().unwrap().rows_read, 100);
}

#[test]
fn a_specification_that_makes_no_sense_is_refused_by_field() {
    let wrong = [
        ("month", TripSpec { month: 13, ..Default::default() }),
        ("months", TripSpec { months: 0, ..Default::default() }),
        ("year", TripSpec { year: 1999, ..Default::default() }),
        ("months", TripSpec { year: 2039, months: 11, ..Default::default() }),
        ("files", TripSpec { files: 0, ..Default::default() }),
        ("row_group_rows", TripSpec { row_group_rows: 0, ..Default::default() }),
    ];
    for (name, spec) in wrong {
        let error = generate(spec).err().unwrap();
        assert!(matches!(&error, TaxiError::Spec { field, .. } if *field == name), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
