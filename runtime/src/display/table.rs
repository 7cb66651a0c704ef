use std::fmt::Write;

use polars::prelude::{AnyValue, Column, DataType};

use super::html::escape;

/// Rows shown at either end of a table that is longer than both ends together.
const END_ROWS: usize = 5;
/// Columns shown before the middle ones are left out.
const MAX_COLUMNS: usize = 12;
/// Characters shown of one cell.
const MAX_CELL_CHARS: usize = 80;

/// A page of a table as HTML: shape, column names, data types, first and last rows. Colours are
/// inherited and dimmed by opacity, so that it reads on light and dark themes alike.
pub(super) fn html_table(columns: &[Column], height: usize) -> String {
    let shown_columns = ends(columns.len(), MAX_COLUMNS / 2);
    let mut html = String::from("<div style=\"overflow-x:auto\"><table><thead><tr>");
    // Writing to a String cannot fail, so the results of `write!` carry nothing.
    for &index in &shown_columns {
        let _ = match index.map(|index| &columns[index]) {
            Some(column) => {
                write!(html, "<th style=\"{}\">{}</th>", align(column.dtype()), escape(column.name()))
            }
            None => write!(html, "<th>…</th>"),
        };
    }
    html.push_str("</tr><tr>");
    for &index in &shown_columns {
        let _ = match index.map(|index| &columns[index]) {
            Some(column) => write!(
                html,
                "<td style=\"{};opacity:0.6\"><small>{}</small></td>",
                align(column.dtype()),
                escape(&column.dtype().to_string())
            ),
            None => write!(html, "<td>…</td>"),
        };
    }
    html.push_str("</tr></thead><tbody>");
    for row in ends(height, END_ROWS) {
        html.push_str("<tr>");
        for &index in &shown_columns {
            match (index.map(|index| &columns[index]), row) {
                (Some(column), Some(row)) => cell(&mut html, column, row),
                _ => html.push_str("<td style=\"text-align:center\">…</td>"),
            }
        }
        html.push_str("</tr>");
    }
    let _ = write!(
        html,
        "</tbody></table><small style=\"opacity:0.6\">{} × {}</small></div>",
        counted(height, "row"),
        counted(columns.len(), "column")
    );
    html
}

/// Indices of all of `count` things, or of `end` at either end with one `None` between them.
fn ends(count: usize, end: usize) -> Vec<Option<usize>> {
    if count <= 2 * end {
        return (0..count).map(Some).collect();
    }
    (0..end).map(Some).chain([None]).chain((count - end..count).map(Some)).collect()
}

fn cell(html: &mut String, column: &Column, row: usize) {
    let value = match column.get(row) {
        Ok(AnyValue::Null) | Err(_) => {
            html.push_str("<td style=\"text-align:right;opacity:0.5\"><i>null</i></td>");
            return;
        }
        Ok(value) => match value.get_str() {
            Some(text) => shortened(text),
            None => shortened(&value.to_string()),
        },
    };
    let _ = write!(html, "<td style=\"{}\">{}</td>", align(column.dtype()), escape(&value));
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn align(dtype: &DataType) -> &'static str {
    if dtype.is_numeric() || dtype.is_temporal() { "text-align:right" } else { "text-align:left" }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
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
        let long = "é".repeat(500);
        assert_eq!(shortened(&long).chars().count(), MAX_CELL_CHARS + 1);
        assert_eq!(shortened("é"), "é");
    }
}
