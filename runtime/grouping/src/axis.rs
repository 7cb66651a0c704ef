//! Maps the values of one key to small numbers, its codes. Integers, and types stored as integers, are coded
//! by their distance from the minimum; short texts in order of appearance. Null is 0, values start at 1.

use polars::prelude::*;
use polars_arrow::array::{Array, PrimitiveArray, View};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::types::NativeType;

/// The current meaning of a key's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The value with code 1, for integers.
    low: i64,
    /// The number of codes, including null's.
    pub span: usize,
}

/// The codes of one key.
pub(crate) enum Axis {
    Integers(DataType),
    Texts(Texts),
}

/// The values of a key in one run, after a first pass over them.
pub(crate) enum Surveyed {
    Integers(Series),
    /// The texts' codes.
    Texts(Vec<u32>),
}

/// Evaluates an expression with the integers of a series of one chunk.
macro_rules! with_integers {
    ($series:expr, |$array:ident| $body:expr, otherwise $otherwise:expr) => {
        match $series.dtype() {
            DataType::Int8 => {
                let $array = $series.i8().expect("an i8").downcast_as_array();
                $body
            }
            DataType::Int16 => {
                let $array = $series.i16().expect("an i16").downcast_as_array();
                $body
            }
            DataType::Int32 => {
                let $array = $series.i32().expect("an i32").downcast_as_array();
                $body
            }
            DataType::Int64 => {
                let $array = $series.i64().expect("an i64").downcast_as_array();
                $body
            }
            DataType::UInt8 => {
                let $array = $series.u8().expect("a u8").downcast_as_array();
                $body
            }
            DataType::UInt16 => {
                let $array = $series.u16().expect("a u16").downcast_as_array();
                $body
            }
            DataType::UInt32 => {
                let $array = $series.u32().expect("a u32").downcast_as_array();
                $body
            }
            DataType::UInt64 => {
                let $array = $series.u64().expect("a u64").downcast_as_array();
                $body
            }
            _ => $otherwise,
        }
    };
}

impl Axis {
    /// An axis for keys of this type, if it is supported.
    pub fn new(dtype: &DataType) -> Option<Self> {
        match dtype {
            DataType::String => Some(Self::Texts(Texts::default())),
            _ if dtype.is_bool() || dtype.to_physical().is_integer() => Some(Self::Integers(dtype.clone())),
            _ => None,
        }
    }

    /// Scans the values of a run, which has one chunk. Returns the layout that covers them and the earlier
    /// values, or `None` if they do not fit an axis of at most `most` codes.
    pub fn survey(&mut self, values: &Series, now: Layout, most: usize) -> Option<(Surveyed, Layout)> {
        match self {
            Self::Integers(_) => {
                let values = match values.dtype() {
                    DataType::Boolean => values.cast(&DataType::UInt8).ok()?,
                    _ => values.to_physical_repr().into_owned(),
                };
                let limits = with_integers!(values, |array| limits(array)?, otherwise return None);
                Some((Surveyed::Integers(values), now.with(limits, most)?))
            }
            Self::Texts(texts) => {
                let array = values.str().ok()?.downcast_as_array();
                let codes = texts.codes(array.views().as_slice(), array.validity())?;
                let span = if texts.values.len() < now.span {
                    now.span
                } else {
                    (texts.values.len() + 1).next_power_of_two()
                };
                (span <= most).then_some((Surveyed::Texts(codes), Layout { span, ..now }))
            }
        }
    }

    /// The values of these codes as a column.
    pub fn values(
        &self,
        codes: impl Iterator<Item = usize>,
        layout: Layout,
        name: &PlSmallStr,
    ) -> PolarsResult<Column> {
        match self {
            Self::Integers(dtype) => {
                let value = |code| (code > 0).then(|| layout.low.wrapping_add(code as i64 - 1));
                let values: Int64Chunked = codes.map(value).collect();
                let values = values.into_series().cast(&dtype.to_physical())?;
                // SAFETY: each value was in a column of this type.
                let values = unsafe { values.from_physical_unchecked(dtype)? };
                Ok(values.with_name(name.clone()).into_column())
            }
            Self::Texts(texts) => {
                let value = |code: usize| (code > 0).then(|| texts.values[code - 1].as_str());
                let values: StringChunked = codes.map(value).collect();
                Ok(values.into_series().with_name(name.clone()).into_column())
            }
        }
    }
}

impl Layout {
    /// A layout that covers only null.
    pub const EMPTY: Self = Self { low: 0, span: 1 };

    /// Converts a code of the layout `there` to this layout, which must cover all values of `there`.
    pub fn code_of(self, code: usize, there: Self) -> usize {
        if code == 0 { 0 } else { code + there.low.wrapping_sub(self.low) as usize }
    }

    /// A layout that also covers the values between these limits.
    fn with(self, limits: Option<(i64, i64)>, most: usize) -> Option<Self> {
        let Some((least, greatest)) = limits else { return Some(self) };
        let (low, high) = (i128::from(self.low), i128::from(self.low) + self.span as i128 - 2);
        let first = self.span == 1;
        let (least, greatest) = (i128::from(least), i128::from(greatest));
        if !first && least >= low && greatest <= high {
            return Some(self);
        }
        let (mut from, mut to) = if first { (least, greatest) } else { (least.min(low), greatest.max(high)) };
        let span = |from: i128, to: i128| to - from + 2;
        if !first {
            // Extra room, so that steadily rising or falling values do not change the layout each time.
            let room = i128::from(span(from, to) as u32 / 2);
            let (roomy_from, roomy_to) = (
                if least < low { from - room } else { from }.max(i64::MIN.into()),
                if greatest > high { to + room } else { to }.min(i64::MAX.into()),
            );
            if span(roomy_from, roomy_to) <= most as i128 {
                (from, to) = (roomy_from, roomy_to);
            }
        }
        let span = usize::try_from(span(from, to)).ok().filter(|span| *span <= most)?;
        Some(Self { low: from as i64, span })
    }
}

