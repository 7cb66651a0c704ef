use super::{Answer, Desk, data, help, inspect, session, timing};

/// What may stand after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The rest of the line.
    Line,
    /// Lines up to one that ends in `;`, an empty one, or the next command.
    Query,
    /// The rest of the cell, as Rust.
    Code,
}

/// One command.
pub struct Entry {
    /// What follows the `:`.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What can stand after it, as `:help` writes it; `[…]` may be left out.
    pub arguments: &'static str,
    /// What it does, in a line.
    pub help: &'static str,
    /// How far it reaches.
    pub takes: Takes,
    /// The names under which evcxr has a command of its own, which its notebooks mean.
    pub(super) evcxrs: &'static [&'static str],
    /// What it does; `None` if the evaluator itself reads it at the head of a cell.
    pub(super) run: Option<fn(Desk<'_, '_>) -> Answer>,
}

impl Entry {
    /// The command with its arguments, as it is written: `:jobs [NUMBER]`.
    pub fn usage(&self) -> String {
        format!(":{} {}", self.name, self.arguments).trim_end().to_owned()
    }

    pub(super) fn needs_argument(&self) -> bool {
        !self.arguments.is_empty() && !self.arguments.starts_with('[')
    }
}

/// The command of this name or alias.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

/// Every command. A new one is a line here and a function.
pub(super) static TABLE: &[Entry] = &[
    Entry {
        name: "help",
        aliases: &["h", "?"],
        arguments: "[COMMAND]",
        help: "what can be typed here",
        takes: Takes::Line,
        evcxrs: &[],
        run: Some(help::help),
    },
    Entry {
        name: "vars",
        aliases: &[],
        arguments: "",
        help: "the variables: name, type, memory",
        takes: Takes::Nothing,
        evcxrs: &[],
        run: Some(session::variables),
    },
    Entry {
        name: "type",
        aliases: &["t"],
        arguments: "EXPRESSION",
        help: "the type of an expression, which is not run",
        takes: Takes::Line,
        evcxrs: &["type", "t"],
        run: Some(inspect::type_of),
    },
    Entry {
        name: "doc",
        aliases: &[],
        arguments: "NAME",
        help: "what a name is: signature and docs (also `?NAME` and `NAME?`)",
        takes: Takes::Line,
        evcxrs: &["doc"],
        run: Some(inspect::doc),
    },
    Entry {
        name: "sql",
        aliases: &[],
        arguments: "[NAME =] SELECT …",
        help: "a query over DataFrames, LazyFrames and Datasets by their names; NAME keeps the result",
        takes: Takes::Query,
        evcxrs: &[],
        run: Some(data::sql),
    },
    Entry {
        name: "explain",
        aliases: &[],
        arguments: "NAME",
        help: "the plan of a LazyFrame or Dataset; nothing is run",
        takes: Takes::Line,
        evcxrs: &["explain"],
        run: Some(data::explain),
    },
    Entry {
        name: "jobs",
        aliases: &[],
        arguments: "[NUMBER]",
        help: "the last jobs of all sessions; one of them whole",
        takes: Takes::Line,
        evcxrs: &[],
        run: Some(data::jobs),
    },
    Entry {
        name: "workers",
        aliases: &[],
        arguments: "",
        help: "what runs tasks: slots, and what their caches hold",
        takes: Takes::Nothing,
        evcxrs: &[],
        run: Some(data::workers),
    },
    Entry {
        name: "time",
        aliases: &[],
        arguments: "CODE",
        help: "runs the code after it, to the end of the cell, and says how long it took",
        takes: Takes::Code,
        evcxrs: &[],
        run: Some(timing::time),
    },
    Entry {
        name: "timing",
        aliases: &[],
        arguments: "[on|off]",
        help: "says after each cell where its time went",
        takes: Takes::Line,
        evcxrs: &["timing"],
        run: Some(timing::timing),
    },
    Entry {
        name: "opt",
        aliases: &[],
        arguments: "[auto|0|1|2|3]",
        help: "how much the compiler optimises cells; `auto` does it where a cell has loops of its own",
        takes: Takes::Line,
        evcxrs: &["opt"],
        run: Some(timing::opt),
    },
    Entry {
        name: "dep",
        aliases: &[],
        arguments: "CRATE = \"VERSION\"",
        help: "brings a crate into the session, as a line of `[dependencies]` in Cargo.toml would",
        takes: Takes::Line,
        evcxrs: &["dep"],
        run: None,
    },
    Entry {
        name: "env",
        aliases: &["version"],
        arguments: "",
        help: "versions, directories, memory, settings",
        takes: Takes::Nothing,
        evcxrs: &["env", "version"],
        run: Some(session::environment),
    },
    Entry {
        name: "reset",
        aliases: &["clear"],
        arguments: "",
        help: "forgets every variable and item, and starts afresh",
        takes: Takes::Nothing,
        evcxrs: &["clear"],
        run: Some(session::reset),
    },
    Entry {
        name: "quit",
        aliases: &["q", "exit"],
        arguments: "",
        help: "leaves the terminal (also Ctrl-D)",
        takes: Takes::Nothing,
        evcxrs: &[],
        run: Some(session::quit),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_commands_share_a_name() {
        let names: Vec<&str> = TABLE
            .iter()
            .flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases))
            .copied()
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn the_page_about_commands_has_them_all_as_the_table_says() {
        let page = include_str!("../../../../docs/commands.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `:")).collect();
        let expected: Vec<String> =
            TABLE.iter().map(|entry| format!("| `{}` | {} |", entry.usage(), entry.help)).collect();
        assert_eq!(rows, expected);
    }
}
