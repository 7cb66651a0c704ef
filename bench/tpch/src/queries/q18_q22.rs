use polars::prelude::*;

use crate::Tables;
use crate::expr::{DOWN, UP, date, decimal, join_on, one_of, revenue, sorted, with_scale};

/// Large volume customer.
pub fn q18(t: &Tables) -> PolarsResult<LazyFrame> {
    let large = t
        .get("lineitem")?
        .group_by(["l_orderkey"])
        .agg([col("l_quantity").sum()])
        .filter(col("l_quantity").gt(lit(300)));
    let customers = t
        .get("orders")?
        .semi_join(large, "o_orderkey", "l_orderkey")
        .inner_join(t.get("lineitem")?, "o_orderkey", "l_orderkey")
        .inner_join(t.get("customer")?, "o_custkey", "c_custkey")
        .group_by([
            col("c_name"),
            col("o_custkey").alias("c_custkey"),
            col("o_orderkey"),
            col("o_orderdate"),
            col("o_totalprice"),
        ])
        .agg([col("l_quantity").sum().alias("sum(l_quantity)")]);
    Ok(sorted(customers, [("o_totalprice", DOWN), ("o_orderdate", UP)]).limit(100))
}

/// Discounted revenue.
pub fn q19(t: &Tables) -> PolarsResult<LazyFrame> {
    let kind = |brand: &str, containers: [&str; 4], quantity: i32, size: i32| {
        col("p_brand")
            .eq(lit(brand))
            .and(one_of("p_container", containers))
            .and(col("l_quantity").is_between(lit(quantity), lit(quantity + 10), ClosedInterval::Both))
            .and(col("p_size").is_between(lit(1), lit(size), ClosedInterval::Both))
    };
    let wanted = kind("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 5)
        .or(kind("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 10))
        .or(kind("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 15));
    // The three cases have these in common.
    let by_air =
        one_of("l_shipmode", ["AIR", "AIR REG"]).and(col("l_shipinstruct").eq(lit("DELIVER IN PERSON")));
    Ok(t.get("lineitem")?
        .filter(by_air)
        .inner_join(t.get("part")?, "l_partkey", "p_partkey")
        .filter(wanted)
        .select([revenue().sum().alias("revenue")]))
}

/// Potential part promotion.
pub fn q20(t: &Tables) -> PolarsResult<LazyFrame> {
    let year = col("l_shipdate").gt_eq(date(1994, 1, 1)).and(col("l_shipdate").lt(date(1995, 1, 1)));
    let forest = t.get("part")?.filter(col("p_name").str().starts_with(lit("forest")));
    let half = with_scale(col("l_quantity").sum(), 3) * decimal(5, 1);
    let shipped =
        t.get("lineitem")?.filter(year).group_by(["l_partkey", "l_suppkey"]).agg([half.alias("half")]);
    let offers = t.get("partsupp")?.semi_join(forest, "ps_partkey", "p_partkey");
    let surplus = join_on(offers, shipped, [("ps_partkey", "l_partkey"), ("ps_suppkey", "l_suppkey")])
        .filter(col("ps_availqty").gt(col("half")));
    let suppliers = t
        .get("nation")?
        .filter(col("n_name").eq(lit("CANADA")))
        .inner_join(t.get("supplier")?, "n_nationkey", "s_nationkey")
        .semi_join(surplus, "s_suppkey", "ps_suppkey")
        .select([col("s_name"), col("s_address")]);
    Ok(sorted(suppliers, [("s_name", UP)]))
}

/// Suppliers who kept orders waiting.
pub fn q21(t: &Tables) -> PolarsResult<LazyFrame> {
    let lines =
        t.get("lineitem")?.select(["l_orderkey", "l_suppkey", "l_receiptdate", "l_commitdate"].map(col));
    let late = lines.clone().filter(col("l_receiptdate").gt(col("l_commitdate")));
    let suppliers = |lines: LazyFrame| {
        lines.group_by(["l_orderkey"]).agg([col("l_suppkey").n_unique().alias("suppliers")])
    };
    let shared = suppliers(lines).filter(col("suppliers").gt(lit(1)));
    let late_alone = suppliers(late.clone()).filter(col("suppliers").eq(lit(1)));
    let saudi = t.get("nation")?.filter(col("n_name").eq(lit("SAUDI ARABIA"))).inner_join(
        t.get("supplier")?,
        "n_nationkey",
        "s_nationkey",
    );
    let waiting = late
        .inner_join(saudi, "l_suppkey", "s_suppkey")
        .inner_join(t.get("orders")?.filter(col("o_orderstatus").eq(lit("F"))), "l_orderkey", "o_orderkey")
        .semi_join(shared, "l_orderkey", "l_orderkey")
        .semi_join(late_alone, "l_orderkey", "l_orderkey")
        .group_by(["s_name"])
        .agg([len().alias("numwait")]);
    Ok(sorted(waiting, [("numwait", DOWN), ("s_name", UP)]).limit(100))
}

/// Global sales opportunity.
pub fn q22(t: &Tables) -> PolarsResult<LazyFrame> {
    let customers = t
        .get("customer")?
        .with_column(col("c_phone").str().slice(lit(0), lit(2)).alias("cntrycode"))
        .filter(one_of("cntrycode", ["13", "31", "23", "29", "30", "18", "17"]));
    let average = customers
        .clone()
        .filter(col("c_acctbal").gt(lit(0)))
        .select([col("c_acctbal").mean().alias("average")]);
    let idle = customers
        .anti_join(t.get("orders")?, "c_custkey", "o_custkey")
        .cross_join(average, None)
        .filter(col("c_acctbal").gt(col("average")))
        .group_by(["cntrycode"])
        .agg([len().alias("numcust"), col("c_acctbal").sum().alias("totacctbal")]);
    Ok(sorted(idle, [("cntrycode", UP)]))
}
