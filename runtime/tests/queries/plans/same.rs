//! Whether two results are the same rows.

use std::cmp::Ordering;

use partita::prelude::*;

use super::shape::is_rough;

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Whole(i128),
    Truth(bool),
    Text(String),
    Real(f64),
    Many(Vec<Cell>),
}

impl Cell {
    fn of(value: &AnyValue) -> Self {
        match value {
            AnyValue::Null => Self::Null,
            AnyValue::Boolean(value) => Self::Truth(*value),
            AnyValue::Float64(value) => Self::Real(*value),
            AnyValue::List(values) => {
                Self::Many(values.rechunk().iter().map(|value| Self::of(&value)).collect())
            }
            AnyValue::Date(days) => Self::Whole(i128::from(*days)),
            value => match value.extract::<i128>() {
                Some(whole) if value.is_integer() => Self::Whole(whole),
                _ => Self::Text(value.to_string()),
            },
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Whole(_) => 1,
            Self::Truth(_) => 2,
            Self::Text(_) => 3,
            Self::Real(_) => 4,
            Self::Many(_) => 5,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Truth(a), Self::Truth(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => match (a.is_nan(), b.is_nan()) {
                (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
                (a, b) => a.cmp(&b),
            },
            (Self::Many(a), Self::Many(b)) => {
                let first = a.iter().zip(b).map(|(a, b)| a.compare(b)).find(|order| order.is_ne());
                first.unwrap_or(a.len().cmp(&b.len()))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// Equal, with NaN equal to NaN, and floats to nine digits.
    fn is_close(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(a), Self::Real(b)) => {
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
            }
            _ => self.compare(other).is_eq(),
        }
    }
}

fn rows(frame: &DataFrame, in_order: bool) -> Vec<Vec<Cell>> {
    let columns: Vec<Vec<Cell>> = frame
        .columns()
        .iter()
        .map(|column| {
            column.as_materialized_series().rechunk().iter().map(|value| Cell::of(&value)).collect()
        })
        .collect();
    let mut rows: Vec<Vec<Cell>> =
        (0..frame.height()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    if !in_order {
        // What may differ in the last bits decides last.
        let mut by: Vec<usize> = (0..columns.len()).collect();
        by.sort_by_key(|column| is_rough(frame.columns()[*column].name()));
        rows.sort_by(|a, b| {
            let first = by.iter().map(|column| a[*column].compare(&b[*column])).find(|order| order.is_ne());
            first.unwrap_or(Ordering::Equal)
        });
    }
    rows
}

/// The first difference; `None` if both are the same rows.
pub fn difference(ours: &DataFrame, polars: &DataFrame, in_order: bool) -> Option<String> {
    // Of no rows Polars has not always the columns that it has of some.
    if ours.height() == 0 && polars.height() == 0 {
        return None;
    }
    if ours.schema() != polars.schema() {
        return Some(format!("the columns are {:?}, Polars has {:?}", ours.schema(), polars.schema()));
    }
    if ours.height() != polars.height() {
        return Some(format!("{} rows, Polars has {}\n{ours}\n{polars}", ours.height(), polars.height()));
    }
    let (a, b) = (rows(ours, in_order), rows(polars, in_order));
    let same = |(a, b): (&Vec<Cell>, &Vec<Cell>)| a.iter().zip(b).all(|(a, b)| a.is_close(b));
    let row = a.iter().zip(&b).position(|both| !same(both))?;
    Some(format!("row {row} is {:?}, Polars has {:?}\n{ours}\n{polars}", a[row], b[row]))
}
