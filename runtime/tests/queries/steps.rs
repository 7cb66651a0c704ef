//! Steps over whole datasets, with their answers: the partitions are not to be seen in them.

use partita::prelude::*;
use polars::frame::PivotColumnNaming;
use polars::series::ops::NullBehavior;

fn session() -> Session {
    let session = Session::embedded(2).unwrap();
    session.set_shuffle_partitions(3).unwrap();
    session
}

/// Seven rows in four partitions, one of them empty.
fn rows(session: &Session) -> Dataset {
    let frame = df!("k" => ["a", "b", "a", "b", "a", "c", "b"], "v" => [1i64, 2, 3, 4, 5, 6, 7]).unwrap();
    session.frames([frame.slice(0, 2), frame.slice(2, 0), frame.slice(2, 4), frame.slice(6, 1)])
}

/// The same rows, in the same order.
#[track_caller]
fn assert_rows(dataset: &Dataset, expected: PolarsResult<DataFrame>) {
    let (rows, expected) = (dataset.collect().unwrap(), expected.unwrap());
    assert!(rows.equals_missing(&expected), "{rows}\nexpected {expected}\n{}", dataset.explain().unwrap());
    assert_eq!(dataset.count().unwrap(), expected.height() as u64);
}

/// The same rows, by these columns.
#[track_caller]
fn assert_sorted(dataset: &Dataset, by: &[&str], expected: PolarsResult<DataFrame>) {
    assert_rows(&dataset.sort(by.iter().map(|name| col(*name)).collect::<Vec<_>>()), expected);
}

fn over(expr: Expr, key: &str) -> Expr {
    expr.over([col(key)]).unwrap()
}

#[test]
fn windows_see_all_rows_of_their_key() {
    let session = session();
    let windows = rows(&session).with_columns([
        over(col("v").sum(), "k").alias("sum"),
        over(len(), "k").alias("rows"),
        over(col("v").rank(RankOptions::default(), None), "k").alias("rank"),
        over(col("v").shift(lit(1)), "k").alias("before"),
        over(col("v").cum_sum(false), "k").alias("so far"),
    ]);
    let expected = df!(
        "k" => ["a", "b", "a", "b", "a", "c", "b"],
        "v" => [1i64, 2, 3, 4, 5, 6, 7],
        "sum" => [9i64, 13, 9, 13, 9, 6, 13],
        "rows" => [3u32, 3, 3, 3, 3, 1, 3],
        "rank" => [1u32, 1, 2, 2, 3, 1, 3],
        "before" => [None, None, Some(1i64), Some(2), Some(3), None, Some(4)],
        "so far" => [1i64, 2, 4, 6, 9, 6, 13],
    );
    assert_sorted(&windows, &["v"], expected);
}

#[test]
fn windows_over_different_keys_may_stand_side_by_side() {
    let session = session();
    let windows = rows(&session).with_columns([(col("v") % lit(2)).alias("odd")]).with_columns([
        over(col("v").max(), "k").alias("of k"),
        over(col("v").max(), "odd").alias("of odd"),
        col("v").max().alias("of all"),
    ]);
    let expected = df!(
        "v" => [1i64, 2, 3, 4, 5, 6, 7],
        "of k" => [5i64, 7, 5, 7, 5, 6, 7],
        "of odd" => [7i64, 6, 7, 6, 7, 6, 7],
        "of all" => [7i64; 7],
    );
    assert_sorted(&windows.select(["v", "of k", "of odd", "of all"].map(col)), &["v"], expected);
}

#[test]
fn a_window_may_have_an_order_of_its_own() {
    let session = session();
    let latest = col("v")
        .first()
        .over_with_options(
            Some([col("k")]),
            Some(([col("v")], SortOptions::default().with_order_descending(true))),
            WindowMapping::GroupsToRows,
        )
        .unwrap();
    let windows = rows(&session).select([col("v"), latest.alias("latest")]);
    let expected = df!("v" => [1i64, 2, 3, 4, 5, 6, 7], "latest" => [5i64, 7, 5, 7, 5, 6, 7]);
    assert_sorted(&windows, &["v"], expected);
}

