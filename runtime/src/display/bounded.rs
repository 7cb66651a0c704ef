use std::fmt::{self, Write};

/// The text of formatted values up to a length, so that a huge value cannot fill memory or stall the front
/// end.
pub(super) struct Bounded {
    pub(super) text: String,
    /// Whether the text was cut.
    pub(super) cut: bool,
    max_bytes: usize,
}

impl Bounded {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), cut: false, max_bytes }
    }
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = self.max_bytes.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
            return Ok(());
        }
        self.text.push_str(&piece[..piece.floor_char_boundary(room)]);
        self.cut = true;
        Err(fmt::Error)
    }
}
