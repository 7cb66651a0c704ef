/// A name in the code. Positions are bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Where the name begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The name, perhaps empty.
    pub word: &'a str,
    /// Whether a dot or a path stands before it.
    pub qualified: bool,
}

impl<'a> Place<'a> {
    /// The name that ends at the cursor.
    pub fn before(code: &'a str, cursor: usize) -> Self {
        let cursor = on_boundary(code, cursor);
        Self::new(code, cursor, cursor)
    }

    /// The name around the cursor.
    pub fn around(code: &'a str, cursor: usize) -> Self {
        let cursor = on_boundary(code, cursor);
        let rest = &code[cursor..];
        let end = rest.find(|c| !is_name(c)).map_or(code.len(), |length| cursor + length);
        Self::new(code, cursor, end)
    }

    fn new(code: &'a str, cursor: usize, end: usize) -> Self {
        let before = &code[..cursor];
        let start = before.trim_end_matches(is_name).len();
        let qualified = before[..start].ends_with(['.', ':']);
        Self { start, end, word: &code[start..end], qualified }
    }
}

/// Whether a name may contain this.
pub fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// `cursor`, or the nearest place before it that is in the code and between two characters.
pub fn on_boundary(code: &str, cursor: usize) -> usize {
    code.floor_char_boundary(cursor)
}