#[test]
fn shifts_and_running_totals_go_on_from_partition_to_partition() {
    let session = session();
    let running = rows(&session).with_columns([
        col("v").shift(lit(1)).alias("before"),
        col("v").shift(lit(-2)).alias("after"),
        col("v").cum_sum(false).alias("so far"),
        col("v").diff(lit(1), NullBehavior::Ignore).alias("step"),
    ]);
    let expected = df!(
        "v" => [1i64, 2, 3, 4, 5, 6, 7],
        "before" => [None, Some(1i64), Some(2), Some(3), Some(4), Some(5), Some(6)],
        "after" => [Some(3i64), Some(4), Some(5), Some(6), Some(7), None, None],
        "so far" => [1i64, 3, 6, 10, 15, 21, 28],
        "step" => [None, Some(1i64), Some(1), Some(1), Some(1), Some(1), Some(1)],
    );
    assert_rows(&running.drop(["k"]), expected);
}

#[test]
fn aggregates_among_rows_are_those_of_the_whole_dataset() {
    let session = session();
    let rows = rows(&session);
    assert_sorted(
        &rows.filter(col("v").gt(col("v").mean())),
        &["v"],
        df!("k" => ["a", "c", "b"], "v" => [5i64, 6, 7]),
    );
    assert_rows(
        &rows.select([col("v").sum(), len().alias("rows"), col("v").median().alias("median")]),
        df!("v" => [28i64], "rows" => [7u32], "median" => [4.0]),
    );
    assert_rows(&rows.select([lit(1).alias("one")]), df!("one" => [1]));
    let shares = rows.select([col("v") - col("v").min(), col("v").max().alias("max")]);
    assert_sorted(&shares, &["v"], df!("v" => [0i64, 1, 2, 3, 4, 5, 6], "max" => [7i64; 7]));
    let total = rows.with_columns([col("v").sum().alias("sum")]).filter(col("k").eq(lit("c")));
    assert_rows(&total, df!("k" => ["c"], "v" => [6i64], "sum" => [28i64]));
    let above = rows.filter(col("v").gt(over(col("v").mean(), "k")));
    assert_sorted(&above, &["v"], df!("k" => ["a", "b"], "v" => [5i64, 7]));
}

#[test]
fn a_pivot_has_a_row_per_index_and_a_column_per_value() {
    let session = session();
    let rows = rows(&session).with_columns([when((col("v") % lit(2)).eq(lit(1)))
        .then(lit("odd"))
        .otherwise(lit("even"))
        .alias("parity")]);
    let expected = || {
        df!(
            "k" => ["a", "b", "c"],
            "odd" => [9i64, 7, 0],
            "even" => [0i64, 6, 6],
        )
    };
    let pivot = rows.query(|lf| {
        lf.pivot(
            by_name(["parity"], true, false),
            Arc::new(df!("parity" => ["odd", "even"]).unwrap()),
            by_name(["k"], true, false),
            by_name(["v"], true, false),
            element().sum(),
            false,
            "_".into(),
            PivotColumnNaming::Auto,
        )
    });
    assert_sorted(&pivot.fill_null(0), &["k"], expected());
    let is = |parity: &str| col("v").filter(col("parity").eq(lit(parity))).sum().alias(parity);
    assert_sorted(&rows.group_by([col("k")]).agg([is("odd"), is("even")]), &["k"], expected());
}

fn asof(left_by: Option<&str>) -> JoinType {
    let by = left_by.map(|by| vec![by.into()]);
    JoinType::AsOf(Box::new(AsOfOptions {
        left_by: by.clone(),
        right_by: by,
        allow_eq: true,
        check_sortedness: true,
        ..Default::default()
    }))
}

