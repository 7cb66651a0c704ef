use std::ops::Range;

use super::{
    command::{Step, Takes, blank, find},
    table::TABLE,
};
use crate::evaluator::Description;

/// A cell with its commands taken off.
pub struct Parsed {
    /// The commands that Partita runs, in order.
    pub steps: Vec<Step>,
    /// The positions of all commands, including those that the evaluator reads itself.
    pub commands: Vec<Range<usize>>,
    /// The code left for the evaluator. The commands are blanked out, so that positions stay the same.
    pub code: Option<String>,
}

/// Takes the commands off a cell: those before the first line of code. Returns `None` if there are none.
/// Commands that the evaluator reads itself stay in the code. `can_fail` tells whether a variable's type has
/// `?`, so that a `?` after it is Rust's.
pub fn parse(code: &str, evaluator: &Description, can_fail: impl Fn(&str) -> bool) -> Option<Parsed> {
    if let Some(step) = asks_about(code, can_fail) {
        return Some(Parsed { steps: vec![step], commands: Vec::new(), code: None });
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut taken: Vec<Range<usize>> = Vec::new();
    let mut passed: Vec<Range<usize>> = Vec::new();
    let mut has_code = false;
    let mut at = 0;
    while at < code.len() {
        let end = line_end(code, at);
        let line = code[at..end].trim();
        if line.is_empty() || line.starts_with("//") {
            at = end + 1;
            continue;
        }
        let first = at + code[at..].len() - code[at..].trim_start().len();
        let Some(mark) = mark(line).filter(|mark| *mark != "%%" || steps.is_empty()) else {
            has_code = true;
            break;
        };
        let word_end = first + line.find(char::is_whitespace).unwrap_or(line.len());
        let word = if mark == "?" { "?" } else { &code[first..word_end] };
        let name = &word[mark.len()..];
        let entry = if mark == "?" { find(TABLE, "doc") } else { find(TABLE, name) };
        let passes = match entry {
            Some(entry) => entry.run.is_none() || evaluator.own_commands.contains(&name),
            None => evaluator.reads_unknown_commands,
        };
        if passes && mark == ":" {
            passed.push(first..end);
            at = end + 1;
            continue;
        }
        let until = match entry.map(|entry| entry.takes) {
            _ if mark == "%%" => code.len(),
            Some(Takes::Code) => code.len(),
            Some(Takes::Query) => query_end(code, end),
            _ => end,
        };
        steps.push(Step {
            word: word.to_owned(),
            entry,
            argument: first + word.len()..until,
            whole_cell: mark == "%%",
        });
        taken.push(first..until);
        at = until + 1;
    }
    let for_evaluator = has_code || !passed.is_empty();
    let any = !steps.is_empty() || !passed.is_empty();
    let rest = for_evaluator.then(|| blank(code, &taken));
    any.then(|| Parsed { steps, commands: [taken, passed].concat(), code: rest })
}

/// Whether the text begins with a command.
pub fn begins_with_command(text: &str) -> bool {
    mark(text.trim_start()).is_some()
}

/// The mark that makes a line a command.
fn mark(line: &str) -> Option<&'static str> {
    // `::path` is Rust.
    let colon = line.starts_with(':') && !line.starts_with("::");
    let marks = [("%%", true), ("%", true), ("?", true), (":", colon)];
    marks.into_iter().find(|(mark, fits)| *fits && line.starts_with(mark)).map(|(mark, _)| mark)
}

/// Parses `name?` that stands alone in the cell.
fn asks_about(code: &str, can_fail: impl Fn(&str) -> bool) -> Option<Step> {
    let text = code.trim();
    let name = text.strip_suffix("??").or_else(|| text.strip_suffix('?'))?;
    let path = name.split("::").all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    if !path || can_fail(name) {
        return None;
    }
    let start = code.len() - code.trim_start().len();
    Some(Step {
        word: "?".into(),
        entry: find(TABLE, "doc"),
        argument: start..start + name.len(),
        whole_cell: false,
    })
}

fn line_end(code: &str, from: usize) -> usize {
    code[from..].find('\n').map_or(code.len(), |length| from + length)
}

