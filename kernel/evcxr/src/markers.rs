use std::collections::HashMap;

use partita_bridge::{CellOutcome, MimeBundle, Panic};

/// Ends a cell's text on each stream. Text before it on the same line had no newline.
pub const END_OF_TEXT: &str = "\u{0}partita-end";

/// Reads the cell's end from evcxr's content messages, which `cell_side.rs` writes. `None` if the cell
/// reported nothing, which happens only if its process has ended.
pub fn outcome(content: &HashMap<String, String>) -> Option<CellOutcome> {
    if content.contains_key("finished") {
        let mut bundle = MimeBundle::default();
        for (key, value) in content {
            if let Some(mime) = key.strip_prefix("value:") {
                bundle = bundle.with(mime, unescape(value));
            }
        }
        return Some(CellOutcome::Finished((!bundle.is_empty()).then_some(bundle)));
    }
    if let Some(message) = content.get("panic:message") {
        let number = |key: &str| content.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        return Some(CellOutcome::Panicked(Panic {
            message: unescape(message),
            file: content.get("panic:file").map(|file| unescape(file)).unwrap_or_default(),
            line: number("panic:line"),
            column: number("panic:column"),
            frames: Vec::new(),
        }));
    }
    let texts: Vec<String> =
        (0..).map_while(|index| content.get(&format!("failed:{index}"))).map(|text| unescape(text)).collect();
    (!texts.is_empty()).then_some(CellOutcome::Failed(texts))
}

/// evcxr's messages lose an empty first line and carriage returns, so values travel on one line with
/// these three characters escaped.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_value_comes_back_with_its_line_breaks_and_backslashes() {
        let said = content(&[("finished", ""), ("value:text/plain", r"\na\\nb\r\n")]);
        let expected = CellOutcome::Finished(Some(MimeBundle::text("\na\\nb\r\n")));
        assert_eq!(outcome(&said), Some(expected));
    }

    #[test]
    fn a_cell_without_a_value_finishes_with_none() {
        assert_eq!(outcome(&content(&[("finished", "")])), Some(CellOutcome::Finished(None)));
    }

    #[test]
    fn the_chain_of_causes_keeps_its_order() {
        let said = content(&[("failed:1", "inner"), ("failed:0", "outer")]);
        assert_eq!(outcome(&said), Some(CellOutcome::Failed(vec!["outer".into(), "inner".into()])));
    }

    #[test]
    fn content_that_says_nothing_is_no_outcome() {
        assert_eq!(outcome(&content(&[("text/plain", "1")])), None);
    }
}
