//! Equalities between numbers of different types.
//!
//! Polars joins columns of one type only, whole numbers of different widths aside. So both sides of an equality between
//! columns are cast to one type: to floats if one is a float, else to decimals, which Polars tells apart by precision, too.

use sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, Expr};

use crate::catalog::Type;
use crate::scope::Scope;
use crate::{build, types, walk};

/// Gives both sides of an equality one type.
pub fn unify(expr: &mut Expr, scopes: &[Scope]) {
    if let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expr {
        let kinds = (types::of(left, scopes), types::of(right, scopes));
        align((left.as_mut(), kinds.0), (right.as_mut(), kinds.1));
    }
}

/// Casts two expressions that are to be equal.
pub fn align((left, left_type): (&mut Expr, Type), (right, right_type): (&mut Expr, Type)) {
    // Values that are written out take the type of the column.
    if !has_column(left) || !has_column(right) {
        return;
    }
    let float = DataType::Double(ExactNumberInfo::None);
    match (left_type, right_type) {
        (Type::Float, Type::Integer | Type::Decimal { .. }) => cast(right, float),
        (Type::Integer | Type::Decimal { .. }, Type::Float) => cast(left, float),
        (Type::Decimal { scale }, Type::Decimal { scale: other }) => {
            cast(left, decimal(scale.max(other)));
            cast(right, decimal(scale.max(other)));
        }
        (Type::Decimal { scale }, Type::Integer) | (Type::Integer, Type::Decimal { scale }) => {
            cast(left, decimal(scale));
            cast(right, decimal(scale));
        }
        _ => {}
    }
}

fn decimal(scale: u32) -> DataType {
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, scale.into()))
}

fn has_column(expr: &Expr) -> bool {
    walk::any(expr, |expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
}

fn cast(expr: &mut Expr, wanted: DataType) {
    if !matches!(expr, Expr::Cast { data_type, .. } if *data_type == wanted) {
        *expr = build::cast(std::mem::replace(expr, build::null()), wanted);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn joined_columns_have_one_type() {
        assert_eq!(
            rewritten("select s from t, r where f = k"),
            "SELECT s FROM t JOIN r ON f = CAST(k AS DOUBLE)"
        );
        assert_eq!(
            rewritten("select s from t, r where k = d"),
            "SELECT s FROM t JOIN r ON CAST(k AS DECIMAL(38,2)) = CAST(d AS DECIMAL(38,2))"
        );
        assert_eq!(rewritten("select s from t, r where i = k"), "SELECT s FROM t JOIN r ON i = k");
    }

    #[test]
    fn the_keys_of_subqueries_have_one_type() {
        assert_eq!(
            rewritten("select s from t where f in (select k from r)"),
            "WITH _sql1 AS (SELECT k AS _sql1_value FROM r) \
             SELECT s FROM t WHERE f IN (SELECT CAST(_sql1_value AS DOUBLE) FROM _sql1)"
        );
        assert_eq!(
            rewritten("select s from t where exists (select * from r where f = k)"),
            "WITH _sql1 AS (SELECT CAST(k AS DOUBLE) AS _sql1_k1 FROM r) SELECT s FROM t LEFT SEMI JOIN _sql1 ON f = _sql1_k1"
        );
        assert_eq!(
            rewritten("select s from t where f = (select max(k) from r)"),
            "WITH _sql1 AS (SELECT max(k) AS _sql1_value FROM r) \
             SELECT s FROM t CROSS JOIN _sql1 WHERE f = CAST(_sql1_value AS DOUBLE)"
        );
    }

    #[test]
    fn values_that_are_written_out_stay() {
        let text = "select i from t where f = 1 and d = 2";
        assert_eq!(rewritten(text), text);
    }
}
