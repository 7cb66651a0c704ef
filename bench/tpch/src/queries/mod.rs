//! The queries as LazyFrames. Columns have the names of the SQL; joins are written in an order in which each one
//! keeps few rows, because Polars runs them as they are written.

mod q01_q06;
mod q07_q12;
mod q13_q17;
mod q18_q22;

use polars::prelude::*;

use crate::Tables;

/// The number of queries.
pub const COUNT: usize = 22;

/// Returns the query with this number, counted from 1.
///
/// # Errors
/// When there is no such query.
pub fn lazy(number: usize, tables: &Tables) -> PolarsResult<LazyFrame> {
    let query = number.checked_sub(1).and_then(|at| QUERIES.get(at));
    query.ok_or_else(|| polars_err!(InvalidOperation: "TPC-H's queries are 1 to {COUNT}, not {number}"))?(
        tables,
    )
}

const QUERIES: [fn(&Tables) -> PolarsResult<LazyFrame>; COUNT] = [
    q01_q06::q01,
    q01_q06::q02,
    q01_q06::q03,
    q01_q06::q04,
    q01_q06::q05,
    q01_q06::q06,
    q07_q12::q07,
    q07_q12::q08,
    q07_q12::q09,
    q07_q12::q10,
    q07_q12::q11,
    q07_q12::q12,
    q13_q17::q13,
    q13_q17::q14,
    q13_q17::q15,
    q13_q17::q16,
    q13_q17::q17,
    q18_q22::q18,
    q18_q22::q19,
    q18_q22::q20,
    q18_q22::q21,
    q18_q22::q22,
];
