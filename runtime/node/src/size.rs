//! Parses sizes as people write them.

/// Parses bytes from `2GB`, `1500 MB`, `64KiB` or a plain number.
pub fn bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        unit => return Err(format!("`{unit}` is not a unit; write a size such as 500MB, 2GB or 2GiB")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a size; write one such as 500MB or 2GB"))?;
    let bytes = number * scale;
    if bytes < 1.0 || bytes > isize::MAX as f64 {
        return Err(format!("`{text}` is out of range; a size is at least one byte"));
    }
    Ok(bytes as usize)
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
