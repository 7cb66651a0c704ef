//! Every wide step returns the rows that plain Polars returns, whatever the partitions: random data with
//! nulls, NaN, empty partitions, one key for all rows; 1 to 64 partitions.

use partita::prelude::*;
use proptest::prelude::*;

/// Rows before they become a frame.
#[derive(Debug, Clone)]
struct Rows {
    key: Vec<Option<i64>>,
    name: Vec<Option<String>>,
    value: Vec<Option<f64>>,
}

impl Rows {
    fn frame(&self) -> DataFrame {
        df!("key" => &self.key, "name" => &self.name, "value" => &self.value).unwrap()
    }
}

fn rows() -> impl Strategy<Value = Rows> {
    let key = prop_oneof![
        Just(Some(7i64)).boxed(),
        prop::option::weighted(0.9, -3i64..4).boxed(),
        prop::option::weighted(0.8, any::<i64>()).boxed(),
    ];
    // Multiples of a half add without rounding, so sums are equal in any order.
    let value = prop::option::weighted(0.9, (-1000i32..1000).prop_map(|v| f64::from(v) / 2.0));
    let name = prop::option::weighted(0.9, "[a-c]{0,2}");
    let one_key = prop::bool::weighted(0.2);
    (prop::collection::vec((key, name, value), 0..200), one_key).prop_map(|(rows, one_key)| Rows {
        key: rows.iter().map(|row| if one_key { Some(1) } else { row.0 }).collect(),
        name: rows.iter().map(|row| row.1.clone()).collect(),
        value: rows.iter().map(|row| row.2).collect(),
    })
}

fn session() -> &'static Session {
    static SESSION: std::sync::LazyLock<Session> = std::sync::LazyLock::new(|| Session::embedded(2).unwrap());
    &SESSION
}

/// Rows as a set: sorted by every column.
fn sorted(frame: DataFrame) -> DataFrame {
    let names: Vec<_> = frame.get_column_names_owned();
    frame.sort(names, SortMultipleOptions::default()).unwrap()
}

#[track_caller]
fn assert_same_rows(ours: DataFrame, polars: LazyFrame) {
    let polars = polars.collect().unwrap();
    assert_eq!(ours.schema(), polars.schema());
    let (ours, polars) = (sorted(ours), sorted(polars));
    assert!(ours.equals_missing(&polars), "ours {ours}\nPolars {polars}");
}

