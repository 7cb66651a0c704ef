//! The type of an expression, as far as it decides how SQL is rewritten.

use sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Value,
};

use crate::catalog::Type;
use crate::scope::{self, Scope};

/// Returns the type of an expression whose columns are in the last of the scopes or, if not there, before it.
pub fn of(expr: &Expr, scopes: &[Scope]) -> Type {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => scope::kind(expr, scopes),
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => of(inner, scopes),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.contains('.') => Type::Float,
            Value::Number(..) => Type::Integer,
            Value::SingleQuotedString(_) => Type::Text,
            Value::Boolean(_) => Type::Other,
            _ => Type::Unknown,
        },
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => arithmetic(of(left, scopes), op, of(right, scopes)),
            BinaryOperator::StringConcat => Type::Text,
            _ => Type::Other,
        },
        Expr::Cast { data_type, .. } => cast(data_type),
        Expr::TypedString(typed) => cast(&typed.data_type),
        Expr::Extract { .. } => Type::Integer,
        Expr::Substring { .. } | Expr::Trim { .. } => Type::Text,
        Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => of(expr, scopes),
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|branch| &branch.result).chain(else_result.as_deref());
            results.map(|result| of(result, scopes)).fold(Type::Unknown, common)
        }
        Expr::Function(call) => function(call, scopes),
        Expr::Subquery(_) | Expr::Interval(_) => Type::Unknown,
        _ => Type::Other,
    }
}

/// Returns the arguments of a call that are expressions.
pub fn arguments(call: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &call.args else { return Vec::new() };
    let expressions = list.args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    expressions.collect()
}

fn function(call: &Function, scopes: &[Scope]) -> Type {
    let arguments = arguments(call);
    match call.name.to_string().to_ascii_lowercase().as_str() {
        "count" | "row_number" | "rank" | "dense_rank" | "length" | "date_part" | "sign" => Type::Integer,
        "avg" | "mean" | "stddev" | "stddev_samp" | "variance" | "var_samp" | "sqrt" | "exp" | "ln"
        | "log" | "log10" | "pow" | "power" => Type::Float,
        "sum" | "min" | "max" | "first" | "last" | "abs" | "round" | "median" | "nullif" | "lag" | "lead"
        | "mod" => arguments.first().map_or(Type::Unknown, |first| of(first, scopes)),
        "coalesce" | "greatest" | "least" | "ifnull" => {
            arguments.iter().map(|argument| of(argument, scopes)).fold(Type::Unknown, common)
        }
        "upper" | "lower" | "concat" | "left" | "right" | "replace" | "substr" => Type::Text,
        _ => Type::Unknown,
    }
}

fn cast(data_type: &DataType) -> Type {
    match data_type {
        DataType::Float(_)
        | DataType::Real
        | DataType::Double(_)
        | DataType::DoublePrecision
        | DataType::Float64 => Type::Float,
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => match info {
            ExactNumberInfo::PrecisionAndScale(_, scale) => {
                Type::Decimal { scale: u32::try_from(*scale).unwrap_or_default() }
            }
            _ => Type::Decimal { scale: 0 },
        },
        DataType::Int(_) | DataType::Integer(_) | DataType::BigInt(_) | DataType::SmallInt(_) => {
            Type::Integer
        }
        DataType::Varchar(_) | DataType::Text | DataType::String(_) | DataType::Char(_) => Type::Text,
        DataType::Date => Type::Date,
        _ => Type::Other,
    }
}

fn arithmetic(left: Type, op: &BinaryOperator, right: Type) -> Type {
    match (left, right) {
        (Type::Date, _) | (_, Type::Date) => Type::Date,
        (Type::Other | Type::Text, _) | (_, Type::Other | Type::Text) => Type::Other,
        (Type::Float, _) | (_, Type::Float) => Type::Float,
        (Type::Decimal { .. }, _) | (_, Type::Decimal { .. }) => decimal(left, right),
        (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
        (Type::Integer, Type::Integer) if *op == BinaryOperator::Divide => Type::Float,
        (Type::Integer, Type::Integer) => Type::Integer,
    }
}

/// Returns the larger of two decimals. Polars does not add up the scales of a product.
fn decimal(left: Type, right: Type) -> Type {
    let scale = |kind| if let Type::Decimal { scale } = kind { scale } else { 0 };
    Type::Decimal { scale: scale(left).max(scale(right)) }
}

/// Returns the type that holds values of both.
fn common(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Unknown, known) | (known, Type::Unknown) => known,
        (Type::Float, _) | (_, Type::Float) => Type::Float,
        (Type::Decimal { .. }, _) | (_, Type::Decimal { .. }) => decimal(left, right),
        (left, right) if left == right => left,
        _ => Type::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Column;
    use crate::tests::expr;

    #[test]
    fn the_type_of_arithmetic_is_its_operands() {
        let mut scope = Scope::default();
        scope.add("t", vec![Column::new("d", Type::Decimal { scale: 2 }), Column::new("i", Type::Integer)]);
        let of = |text: &str| of(&expr(text), std::slice::from_ref(&scope));
        let decimal = Type::Decimal { scale: 2 };
        assert_eq!(of("sum(d * (1 - i))"), decimal);
        assert_eq!(of("d * 0.5"), Type::Float);
        assert_eq!(of("sum(case when i = 1 then d else 0 end)"), decimal);
        assert_eq!(of("cast(d as decimal(38, 4)) * d"), Type::Decimal { scale: 4 });
        assert_eq!(of("i / i"), Type::Float);
        assert_eq!(of("avg(d)"), Type::Float);
        assert_eq!(of("date '2020-01-01' - interval '3 days'"), Type::Date);
        assert_eq!(of("anything(d)"), Type::Unknown);
    }
}