impl Surveyed {
    /// Adds `stride` times each row's code to `cells`.
    pub fn add_to(&self, cells: &mut [u32], layout: Layout, stride: u32) {
        match self {
            Self::Integers(values) => {
                with_integers!(values, |array| add(array, cells, layout, stride), otherwise())
            }
            Self::Texts(codes) => {
                cells.iter_mut().zip(codes).for_each(|(cell, code)| *cell += code * stride);
            }
        }
    }
}

/// Truncates an integer to 32 bits; differences below 2^32 stay exact.
trait Low32: Copy {
    fn low32(self) -> u32;
}

macro_rules! low32 {
    ($($t:ty)*) => { $(impl Low32 for $t {
        #[inline(always)]
        fn low32(self) -> u32 { self as u32 }
    })* };
}
low32!(i8 i16 i32 i64 u8 u16 u32 u64);

fn add<T: NativeType + Low32>(array: &PrimitiveArray<T>, cells: &mut [u32], layout: Layout, stride: u32) {
    let before = (layout.low as u32).wrapping_sub(1);
    let code = |value: T| value.low32().wrapping_sub(before);
    let values = array.values().as_slice();
    match array.validity() {
        Some(validity) if array.null_count() > 0 => {
            for ((cell, value), valid) in cells.iter_mut().zip(values).zip(validity.iter()) {
                *cell += if valid { code(*value) * stride } else { 0 };
            }
        }
        _ => {
            for (cell, value) in cells.iter_mut().zip(values) {
                *cell = cell.wrapping_add(code(*value).wrapping_mul(stride));
            }
        }
    }
}

/// The minimum and maximum; no limits without values, `None` if one does not fit into an `i64`.
fn limits<T: NativeType + Ord + TryInto<i64>>(array: &PrimitiveArray<T>) -> Option<Option<(i64, i64)>> {
    let values = array.values().as_slice();
    let both = |limits: Option<(T, T)>, value: T| {
        Some(limits.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
    };
    let found = match array.validity() {
        Some(validity) if array.null_count() > 0 => {
            let valid = values.iter().zip(validity.iter()).filter(|(_, valid)| *valid);
            valid.fold(None, |limits, (value, _)| both(limits, *value))
        }
        _ => values.first().map(|first| {
            values.iter().fold((*first, *first), |(least, most), value| (least.min(*value), most.max(*value)))
        }),
    };
    match found {
        None => Some(None),
        Some((least, most)) => Some(Some((least.try_into().ok()?, most.try_into().ok()?))),
    }
}

/// Slots of the table of texts: at least two per text.
const SLOTS: usize = 1 << 12;

/// Short texts in order of appearance. A text of up to twelve bytes is its own view, so one comparison of 16
/// bytes compares two texts.
pub(crate) struct Texts {
    /// Views and codes, indexed by a hash of the view. Code 0 marks an empty slot.
    slots: Vec<(u128, u32)>,
    values: Vec<PlSmallStr>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { slots: vec![(0, 0); SLOTS], values: Vec::new() }
    }
}

impl Texts {
    /// The codes of these texts; `None` if one is too long or there are too many.
    fn codes(&mut self, views: &[View], validity: Option<&Bitmap>) -> Option<Vec<u32>> {
        let mut codes = Vec::with_capacity(views.len());
        match validity {
            Some(validity) if validity.unset_bits() > 0 => {
                for (view, valid) in views.iter().zip(validity.iter()) {
                    codes.push(if valid { self.code(view)? } else { 0 });
                }
            }
            _ => {
                for view in views {
                    codes.push(self.code(view)?);
                }
            }
        }
        Some(codes)
    }

    #[inline(always)]
    fn code(&mut self, view: &View) -> Option<u32> {
        if !view.is_inline() {
            return None;
        }
        let bits = view.as_u128();
        let mut at = slot(bits);
        loop {
            let (known, code) = self.slots[at];
            if known == bits && code > 0 {
                return Some(code);
            }
            if code == 0 {
                return self.insert(at, view);
            }
            at = (at + 1) % SLOTS;
        }
    }

    #[cold]
    fn insert(&mut self, at: usize, view: &View) -> Option<u32> {
        if self.values.len() >= SLOTS / 2 {
            return None;
        }
        // SAFETY: the view is inline, so it refers to no buffer; it comes from a column of text.
        let text = unsafe { std::str::from_utf8_unchecked(view.get_inlined_slice_unchecked()) };
        self.values.push(text.into());
        self.slots[at] = (view.as_u128(), self.values.len() as u32);
        Some(self.values.len() as u32)
    }
}

/// Fibonacci hashing of both halves.
#[inline(always)]
fn slot(bits: u128) -> usize {
    let mixed = (bits as u64 ^ ((bits >> 64) as u64).rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}