#[test]
fn an_as_of_join_finds_the_latest_row_before() {
    let session = session();
    let trades = session.frame(df!("t" => [1i64, 3, 6, 7], "k" => ["a", "b", "a", "b"]).unwrap(), 3);
    let quotes = df!("t" => [0i64, 2, 4, 5], "k" => ["a", "b", "b", "a"], "price" => [10, 20, 30, 40]);
    let quotes = quotes.unwrap().lazy();
    let joined = |by: Option<&'static str>| {
        let quotes =
            if by.is_none() { quotes.clone().drop(by_name(["k"], true, false)) } else { quotes.clone() };
        trades.query(|trades| trades.join(quotes, [col("t")], [col("t")], JoinArgs::new(asof(by))))
    };
    let prices =
        |prices: [i32; 4]| df!("t" => [1i64, 3, 6, 7], "k" => ["a", "b", "a", "b"], "price" => prices);
    assert_sorted(&joined(None), &["t"], prices([10, 20, 40, 40]));
    assert_sorted(&joined(Some("k")), &["t"], prices([10, 20, 40, 30]));
}

#[test]
fn groups_of_time_have_the_rows_of_every_partition() {
    let session = session();
    let options = || DynamicGroupOptions {
        every: Duration::parse("3i"),
        period: Duration::parse("3i"),
        offset: Duration::parse("0i"),
        ..Default::default()
    };
    let rows = session.range(0, 8, 4).with_columns([(col("id") % lit(2)).alias("odd")]);
    let sums = rows.query(|lf| lf.group_by_dynamic(col("id"), [], options()).agg([len().alias("n")]));
    assert_sorted(&sums, &["id"], df!("id" => [0i64, 3, 6], "n" => [3u32, 3, 2]));
    let by = rows.query(|lf| lf.group_by_dynamic(col("id"), [col("odd")], options()).agg([len().alias("n")]));
    let expected = df!(
        "odd" => [0i64, 0, 0, 1, 1, 1],
        "id" => [0i64, 3, 6, 0, 3, 6],
        "n" => [2u32, 1, 1, 1, 2, 1],
    );
    assert_sorted(&by, &["odd", "id"], expected);
    let rolling = RollingGroupOptions {
        period: Duration::parse("2i"),
        offset: Duration::parse("-2i"),
        closed_window: ClosedWindow::Right,
        ..Default::default()
    };
    let rolled = rows.query(|lf| lf.rolling(col("id"), [], rolling).agg([col("odd").sum().alias("sum")]));
    assert_sorted(
        &rolled,
        &["id"],
        df!("id" => (0..8i64).collect::<Vec<_>>(), "sum" => [0i64, 1, 1, 1, 1, 1, 1, 1]),
    );
}

#[test]
fn lists_and_structs_become_rows_and_columns() {
    let session = session();
    let lists = rows(&session).group_by([col("k")]).agg([col("v").sort(SortOptions::default())]);
    let exploded = lists.explode(["v"]);
    let expected = df!("k" => ["a", "a", "a", "b", "b", "b", "c"], "v" => [1i64, 3, 5, 2, 4, 7, 6]);
    assert_sorted(&exploded, &["k", "v"], expected);
    let nested = rows(&session).select([as_struct(vec![col("k"), col("v").alias("w")]).alias("both")]);
    let filtered = nested.unnest(["both"]).filter(col("w").gt(lit(5)));
    assert_sorted(&filtered, &["w"], df!("k" => ["c", "b"], "w" => [6i64, 7]));
}

#[test]
fn unpivot_makes_a_row_of_each_value() {
    let session = session();
    let wide = session.frame(df!("id" => [1, 2], "x" => [10, 20], "y" => [30, 40]).unwrap(), 2);
    let expected = df!(
        "id" => [1, 1, 2, 2],
        "variable" => ["x", "y", "x", "y"],
        "value" => [10, 30, 20, 40],
    );
    assert_sorted(&wide.unpivot(["x", "y"], ["id"]), &["id", "variable"], expected);
}

