use std::fmt::Write;

use polars::prelude::{Column, DataType};

use super::{END_ROWS, MAX_COLUMNS, ends, is_right_aligned, one_line, value};
use crate::display::html::escape;

/// The most characters of one value or name; the page scrolls sideways beyond its width.
const MAX_CHARS: usize = 60;

/// A page of a table as HTML. Colours are inherited and dimmed by opacity, so that the table is readable on
/// light and dark themes. Styles are inline, where a notebook that is not trusted keeps them.
pub fn html_table(columns: &[Column], height: usize) -> String {
    let shown_columns: Vec<Option<&Column>> = ends(columns.len(), MAX_COLUMNS / 2)
        .into_iter()
        .map(|index| index.map(|index| &columns[index]))
        .collect();
    let mut html = String::from("<div style=\"overflow-x:auto\"><table><thead><tr>");
    // Writing to a String cannot fail, so the results of `write!` are ignored.
    for column in &shown_columns {
        let _ = match column {
            Some(column) => write!(
                html,
                "<th style=\"{};white-space:nowrap\">{}</th>",
                align(column.dtype()),
                escape(&one_line(column.name(), MAX_CHARS))
            ),
            None => write!(html, "<th>…</th>"),
        };
    }
    html.push_str("</tr><tr>");
    for column in &shown_columns {
        let _ = match column {
            Some(column) => write!(
                html,
                "<td style=\"{};opacity:0.6;white-space:nowrap\"><small>{}</small></td>",
                align(column.dtype()),
                escape(&one_line(&column.dtype().to_string(), MAX_CHARS))
            ),
            None => write!(html, "<td>…</td>"),
        };
    }
    html.push_str("</tr></thead><tbody>");
    for row in ends(height, END_ROWS) {
        html.push_str("<tr>");
        for column in &shown_columns {
            match (column, row) {
                (Some(column), Some(row)) => cell(&mut html, column, row),
                _ => html.push_str("<td style=\"text-align:center;opacity:0.6\">…</td>"),
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

fn cell(html: &mut String, column: &Column, row: usize) {
    let align = align(column.dtype());
    let _ = match value(column, row, MAX_CHARS) {
        Some(value) => write!(html, "<td style=\"{align};white-space:nowrap\">{}</td>", escape(&value)),
        None => write!(html, "<td style=\"{align};opacity:0.5\"><i>null</i></td>"),
    };
}

fn align(dtype: &DataType) -> &'static str {
    if is_right_aligned(dtype) { "text-align:right" } else { "text-align:left" }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
