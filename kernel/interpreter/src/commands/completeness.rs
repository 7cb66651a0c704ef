use super::{
    command::{Takes, blank},
    parse::parse,
};
use crate::{
    evaluator::Description,
    source::{self, Completeness},
};

/// Completeness does not depend on which evaluator reads a command.
const NO_EVALUATOR: Description =
    Description { name: "", own_commands: &[], reads_unknown_commands: false, has_bridge: false, help: "" };

/// Tells whether `code` is a complete cell: all brackets, strings and comments are closed and no
/// statement is cut off. Most commands (`:help`) are one line and always complete.
pub fn is_complete(code: &str) -> Completeness {
    with_commands(code).unwrap_or_else(|| source::is_complete(code))
}

/// [`is_complete`] for a cell with commands; `None` if it has no commands.
fn with_commands(code: &str) -> Option<Completeness> {
    let more = Completeness::Incomplete { indent: String::new() };
    // `name?` is complete in either reading.
    let parsed = parse(code, &NO_EVALUATOR, |_| true)?;
    if parsed.code.is_some() {
        return Some(source::is_complete(&blank(code, &parsed.commands)));
    }
    let last = parsed.steps.last()?;
    let argument = &code[last.argument.clone()];
    Some(match last.entry.map(|entry| entry.takes) {
        Some(Takes::Code) if argument.trim().is_empty() && last.whole_cell => more,
        Some(Takes::Code) => source::is_complete(argument),
        // A query has no brackets that must close; a `;` or an empty line ends it.
        Some(Takes::Query) if last.whole_cell => {
            let body = argument.split_once('\n').map_or("", |(_, body)| body);
            let left_open = body.trim().is_empty() || !body.ends_with('\n');
            if left_open && !argument.trim_end().ends_with(';') { more } else { Completeness::Complete }
        }
        _ => Completeness::Complete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_complete_when_what_it_takes_is() {
        let complete = |code| with_commands(code) == Some(Completeness::Complete);
        for code in [
            ":vars",
            ":help (",
            ":sql SELECT (",
            "%%sql\nSELECT 1;",
            "%%sql\nSELECT 1\n",
            ":time 1",
            "?a",
            ":dep a = \"1\"",
        ] {
            assert!(complete(code), "{code:?}");
        }
        for code in [":time {", "%%time", "%%sql", "%%sql\n", "%%sql\nSELECT 1", ":vars\nfn f() {"] {
            assert!(!complete(code), "{code:?}");
        }
        assert_eq!(with_commands("1 + 1"), None);
    }

    #[test]
    fn a_command_with_an_open_bracket_runs_and_rust_with_one_goes_on() {
        assert_eq!(is_complete(":help ("), Completeness::Complete);
        assert_eq!(is_complete("f("), Completeness::Incomplete { indent: "    ".into() });
    }
}