#[test]
fn rows_are_numbered_through_all_partitions() {
    let session = session();
    let numbered = rows(&session).with_row_index("row");
    let expected = df!(
        "row" => [0u32, 1, 2, 3, 4, 5, 6],
        "k" => ["a", "b", "a", "b", "a", "c", "b"],
        "v" => [1i64, 2, 3, 4, 5, 6, 7],
    );
    assert_sorted(&numbered, &["row"], expected);
    let later = rows(&session).filter(col("k").eq(lit("b"))).query(|lf| lf.with_row_index("row", Some(10)));
    assert_sorted(&later, &["row"], df!("row" => [10u32, 11, 12], "k" => ["b"; 3], "v" => [2i64, 4, 7]));
}

#[test]
fn first_last_and_largest_rows_are_those_of_all_partitions() {
    let session = session();
    let rows = rows(&session);
    let of = |k: &[&str], v: &[i64]| df!("k" => k, "v" => v);
    assert_rows(&rows.head(3), of(&["a", "b", "a"], &[1, 2, 3]));
    assert_rows(&rows.tail(2), of(&["c", "b"], &[6, 7]));
    assert_rows(&rows.query(|lf| lf.slice(-3, 2)), of(&["a", "c"], &[5, 6]));
    assert_rows(&rows.query(|lf| lf.slice(2, 3)), of(&["a", "b", "a"], &[3, 4, 5]));
    assert_rows(&rows.top_k(2, [col("v")]), of(&["b", "c"], &[7, 6]));
    assert_rows(&rows.bottom_k(2, [col("v")]), of(&["a", "b"], &[1, 2]));
    assert_rows(&rows.top_k(0, [col("v")]), of(&[], &[]));
    assert_rows(&rows.tail(100), of(&["a", "b", "a", "b", "a", "c", "b"], &[1, 2, 3, 4, 5, 6, 7]));
    assert_rows(&rows.query(|lf| lf.reverse().limit(2)), of(&["b", "c"], &[7, 6]));
}

#[test]
fn unique_keeps_one_of_each_and_the_first_if_asked() {
    let session = session();
    let rows = rows(&session);
    assert_sorted(&rows.select([col("k")]).unique(), &["k"], df!("k" => ["a", "b", "c"]));
    let by_k = || Some(by_name(["k"], true, false));
    for (keep, v) in [(UniqueKeepStrategy::First, [1i64, 2, 6]), (UniqueKeepStrategy::Last, [5, 7, 6])] {
        let unique = rows.query(|lf| lf.unique(by_k(), keep));
        assert_sorted(&unique, &["k"], df!("k" => ["a", "b", "c"], "v" => v));
    }
    let single = rows.query(|lf| lf.unique(by_k(), UniqueKeepStrategy::None));
    assert_rows(&single, df!("k" => ["c"], "v" => [6i64]));
    let stable = rows.query(|lf| lf.unique_stable(by_k(), UniqueKeepStrategy::First));
    assert_rows(&stable, df!("k" => ["a", "b", "c"], "v" => [1i64, 2, 6]));
}

#[test]
fn semi_and_anti_joins_keep_the_rows_with_and_without_a_match() {
    let session = session();
    let rows = rows(&session);
    let some = session.frame(df!("k" => ["b", "c", "c", "d"]).unwrap(), 2);
    for threshold in [0, 10 << 20] {
        session.set_broadcast_threshold(threshold);
        let semi = rows.join(&some, [col("k")], JoinType::Semi);
        assert_sorted(&semi, &["v"], df!("k" => ["b", "b", "c", "b"], "v" => [2i64, 4, 6, 7]));
        let anti = rows.join(&some, [col("k")], JoinType::Anti);
        assert_sorted(&anti, &["v"], df!("k" => ["a", "a", "a"], "v" => [1i64, 3, 5]));
    }
}

