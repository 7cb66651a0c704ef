use std::{ops::Range, sync::Arc};

/// A cell's text and its name in errors.
#[derive(Debug)]
pub struct CellSource {
    /// `cell 3`
    pub label: String,
    /// As written, with lines ended by `\n`.
    pub code: String,
}

/// The purpose of a piece of generated code. An error that touches it is about that variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Takes the variable out of the store. Its type is written here.
    Take(String),
    /// Puts a lent variable back.
    Restore(String),
    /// Keeps the value that a `let` bound.
    Keep(String),
    /// An import of an earlier cell, by its index among the kept items.
    Import(usize),
}

/// A file for the compiler: pieces of a cell with generated code around them.
#[derive(Debug, Default)]
pub struct SourceFile {
    /// Its name, relative to the compiler's working directory.
    pub name: String,
    /// Its whole text.
    pub text: String,
    /// The cell that its pieces come from.
    pub cell: Option<Arc<CellSource>>,
    pieces: Vec<Piece>,
    roles: Vec<(Range<usize>, Role)>,
}

#[derive(Debug)]
struct Piece {
    here: usize,
    original: usize,
    length: usize,
}

impl SourceFile {
    /// An empty file.
    pub fn new(name: impl Into<String>, cell: Option<Arc<CellSource>>) -> Self {
        Self { name: name.into(), cell, ..Self::default() }
    }

    /// Adds generated code.
    pub fn generate(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds generated code for one variable or import.
    pub fn generate_for(&mut self, role: Role, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.roles.push((start..self.text.len(), role));
    }

    /// Adds a piece of the cell. `text` corresponds to its bytes from `original` on, with everything
    /// blanked that does not belong here.
    pub fn copy(&mut self, text: &str, original: usize) {
        self.pieces.push(Piece { here: self.text.len(), original, length: text.len() });
        self.text.push_str(text);
    }

    /// The range of the cell that a range of this file comes from; `None` for generated code.
    pub fn original(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let start = self.position(range.start, false);
        let end = if range.is_empty() { start } else { self.position(range.end, true) };
        match (start, end) {
            (Some(start), Some(end)) => (start <= end).then_some(start..end),
            _ => self.around(range),
        }
    }

    /// The single piece of the cell that a range of generated code surrounds: `&(` value `)`.
    fn around(&self, range: &Range<usize>) -> Option<Range<usize>> {
        if range.is_empty() {
            // Something missing at the end of the cell is missing after its last byte.
            let piece = self.pieces.iter().rfind(|piece| piece.here + piece.length == range.start)?;
            let end = piece.original + piece.length;
            return Some(end..end);
        }
        let mut inside = self
            .pieces
            .iter()
            .filter(|piece| range.start <= piece.here && piece.here + piece.length <= range.end);
        let piece = inside.next().filter(|piece| piece.length > 0)?;
        inside.next().is_none().then(|| piece.original..piece.original + piece.length)
    }

    fn position(&self, at: usize, is_end: bool) -> Option<usize> {
        self.pieces
            .iter()
            .find(|piece| {
                let end = piece.here + piece.length;
                if is_end { piece.here < at && at <= end } else { piece.here <= at && at < end }
            })
            .map(|piece| piece.original + (at - piece.here))
    }

    /// The purpose of the generated code at a range.
    pub fn role(&self, range: &Range<usize>) -> Option<&Role> {
        self.roles
            .iter()
            .find(|(here, _)| here.start <= range.start && range.end <= here.end)
            .map(|(_, role)| role)
    }
}

/// `code` with every byte outside `kept` blanked. Lines and byte positions stay the same.
pub fn blank_all_but(code: &str, kept: &[Range<usize>]) -> String {
    blank(code, |at| !kept.iter().any(|range| range.contains(&at)))
}

/// `code` with every byte inside `removed` blanked. Lines and byte positions stay the same.
pub fn blank_out(code: &str, removed: &[Range<usize>]) -> String {
    blank(code, |at| removed.iter().any(|range| range.contains(&at)))
}

fn blank(code: &str, blanked: impl Fn(usize) -> bool) -> String {
    let mut text = String::with_capacity(code.len());
    for (at, c) in code.char_indices() {
        if c == '\n' || !blanked(at) {
            text.push(c);
        } else {
            (0..c.len_utf8()).for_each(|_| text.push(' '));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanking_keeps_lines_and_byte_positions() {
        let code = "let é = 1;\nfn f() {}\n";
        let function = std::slice::from_ref(&(12..21));
        let items = blank_all_but(code, function);
        assert_eq!(items.len(), code.len());
        assert_eq!(items.trim(), "fn f() {}");
        assert_eq!(items.find("fn"), code.find("fn"));
        assert_eq!(blank_out(code, function).trim(), "let é = 1;");
    }

    #[test]
    fn positions_map_back_past_insertions_and_generated_code_has_none() {
        let mut file = SourceFile::new("f", None);
        file.generate("{");
        file.copy("a; ", 0);
        file.generate_for(Role::Keep("x".into()), "keep(x);");
        file.copy("b", 3);
        assert_eq!(file.original(&(1..2)), Some(0..1));
        assert_eq!(file.original(&(12..13)), Some(3..4));
        assert_eq!(file.original(&(5..6)), None);
        assert_eq!(file.original(&(10..13)), Some(3..4), "what is around a piece is about the piece");
        assert_eq!(file.original(&(13..13)), Some(4..4), "what is missing is missing at the end");
        assert_eq!(file.role(&(5..6)), Some(&Role::Keep("x".into())));
    }
}
