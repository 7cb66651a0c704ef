//! MessagePack, the format of Polars' own serialised plans, with checks for bytes from a peer: they are
//! scanned once before anything is built from them, so that neither a length nor a nesting depth can
//! crash the process.

use polars::polars_utils::pl_serialize::{deserialize_dsl, serialize_dsl};
use polars::prelude::PolarsResult;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The maximum nesting of values: two levels for each of [`MAX_NESTED`], plus what surrounds them.
pub(super) const MAX_DEPTH: usize = 2 * MAX_NESTED + 64;

/// The maximum nesting of expressions and plans. Polars recurses over them in many places.
pub(super) const MAX_NESTED: usize = 1500;

/// Why bytes are not valid MessagePack, or too deep.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Malformed {
    #[error("the bytes end early")]
    Truncated,
    #[error("bytes are left over at the end")]
    LeftOver,
    #[error("a byte that cannot begin a value")]
    NoValue,
    #[error("values are nested more than {0} deep")]
    TooDeep(usize),
    #[error("{0}")]
    WrongType(String),
}

pub(super) fn to_bytes<T: Serialize>(value: &T) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    serialize_dsl(&mut bytes, value)?;
    Ok(bytes)
}

/// Decodes what [`check`] has accepted. The stack grows with the depth.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    check(bytes, MAX_DEPTH)?;
    deserialize_dsl(bytes).map_err(|error| Malformed::WrongType(error.to_string()))
}

/// Scans one value without recursion: every length must be covered by actual bytes, and the depth must
/// stay below the limit.
pub(super) fn check(bytes: &[u8], max_depth: usize) -> Result<(), Malformed> {
    let mut rest = Bytes(bytes);
    // The values still expected in each open array or map, outermost first.
    let mut open: Vec<u64> = vec![1];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let values = rest.value()?;
        if values > rest.0.len() as u64 {
            return Err(Malformed::Truncated);
        }
        if values > 0 {
            if open.len() > max_depth {
                return Err(Malformed::TooDeep(max_depth));
            }
            open.push(values);
        }
    }
    if rest.0.is_empty() { Ok(()) } else { Err(Malformed::LeftOver) }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// Skips one value's own bytes. Returns how many values it contains.
    fn value(&mut self) -> Result<u64, Malformed> {
        let marker = self.number(1)? as u8;
        let (skip, values) = match marker {
            0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => (0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
            0xc1 => return Err(Malformed::NoValue),
            0xc4 | 0xd9 => (self.number(1)?, 0),
            0xc5 | 0xda => (self.number(2)?, 0),
            0xc6 | 0xdb => (self.number(4)?, 0),
            0xc7 => (self.number(1)? + 1, 0),
            0xc8 => (self.number(2)? + 1, 0),
            0xc9 => (self.number(4)? + 1, 0),
            0xcc | 0xd0 => (1, 0),
            0xcd | 0xd1 => (2, 0),
            0xca | 0xce | 0xd2 => (4, 0),
            0xcb | 0xcf | 0xd3 => (8, 0),
            0xd4 => (2, 0),
            0xd5 => (3, 0),
            0xd6 => (5, 0),
            0xd7 => (9, 0),
            0xd8 => (17, 0),
            0xdc => (0, self.number(2)?),
            0xdd => (0, self.number(4)?),
            0xde => (0, 2 * self.number(2)?),
            0xdf => (0, 2 * self.number(4)?),
        };
        self.take(skip)?;
        Ok(values)
    }

    fn number(&mut self, bytes: u64) -> Result<u64, Malformed> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, bytes: u64) -> Result<&[u8], Malformed> {
        let bytes = usize::try_from(bytes).map_err(|_| Malformed::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_lengths_and_depths_are_errors_before_anything_is_allocated() {
        assert_eq!(check(&[0xdd, 0xff, 0xff, 0xff, 0xff], 10), Err(Malformed::Truncated));
        assert_eq!(check(&[0xc6, 0xff, 0xff, 0xff, 0xff, 1], 10), Err(Malformed::Truncated));
        assert_eq!(check(&[0x01, 0x01], 10), Err(Malformed::LeftOver));
        assert_eq!(check(&[0xc1], 10), Err(Malformed::NoValue));
        let mut deep = vec![0x91; 1 << 20];
        deep.push(0x01);
        assert_eq!(check(&deep, 100), Err(Malformed::TooDeep(100)));
        assert!(from_bytes::<Vec<u8>>(&deep).is_err());
    }

    #[test]
    fn whatever_is_packed_passes_the_check() {
        let value = (vec![Some(-3i64), None], "text".repeat(100), [1.5f64; 20], vec![u64::MAX; 70_000]);
        let bytes = to_bytes(&value).unwrap();
        check(&bytes, 8).unwrap();
    }
}