/// The end of a query whose first line ends at `end`.
fn query_end(code: &str, mut end: usize) -> usize {
    let mut begin = code[..end].rfind('\n').map_or(0, |newline| newline + 1);
    while end < code.len() && !code[begin..end].trim_end().ends_with(';') {
        let next = line_end(code, end + 1);
        let line = code[end + 1..next].trim();
        if line.is_empty() || mark(line).is_some() {
            break;
        }
        (begin, end) = (end + 1, next);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT: Description = Description {
        name: "direct",
        own_commands: &[],
        reads_unknown_commands: false,
        has_bridge: true,
        help: "",
    };

    /// With an evaluator that has commands of its own, like evcxr.
    const OTHER: Description =
        Description { own_commands: &["clear"], reads_unknown_commands: true, ..DIRECT };

    type Steps = Vec<(String, String)>;

    /// The commands with their arguments, and the remaining code.
    fn parsed(code: &str, evaluator: &Description) -> Option<(Steps, Option<String>)> {
        let parsed = parse(code, evaluator, |name| name == "fallible")?;
        let steps = parsed
            .steps
            .iter()
            .map(|step| (step.word.clone(), code[step.argument.clone()].trim().to_owned()));
        Some((steps.collect(), parsed.code))
    }

    fn direct(code: &str) -> Option<(Steps, Option<String>)> {
        parsed(code, &DIRECT)
    }

    fn steps(list: &[(&str, &str)]) -> Steps {
        list.iter().map(|(word, argument)| ((*word).to_owned(), (*argument).to_owned())).collect()
    }

    #[test]
    fn rust_is_left_alone() {
        for code in
            ["1 + 1", "::std::mem::drop(1)", "let a = 1;\n:vars", "", "// :vars", "df.show()?", "\"%\""]
        {
            assert!(direct(code).is_none(), "{code}");
        }
    }

    #[test]
    fn leading_commands_are_taken_off_and_the_code_keeps_its_positions() {
        let (commands, code) = direct("// é\n  :jobs 3\n\n:vars\nlet é = 1;\n:vars").unwrap();
        assert_eq!(commands, steps(&[(":jobs", "3"), (":vars", "")]));
        assert_eq!(code.unwrap(), "// é\n         \n\n     \nlet é = 1;\n:vars");
        assert_eq!(direct(" :vars ").unwrap(), (steps(&[(":vars", "")]), None));
    }

    #[test]
    fn a_query_reads_on_to_a_semicolon_an_empty_line_or_the_next_command() {
        let (commands, code) =
            direct(":sql SELECT a\n  FROM b;\n:sql SELECT c\nFROM d\n:jobs\n%sql SELECT e\n\nlet x = 1;")
                .unwrap();
        let expected = [
            (":sql", "SELECT a\n  FROM b;"),
            (":sql", "SELECT c\nFROM d"),
            (":jobs", ""),
            ("%sql", "SELECT e"),
        ];
        assert_eq!(commands, steps(&expected));
        assert_eq!(code.unwrap().trim(), "let x = 1;");
    }

    #[test]
    fn time_and_a_magic_take_the_rest_of_the_cell() {
        assert_eq!(direct(":time f(\n1)\ng()").unwrap(), (steps(&[(":time", "f(\n1)\ng()")]), None));
        assert_eq!(
            direct("%%sql\nSELECT 1;\n\nSELECT").unwrap().0,
            steps(&[("%%sql", "SELECT 1;\n\nSELECT")])
        );
        assert_eq!(direct("%%html\n<b>").unwrap().0, steps(&[("%%html", "<b>")]));
    }

    #[test]
    fn a_question_mark_asks_for_docs_unless_rust_means_it() {
        assert_eq!(direct("?DataFrame").unwrap().0, steps(&[("?", "DataFrame")]));
        assert_eq!(direct(" col? ").unwrap().0, steps(&[("?", "col")]));
        assert_eq!(direct("std::mem::swap??").unwrap().0, steps(&[("?", "std::mem::swap")]));
        for code in ["fallible?", "f()?", "a.b?", "let x = a?", "?"] {
            assert!(direct(code).is_none_or(|(steps, _)| code == "?" && steps.len() == 1), "{code}");
        }
    }

    #[test]
    fn evcxrs_own_commands_reach_evcxr() {
        let evcxr = |code| parsed(code, &OTHER);
        assert_eq!(evcxr(":dep serde\n:clear").unwrap(), (vec![], Some(":dep serde\n:clear".into())));
        let (commands, code) = evcxr(":dep a = \"1\"\n:vars\nlet x = 1;").unwrap();
        assert_eq!(commands, steps(&[(":vars", "")]));
        assert_eq!(code.unwrap(), ":dep a = \"1\"\n     \nlet x = 1;");
    }
}
