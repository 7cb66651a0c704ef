//! The LazyFrames over empty tables of TPC-H's schema. Their answers over full ones are compared by `bench/tpch.py`.

use partita_tpch::{COUNT, Tables, lazy};
use polars::prelude::*;

/// Columns of each table, with a letter for the type: i and n are integers of 64 and 32 bits, m is money, s text,
/// d a date.
const SCHEMAS: [(&str, &str); 8] = [
    (
        "customer",
        "c_custkey:i c_name:s c_address:s c_nationkey:i c_phone:s c_acctbal:m c_mktsegment:s c_comment:s",
    ),
    (
        "lineitem",
        "l_orderkey:i l_partkey:i l_suppkey:i l_linenumber:n l_quantity:m l_extendedprice:m l_discount:m l_tax:m \
         l_returnflag:s l_linestatus:s l_shipdate:d l_commitdate:d l_receiptdate:d l_shipinstruct:s l_shipmode:s \
         l_comment:s",
    ),
    ("nation", "n_nationkey:i n_name:s n_regionkey:i n_comment:s"),
    (
        "orders",
        "o_orderkey:i o_custkey:i o_orderstatus:s o_totalprice:m o_orderdate:d o_orderpriority:s o_clerk:s \
         o_shippriority:n o_comment:s",
    ),
    (
        "part",
        "p_partkey:i p_name:s p_mfgr:s p_brand:s p_type:s p_size:n p_container:s p_retailprice:m p_comment:s",
    ),
    ("partsupp", "ps_partkey:i ps_suppkey:i ps_availqty:n ps_supplycost:m ps_comment:s"),
    ("region", "r_regionkey:i r_name:s r_comment:s"),
    ("supplier", "s_suppkey:i s_name:s s_address:s s_nationkey:i s_phone:s s_acctbal:m s_comment:s"),
];

/// Columns of each answer, as the specification's SQL names them.
const ANSWERS: [&str; COUNT] = [
    "l_returnflag l_linestatus sum_qty sum_base_price sum_disc_price sum_charge avg_qty avg_price avg_disc count_order",
    "s_acctbal s_name n_name p_partkey p_mfgr s_address s_phone s_comment",
    "l_orderkey revenue o_orderdate o_shippriority",
    "o_orderpriority order_count",
    "n_name revenue",
    "revenue",
    "supp_nation cust_nation l_year revenue",
    "o_year mkt_share",
    "nation o_year sum_profit",
    "c_custkey c_name revenue c_acctbal n_name c_address c_phone c_comment",
    "ps_partkey value",
    "l_shipmode high_line_count low_line_count",
    "c_count custdist",
    "promo_revenue",
    "s_suppkey s_name s_address s_phone total_revenue",
    "p_brand p_type p_size supplier_cnt",
    "avg_yearly",
    "c_name c_custkey o_orderkey o_orderdate o_totalprice sum(l_quantity)",
    "revenue",
    "s_name s_address",
    "s_name numwait",
    "cntrycode numcust totacctbal",
];

fn empty() -> Tables {
    let dtype = |letter: &str| match letter {
        "i" => DataType::Int64,
        "n" => DataType::Int32,
        "m" => DataType::Decimal(15, 2),
        "d" => DataType::Date,
        _ => DataType::String,
    };
    Tables::new(|name| {
        let columns = SCHEMAS.iter().find(|(table, _)| *table == name).unwrap().1;
        let fields = columns.split_whitespace().map(|column| {
            let (name, letter) = column.split_once(':').unwrap();
            Field::new(name.into(), dtype(letter))
        });
        Ok(DataFrame::empty_with_schema(&Schema::from_iter(fields)).lazy())
    })
    .unwrap()
}

#[test]
fn every_query_runs_on_empty_tables_and_has_the_columns_of_its_text() {
    let tables = empty();
    for number in 1..=COUNT {
        let answer = lazy(number, &tables).unwrap().collect();
        let answer = answer.unwrap_or_else(|error| panic!("query {number}: {error}"));
        let columns: Vec<&str> = answer.get_column_names().into_iter().map(|name| name.as_str()).collect();
        assert_eq!(columns.join(" "), ANSWERS[number - 1], "query {number}");
    }
}

#[test]
fn money_stays_decimal() {
    let tables = empty();
    for (number, column) in
        [(1, "sum_charge"), (3, "revenue"), (9, "sum_profit"), (11, "value"), (22, "totacctbal")]
    {
        let schema = lazy(number, &tables).unwrap().collect_schema().unwrap();
        assert!(schema.get(column).unwrap().is_decimal(), "query {number}: {schema:?}");
    }
}

#[test]
fn a_number_without_a_query_is_an_error() {
    for number in [0, COUNT + 1] {
        assert!(lazy(number, &empty()).is_err());
    }
}
