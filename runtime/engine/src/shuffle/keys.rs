use polars::prelude::*;

use super::ShuffleError;

/// The values of each expression, one per row of `df`.
pub(super) fn evaluate(df: &DataFrame, exprs: &[Expr]) -> Result<Vec<Column>, ShuffleError> {
    exprs.iter().map(|expr| evaluate_one(df, expr)).collect()
}

/// The values of one expression, one per row of `df`. A single value is repeated for all rows.
pub(super) fn evaluate_one(df: &DataFrame, expr: &Expr) -> Result<Column, ShuffleError> {
    let failed = |source| ShuffleError::Expression { expr: expr.to_string(), source };
    if let Expr::Column(name) = expr
        && let Ok(column) = df.column(name)
    {
        return Ok(column.clone());
    }
    let values = df.clone().lazy().select([expr.clone()]).collect().map_err(failed)?;
    let [column] = values.columns() else {
        let message = format!("it expands to {} columns; name each of them as a key", values.width());
        return Err(failed(PolarsError::InvalidOperation(message.into())));
    };
    match (column.len(), df.height()) {
        (values, rows) if values == rows => Ok(column.clone()),
        (1, rows) => Ok(column.new_from_index(0, rows)),
        (values, rows) => Err(ShuffleError::Length { expr: expr.to_string(), values, rows }),
    }
}

/// Replaces categories by their strings, at any depth: their codes differ from frame to frame. Enums keep
/// theirs, which are part of the dtype.
pub(super) fn without_categories(column: Column) -> Result<Column, ShuffleError> {
    let plain = plain_dtype(column.dtype());
    if plain == *column.dtype() { Ok(column) } else { Ok(column.cast(&plain)?) }
}

fn plain_dtype(dtype: &DataType) -> DataType {
    match dtype {
        DataType::Categorical(..) => DataType::String,
        DataType::List(inner) => DataType::List(Box::new(plain_dtype(inner))),
        DataType::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| Field::new(field.name().clone(), plain_dtype(field.dtype()))).collect(),
        ),
        other => other.clone(),
    }
}

/// Whether Polars can encode values of this dtype as bytes. It panics on others.
pub(super) fn is_encodable(dtype: &DataType) -> bool {
    match dtype {
        DataType::Unknown(_) => false,
        DataType::List(inner) => is_encodable(inner),
        DataType::Struct(fields) => fields.iter().all(|field| is_encodable(field.dtype())),
        other => !other.is_object(),
    }
}
