use polars::prelude::*;

use crate::Tables;
use crate::expr::{DOWN, UP, date, one_of, ratio, revenue, sorted};

/// Customer distribution.
pub fn q13(t: &Tables) -> PolarsResult<LazyFrame> {
    let special = col("o_comment").str().contains(lit("special.*requests"), true);
    let distribution = t
        .get("customer")?
        .left_join(t.get("orders")?.filter(special.not()), "c_custkey", "o_custkey")
        .group_by(["c_custkey"])
        .agg([col("o_orderkey").count().alias("c_count")])
        .group_by(["c_count"])
        .agg([len().alias("custdist")]);
    Ok(sorted(distribution, [("custdist", DOWN), ("c_count", DOWN)]))
}

/// Promotion effect.
pub fn q14(t: &Tables) -> PolarsResult<LazyFrame> {
    let month = col("l_shipdate").gt_eq(date(1995, 9, 1)).and(col("l_shipdate").lt(date(1995, 10, 1)));
    let promotion = col("p_type").str().starts_with(lit("PROMO"));
    let promoted = when(promotion).then(revenue()).otherwise(lit(0));
    Ok(t.get("lineitem")?.filter(month).inner_join(t.get("part")?, "l_partkey", "p_partkey").select([(lit(
        100.0,
    )
        * ratio(promoted.sum(), revenue().sum()))
    .alias("promo_revenue")]))
}

/// Top supplier.
pub fn q15(t: &Tables) -> PolarsResult<LazyFrame> {
    let quarter = col("l_shipdate").gt_eq(date(1996, 1, 1)).and(col("l_shipdate").lt(date(1996, 4, 1)));
    let total = || col("total_revenue");
    let top = t
        .get("lineitem")?
        .filter(quarter)
        .group_by(["l_suppkey"])
        .agg([revenue().sum().alias("total_revenue")])
        .filter(total().eq(total().max()));
    let suppliers = t
        .get("supplier")?
        .inner_join(top, "s_suppkey", "l_suppkey")
        .select(["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"].map(col));
    Ok(sorted(suppliers, [("s_suppkey", UP)]))
}

/// Relationship of parts and suppliers.
pub fn q16(t: &Tables) -> PolarsResult<LazyFrame> {
    let wanted = col("p_brand")
        .neq(lit("Brand#45"))
        .and(col("p_type").str().starts_with(lit("MEDIUM POLISHED")).not())
        .and(one_of("p_size", [49_i32, 14, 23, 45, 19, 3, 36, 9]));
    let complained_of =
        t.get("supplier")?.filter(col("s_comment").str().contains(lit("Customer.*Complaints"), true));
    let suppliers = t
        .get("part")?
        .filter(wanted)
        .inner_join(t.get("partsupp")?, "p_partkey", "ps_partkey")
        .anti_join(complained_of, "ps_suppkey", "s_suppkey")
        .group_by(["p_brand", "p_type", "p_size"])
        .agg([col("ps_suppkey").n_unique().alias("supplier_cnt")]);
    Ok(sorted(suppliers, [("supplier_cnt", DOWN), ("p_brand", UP), ("p_type", UP), ("p_size", UP)]))
}

/// Small-quantity-order revenue.
pub fn q17(t: &Tables) -> PolarsResult<LazyFrame> {
    let boxed = col("p_brand").eq(lit("Brand#23")).and(col("p_container").eq(lit("MED BOX")));
    let lines = t.get("part")?.filter(boxed).inner_join(t.get("lineitem")?, "p_partkey", "l_partkey");
    let small =
        lines.clone().group_by(["p_partkey"]).agg([(lit(0.2) * col("l_quantity").mean()).alias("small")]);
    // At small scales there may be no such lines; the sum of no rows is null in SQL.
    let yearly =
        when(len().gt(lit(0))).then(ratio(col("l_extendedprice").sum(), lit(7.0))).otherwise(lit(NULL));
    Ok(lines
        .inner_join(small, "p_partkey", "p_partkey")
        .filter(col("l_quantity").lt(col("small")))
        .select([yearly.alias("avg_yearly")]))
}
