use std::collections::HashMap;

use console::truncate_str;
use rustyline::completion::Pair;

use partita_interpreter::{Completions, commands};

/// Up to this many candidates are listed one per line, with their declarations.
const LISTED_WHOLE: usize = 30;

/// Wider lines are cut off.
const WIDEST: usize = 100;

/// How many signatures are remembered for hints.
const REMEMBERED: usize = 2_000;

/// The commands that complete the word before the cursor, if it is a command.
pub fn command(line: &str, pos: usize) -> Option<(usize, Vec<Pair>)> {
    let typed = line.get(..pos)?;
    let start = typed.len() - typed.trim_start().len();
    let word = &typed[start..];
    let mark = if word.starts_with("%%") { "%%" } else { ":" };
    let name = word.strip_prefix(mark)?;
    if name.starts_with(':') || name.contains(char::is_whitespace) {
        return None;
    }
    let pairs = commands::all()
        .iter()
        .filter(|entry| entry.name.starts_with(name))
        .map(|entry| Pair {
            display: fitting(&format!("{:24} {}", entry.usage(), entry.help)),
            replacement: format!("{mark}{}", entry.name),
        })
        .collect();
    Some((start, pairs))
}

/// The completions in the editor's form.
pub fn candidates(found: Completions) -> Vec<Pair> {
    let whole = found.items.len() <= LISTED_WHOLE;
    let width = found.items.iter().map(|item| item.text.chars().count()).max().unwrap_or(0);
    found
        .items
        .into_iter()
        .map(|item| {
            let display = match item.signature.filter(|_| whole) {
                Some(signature) => fitting(&format!("{:width$}  {signature}", item.text)),
                None => item.text.clone(),
            };
            Pair { display, replacement: item.text }
        })
        .collect()
}

fn fitting(line: &str) -> String {
    let columns = console::Term::stdout().size().1;
    truncate_str(line, usize::from(columns).saturating_sub(2).min(WIDEST), "…").into_owned()
}

/// Remembers the declarations of functions, to show them while their arguments are typed.
pub fn remember(signatures: &mut HashMap<String, String>, found: &Completions) {
    if signatures.len() > REMEMBERED {
        signatures.clear();
    }
    for item in &found.items {
        if let Some(signature) = item.signature.as_ref().filter(|signature| signature.contains("fn ")) {
            signatures.insert(item.text.trim_end_matches(['(', ')']).to_owned(), signature.clone());
        }
    }
}

/// The declaration of the function whose arguments come next.
pub fn signature_at_end<'a>(signatures: &'a HashMap<String, String>, line: &str) -> Option<&'a String> {
    let before = line.strip_suffix('(')?;
    let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    signatures.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_interpreter::completion::{Completion, Kind};

    fn found() -> Completions {
        let item = |text: &str, signature: &str| Completion {
            text: text.into(),
            kind: Kind::Method,
            signature: Some(signature.into()),
            summary: None,
        };
        let items = vec![item("lazy", "fn lazy(self) -> LazyFrame"), item("le", "bool")];
        Completions { start: 3, end: 4, items }
    }

    #[test]
    fn candidates_are_shown_with_how_they_are_declared_and_insert_their_name() {
        let pairs = candidates(found());
        assert_eq!(pairs[0].display, "lazy  fn lazy(self) -> LazyFrame");
        assert_eq!(pairs[0].replacement, "lazy");
        let many = Completions { items: vec![found().items[0].clone(); 31], ..found() };
        assert_eq!(candidates(many)[0].display, "lazy");
    }

    #[test]
    fn commands_complete_behind_their_mark_only() {
        let names = |line: &str| -> Option<Vec<String>> {
            Some(command(line, line.len())?.1.into_iter().map(|pair| pair.replacement).collect())
        };
        assert!(names(":he").unwrap().contains(&":help".to_owned()));
        assert!(names("%%sq").unwrap().contains(&"%%sql".to_owned()));
        assert_eq!(names("::st"), None);
        assert_eq!(names(":sql SELECT"), None);
        assert_eq!(names("x"), None);
    }

    #[test]
    fn a_function_completed_once_shows_its_declaration_at_its_bracket() {
        let mut signatures = HashMap::new();
        remember(&mut signatures, &found());
        let shown = signature_at_end(&signatures, "df.lazy(");
        assert_eq!(shown.map(String::as_str), Some("fn lazy(self) -> LazyFrame"));
        assert_eq!(signature_at_end(&signatures, "df.le("), None);
        assert_eq!(signature_at_end(&signatures, "df.lazy"), None);
    }
}
