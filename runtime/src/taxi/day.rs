//! Days as values to compare times with.

use polars::prelude::*;

use super::TaxiError;
use super::city::day_number;

const DAY_MICROS: i64 = 86_400_000_000;

/// The start of a day such as `2019-03-03`, for comparison with `pickup_at` and `dropoff_at`. It is a plain
/// value, not a computation, so that readers can skip row groups of other days.
///
/// ```
/// use partita::prelude::*;
/// let first_week = col("pickup_at").lt(taxi::midnight("2019-03-08")?);
/// # Ok::<(), PartitaError>(())
/// ```
///
/// # Errors
/// When there is no such day.
pub fn midnight(day: &str) -> Result<Expr, TaxiError> {
    let number = number(day).ok_or_else(|| TaxiError::Day { day: day.to_owned() })?;
    let time = AnyValue::Datetime(number * DAY_MICROS, TimeUnit::Microseconds, None);
    Ok(lit(Scalar::new(DataType::Datetime(TimeUnit::Microseconds, None), time.into_static())))
}

/// Days since 1970.
fn number(day: &str) -> Option<i64> {
    let mut parts = day.split('-');
    let mut next = |digits: usize| {
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())?
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let year = i32::try_from(year).ok()?;
    if parts.next().is_some() || !(1970..=2100).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let first = day_number(year, month);
    let after = if month == 12 { day_number(year + 1, 1) } else { day_number(year, month + 1) };
    let number = first + i64::from(day) - 1;
    (day >= 1 && number < after).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970_and_only_those_that_there_are() {
        assert_eq!(
            (number("1970-01-01"), number("2019-03-03"), number("2020-02-29")),
            (Some(0), Some(17_958), Some(18_321))
        );
        for wrong in [
            "2019-02-29",
            "2019-03-00",
            "2019-03-32",
            "2019-13-01",
            "2019-3-1",
            "2019-03",
            "2019-03-01-",
            "x",
        ] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
        assert!(midnight("2019-02-30").unwrap_err().to_string().contains("such as `2019-03-08`"));
    }

    #[test]
    fn a_day_compares_with_times() {
        let times = df!("at" => [17_958 * DAY_MICROS - 1, 17_958 * DAY_MICROS]).unwrap().lazy();
        let times = times.with_columns([col("at").cast(DataType::Datetime(TimeUnit::Microseconds, None))]);
        let later = times.filter(col("at").gt_eq(midnight("2019-03-03").unwrap())).collect().unwrap();
        assert_eq!(later.height(), 1);
    }
}
