//! Random queries have Polars' rows, whatever their steps and however the rows lie in partitions.
//!
//! `PARTITA_QUERY_CASES=100000 cargo test --release --workspace --locked --test queries random` looks longer.

use std::collections::BTreeSet;
use std::path::Path;

use partita::prelude::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::local_pool::Pool;
use super::plans::{Table, Way, cases, queries, run};

#[test]
fn random_queries_over_frames_have_polars_rows() {
    let session = Session::embedded(2).unwrap();
    run(cases(55), |query| {
        let (left, right) = (session.frames(query.left.parts()), session.frames(query.right.parts()));
        query.check(&session, Way::Steps, &left, &right)
    });
}

#[test]
fn random_queries_over_files_have_polars_rows() {
    let session = Session::embedded(2).unwrap();
    run(cases(25), |query| {
        let directory = tempfile::tempdir().unwrap();
        let file = |table: &Table, name: &str| {
            write(table, &directory.path().join(name));
            session.read_parquet(directory.path().join(name)).unwrap()
        };
        query.check(&session, Way::Steps, &file(&query.left, "left"), &file(&query.right, "right"))
    });
}

#[test]
fn random_plans_over_frames_have_polars_rows() {
    let session = Session::embedded(2).unwrap();
    let none = session.range(0, 0, 1);
    run(cases(15), |query| query.check(&session, Way::Whole, &none, &none));
}

#[test]
fn random_queries_on_a_pool_have_polars_rows() {
    let pool = Pool::start(2);
    let session = pool.session();
    run(cases(5), |query| {
        let (left, right) = (session.frames(query.left.parts()), session.frames(query.right.parts()));
        query.check(&session, Way::Steps, &left, &right)
    });
}

/// A file per partition, with row groups of three rows.
fn write(table: &Table, directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    for (at, mut part) in table.parts().into_iter().enumerate() {
        let file = std::fs::File::create(directory.join(format!("{at}.parquet"))).unwrap();
        ParquetWriter::new(file).with_row_group_size(Some(3)).finish(&mut part).unwrap();
    }
}

#[test]
fn the_generator_makes_every_step() {
    let mut runner = TestRunner::deterministic();
    let query = |runner: &mut TestRunner| queries().new_tree(runner).unwrap().current();
    let names: BTreeSet<&str> = (0..2000).flat_map(|_| query(&mut runner).names()).collect();
    let all = [
        "Polars' cache",
        "as-of join",
        "by hash",
        "by range",
        "cache",
        "coalesce",
        "diagonal union",
        "drop",
        "drop_nulls",
        "each partition",
        "explode",
        "fill_null",
        "filter",
        "group_by",
        "group_by_dynamic",
        "join",
        "join by comparison",
        "join on floats",
        "join with itself",
        "nest",
        "rename",
        "reverse",
        "rolling",
        "round robin",
        "row index",
        "running",
        "select",
        "select beside",
        "side by side",
        "slice",
        "sort",
        "sort by all",
        "stable unique",
        "top k",
        "totals",
        "union",
        "union with itself",
        "unique",
        "unique of some columns",
        "unnest",
        "unpivot",
        "window",
        "with_columns",
    ];
    assert_eq!(names, BTreeSet::from(all));
}
