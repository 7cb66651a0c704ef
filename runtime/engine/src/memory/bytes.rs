use std::fmt;

/// A number of bytes, formatted for people.
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} bytes", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes / 1e6),
            _ => write!(f, "{:.1} GB", bytes / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn sizes_read_as_people_say_them() {
        let text = |bytes| Bytes(bytes).to_string();
        assert_eq!(text(12), "12 bytes");
        assert_eq!(text(1_500), "1.5 kB");
        assert_eq!(text(2_000_000_000), "2.0 GB");
    }
}
