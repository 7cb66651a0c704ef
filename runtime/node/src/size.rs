//! Parses sizes as people write them.

use bytesize::ByteSize;

/// Parses bytes from `2GB`, `1500 MB`, `64KiB` or a plain number.
pub fn bytes(text: &str) -> Result<usize, String> {
    let size: ByteSize =
        text.parse().map_err(|_| format!("`{text}` is not a size; write one such as 500MB, 2GB or 2GiB"))?;
    match usize::try_from(size.as_u64()) {
        Ok(bytes @ 1..) if isize::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(format!("`{text}` is out of range; a size is at least one byte")),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(bytes("1500"), Ok(1500));
        assert_eq!(bytes("1.5GB"), Ok(1_500_000_000));
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(bytes("64kib"), Ok(65_536));
        for wrong in ["", "GB", "0", "-1GB", "1 parsec", "1e30", "nan", "9999999999GB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
