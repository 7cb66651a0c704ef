//! A page of a table: its shape, names, data types, first and last rows, whatever the frame's size. [`html`]
//! writes it for notebooks, [`text`] for terminals. This module decides what both show of a value and which
//! rows and columns are omitted.

mod html;
mod text;

use std::fmt::Write;

use polars::prelude::{AnyValue, Column, DataType};

pub(super) use html::html_table;
pub(super) use text::text_table;

use super::bounded::Bounded;

/// Rows shown at either end of a table that is longer than both ends together.
const END_ROWS: usize = 5;
/// The most columns that are shown before the middle ones are omitted.
const MAX_COLUMNS: usize = 12;

/// Indices of all of `count` items, or of `end` items at either end with one `None` between them.
fn ends(count: usize, end: usize) -> Vec<Option<usize>> {
    if count <= 2 * end {
        return (0..count).map(Some).collect();
    }
    (0..end).map(Some).chain([None]).chain((count - end..count).map(Some)).collect()
}

/// One value as a line of at most `max_chars` characters; `None` for a null.
fn value(column: &Column, row: usize, max_chars: usize) -> Option<String> {
    match column.get(row) {
        Ok(AnyValue::Null) | Err(_) => None,
        Ok(value) => Some(match value.get_str() {
            Some(text) => one_line(text, max_chars),
            None => {
                // A list or a blob can be as large as memory.
                let mut text = Bounded::new(4 * (max_chars + 1));
                let _ = write!(text, "{value}");
                one_line(&text.text, max_chars)
            }
        }),
    }
}

/// The text up to `max_chars` characters, with line ends and other control characters escaped: they would
/// break a row in two or colour the terminal.
fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == max_chars {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

fn is_right_aligned(dtype: &DataType) -> bool {
    dtype.is_numeric() || dtype.is_temporal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_axis_keeps_both_ends_and_marks_the_gap_once() {
        assert_eq!(ends(3, 2), [Some(0), Some(1), Some(2)]);
        assert_eq!(ends(4, 2).len(), 4);
        assert_eq!(ends(100, 2), [Some(0), Some(1), None, Some(98), Some(99)]);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(one_line(&"é".repeat(500), 50).chars().count(), 51);
        assert_eq!(one_line("é", 50), "é");
        assert_eq!(one_line("éé", 2), "éé");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(one_line("a\nb\t\u{1b}[31m", 50), r"a\nb\t\u{1b}[31m");
    }
}
