//! Expressions that several queries use. Money is a decimal with two digits after the point, and stays one: Polars
//! gives a product the larger scale of its factors and rounds the rest away, so one factor is first given all the
//! digits that the product needs.

use polars::prelude::*;

/// Precision of every decimal that is computed: Polars' largest.
const PRECISION: usize = 38;

/// A decimal literal: `decimal(5, 2)` is 0.05.
pub fn decimal(units: i128, scale: usize) -> Expr {
    lit(Scalar::new_decimal(units, PRECISION, scale))
}

/// Gives a decimal, or an integer, `scale` digits after the point.
pub fn with_scale(value: Expr, scale: usize) -> Expr {
    value.cast(DataType::Decimal(PRECISION, scale))
}

/// `l_extendedprice * (1 - l_discount)`, with all its four digits.
pub fn revenue() -> Expr {
    discounted(4)
}

/// `l_extendedprice * (1 - l_discount) * (1 + l_tax)`, with all its six digits.
pub fn charge() -> Expr {
    discounted(6) * (lit(1) + col("l_tax"))
}

fn discounted(scale: usize) -> Expr {
    with_scale(col("l_extendedprice"), scale) * (lit(1) - col("l_discount"))
}

/// The specification's division, in floats: Polars would keep only the operands' digits of a quotient.
pub fn ratio(part: Expr, whole: Expr) -> Expr {
    part.cast(DataType::Float64) / whole.cast(DataType::Float64)
}

/// A date literal.
pub fn date(year: i32, month: i32, day: i32) -> Expr {
    // Years begin in March here, so that a leap day is the last day of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    lit(Scalar::new_date(days - DAYS_TO_1970))
}

/// Days from March 1st of the year 0 to January 1st 1970.
const DAYS_TO_1970: i32 = 719_468;

/// Whether the column's value is one of these.
pub fn one_of<T, P>(column: &str, values: T) -> Expr
where
    P: ?Sized,
    Series: NamedFrom<T, P>,
{
    col(column).is_in(lit(Series::new(PlSmallStr::EMPTY, values)).implode(true), false)
}

/// Sorts by columns, each of them descending or not.
pub fn sorted<const N: usize>(frame: LazyFrame, by: [(&str, bool); N]) -> LazyFrame {
    let options = SortMultipleOptions::default().with_order_descending_multi(by.map(|(_, down)| down));
    frame.sort(by.map(|(name, _)| name), options)
}

/// `sorted`'s way up.
pub const UP: bool = false;
/// `sorted`'s way down.
pub const DOWN: bool = true;

/// Inner join on several columns.
pub fn join_on<const N: usize>(left: LazyFrame, right: LazyFrame, on: [(&str, &str); N]) -> LazyFrame {
    left.join(right, on.map(|(left, _)| col(left)), on.map(|(_, right)| col(right)), JoinType::Inner.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_literal_is_the_date_that_it_names() {
        let dates = [(1970, 1, 1), (1992, 2, 29), (1998, 9, 2), (2000, 3, 1), (1900, 12, 31)];
        for (year, month, day) in dates {
            let frame = DataFrame::empty_with_height(1).lazy().select([date(year, month, day).alias("date")]);
            let text = frame.collect().unwrap().column("date").unwrap().get(0).unwrap().to_string();
            assert_eq!(text, format!("{year}-{month:02}-{day:02}"));
        }
    }

    #[test]
    fn products_of_decimals_keep_all_their_digits() {
        let price = Series::new("l_extendedprice".into(), [11_i64]);
        let line =
            df!["l_extendedprice" => price, "l_discount" => [7_i64], "l_tax" => [3_i64]].unwrap().lazy();
        let money = |name: &str| (with_scale(col(name), 2) * decimal(1, 2)).alias(name);
        let line = line.select(["l_extendedprice", "l_discount", "l_tax"].map(money));
        let frame = line.select([revenue().alias("revenue"), charge().alias("charge")]).collect().unwrap();
        assert_eq!(frame.column("revenue").unwrap().get(0).unwrap().to_string(), "0.1023");
        assert_eq!(frame.column("charge").unwrap().get(0).unwrap().to_string(), "0.105369");
    }
}
