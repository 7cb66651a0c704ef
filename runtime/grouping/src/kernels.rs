//! Loops for expressions that Polars computes value by value and that the compiler can vectorise. Each
//! returns `None` if a value is outside its supported range.

use polars::prelude::*;
use polars_arrow::array::PrimitiveArray;
use polars_arrow::types::NativeType;

/// A part of the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    Hour,
    Minute,
    Second,
}

/// A part of the time of day, in Polars' type for it: `Int8`.
pub(crate) fn clock(times: &Int64Chunked, unit: TimeUnit, clock: Clock) -> Option<Series> {
    match unit {
        TimeUnit::Milliseconds => clock_in::<1_000, 73_000_000>(times, clock),
        TimeUnit::Microseconds => clock_in::<1_000_000, 73_000_000>(times, clock),
        TimeUnit::Nanoseconds => clock_in::<1_000_000_000, 106_000>(times, clock),
    }
}

/// For times in units of 1/`SECOND` s, at most `DAYS` days from 1970.
fn clock_in<const SECOND: i64, const DAYS: i64>(times: &Int64Chunked, clock: Clock) -> Option<Series> {
    let array = times.downcast_as_array();
    let values = array.values().as_slice();
    // The time since a midnight before all others: without a sign, a division becomes a multiplication.
    let offset = const { DAYS * 86_400 * SECOND };
    let near = |value: &i64| (-offset..offset).contains(value);
    if !values.iter().fold(true, |all, value| all & near(value)) {
        return None;
    }
    let since = |value: &i64| (value + offset) as u64;
    let shown: Vec<i8> = match clock {
        Clock::Hour => values.iter().map(|v| (since(v) / (3600 * SECOND as u64) % 24) as i8).collect(),
        Clock::Minute => values.iter().map(|v| (since(v) / (60 * SECOND as u64) % 60) as i8).collect(),
        Clock::Second => values.iter().map(|v| (since(v) / SECOND as u64 % 60) as i8).collect(),
    };
    Some(like::<Int8Type, _>(array, shown))
}

/// Whether [`whole`] supports this type.
pub(crate) fn has_whole(dtype: &DataType) -> bool {
    use DataType as D;
    matches!(dtype, D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32)
}

/// Converts floats to integers of a type: rounded down, or towards zero.
pub(crate) fn whole(floats: &Float64Chunked, floor: bool, dtype: &DataType) -> Option<Series> {
    let array = floats.downcast_as_array();
    match dtype {
        DataType::Int8 => by_i32::<Int8Type>(array, floor, i8::MIN.into(), i8::MAX.into(), |v| v as i8),
        DataType::Int16 => by_i32::<Int16Type>(array, floor, i16::MIN.into(), i16::MAX.into(), |v| v as i16),
        DataType::Int32 => by_i32::<Int32Type>(array, floor, i32::MIN, i32::MAX, |v| v),
        DataType::UInt8 => by_i32::<UInt8Type>(array, floor, 0, u8::MAX.into(), |v| v as u8),
        DataType::UInt16 => by_i32::<UInt16Type>(array, floor, 0, u16::MAX.into(), |v| v as u16),
        DataType::UInt32 => by_i64::<UInt32Type>(array, floor, 0, u32::MAX.into(), |v| v as u32),
        // Floats further out have no fraction, and conversions near the limits are inexact.
        DataType::Int64 => by_i64::<Int64Type>(array, floor, -(1 << 53), 1 << 53, |v| v),
        _ => None,
    }
}

fn by_i32<T: PolarsNumericType>(
    array: &PrimitiveArray<f64>,
    floor: bool,
    least: i32,
    most: i32,
    narrow: impl Fn(i32) -> T::Native,
) -> Option<Series>
where
    ChunkedArray<T>: IntoSeries,
{
    let values = within(array, least.into(), most.into())?;
    // SAFETY: every value was checked to be between `least` and `most`, which are in range of the type.
    let truncated = |value: &f64| unsafe { value.to_int_unchecked::<i32>() };
    let whole = if floor {
        let floored = |value: &f64| {
            let truncated = truncated(value);
            truncated - i32::from(f64::from(truncated) > *value)
        };
        values.iter().map(|value| narrow(floored(value))).collect()
    } else {
        values.iter().map(|value| narrow(truncated(value))).collect()
    };
    Some(like::<T, _>(array, whole))
}

fn by_i64<T: PolarsNumericType>(
    array: &PrimitiveArray<f64>,
    floor: bool,
    least: i64,
    most: i64,
    narrow: impl Fn(i64) -> T::Native,
) -> Option<Series>
where
    ChunkedArray<T>: IntoSeries,
{
    let values = within(array, least as f64, most as f64)?;
    // SAFETY: every value was checked to be between `least` and `most`, which are in range of the type.
    let truncated = |value: &f64| unsafe { value.to_int_unchecked::<i64>() };
    let whole = if floor {
        let floored = |value: &f64| {
            let truncated = truncated(value);
            truncated - i64::from(truncated as f64 > *value)
        };
        values.iter().map(|value| narrow(floored(value))).collect()
    } else {
        values.iter().map(|value| narrow(truncated(value))).collect()
    };
    Some(like::<T, _>(array, whole))
}

/// All values, including those under nulls, if all of them are numbers between the two limits.
fn within(array: &PrimitiveArray<f64>, least: f64, most: f64) -> Option<&[f64]> {
    let values = array.values().as_slice();
    let all = values.iter().fold(true, |all, value| all & (*value >= least) & (*value <= most));
    all.then_some(values)
}

/// New values with the nulls of `array`.
fn like<T: PolarsNumericType, U: NativeType>(array: &PrimitiveArray<U>, values: Vec<T::Native>) -> Series
where
    ChunkedArray<T>: IntoSeries,
{
    let array = PrimitiveArray::from_vec(values).with_validity(array.validity().cloned());
    ChunkedArray::<T>::with_chunk(PlSmallStr::EMPTY, array).into_series()
}
