use polars::prelude::*;

use crate::Tables;
use crate::expr::{DOWN, UP, date, decimal, join_on, one_of, ratio, revenue, sorted, with_scale};

/// Volume shipping.
pub fn q07(t: &Tables) -> PolarsResult<LazyFrame> {
    let nations = t.get("nation")?.filter(one_of("n_name", ["FRANCE", "GERMANY"]));
    let nation = |role: &str| nations.clone().select([col("n_nationkey"), col("n_name").alias(role)]);
    let suppliers = t.get("supplier")?.inner_join(nation("supp_nation"), "s_nationkey", "n_nationkey");
    let orders = t
        .get("customer")?
        .inner_join(nation("cust_nation"), "c_nationkey", "n_nationkey")
        .inner_join(t.get("orders")?, "c_custkey", "o_custkey");
    let years = col("l_shipdate").is_between(date(1995, 1, 1), date(1996, 12, 31), ClosedInterval::Both);
    let shipped = t
        .get("lineitem")?
        .filter(years)
        .inner_join(suppliers, "l_suppkey", "s_suppkey")
        .inner_join(orders, "l_orderkey", "o_orderkey")
        .filter(col("supp_nation").neq(col("cust_nation")))
        .group_by([col("supp_nation"), col("cust_nation"), col("l_shipdate").dt().year().alias("l_year")])
        .agg([revenue().sum().alias("revenue")]);
    Ok(sorted(shipped, [("supp_nation", UP), ("cust_nation", UP), ("l_year", UP)]))
}

/// National market share.
pub fn q08(t: &Tables) -> PolarsResult<LazyFrame> {
    let years = col("o_orderdate").is_between(date(1995, 1, 1), date(1996, 12, 31), ClosedInterval::Both);
    let american = t
        .get("region")?
        .filter(col("r_name").eq(lit("AMERICA")))
        .inner_join(t.get("nation")?, "r_regionkey", "n_regionkey")
        .inner_join(t.get("customer")?, "n_nationkey", "c_nationkey")
        .select([col("c_custkey")]);
    let suppliers = t
        .get("supplier")?
        .inner_join(t.get("nation")?, "s_nationkey", "n_nationkey")
        .select([col("s_suppkey"), col("n_name").alias("nation")]);
    let brazilian = when(col("nation").eq(lit("BRAZIL"))).then(col("volume")).otherwise(lit(0));
    let shares = t
        .get("part")?
        .filter(col("p_type").eq(lit("ECONOMY ANODIZED STEEL")))
        .inner_join(t.get("lineitem")?, "p_partkey", "l_partkey")
        .inner_join(t.get("orders")?.filter(years), "l_orderkey", "o_orderkey")
        .inner_join(american, "o_custkey", "c_custkey")
        .inner_join(suppliers, "l_suppkey", "s_suppkey")
        .select([col("o_orderdate").dt().year().alias("o_year"), revenue().alias("volume"), col("nation")])
        .group_by(["o_year"])
        .agg([ratio(brazilian.sum(), col("volume").sum()).alias("mkt_share")]);
    Ok(sorted(shares, [("o_year", UP)]))
}

/// Product type profit measure.
pub fn q09(t: &Tables) -> PolarsResult<LazyFrame> {
    let suppliers = t
        .get("supplier")?
        .inner_join(t.get("nation")?, "s_nationkey", "n_nationkey")
        .select([col("s_suppkey"), col("n_name").alias("nation")]);
    let offers = t
        .get("part")?
        .filter(col("p_name").str().contains_literal(lit("green")))
        .inner_join(t.get("partsupp")?, "p_partkey", "ps_partkey")
        .inner_join(suppliers, "ps_suppkey", "s_suppkey");
    let cost = with_scale(col("ps_supplycost"), 4) * col("l_quantity");
    let profits =
        join_on(offers, t.get("lineitem")?, [("p_partkey", "l_partkey"), ("ps_suppkey", "l_suppkey")])
            .inner_join(t.get("orders")?, "l_orderkey", "o_orderkey")
            .group_by([col("nation"), col("o_orderdate").dt().year().alias("o_year")])
            .agg([(revenue() - cost).sum().alias("sum_profit")]);
    Ok(sorted(profits, [("nation", UP), ("o_year", DOWN)]))
}

/// Returned item reporting.
pub fn q10(t: &Tables) -> PolarsResult<LazyFrame> {
    let quarter = col("o_orderdate").gt_eq(date(1993, 10, 1)).and(col("o_orderdate").lt(date(1994, 1, 1)));
    let returned = t.get("lineitem")?.filter(col("l_returnflag").eq(lit("R")));
    let lost = t
        .get("orders")?
        .filter(quarter)
        .inner_join(returned, "o_orderkey", "l_orderkey")
        .inner_join(t.get("customer")?, "o_custkey", "c_custkey")
        .inner_join(t.get("nation")?, "c_nationkey", "n_nationkey")
        .group_by([
            col("o_custkey").alias("c_custkey"),
            col("c_name"),
            col("c_acctbal"),
            col("c_phone"),
            col("n_name"),
            col("c_address"),
            col("c_comment"),
        ])
        .agg([revenue().sum().alias("revenue")])
        .select(
            ["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment"]
                .map(col),
        );
    Ok(sorted(lost, [("revenue", DOWN)]).limit(20))
}

/// Important stock identification.
pub fn q11(t: &Tables) -> PolarsResult<LazyFrame> {
    // Polars plans a decimal times an integer with another precision than it computes, which its streaming engine
    // refuses to sum.
    let value = col("ps_supplycost") * with_scale(col("ps_availqty"), 0);
    let stock = t
        .get("nation")?
        .filter(col("n_name").eq(lit("GERMANY")))
        .inner_join(t.get("supplier")?, "n_nationkey", "s_nationkey")
        .inner_join(t.get("partsupp")?, "s_suppkey", "ps_suppkey")
        .select([col("ps_partkey"), value.alias("value")]);
    let least = (with_scale(col("value").sum(), 6) * decimal(1, 4)).alias("least");
    let important = stock
        .clone()
        .group_by(["ps_partkey"])
        .agg([col("value").sum()])
        .cross_join(stock.select([least]), None)
        .filter(col("value").gt(col("least")))
        .select([col("ps_partkey"), col("value")]);
    Ok(sorted(important, [("value", DOWN)]))
}

/// Shipping modes and order priority.
pub fn q12(t: &Tables) -> PolarsResult<LazyFrame> {
    let year = col("l_receiptdate").gt_eq(date(1994, 1, 1)).and(col("l_receiptdate").lt(date(1995, 1, 1)));
    let late = col("l_commitdate").lt(col("l_receiptdate")).and(col("l_shipdate").lt(col("l_commitdate")));
    let high = one_of("o_orderpriority", ["1-URGENT", "2-HIGH"]);
    let modes = t
        .get("lineitem")?
        .filter(one_of("l_shipmode", ["MAIL", "SHIP"]).and(late).and(year))
        .inner_join(t.get("orders")?, "l_orderkey", "o_orderkey")
        .group_by(["l_shipmode"])
        .agg([high.clone().sum().alias("high_line_count"), high.not().sum().alias("low_line_count")]);
    Ok(sorted(modes, [("l_shipmode", UP)]))
}
