use console::measure_text_width;

/// The number of rows that the text takes in a terminal of `width` columns.
pub fn rows(text: &str, width: usize) -> usize {
    text.lines().map(|line| measure_text_width(line).div_ceil(width.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_terminal_wraps_them() {
        assert_eq!(rows("a\n\nb\n", 80), 3);
        assert_eq!(rows("\x1b[31m12345678901\x1b[0m\n", 10), 2);
        assert_eq!(rows("", 80), 0);
    }
}
