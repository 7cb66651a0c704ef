//! Maps positions in cells to positions in a script. The interpreter names cells (`cell 3, line 2`),
//! because it knows no files; the person who runs a file wants the file's lines.

use std::borrow::Cow;

use partita_interpreter::CellError;

const CELL: &str = "cell ";

/// The positions of the cells of one script.
pub struct Positions {
    name: String,
    first_lines: Vec<usize>,
}

impl Positions {
    /// Takes the script's name and the first line of each of its cells.
    pub fn new(name: &str, first_lines: Vec<usize>) -> Self {
        Self { name: name.to_owned(), first_lines }
    }

    /// `lesson.rs, line 12`: where the cell begins.
    pub fn cell(&self, number: u32) -> String {
        let index = usize::try_from(number).unwrap_or_default().saturating_sub(1);
        match self.first_lines.get(index) {
            Some(line) => format!("{}, line {line}", self.name),
            None => format!("{CELL}{number}"),
        }
    }

    /// The same error, with positions in the script. Lines within a cell already count from the start of
    /// the file, because cells are passed on that way.
    pub fn translate(&self, error: &CellError) -> CellError {
        CellError {
            name: error.name.clone(),
            message: self.translate_text(&error.message).into_owned(),
            traceback: error.traceback.iter().map(|line| self.translate_text(line).into_owned()).collect(),
        }
    }

    /// Turns `cell 3:14:5` into `lesson.rs:14:5`, `cell 3, line 14` into `lesson.rs, line 14`, and a
    /// `cell 3` without a line into the line where it begins.
    pub fn translate_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut translated = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(CELL) {
            let (before, found) = rest.split_at(at);
            let after = &found[CELL.len()..];
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = after[..digits].parse().ok().filter(|number| self.knows(*number));
            let inside = without_colour(before).ends_with(|c: char| c.is_alphanumeric() || c == '_');
            translated.push_str(before);
            let rest_of = &after[digits..];
            match number.filter(|_| !inside) {
                Some(_) if starts_with_line(rest_of) => translated.push_str(&self.name),
                Some(number) => translated.push_str(&self.cell(number)),
                None => translated.push_str(&found[..CELL.len() + digits]),
            }
            rest = rest_of;
        }
        if translated.is_empty() {
            return Cow::Borrowed(text);
        }
        translated.push_str(rest);
        Cow::Owned(translated)
    }

    fn knows(&self, number: u32) -> bool {
        (1..=self.first_lines.len()).contains(&usize::try_from(number).unwrap_or_default())
    }
}

/// `text` without the colour code at its end, whose last character would look like a letter.
fn without_colour(text: &str) -> &str {
    match text.rsplit_once("\x1b[") {
        Some((before, code)) if code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';') == "m" => {
            before
        }
        _ => text,
    }
}

fn starts_with_line(text: &str) -> bool {
    let text = text.strip_prefix(", line ").or_else(|| text.strip_prefix(':')).unwrap_or_default();
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_cells_become_places_in_the_file() {
        let positions = Positions::new("lesson.rs", vec![3, 12]);
        let translated = |text| positions.translate_text(text).into_owned();
        assert_eq!(translated("  --> \x1b[0mcell 2:14:5"), "  --> \x1b[0mlesson.rs:14:5");
        assert_eq!(translated("at cell 1, line 4: x()"), "at lesson.rs, line 4: x()");
        assert_eq!(translated("moved in cell 2; clone it"), "moved in lesson.rs, line 12; clone it");
        assert_eq!(
            translated("a supercell 2, cell 3, cell x, cell "),
            "a supercell 2, cell 3, cell x, cell "
        );
    }
}
