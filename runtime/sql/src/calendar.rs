//! Days of the Gregorian calendar. The formulas are those of
//! [Howard Hinnant](https://howardhinnant.github.io/date_algorithms.html).

use std::fmt::{Display, Formatter, Result};
use std::str::FromStr;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl FromStr for Date {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let parts: Vec<i64> = text
            .split('-')
            .map(|part| part.parse().map_err(|_| ()))
            .collect::<std::result::Result<_, _>>()?;
        let [year, month, day] = parts[..] else { return Err(()) };
        let real = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=length(year, month)).contains(&day);
        if real { Ok(Self { year, month, day }) } else { Err(()) }
    }
}

impl Display for Date {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Returns the number of days of a month.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the same day of another month, or the last of that month if it is shorter.
pub fn add_months(date: Date, months: i64) -> Option<Date> {
    let months = (date.year * 12 + date.month - 1).checked_add(months)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    (1..=9999).contains(&year).then(|| Date { year, month, day: date.day.min(length(year, month)) })
}

/// Returns the day that is this many days later.
pub fn add_days(date: Date, days: i64) -> Option<Date> {
    let date = from_days(to_days(date).checked_add(days).filter(|days| days.abs() < 4_000_000)?);
    (1..=9999).contains(&date.year).then_some(date)
}

/// Returns the days since the first of March of the year 0.
fn to_days(Date { year, month, day }: Date) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
}

fn from_days(days: i64) -> Date {
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month, day: day_of_year - (153 * shifted + 2) / 5 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn days_pass_over_months_and_leap_years() {
        assert_eq!(add_days(date("2024-02-28"), 2).unwrap(), date("2024-03-01"));
        assert_eq!(add_days(date("2000-03-01"), -1).unwrap(), date("2000-02-29"));
        assert_eq!(add_days(date("1999-12-31"), 366).unwrap(), date("2000-12-31"));
    }

    #[test]
    fn every_day_there_and_back() {
        let mut day = date("1890-01-01");
        for _ in 0..100_000 {
            let next = add_days(day, 1).unwrap();
            assert_eq!(add_days(next, -1).unwrap(), day);
            assert_eq!(next.to_string().parse(), Ok(next));
            day = next;
        }
        assert_eq!(day.to_string(), "2163-10-17");
    }

    #[test]
    fn a_month_later_is_at_most_the_last_of_the_month() {
        assert_eq!(add_months(date("2023-01-31"), 1).unwrap(), date("2023-02-28"));
        assert_eq!(add_months(date("2024-03-15"), -15).unwrap(), date("2022-12-15"));
    }

    #[test]
    fn a_day_that_is_none_is_refused() {
        assert_eq!("2023-02-29".parse::<Date>(), Err(()));
        assert_eq!("2023-1".parse::<Date>(), Err(()));
        assert_eq!(add_months(date("9999-12-01"), 1), None);
    }
}
