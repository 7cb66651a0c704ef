//! Rows that lie together by a key are not shuffled by it again.

use partita::prelude::*;

/// A session in which nothing is broadcast.
fn session() -> Session {
    let session = Session::embedded(2).unwrap();
    session.set_shuffle_partitions(3).unwrap();
    session.set_broadcast_threshold(0);
    session
}

/// A hundred rows in four partitions, with ten keys.
fn rows(session: &Session) -> Dataset {
    session.range(0, 100, 4).with_columns([(col("id") % lit(10)).alias("k"), col("id").alias("v")])
}

fn sums(rows: &Dataset) -> Dataset {
    rows.group_by([col("k")]).agg([col("v").sum()])
}

/// Rows are shuffled at most so often, and this many come out.
#[track_caller]
fn assert_shuffles(dataset: &Dataset, most: usize, rows: u64) {
    let plan = dataset.explain().unwrap();
    let shuffles = plan.matches("⇒ shuffle write").count();
    assert!(shuffles <= most, "{shuffles} shuffles rather than {most}:\n{plan}");
    assert_eq!(dataset.collect().unwrap().height() as u64, rows, "{plan}");
    assert_eq!(dataset.count().unwrap(), rows);
}

#[test]
fn groups_are_joined_by_their_key_where_they_are() {
    let session = session();
    let rows = rows(&session);
    // One for the groups, one for the other side.
    assert_shuffles(&sums(&rows).join(&rows, [col("k")], JoinType::Inner), 2, 100);
    assert_shuffles(&rows.join(&sums(&rows), [col("k")], JoinType::Left), 2, 100);
    assert_shuffles(&sums(&rows).join(&sums(&rows), [col("k")], JoinType::Inner), 2, 10);
}

#[test]
fn joined_rows_are_grouped_and_joined_again_where_they_are() {
    let session = session();
    let rows = rows(&session);
    let on = || [col("k")];
    let joined = rows.join(&rows, on(), JoinType::Inner);
    assert_shuffles(&joined, 2, 1000);
    assert_shuffles(&sums(&joined), 2, 10);
    assert_shuffles(&joined.join(&sums(&rows).rename([("v", "w")]), on(), JoinType::Inner), 3, 1000);
    assert_shuffles(&rows.join(&rows, on(), JoinType::Semi).join(&rows, on(), JoinType::Anti), 3, 0);
}

#[test]
fn distinct_rows_are_grouped_where_they_are() {
    let session = session();
    let rows = rows(&session);
    assert_shuffles(&sums(&rows.distinct_by(["k"])), 1, 10);
    let by_two = rows.distinct_by(["k"]).group_by([col("k"), col("v")]).agg([len()]);
    assert_shuffles(&by_two, 1, 10);
    // Rows that lie together by two columns need not by one of them.
    let pairs = rows.select([col("k"), col("v")]).distinct();
    assert_shuffles(&sums(&pairs), 2, 10);
}

#[test]
fn windows_and_groups_of_one_key_share_a_shuffle() {
    let session = session();
    let rows = rows(&session);
    let windows = rows.with_columns([col("v").sum().over([col("k")]).unwrap().alias("sum")]);
    assert_shuffles(&windows, 1, 100);
    assert_shuffles(&windows.group_by([col("k")]).agg([col("sum").max()]), 1, 10);
    let twice = windows.with_columns([col("v").max().over([col("k")]).unwrap().alias("max")]);
    assert_shuffles(&twice, 1, 100);
}

#[test]
fn groups_of_groups_by_the_same_key_are_not_shuffled_again() {
    let session = session();
    let rows = rows(&session);
    let by_two = rows.group_by([col("k"), col("v")]).agg([len()]);
    assert_shuffles(&sums(&by_two), 2, 10);
    assert_shuffles(&sums(&sums(&rows)), 1, 10);
    assert_shuffles(&sums(&rows).distinct_by(["k"]), 1, 10);
}

#[test]
fn a_repartition_by_the_key_is_enough() {
    let session = session();
    let placed = rows(&session).repartition_by(Partitioning::Hash(vec![col("k")], 5));
    assert_shuffles(&placed, 1, 100);
    assert_shuffles(&sums(&placed), 1, 10);
    assert_eq!(sums(&placed).partitions().unwrap(), 5);
    assert_shuffles(&placed.join(&rows(&session), [col("k")], JoinType::Inner), 2, 1000);
}

#[test]
fn a_key_with_other_values_is_shuffled_by_again() {
    let session = session();
    let placed = rows(&session).repartition_by(Partitioning::Hash(vec![col("k")], 5));
    let changed = placed.with_columns([(col("k") % lit(2)).alias("k")]);
    assert_shuffles(&sums(&changed), 2, 2);
    let swapped = placed.select([col("k").alias("v"), col("v").alias("k")]);
    assert_shuffles(&sums(&swapped), 2, 100);
    // Another name is no other value.
    let renamed = placed.rename([("k", "key")]).group_by([col("key")]).agg([col("v").sum()]);
    assert_shuffles(&renamed, 1, 10);
    assert_shuffles(&sums(&placed.repartition(4)), 3, 10);
}

#[test]
fn rows_without_a_match_do_not_lie_by_the_key() {
    let session = session();
    let left = rows(&session).filter(col("k").lt(lit(5)));
    let right = rows(&session).filter(col("k").gt_eq(lit(5))).rename([("k", "other")]);
    let on = JoinOn {
        left: vec![col("k")],
        right: vec![col("other")],
        how: JoinType::Full,
        strategy: JoinStrategy::Shuffle,
    };
    // Null keys are in every partition.
    let groups = left.join_on(&right, on).group_by([col("k")]).agg([len().alias("n")]).sort([col("k")]);
    let rows = groups.collect().unwrap();
    assert_eq!(rows.height(), 6, "{rows}");
    assert_eq!(rows.column("n").unwrap().u32().unwrap().get(0), Some(50), "{rows}");
}

#[test]
fn one_partition_needs_no_shuffle() {
    let session = session();
    let one = rows(&session).coalesce(1);
    assert_shuffles(&sums(&one), 0, 10);
    assert_shuffles(&sums(&one).join(&one, [col("k")], JoinType::Inner), 0, 100);
    assert_shuffles(&one.distinct().sort([col("v")]), 0, 100);
}

#[test]
fn a_cache_keeps_where_rows_lie_or_their_shuffle_is_done_again() {
    let session = session();
    let cached = rows(&session).repartition_by(Partitioning::Hash(vec![col("k")], 4)).cache();
    let first = sums(&cached).sort([col("k")]).collect().unwrap();
    let second = sums(&cached).sort([col("k")]).collect().unwrap();
    assert_eq!(first, second);
    assert_eq!(first, sums(&rows(&session)).sort([col("k")]).collect().unwrap());
}
