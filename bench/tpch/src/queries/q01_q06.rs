use polars::prelude::*;

use crate::Tables;
use crate::expr::{DOWN, UP, charge, date, decimal, join_on, revenue, sorted, with_scale};

/// Pricing summary report.
pub fn q01(t: &Tables) -> PolarsResult<LazyFrame> {
    let lines = t.get("lineitem")?.filter(col("l_shipdate").lt_eq(date(1998, 9, 2)));
    let summary = lines.group_by(["l_returnflag", "l_linestatus"]).agg([
        col("l_quantity").sum().alias("sum_qty"),
        col("l_extendedprice").sum().alias("sum_base_price"),
        revenue().sum().alias("sum_disc_price"),
        charge().sum().alias("sum_charge"),
        col("l_quantity").mean().alias("avg_qty"),
        col("l_extendedprice").mean().alias("avg_price"),
        col("l_discount").mean().alias("avg_disc"),
        len().alias("count_order"),
    ]);
    Ok(sorted(summary, [("l_returnflag", UP), ("l_linestatus", UP)]))
}

/// Minimum cost supplier.
pub fn q02(t: &Tables) -> PolarsResult<LazyFrame> {
    let brass =
        t.get("part")?.filter(col("p_size").eq(lit(15)).and(col("p_type").str().ends_with(lit("BRASS"))));
    let european = t
        .get("region")?
        .filter(col("r_name").eq(lit("EUROPE")))
        .inner_join(t.get("nation")?, "r_regionkey", "n_regionkey")
        .inner_join(t.get("supplier")?, "n_nationkey", "s_nationkey");
    let offers = brass.inner_join(t.get("partsupp")?, "p_partkey", "ps_partkey").inner_join(
        european,
        "ps_suppkey",
        "s_suppkey",
    );
    let cheapest = offers.clone().group_by(["p_partkey"]).agg([col("ps_supplycost").min()]);
    let best = join_on(offers, cheapest, [("p_partkey", "p_partkey"), ("ps_supplycost", "ps_supplycost")])
        .select(
            ["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment"]
                .map(col),
        );
    Ok(sorted(best, [("s_acctbal", DOWN), ("n_name", UP), ("s_name", UP), ("p_partkey", UP)]).limit(100))
}

/// Shipping priority.
pub fn q03(t: &Tables) -> PolarsResult<LazyFrame> {
    let orders = t
        .get("customer")?
        .filter(col("c_mktsegment").eq(lit("BUILDING")))
        .inner_join(t.get("orders")?, "c_custkey", "o_custkey")
        .filter(col("o_orderdate").lt(date(1995, 3, 15)));
    let lines = t.get("lineitem")?.filter(col("l_shipdate").gt(date(1995, 3, 15)));
    let unshipped = orders
        .inner_join(lines, "o_orderkey", "l_orderkey")
        .group_by(["o_orderkey", "o_orderdate", "o_shippriority"])
        .agg([revenue().sum().alias("revenue")])
        .select([
            col("o_orderkey").alias("l_orderkey"),
            col("revenue"),
            col("o_orderdate"),
            col("o_shippriority"),
        ]);
    Ok(sorted(unshipped, [("revenue", DOWN), ("o_orderdate", UP)]).limit(10))
}

/// Order priority checking.
pub fn q04(t: &Tables) -> PolarsResult<LazyFrame> {
    let late = t.get("lineitem")?.filter(col("l_commitdate").lt(col("l_receiptdate")));
    let priorities = t
        .get("orders")?
        .filter(col("o_orderdate").gt_eq(date(1993, 7, 1)).and(col("o_orderdate").lt(date(1993, 10, 1))))
        .semi_join(late, "o_orderkey", "l_orderkey")
        .group_by(["o_orderpriority"])
        .agg([len().alias("order_count")]);
    Ok(sorted(priorities, [("o_orderpriority", UP)]))
}

/// Local supplier volume.
pub fn q05(t: &Tables) -> PolarsResult<LazyFrame> {
    let orders = t
        .get("orders")?
        .filter(col("o_orderdate").gt_eq(date(1994, 1, 1)).and(col("o_orderdate").lt(date(1995, 1, 1))));
    let sold = t
        .get("region")?
        .filter(col("r_name").eq(lit("ASIA")))
        .inner_join(t.get("nation")?, "r_regionkey", "n_regionkey")
        .inner_join(t.get("customer")?, "n_nationkey", "c_nationkey")
        .inner_join(orders, "c_custkey", "o_custkey")
        .inner_join(t.get("lineitem")?, "o_orderkey", "l_orderkey");
    let local =
        join_on(sold, t.get("supplier")?, [("l_suppkey", "s_suppkey"), ("n_nationkey", "s_nationkey")])
            .group_by(["n_name"])
            .agg([revenue().sum().alias("revenue")]);
    Ok(sorted(local, [("revenue", DOWN)]))
}

/// Forecasting revenue change.
pub fn q06(t: &Tables) -> PolarsResult<LazyFrame> {
    let year = col("l_shipdate").gt_eq(date(1994, 1, 1)).and(col("l_shipdate").lt(date(1995, 1, 1)));
    let discount = col("l_discount").is_between(decimal(5, 2), decimal(7, 2), ClosedInterval::Both);
    let saved = with_scale(col("l_extendedprice"), 4) * col("l_discount");
    Ok(t.get("lineitem")?
        .filter(year.and(discount).and(col("l_quantity").lt(lit(24))))
        .select([saved.sum().alias("revenue")]))
}
