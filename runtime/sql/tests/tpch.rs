//! TPC-H's queries as the specification has them, and what they become.

use std::collections::HashMap;
use std::{fs, path::Path};

use partita_sql::{Column, Type, rewrite};

const MONEY: Type = Type::Decimal { scale: 2 };

fn tables() -> HashMap<String, Vec<Column>> {
    use Type::{Date, Integer, Text};
    let table = |name: &str, columns: &[(&str, Type)]| {
        (name.to_owned(), columns.iter().map(|(name, kind)| Column::new(*name, *kind)).collect())
    };
    HashMap::from([
        table("region", &[("r_regionkey", Integer), ("r_name", Text), ("r_comment", Text)]),
        table(
            "nation",
            &[("n_nationkey", Integer), ("n_name", Text), ("n_regionkey", Integer), ("n_comment", Text)],
        ),
        table(
            "supplier",
            &[
                ("s_suppkey", Integer),
                ("s_name", Text),
                ("s_address", Text),
                ("s_nationkey", Integer),
                ("s_phone", Text),
                ("s_acctbal", MONEY),
                ("s_comment", Text),
            ],
        ),
        table(
            "part",
            &[
                ("p_partkey", Integer),
                ("p_name", Text),
                ("p_mfgr", Text),
                ("p_brand", Text),
                ("p_type", Text),
                ("p_size", Integer),
                ("p_container", Text),
                ("p_retailprice", MONEY),
                ("p_comment", Text),
            ],
        ),
        table(
            "partsupp",
            &[
                ("ps_partkey", Integer),
                ("ps_suppkey", Integer),
                ("ps_availqty", Integer),
                ("ps_supplycost", MONEY),
                ("ps_comment", Text),
            ],
        ),
        table(
            "customer",
            &[
                ("c_custkey", Integer),
                ("c_name", Text),
                ("c_address", Text),
                ("c_nationkey", Integer),
                ("c_phone", Text),
                ("c_acctbal", MONEY),
                ("c_mktsegment", Text),
                ("c_comment", Text),
            ],
        ),
        table(
            "orders",
            &[
                ("o_orderkey", Integer),
                ("o_custkey", Integer),
                ("o_orderstatus", Text),
                ("o_totalprice", MONEY),
                ("o_orderdate", Date),
                ("o_orderpriority", Text),
                ("o_clerk", Text),
                ("o_shippriority", Integer),
                ("o_comment", Text),
            ],
        ),
        table(
            "lineitem",
            &[
                ("l_orderkey", Integer),
                ("l_partkey", Integer),
                ("l_suppkey", Integer),
                ("l_linenumber", Integer),
                ("l_quantity", MONEY),
                ("l_extendedprice", MONEY),
                ("l_discount", MONEY),
                ("l_tax", MONEY),
                ("l_returnflag", Text),
                ("l_linestatus", Text),
                ("l_shipdate", Date),
                ("l_commitdate", Date),
                ("l_receiptdate", Date),
                ("l_shipinstruct", Text),
                ("l_shipmode", Text),
                ("l_comment", Text),
            ],
        ),
    ])
}

#[test]
fn all_queries_become_what_was_run_and_compared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tpch");
    for query in 1..=22 {
        let text = fs::read_to_string(folder.join(format!("q{query:02}.sql"))).unwrap();
        let expected = fs::read_to_string(folder.join(format!("q{query:02}.rewritten.sql"))).unwrap();
        let done = rewrite(&text, &tables()).unwrap();
        assert_eq!(done.statements, [expected.trim_end()], "query {query}");
        assert!(done.views.is_empty());
    }
}
