//! Products of decimals.
//!
//! Polars gives a product the larger scale of its factors: the price 17.05 with a discount of 0.05 is rounded to 16.20 in every
//! row before anything is summed up. The first factor is therefore cast to a scale that holds all digits.

use sqlparser::ast::{BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr};

use crate::catalog::Type;
use crate::scope::Scope;
use crate::{build, types};

/// All decimals have as many digits to Polars once they were computed with.
const PRECISION: u64 = 38;

/// Leaves 18 digits before the point. A product of more digits after it is rounded.
const LARGEST_SCALE: u32 = 20;

/// Casts the first factor of a product of decimals.
pub fn widen(expr: &mut Expr, scopes: &[Scope]) {
    let Expr::BinaryOp { left, op: BinaryOperator::Multiply, right } = expr else { return };
    let (Type::Decimal { scale: own }, Type::Decimal { scale: other }) =
        (types::of(left, scopes), types::of(right, scopes))
    else {
        return;
    };
    let scale = own + other;
    if own == 0 || other == 0 || scale > LARGEST_SCALE || is_wide(left, other, scopes) {
        return;
    }
    let factor = match std::mem::replace(&mut **left, build::null()) {
        Expr::Nested(inner) => *inner,
        inner => inner,
    };
    **left =
        build::cast(factor, DataType::Decimal(ExactNumberInfo::PrecisionAndScale(PRECISION, scale.into())));
}

/// Returns whether a factor has been cast for this product.
fn is_wide(factor: &Expr, other: u32, scopes: &[Scope]) -> bool {
    match factor {
        Expr::Cast {
            kind: CastKind::Cast,
            expr,
            data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(PRECISION, wide)),
            ..
        } => {
            matches!(types::of(expr, scopes), Type::Decimal { scale } if i64::from(scale + other) == *wide)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn a_product_of_decimals_keeps_all_digits() {
        assert_eq!(
            rewritten("select sum(d * (1 - d) * (1 + d)) as x from t"),
            "SELECT sum(CAST(CAST(d AS DECIMAL(38,4)) * (1 - d) AS DECIMAL(38,6)) * (1 + d)) AS x FROM t"
        );
    }

    #[test]
    fn a_product_is_widened_once() {
        let once = "SELECT CAST(d AS DECIMAL(38,4)) * d AS x FROM t";
        assert_eq!(rewritten("select d * d as x from t"), once);
        assert_eq!(rewritten(once), once);
    }

    #[test]
    fn other_products_stay() {
        for text in ["select d * i as x from t", "select d * 0.5 as x from t", "select d * f as x from t"] {
            assert_eq!(rewritten(text), text);
        }
    }
}
