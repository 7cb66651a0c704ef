//! Intervals, and dates before and after them.
//!
//! Polars takes `interval '3 months'` to the right of `+` and `-`, without a sign. A date and an interval of days or
//! months make another date, which is written in their place, so that a scan's statistics can be compared with it.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, Expr, Interval, TimezoneInfo, TypedString,
    UnaryOperator, Value,
};

use crate::calendar::Date;
use crate::error::{Place, Result, SqlError};
use crate::{build, calendar};

/// A number of units, as in `interval '3' month`.
#[derive(Debug, Clone, Copy)]
struct Span {
    number: i64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// Writes an interval, or a sum with one, as Polars takes it.
///
/// # Errors
///
/// If the interval has no equal in Polars.
pub fn rewrite(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Interval(interval) => {
            if let Some(span) = read(interval)? {
                write(interval, span);
            }
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus), right } => {
            if *op == BinaryOperator::Plus && matches!(**left, Expr::Interval(_)) {
                std::mem::swap(left, right);
            }
            let Expr::Interval(interval) = &mut **right else { return Ok(()) };
            let Some(mut span) = read(interval)? else { return Ok(()) };
            if span.number < 0 {
                span.number = -span.number;
                *op = if *op == BinaryOperator::Plus { BinaryOperator::Minus } else { BinaryOperator::Plus };
            }
            write(interval, span);
            let sign = if *op == BinaryOperator::Plus { 1 } else { -1 };
            if let Some(date) = date_of(left) {
                if let Some(moved) = moved(date, sign * span.number, span.unit) {
                    *expr = typed(DataType::Date, moved.to_string());
                } else if matches!(span.unit, Unit::Hour | Unit::Minute | Unit::Second) {
                    // Polars would drop the hours: to it the sum is a date, like the date.
                    **left = typed(DataType::Timestamp(None, TimezoneInfo::None), format!("{date} 00:00:00"));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads an interval of one unit. `None` if it is written with its units inside, as Polars wants it.
fn read(interval: &Interval) -> Result<Option<Span>> {
    let refused =
        || SqlError::Interval { text: interval.to_string(), place: Place::of(interval.value.as_ref()) };
    let (number, minus) = match interval.value.as_ref() {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (expr.as_ref(), true),
        other => (other, false),
    };
    let text = match number {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => text.trim(),
            _ => return Err(refused()),
        },
        _ => return Err(refused()),
    };
    if interval.last_field.is_some()
        || interval.leading_precision.is_some()
        || interval.fractional_seconds_precision.is_some()
    {
        return Err(refused());
    }
    let Some(field) = &interval.leading_field else {
        return match text.split_once(' ') {
            Some((number, name)) if text.starts_with('-') => {
                let number = number.parse().map_err(|_| refused())?;
                Ok(Some(Span { number, unit: unit(name.trim()).ok_or_else(refused)? }))
            }
            Some((number, name)) => {
                Ok(number.parse().ok().zip(unit(name.trim())).map(|(number, unit)| Span { number, unit }))
            }
            None => Err(refused()),
        };
    };
    let number: i64 = text.parse().map_err(|_| refused())?;
    let unit = match field {
        // `WEEK(MONDAY)` is no length of time.
        DateTimeField::Week(Some(_)) => return Err(refused()),
        field => unit(&field.to_string()).ok_or_else(refused)?,
    };
    Ok(Some(Span { number: if minus { -number } else { number }, unit }))
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name.to_ascii_lowercase().trim_end_matches('s') {
        "year" => Unit::Year,
        "quarter" => Unit::Quarter,
        "month" => Unit::Month,
        "week" => Unit::Week,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        "minute" => Unit::Minute,
        "second" => Unit::Second,
        _ => return None,
    })
}

fn write(interval: &mut Interval, span: Span) {
    let unit = format!("{:?}s", span.unit).to_ascii_lowercase();
    *interval.value = build::text(&format!("{} {unit}", span.number));
    interval.leading_field = None;
}

/// Returns the date that an expression writes out.
fn date_of(expr: &Expr) -> Option<Date> {
    let value = match expr {
        Expr::TypedString(TypedString { data_type: DataType::Date, value, .. }) => value,
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type: DataType::Date, ..
        } => match expr.as_ref() {
            Expr::Value(value) => value,
            _ => return None,
        },
        Expr::Nested(inner) => return date_of(inner),
        _ => return None,
    };
    match &value.value {
        Value::SingleQuotedString(text) => text.parse().ok(),
        _ => None,
    }
}

fn moved(date: Date, number: i64, unit: Unit) -> Option<Date> {
    match unit {
        Unit::Year => calendar::add_months(date, number.checked_mul(12)?),
        Unit::Quarter => calendar::add_months(date, number.checked_mul(3)?),
        Unit::Month => calendar::add_months(date, number),
        Unit::Week => calendar::add_days(date, number.checked_mul(7)?),
        Unit::Day => calendar::add_days(date, number),
        Unit::Hour | Unit::Minute | Unit::Second => None,
    }
}

fn typed(data_type: DataType, text: String) -> Expr {
    let value = Value::SingleQuotedString(text).with_empty_span();
    Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false })
}

#[cfg(test)]
mod tests {
    use crate::tests::{expr, fold_error, folded};

    #[test]
    fn a_unit_goes_into_the_text() {
        assert_eq!(folded("d + interval '3' month"), "d + INTERVAL '3 months'");
        assert_eq!(folded("d - interval 1 week"), "d - INTERVAL '1 weeks'");
        assert_eq!(folded("d + interval '90 days'"), "d + INTERVAL '90 days'");
    }

    #[test]
    fn an_interval_stands_to_the_right_and_has_no_sign() {
        assert_eq!(folded("interval '3' day + d"), "d + INTERVAL '3 days'");
        assert_eq!(folded("d + interval '-3' day"), "d - INTERVAL '3 days'");
        assert_eq!(folded("d - interval '-3 days'"), "d + INTERVAL '3 days'");
    }

    #[test]
    fn a_date_and_an_interval_are_a_date() {
        assert_eq!(folded("date '1994-01-01' + interval '1' year"), "DATE '1995-01-01'");
        assert_eq!(folded("date '1998-12-01' - interval '90' day"), "DATE '1998-09-02'");
        assert_eq!(folded("date '2024-01-31' + interval '1' month"), "DATE '2024-02-29'");
        assert_eq!(folded("date '2024-01-31' + interval '1' month - interval '1' day"), "DATE '2024-02-28'");
        assert_eq!(folded("cast('1994-01-01' as date) + interval '2 weeks'"), "DATE '1994-01-15'");
    }

    #[test]
    fn hours_after_a_date_are_a_time() {
        assert_eq!(
            folded("date '1994-01-01' + interval '3' hour"),
            "TIMESTAMP '1994-01-01 00:00:00' + INTERVAL '3 hours'"
        );
    }

    #[test]
    fn several_units_in_one_text_are_left_to_polars() {
        let text = "d + interval '1 year 2 months'";
        assert_eq!(folded(text), expr(text).to_string());
    }

    #[test]
    fn an_interval_without_an_equal_is_refused() {
        assert_eq!(
            fold_error("d + interval '1-2' year to month"),
            "`INTERVAL '1-2' YEAR TO MONTH` at line 1, column 14 is no interval that can be used here; \
             write one number and one unit, as in interval '3' month"
        );
        assert!(fold_error("d + interval n day").contains("is no interval"));
        assert!(fold_error("d + interval '3'").contains("is no interval"));
    }
}