fn a_partitioning() -> impl Strategy<Value = Partitioning> {
    (0..5, 1usize..=64, 1usize..=64).prop_map(|(kind, n, salts)| match kind {
        0 => Partitioning::RoundRobin(n),
        1 => Partitioning::Hash(vec![col("key"), col("name")], n),
        2 => Partitioning::Range(vec![col("value")], n),
        3 => Partitioning::Salted(vec![col("key")], n, salts),
        // In integers: Polars' remainder of floats can be the divisor itself.
        _ => Partitioning::Expr(col("value").fill_null(0).cast(DataType::Int64).abs() % lit(n as i64), n),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn repartition_and_coalesce_conserve_every_row(
        rows in rows(), n in 1usize..=64, by in a_partitioning(), m in 1usize..=64,
    ) {
        let moved = session().frame(rows.frame(), n).repartition_by(by.clone());
        let partitions = moved.collect_partitions().unwrap();
        prop_assert_eq!(partitions.len(), by.partitions());
        assert_same_rows(moved.collect().unwrap(), rows.frame().lazy());
        let fewer = moved.coalesce(m);
        prop_assert_eq!(fewer.collect_partitions().unwrap().len(), m.min(by.partitions()));
        assert_same_rows(fewer.collect().unwrap(), rows.frame().lazy());
    }

    #[test]
    fn rows_with_equal_keys_share_a_partition_after_a_hash_repartition(
        rows in rows(), n in 1usize..=64, m in 1usize..=64,
    ) {
        let by = Partitioning::Hash(vec![col("key")], m);
        let parts = session().frame(rows.frame(), n).repartition_by(by).collect_partitions().unwrap();
        let distinct: usize = parts
            .iter()
            .map(|part| part.column("key").unwrap().as_materialized_series().n_unique().unwrap())
            .sum();
        prop_assert_eq!(distinct, rows.frame().column("key").unwrap().as_materialized_series().n_unique().unwrap());
    }

    #[test]
    fn group_by_gives_polars_groups_with_and_without_map_side_combine(
        rows in rows(), n in 1usize..=64, combine: bool, salts in prop::option::of(1usize..=16),
    ) {
        let aggs = [
            len().alias("rows"),
            col("value").sum().alias("sum"),
            col("value").mean().alias("mean"),
            col("value").min().alias("min"),
            (col("value").max() - col("value").min()).alias("spread"),
            col("name").count().alias("names"),
            col("value").filter(col("value").gt(lit(0))).sum().alias("positive"),
        ];
        let grouped = session().frame(rows.frame(), n).group_by([col("key")]).map_side_combine(combine);
        let grouped = if let Some(salts) = salts { grouped.salted(salts) } else { grouped };
        assert_same_rows(grouped.agg(&aggs).collect().unwrap(), rows.frame().lazy().group_by([col("key")]).agg(aggs));
    }

    #[test]
    fn groups_by_floats_booleans_and_dates_are_polars_groups(
        rows in prop::collection::vec((0usize..6, prop::option::of(any::<bool>()), prop::option::of(0i32..4), any::<i32>()), 0..200),
        n in 1usize..=64,
    ) {
        const FLOATS: [Option<f64>; 6] = [Some(0.0), Some(-0.0), Some(f64::NAN), Some(1.5), Some(f64::INFINITY), None];
        let frame = df!(
            "float" => rows.iter().map(|row| FLOATS[row.0]).collect::<Vec<_>>(),
            "bool" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "date" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            "value" => rows.iter().map(|row| i64::from(row.3)).collect::<Vec<_>>(),
        ).unwrap().lazy().with_columns([col("date").cast(DataType::Date)]).collect().unwrap();
        // Which of the equal keys 0.0 and -0.0 represents its group is undefined.
        let keys = [col("float") + lit(0.0), col("bool"), col("date")];
        let aggs = [col("value").sum(), col("value").max().alias("max"), len().alias("rows")];
        for keys in [&keys[..1], &keys[1..2], &keys[2..], &keys[..]] {
            let ours = session().frame(frame.clone(), n).group_by(keys).agg(&aggs).collect().unwrap();
            assert_same_rows(ours, frame.clone().lazy().group_by(keys).agg(&aggs));
        }
    }

    #[test]
    fn aggregations_that_do_not_decompose_are_right_too(rows in rows(), n in 1usize..=64) {
        let aggs = [col("value").median().alias("median"), col("name").n_unique().alias("names")];
        let ours = session().frame(rows.frame(), n).group_by([col("key"), col("name").alias("n")]).agg(&aggs);
        let polars = rows.frame().lazy().group_by([col("key"), col("name").alias("n")]).agg(aggs);
        assert_same_rows(ours.collect().unwrap(), polars);
    }

    #[test]
    fn totals_over_all_partitions_are_one_row(rows in rows(), n in 1usize..=64) {
        let aggs = [len().alias("rows"), col("value").sum(), col("key").min().alias("least")];
        let ours = session().frame(rows.frame(), n).agg(&aggs).collect().unwrap();
        prop_assert_eq!(ours.height(), 1);
        assert_same_rows(ours, rows.frame().lazy().select(aggs));
    }

    #[test]
    fn joins_give_polars_rows_by_shuffle_and_by_broadcast(
        left in rows(), right in rows(), n in 1usize..=16, m in 1usize..=16, how in 0usize..5, salts in 1usize..=16,
    ) {
        let how = [JoinType::Inner, JoinType::Left, JoinType::Semi, JoinType::Anti, JoinType::Full][how].clone();
        let (l, r) = (left.frame(), right.frame());
        let on = [col("key")];
        let polars = l.clone().lazy().join(r.clone().lazy(), &on, &on, JoinArgs::new(how.clone()));
        let (l, r) = (session().frame(l, n), session().frame(r, m));
        let mut strategies = vec![JoinStrategy::Shuffle, JoinStrategy::Auto];
        if how != JoinType::Full {
            strategies.extend([JoinStrategy::Broadcast, JoinStrategy::Salted(salts)]);
        }
        for strategy in strategies {
            let on = JoinOn { left: vec![col("key")], right: vec![col("key")], how: how.clone(), strategy };
            assert_same_rows(l.join_on(&r, on).collect().unwrap(), polars.clone());
        }
    }

    #[test]
    fn sort_is_polars_order_over_all_partitions(
        rows in rows(), n in 1usize..=64, descending: bool, nulls_last: bool,
    ) {
        let options = SortMultipleOptions::default().with_order_descending(descending).with_nulls_last(nulls_last);
        let by = [col("value"), col("key"), col("name")];
        let ours = session().frame(rows.frame(), n).sort_with(&by, options.clone()).collect().unwrap();
        let polars = rows.frame().lazy().sort_by_exprs(by, options).collect().unwrap();
        prop_assert!(ours.equals_missing(&polars), "ours {}\nPolars {}", ours, polars);
    }

    #[test]
    fn keys_may_be_wildcards_and_name_a_column_twice(rows in rows(), n in 1usize..=16) {
        let dataset = session().frame(rows.frame(), n);
        let by = [col("value").is_null(), col("value"), cols(["key", "name"]).as_expr()];
        let ours = dataset.sort(&by).collect().unwrap();
        let polars = rows.frame().lazy().sort_by_exprs(by, SortMultipleOptions::default()).collect().unwrap();
        prop_assert!(ours.equals_missing(&polars), "ours {}\nPolars {}", ours, polars);
        let keys = [cols(["key", "name"]).as_expr()];
        let aggs = [col("value").median().alias("median")];
        let ours = dataset.group_by(&keys).agg(&aggs).collect().unwrap();
        assert_same_rows(ours, rows.frame().lazy().group_by(keys).agg(aggs));
    }

    #[test]
    fn aggregates_of_types_they_do_not_fit_are_null_as_in_polars(rows in rows(), n in 1usize..=16) {
        let aggs = [col("name").mean().alias("mean"), col("name").max().alias("max"), lit(1).sum().alias("one")];
        let ours = session().frame(rows.frame(), n).group_by([col("key")]).agg(&aggs).collect().unwrap();
        assert_same_rows(ours, rows.frame().lazy().group_by([col("key")]).agg(aggs));
    }

    #[test]
    fn distinct_keeps_one_of_each(rows in rows(), n in 1usize..=64) {
        let dataset = session().frame(rows.frame(), n);
        assert_same_rows(dataset.distinct().collect().unwrap(), rows.frame().lazy().unique(None, UniqueKeepStrategy::Any));
        let by_key = dataset.distinct_by(["key"]).select([col("key")]).collect().unwrap();
        assert_same_rows(by_key, rows.frame().lazy().select([col("key")]).unique(None, UniqueKeepStrategy::Any));
    }

    #[test]
    fn union_and_limit_keep_partition_order(a in rows(), b in rows(), n in 1usize..=64, take in 0usize..300) {
        let both = session().frame(a.frame(), n).union(&session().frame(b.frame(), 3));
        let polars = concat([a.frame().lazy(), b.frame().lazy()], UnionArgs::default()).unwrap();
        let ours = both.limit(take).collect().unwrap();
        prop_assert!(ours.equals_missing(&polars.clone().limit(take as u32).collect().unwrap()));
        prop_assert_eq!(both.count().unwrap(), polars.collect().unwrap().height() as u64);
    }

    #[test]
    fn groups_of_a_file_are_those_of_its_rows_however_it_is_cut_into_row_groups(
        rows in rows(), row_group in 1usize..60, take in 0usize..300,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.parquet");
        ParquetWriter::new(std::fs::File::create(&path).unwrap())
            .with_row_group_size(Some(row_group))
            .finish(&mut rows.frame())
            .unwrap();
        // Row groups this small become one partition.
        let files = session().read_parquet(&path).unwrap();
        prop_assert_eq!(files.partitions().unwrap(), 1);
        let aggs = || [len(), col("name").count(), col("value").sum()];
        let keep = col("value").gt(lit(0.0)).or(col("name").is_null());
        assert_same_rows(
            files.group_by([col("key")]).agg(aggs()).collect().unwrap(),
            rows.frame().lazy().group_by([col("key")]).agg(aggs()),
        );
        assert_same_rows(
            files.filter(keep.clone()).group_by([col("name").alias("n"), col("key")]).agg(aggs()).collect().unwrap(),
            rows.frame().lazy().filter(keep).group_by([col("name").alias("n"), col("key")]).agg(aggs()),
        );
        let first = files.map_partitions(|lf| lf.limit(take as u32).filter(col("key").is_not_null()));
        assert_same_rows(
            first.group_by([col("key")]).agg(aggs()).collect().unwrap(),
            rows.frame().lazy().limit(take as u32).filter(col("key").is_not_null()).group_by([col("key")]).agg(aggs()),
        );
    }

    #[test]
    fn narrow_steps_and_a_chain_of_wide_ones_match_polars(rows in rows(), n in 1usize..=64) {
        let keep = col("key").gt(lit(0)).or(col("name").is_not_null());
        let double = (col("value") * lit(2.0)).alias("double");
        let ours = session()
            .frame(rows.frame(), n)
            .filter(keep.clone())
            .with_columns([double.clone()])
            .map_partitions(|lf| lf.filter(col("double").lt(lit(500.0))))
            .group_by([col("name")])
            .agg([col("double").sum()])
            .sort([col("name")]);
        let polars = rows
            .frame()
            .lazy()
            .filter(keep)
            .with_columns([double])
            .filter(col("double").lt(lit(500.0)))
            .group_by([col("name")])
            .agg([col("double").sum()])
            .sort(["name"], SortMultipleOptions::default());
        let (ours, polars) = (ours.collect().unwrap(), polars.collect().unwrap());
        prop_assert!(ours.equals_missing(&polars), "ours {}\nPolars {}", ours, polars);
    }

    #[test]
    fn a_cached_dataset_gives_the_same_rows_at_every_storage_level(rows in rows(), n in 1usize..=16) {
        for level in [StorageLevel::MemoryOnly, StorageLevel::MemoryAndDisk, StorageLevel::DiskOnly] {
            let cached = session().frame(rows.frame(), n).filter(col("key").is_not_null()).persist(level);
            let first = cached.collect().unwrap();
            let (_, report) = cached.profile().unwrap();
            prop_assert_eq!(report.stages[0].total(|m| m.cache_hits), n as u64);
            assert_same_rows(first, rows.frame().lazy().filter(col("key").is_not_null()));
            cached.unpersist();
            prop_assert_eq!(cached.cached_partitions(), (0, 0));
            assert_same_rows(cached.collect().unwrap(), rows.frame().lazy().filter(col("key").is_not_null()));
            cached.unpersist();
        }
    }
}

#[test]
fn rows_of_partitions_put_together_are_counted() {
    let session = Session::embedded(2).unwrap();
    let rows = session.range(0, 100, 8).with_columns([(col("id") % lit(3)).alias("k")]);
    assert_eq!(rows.coalesce(3).count().unwrap(), 100);
    assert_eq!(rows.coalesce(1).filter(col("k").eq(lit(0))).count().unwrap(), 34);
    let twice = rows.map_partitions(|lf| concat([lf.clone(), lf], UnionArgs::default()).unwrap());
    assert_eq!(twice.count().unwrap(), 200);
}
