use std::env;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use polars::prelude::Column;

use super::{END_ROWS, MAX_COLUMNS, ends, is_right_aligned, one_line, value};

/// The most characters of one value or name: two such columns fit into any terminal.
const MAX_CHARS: usize = 32;
/// The width of every terminal.
const USUAL_WIDTH: usize = 80;
/// A column's border and the blanks around its content.
const FRAME: usize = 3;

/// A page of a table for a terminal, in Polars' format. Where Polars would break values over several lines,
/// columns in the middle are omitted instead.
pub fn text_table(columns: &[Column], height: usize) -> String {
    within(columns, height, width())
}

/// The width that Polars is configured to print, or the terminal's, or the usual one.
fn width() -> usize {
    let told = env::var("POLARS_TABLE_WIDTH").ok().and_then(|width| width.parse().ok());
    told.or_else(|| Table::new().width().map(usize::from)).unwrap_or(USUAL_WIDTH)
}

fn within(columns: &[Column], height: usize, width: usize) -> String {
    let shape = format!("shape: ({}, {})", grouped(height), grouped(columns.len()));
    if columns.is_empty() {
        return format!("{shape}\n(no columns)");
    }
    let rows = ends(height, END_ROWS);
    let candidates: Vec<usize> = ends(columns.len(), MAX_COLUMNS / 2).into_iter().flatten().collect();
    let all: Vec<Option<&Column>> = candidates.iter().map(|&index| Some(&columns[index])).collect();
    let widths: Vec<usize> = table(&all, &rows)
        .column_max_content_widths()
        .into_iter()
        .map(|width| usize::from(width) + FRAME)
        .collect();
    let kept = fitting(&widths, candidates.len() < columns.len(), width);
    let mut shown: Vec<Option<&Column>> = Vec::new();
    let mut next = 0;
    for position in kept {
        let index = candidates[position];
        if index > next {
            shown.push(None);
        }
        shown.push(Some(&columns[index]));
        next = index + 1;
    }
    if next < columns.len() {
        shown.push(None);
    }
    format!("{shape}\n{}", table(&shown, &rows))
}

/// The columns, from both ends to the middle, that fit beside each other and beside the mark for omitted
/// ones; at least one.
fn fitting(widths: &[usize], some_missing: bool, width: usize) -> Vec<usize> {
    let gap = "…".chars().count() + FRAME;
    let total: usize = widths.iter().sum();
    if total < width && !some_missing {
        return (0..widths.len()).collect();
    }
    let mut room = width.saturating_sub(gap + 1);
    let mut kept = Vec::new();
    let (mut front, mut back) = (0, widths.len());
    while front < back {
        let index = if kept.len() % 2 == 0 { front } else { back - 1 };
        if widths[index] > room && !kept.is_empty() {
            break;
        }
        room = room.saturating_sub(widths[index]);
        kept.push(index);
        if index == front {
            front += 1;
        } else {
            back -= 1;
        }
    }
    kept.sort_unstable();
    kept
}

fn table(columns: &[Option<&Column>], rows: &[Option<usize>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| match column {
        Some(column) => {
            let name = one_line(column.name(), MAX_CHARS);
            format!("{name}\n---\n{}", one_line(&column.dtype().to_string(), MAX_CHARS))
        }
        None => "…".to_owned(),
    }));
    for row in rows {
        table.add_row(columns.iter().map(|column| match (column, row) {
            (Some(column), Some(row)) => value(column, *row, MAX_CHARS).unwrap_or_else(|| "null".to_owned()),
            _ => "…".to_owned(),
        }));
    }
    for (index, column) in columns.iter().enumerate() {
        if column.is_some_and(|column| is_right_aligned(column.dtype()))
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A count with its digits in groups of three, as Polars and Rust write it.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    fn widest_line(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
    }

    #[test]
    fn a_small_frame_looks_as_polars_prints_it_with_numbers_to_the_right() {
        let frame = df!("zone" => ["Soho", "Harlem"], "fare" => [Some(12.5), None]).unwrap();
        let expected = "\
shape: (2, 2)
┌────────┬──────┐
│ zone   ┆ fare │
│ ---    ┆  --- │
│ str    ┆  f64 │
╞════════╪══════╡
│ Soho   ┆ 12.5 │
│ Harlem ┆ null │
└────────┴──────┘";
        assert_eq!(within(frame.columns(), 2, 80), expected);
    }

    #[test]
    fn a_wide_frame_leaves_out_columns_and_breaks_no_value() {
        let text = "a text of some length";
        let columns: Vec<Column> = (0..20).map(|i| Column::new(format!("c{i}").into(), [text])).collect();
        let shown = within(&columns, 1, 80);
        assert!(shown.contains("c0") && shown.contains("c19") && shown.contains('…'), "{shown}");
        assert_eq!(shown.lines().count(), 8, "{shown}");
        assert!(widest_line(&shown) <= 80, "{shown}");
        assert!(shown.starts_with("shape: (1, 20)\n"), "{shown}");
    }

    #[test]
    fn no_value_or_name_is_wider_than_half_a_terminal() {
        let long = "x".repeat(500);
        let columns =
            [Column::new(long.as_str().into(), [long.as_str()]), Column::new("b".into(), [long.as_str()])];
        let shown = within(&columns, 1, 80);
        assert!(widest_line(&shown) <= 80 && shown.contains("┆ b "), "{shown}");
    }

    #[test]
    fn a_long_frame_is_a_page_whatever_its_height() {
        let column = Column::new("n".into(), (0..1_234_567).collect::<Vec<i32>>());
        let shown = within(std::slice::from_ref(&column), column.len(), 80);
        assert!(shown.starts_with("shape: (1_234_567, 1)\n"), "{shown}");
        assert_eq!(shown.lines().count(), 6 + 11 + 1, "{shown}");
        assert!(shown.contains("1234566"), "{shown}");
    }

    #[test]
    fn a_frame_without_rows_shows_its_columns_and_one_without_columns_says_so() {
        let column = Column::new("a".into(), Vec::<i32>::new());
        assert!(within(std::slice::from_ref(&column), 0, 80).contains("│   a │"));
        assert_eq!(within(&[], 0, 80), "shape: (0, 0)\n(no columns)");
    }
}
