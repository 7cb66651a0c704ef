use comfy_table::{CellAlignment, presets};
use html_escape::encode_double_quoted_attribute as escape;

use crate::MimeBundle;

/// A small table of text for the answers of commands on both sides of the bridge: aligned columns in a
/// terminal, a plain HTML table in a notebook.
///
/// ```
/// use partita_bridge::Table;
/// let mut table = Table::new(["name", "size"]).right(1);
/// table.row(["trips", "12 MiB"]);
/// table.row(["n", "8 B"]);
/// assert_eq!(table.text(), "name     size\ntrips  12 MiB\nn         8 B");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// An empty table with these columns. Names may be empty; without columns there is no header.
    pub fn new<I: IntoIterator<Item: Into<String>>>(header: I) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Aligns a column to the right, as for numbers.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Adds a row.
    pub fn row<I: IntoIterator<Item: Into<String>>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, for a terminal.
    pub fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        if !self.header.is_empty() {
            table.set_header(&self.header);
        }
        table.add_rows(&self.rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if index == 0 { 0 } else { 2 }, 0));
            if self.right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// The table as HTML, for a notebook. It sets no colours, so the theme's apply.
    pub fn html(&self) -> String {
        let row = |cells: &[String], tag: &str| {
            let cells = cells.iter().enumerate().map(|(index, cell)| {
                let side = if self.right.contains(&index) { "right" } else { "left" };
                format!("<{tag} style=\"text-align:{side}\">{}</{tag}>", escape(cell))
            });
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
        let header = match self.header.as_slice() {
            [] => String::new(),
            names => format!("<thead>{}</thead>", row(names, "th")),
        };
        let rows: String = self.rows.iter().map(|cells| row(cells, "td")).collect();
        format!("<table>{header}<tbody>{rows}</tbody></table>")
    }

    /// Both representations, with a line of explanation after the table.
    pub fn bundle(&self, note: &str) -> MimeBundle {
        let (mut text, mut html) = (self.text(), self.html());
        if !note.is_empty() {
            text.push_str(&format!("\n\n{note}"));
            let lines = escape(note).replace('\n', "<br>");
            html.push_str(&format!("<div style=\"opacity:0.7\">{lines}</div>"));
        }
        MimeBundle::text(text).with("text/html", html)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_a_table_cannot_become_markup() {
        let mut table = Table::new(["a<b>"]);
        table.row(["\"x\" & <i>"]);
        let bundle = table.bundle("<u>");
        let html = bundle.get("text/html").unwrap();
        assert!(html.contains("a&lt;b&gt;") && html.contains("&quot;x&quot; &amp; &lt;i&gt;"), "{html}");
        assert!(html.contains("&lt;u&gt;"), "{html}");
        assert_eq!(bundle.get("text/plain"), Some("a<b>\n\"x\" & <i>\n\n<u>"));
    }
}
