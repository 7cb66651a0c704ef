//! The steps of a random query. They name columns by numbers, so that any list of steps is a query, also one
//! from which some were taken away: what does not fit the columns is skipped.

use proptest::prelude::*;

use super::aggs::{Agg, Key, Running, Window, aggs, keys, runnings, windows};
use super::exprs::{Formula, Test, formulas, row_tests, tests};
use super::joins::{Join, Nearest, joins, nearest};
use super::shape::At;

#[derive(Debug, Clone)]
pub enum Step {
    Filter(Test),
    Select(Vec<At>),
    Drop(At),
    Rename(At, At),
    WithColumns(Vec<Formula>),
    DropNulls(Vec<At>),
    FillNull(i8),
    Windows(Vec<Window>),
    Running(Vec<Running>),
    /// Columns beside aggregates of all rows.
    SelectBeside(At, Vec<Agg>),
    Totals(Vec<Agg>),
    GroupBy {
        by: Vec<Key>,
        aggs: Vec<Agg>,
        stable: bool,
    },
    Having {
        by: Vec<Key>,
        aggs: Vec<Agg>,
        least: u8,
    },
    Dynamic(Spans),
    Rolling(Spans),
    Sort {
        by: Vec<(At, bool)>,
        nulls_last: bool,
        stable: bool,
    },
    /// By everything that can be sorted, beginning with one of the columns.
    SortAll {
        first: At,
        descending: bool,
        nulls_last: bool,
    },
    TopK {
        k: u8,
        first: At,
        smallest: bool,
    },
    Slice(i64, u8),
    Reverse,
    RowIndex(u8),
    Unique {
        subset: Vec<At>,
        keep: At,
        stable: bool,
    },
    Join(Join),
    JoinFloats(At, At),
    JoinSelf(At, At),
    JoinWhere(Vec<(At, At, At)>),
    Nearest(Nearest),
    /// With some of its own rows.
    UnionSelf(Test),
    /// With the rows of the right table that have the same columns.
    UnionRight(Vec<At>),
    Diagonal(Vec<At>),
    Beside(At),
    Unpivot {
        on: Vec<At>,
        index: Vec<At>,
    },
    Explode {
        column: At,
        empty_as_null: bool,
        keep_nulls: bool,
    },
    Nest(Vec<At>),
    Unnest,
    PolarsCache,
    /// Steps of datasets.
    Cache,
    Coalesce(usize),
    RoundRobin(usize),
    Hash(At, usize),
    Range(At, usize),
    EachPartition(Test),
}

/// Windows of an index: their start, length and ends.
#[derive(Debug, Clone)]
pub struct Spans {
    pub index: At,
    pub by: Option<At>,
    pub every: i64,
    pub period: i64,
    pub closed: At,
    pub aggs: Vec<Agg>,
}

fn spans() -> impl Strategy<Value = Spans> {
    let by = prop::option::of(any::<At>());
    let aggs = prop::collection::vec(aggs(), 1..3);
    (any::<At>(), by, 1i64..5, 1i64..5, any::<At>(), aggs)
        .prop_map(|(index, by, every, period, closed, aggs)| Spans { index, by, every, period, closed, aggs })
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![5 => rows(), 4 => groups(), 4 => orders(), 5 => several(), 1 => datasets()],
        1..7,
    )
}

fn at() -> impl Strategy<Value = At> {
    any::<At>()
}

fn some_at() -> impl Strategy<Value = Vec<At>> {
    prop::collection::vec(any::<At>(), 1..4)
}

fn some_aggs() -> impl Strategy<Value = Vec<Agg>> {
    prop::collection::vec(aggs(), 1..4)
}

fn rows() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => tests().prop_map(Step::Filter),
        2 => prop::collection::vec(any::<At>(), 1..6).prop_map(Step::Select),
        1 => at().prop_map(Step::Drop),
        1 => any::<(At, At)>().prop_map(|(from, to)| Step::Rename(from, to)),
        4 => prop::collection::vec(formulas(), 1..4).prop_map(Step::WithColumns),
        1 => some_at().prop_map(Step::DropNulls),
        1 => (-3i8..8).prop_map(Step::FillNull),
        2 => (at(), prop::bool::ANY, prop::bool::ANY).prop_map(|(column, empty_as_null, keep_nulls)| {
            Step::Explode { column, empty_as_null, keep_nulls }
        }),
        2 => (some_at(), some_at()).prop_map(|(on, index)| Step::Unpivot { on, index }),
        1 => some_at().prop_map(Step::Nest),
        1 => Just(Step::Unnest),
    ]
}

fn groups() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (keys(), some_aggs(), prop::bool::weighted(0.2))
            .prop_map(|(by, aggs, stable)| Step::GroupBy { by, aggs, stable }),
        1 => (keys(), some_aggs(), 0u8..4).prop_map(|(by, aggs, least)| Step::Having { by, aggs, least }),
        1 => some_aggs().prop_map(Step::Totals),
        1 => (at(), some_aggs()).prop_map(|(column, aggs)| Step::SelectBeside(column, aggs)),
        3 => prop::collection::vec(windows(), 1..3).prop_map(Step::Windows),
        3 => prop::collection::vec(runnings(), 1..3).prop_map(Step::Running),
        1 => spans().prop_map(Step::Dynamic),
        1 => spans().prop_map(Step::Rolling),
    ]
}

fn orders() -> impl Strategy<Value = Step> {
    let by = prop::collection::vec(any::<(At, bool)>(), 1..3);
    let flag = || prop::bool::ANY;
    prop_oneof![
        2 => (by, flag(), flag()).prop_map(|(by, nulls_last, stable)| Step::Sort { by, nulls_last, stable }),
        4 => (at(), flag(), flag())
            .prop_map(|(first, descending, nulls_last)| Step::SortAll { first, descending, nulls_last }),
        2 => (0u8..20, at(), flag()).prop_map(|(k, first, smallest)| Step::TopK { k, first, smallest }),
        3 => (-20i64..20, 0u8..20).prop_map(|(offset, len)| Step::Slice(offset, len)),
        1 => Just(Step::Reverse),
        1 => (0u8..5).prop_map(Step::RowIndex),
        3 => (prop::collection::vec(any::<At>(), 0..3), at(), prop::bool::weighted(0.3))
            .prop_map(|(subset, keep, stable)| Step::Unique { subset, keep, stable }),
    ]
}

fn several() -> impl Strategy<Value = Step> {
    let comparisons = prop::collection::vec(any::<(At, At, At)>(), 0..3);
    prop_oneof![
        6 => joins().prop_map(Step::Join),
        1 => any::<(At, At)>().prop_map(|(how, at)| Step::JoinFloats(how, at)),
        2 => any::<(At, At)>().prop_map(|(how, at)| Step::JoinSelf(how, at)),
        1 => comparisons.prop_map(Step::JoinWhere),
        1 => nearest().prop_map(Step::Nearest),
        2 => row_tests().prop_map(Step::UnionSelf),
        1 => some_at().prop_map(Step::UnionRight),
        1 => some_at().prop_map(Step::Diagonal),
        1 => at().prop_map(Step::Beside),
    ]
}

fn datasets() -> impl Strategy<Value = Step> {
    let n = || 1usize..10;
    prop_oneof![
        Just(Step::PolarsCache),
        Just(Step::Cache),
        n().prop_map(Step::Coalesce),
        n().prop_map(Step::RoundRobin),
        (at(), n()).prop_map(|(key, n)| Step::Hash(key, n)),
        (at(), n()).prop_map(|(key, n)| Step::Range(key, n)),
        row_tests().prop_map(Step::EachPartition),
    ]
}
