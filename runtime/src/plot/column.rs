use std::collections::HashMap;

use polars::prelude::{AnyValue, Column, DataFrame, DataType};

use super::PlotError;
use super::number::number;

/// A frame's column by name. The error lists the columns that exist.
pub(super) fn column<'f>(frame: &'f DataFrame, name: &str) -> Result<&'f Column, PlotError> {
    frame.column(name).map_err(|_| PlotError::NoColumn {
        column: name.to_owned(),
        available: frame.get_column_names().iter().map(|name| name.to_string()).collect(),
    })
}

/// A column's values as numbers; nulls, NaN and infinities are `None`.
pub(super) fn numbers(
    frame: &DataFrame,
    name: &str,
    role: &'static str,
) -> Result<Vec<Option<f64>>, PlotError> {
    let column = column(frame, name)?;
    let numeric = column.dtype().is_numeric() || matches!(column.dtype(), DataType::Null | DataType::Boolean);
    if !numeric {
        return Err(PlotError::NotNumeric {
            column: name.to_owned(),
            dtype: column.dtype().to_string(),
            role,
        });
    }
    let floats = column.cast(&DataType::Float64).map_err(PlotError::draw)?;
    let floats = floats.f64().map_err(PlotError::draw)?;
    // Differences of values near the end of the range would overflow an axis.
    Ok(floats.iter().map(|value| value.filter(|value| value.abs() < 1e300)).collect())
}

/// A column's values as short texts; nulls, NaN and infinities are `None`.
pub(super) fn texts(frame: &DataFrame, name: &str) -> Result<Vec<Option<String>>, PlotError> {
    let column = column(frame, name)?;
    (0..column.len())
        .map(|row| {
            let value = column.get(row).map_err(PlotError::draw)?;
            Ok(match value {
                AnyValue::Null => None,
                AnyValue::Float64(value) => value.is_finite().then(|| number(value)),
                AnyValue::Float32(value) => value.is_finite().then(|| number(value.into())),
                value => Some(clean(&value.get_str().map_or_else(|| value.to_string(), str::to_owned))),
            })
        })
        .collect()
}

/// Removes control characters, which have no glyph and are not allowed in XML.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The distinct values of a column in a natural order: numbers by size, others in order of appearance.
pub(super) struct Categories {
    pub names: Vec<String>,
    /// For each row the index into `names`; `None` for a null.
    pub rows: Vec<Option<usize>>,
    numeric: bool,
}

impl Categories {
    /// If all names contain numbers, as those of slots and workers do, sorts them by name with the numbers by
    /// size. Other names, such as weekdays, keep their order.
    pub fn by_name(self) -> Self {
        let numbered = |name: &String| name.chars().any(|character| character.is_ascii_digit());
        if self.numeric || !self.names.iter().all(numbered) {
            return self;
        }
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_cached_key(|&index| natural_key(&self.names[index]));
        self.in_order(&order)
    }

    /// Puts at each position the name whose current index `order` has there.
    fn in_order(mut self, order: &[usize]) -> Self {
        let mut place = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new;
        }
        self.names = order.iter().map(|&old| std::mem::take(&mut self.names[old])).collect();
        self.rows.iter_mut().flatten().for_each(|index| *index = place[*index]);
        self
    }
}

/// Splits a name so that "slot 2" comes before "slot 10".
fn natural_key(name: &str) -> Vec<(u64, String)> {
    let mut key = vec![(0u64, String::new())];
    for character in name.chars() {
        if let (Some(digit), Some((number, _))) =
            (character.to_digit(10), key.last_mut().filter(|part| part.1.is_empty()))
        {
            *number = number.saturating_mul(10).saturating_add(u64::from(digit));
        } else if let Some(digit) = character.to_digit(10) {
            key.push((u64::from(digit), String::new()));
        } else if let Some((_, text)) = key.last_mut() {
            text.push(character);
        }
    }
    key
}

pub(super) fn categories(frame: &DataFrame, name: &str) -> Result<Categories, PlotError> {
    let texts = texts(frame, name)?;
    let mut names: Vec<String> = Vec::new();
    let mut first_rows = Vec::new();
    let mut index_of = HashMap::new();
    let rows = texts
        .into_iter()
        .enumerate()
        .map(|(row, text)| {
            let text = text?;
            Some(*index_of.entry(text.clone()).or_insert_with(|| {
                names.push(text);
                first_rows.push(row);
                names.len() - 1
            }))
        })
        .collect();
    let numeric = column(frame, name)?.dtype().is_numeric();
    let categories = Categories { names, rows, numeric };
    if !numeric {
        return Ok(categories);
    }
    let values = numbers(frame, name, "an order")?;
    let value = |index: usize| values[first_rows[index]].unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..categories.names.len()).collect();
    order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    Ok(categories.in_order(&order))
}

/// The error for a frame in which no row has values in all the columns that a mark needs.
pub(super) fn empty(frame: &DataFrame, columns: &[&str]) -> PlotError {
    let names = columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let reason = if frame.height() == 0 {
        "the DataFrame has no rows; check the filter or join that made it".to_owned()
    } else {
        format!(
            "none of the {} rows has a value in each of {names}; nulls and NaN are skipped, \
             so fill them or choose other columns",
            frame.height()
        )
    };
    PlotError::Empty { reason }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    #[test]
    fn a_missing_column_is_named_with_the_ones_there_are() {
        let frame = df!("time" => [1], "zone" => ["a"]).unwrap();
        let error = numbers(&frame, "tiem", "the y axis").unwrap_err().to_string();
        assert_eq!(error, r#"column "tiem" is not in the DataFrame; it has "time", "zone""#);
    }

    #[test]
    fn text_where_numbers_are_needed_names_its_type() {
        let frame = df!("zone" => ["a"]).unwrap();
        let error = numbers(&frame, "zone", "the y axis").unwrap_err().to_string();
        assert!(error.contains(r#""zone" is str, and the y axis needs numbers"#), "{error}");
    }

    #[test]
    fn nulls_and_non_finite_values_are_left_out() {
        let frame = df!("v" => [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)]).unwrap();
        assert_eq!(numbers(&frame, "v", "it").unwrap(), [Some(1.0), None, None, None]);
    }

    #[test]
    fn numeric_categories_are_ordered_by_size_and_others_by_appearance() {
        let frame = df!("n" => [10, 2, 10], "s" => ["b", "a", "b"]).unwrap();
        let numeric = categories(&frame, "n").unwrap();
        assert_eq!(numeric.names, ["2", "10"]);
        assert_eq!(numeric.rows, [Some(1), Some(0), Some(1)]);
        assert_eq!(categories(&frame, "s").unwrap().names, ["b", "a"]);
    }

    #[test]
    fn names_are_ordered_with_their_numbers_by_size() {
        let frame = df!("slot" => ["w 10", "w 2", "w 1"]).unwrap();
        let slots = categories(&frame, "slot").unwrap().by_name();
        assert_eq!(slots.names, ["w 1", "w 2", "w 10"]);
        assert_eq!(slots.rows, [Some(2), Some(1), Some(0)]);
        let frame = df!("day" => ["Monday", "Friday"]).unwrap();
        assert_eq!(categories(&frame, "day").unwrap().by_name().names, ["Monday", "Friday"]);
    }
}
