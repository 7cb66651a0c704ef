use std::ops::Range;

/// Source for the compiler, made of the person's code and ours. Pieces of the cell occupy lines of their
/// own, so that they can be found in the file that evcxr makes of it.
#[derive(Debug, Default)]
pub struct Program {
    text: String,
    pieces: Vec<Range<usize>>,
}

impl Program {
    /// The text to compile.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces of the cell in it, as byte ranges of the cell, in the order of this text.
    pub fn pieces(&self) -> &[Range<usize>] {
        &self.pieces
    }

    /// Adds lines of our own.
    pub fn ours(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds the bytes `range` of the cell.
    pub fn cells(&mut self, cell: &str, range: Range<usize>) {
        self.text.push_str(&cell[range.clone()]);
        self.text.push('\n');
        self.pieces.push(range);
    }
}