#[test]
fn joins_of_a_plan_with_frames_meet_all_partitions() {
    let session = session();
    let names = df!("k" => ["a", "b", "d"], "name" => ["one", "two", "four"]).unwrap().lazy();
    for threshold in [0, 10 << 20] {
        session.set_broadcast_threshold(threshold);
        let joined = |how: JoinType, coalesce: JoinCoalesce| {
            let args = JoinArgs { coalesce, ..JoinArgs::new(how) };
            rows(&session).query(|lf| {
                lf.group_by([col("k")]).agg([col("v").sum()]).join(
                    names.clone(),
                    [col("k")],
                    [col("k")],
                    args,
                )
            })
        };
        let expected = df!(
            "k" => ["a", "b", "c", "d"],
            "v" => [Some(9i64), Some(13), Some(6), None],
            "name" => [Some("one"), Some("two"), None, Some("four")],
        );
        assert_sorted(&joined(JoinType::Full, JoinCoalesce::CoalesceColumns), &["k"], expected);
        let right = df!("v" => [Some(9i64), Some(13), None], "k" => ["a", "b", "d"], "name" => ["one", "two", "four"]);
        assert_sorted(&joined(JoinType::Right, JoinCoalesce::JoinSpecific), &["k"], right);
    }
}

#[test]
fn plans_are_put_under_each_other_with_and_without_the_same_columns() {
    let session = session();
    let rows = rows(&session);
    let other = df!("k" => ["z"], "v" => [8i64], "w" => [true]).unwrap().lazy();
    let both = rows
        .query(|lf| concat([lf, other.clone().select([col("k"), col("v")])], UnionArgs::default()).unwrap());
    let expected = df!("k" => ["a", "b", "a", "b", "a", "c", "b", "z"], "v" => (1..9i64).collect::<Vec<_>>());
    assert_rows(&both, expected);
    assert_rows(&both.tail(2), df!("k" => ["b", "z"], "v" => [7i64, 8]));
    let diagonal = rows.tail(1).query(|lf| concat_lf_diagonal([lf, other], UnionArgs::default()).unwrap());
    assert_sorted(&diagonal, &["v"], df!("k" => ["b", "z"], "v" => [7i64, 8], "w" => [None, Some(true)]));
}

#[test]
fn nulls_are_dropped_and_filled() {
    let session = session();
    let frame = df!("a" => [Some(1i64), None, Some(3)], "b" => [None, None, Some("x")]).unwrap();
    let rows = session.frame(frame, 3);
    assert_rows(&rows.drop_nulls(), df!("a" => [3i64], "b" => ["x"]));
    assert_rows(&rows.drop_nulls_in(["a"]), df!("a" => [1i64, 3], "b" => [None, Some("x")]));
    assert_rows(&rows.fill_null(0i64).select([col("a")]), df!("a" => [1i64, 0, 3]));
    let forward = col("a").fill_null_with_strategy(FillNullStrategy::Forward(None));
    assert_rows(&rows.select([forward]), df!("a" => [1i64, 1, 3]));
}

#[test]
fn a_plan_over_frames_is_a_dataset() {
    let session = session();
    let frame = df!("k" => [1i64, 2, 1], "v" => [10i64, 20, 30]).unwrap();
    let sums = session.lazy(frame.lazy().group_by(["k"]).agg([col("v").sum()])).unwrap();
    assert_sorted(&sums, &["k"], df!("k" => [1i64, 2], "v" => [40i64, 20]));
    assert_eq!(sums.columns().unwrap(), ["k", "v"]);
}

#[test]
fn rows_go_where_an_expression_of_literals_says() {
    let session = session();
    let by = when(col("v").gt(lit(3))).then(lit(1)).otherwise(lit(0));
    let parts = rows(&session).repartition_by(Partitioning::Expr(by, 2)).collect_partitions().unwrap();
    assert_eq!(parts.iter().map(DataFrame::height).collect::<Vec<_>>(), [3, 4]);
}
