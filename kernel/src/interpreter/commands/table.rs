use super::{Answer, Desk, data, help, inspect, session, timing};

/// What may follow a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The rest of the line.
    Line,
    /// Lines up to one that ends in `;`, an empty line, or the next command.
    Query,
    /// The rest of the cell, as Rust.
    Code,
}

/// One command.
pub struct Entry {
    /// The name after the `:`.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Its arguments as `:help` writes them; `[…]` is optional.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// What text belongs to it.
    pub takes: Takes,
    /// Names of evcxr's own commands that take precedence when evcxr is the evaluator.
    pub(super) evcxrs: &'static [&'static str],
    /// The function that runs it; `None` if the evaluator reads it at the start of a cell.
    pub(super) run: Option<fn(Desk<'_, '_>) -> Answer>,
}

impl Entry {
    /// The command and its arguments: `:jobs [NUMBER]`.
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

/// Every command. A new command is a line here and a function.
pub(super) static TABLE: &[Entry] = &[
    Entry {
        name: "help",
        aliases: &["h", "?"],
        arguments: "[COMMAND]",
        help: "lists the commands",
        takes: Takes::Line,
        evcxrs: &[],
        run: Some(help::help),
    },
    Entry {
        name: "vars",
        aliases: &[],
        arguments: "",
        help: "lists the variables: name, type, memory",
        takes: Takes::Nothing,
        evcxrs: &[],
        run: Some(session::variables),
    },
    Entry {
        name: "type",
        aliases: &["t"],
        arguments: "EXPRESSION",
        help: "shows the type of an expression without running it",
        takes: Takes::Line,
        evcxrs: &["type", "t"],
        run: Some(inspect::type_of),
    },
    Entry {
        name: "doc",
        aliases: &[],
        arguments: "NAME",
        help: "shows the signature and docs of a name (also `?NAME` and `NAME?`)",
        takes: Takes::Line,
        evcxrs: &["doc"],
        run: Some(inspect::doc),
    },
    Entry {
        name: "sql",
        aliases: &[],
        arguments: "[NAME =] SELECT …",
        help: "runs SQL over DataFrames, LazyFrames and Datasets; NAME keeps the result",
        takes: Takes::Query,
        evcxrs: &[],
        run: Some(data::sql),
    },
    Entry {
        name: "explain",
        aliases: &[],
        arguments: "NAME",
        help: "shows the plan of a LazyFrame or Dataset without running it",
        takes: Takes::Line,
        evcxrs: &["explain"],
        run: Some(data::explain),
    },
    Entry {
        name: "jobs",
        aliases: &[],
        arguments: "[NUMBER]",
        help: "lists the last jobs of all sessions, or shows one in full",
        takes: Takes::Line,
        evcxrs: &[],
        run: Some(data::jobs),
    },
    Entry {
        name: "workers",
        aliases: &[],
        arguments: "",
        help: "lists the workers: their slots and what their caches hold",
        takes: Takes::Nothing,
        evcxrs: &[],
        run: Some(data::workers),
    },
    Entry {
        name: "time",
        aliases: &[],
        arguments: "CODE",
        help: "runs the rest of the cell and says how long it took",
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
        help: "sets how much cells are optimised; `auto` optimises those with loops",
        takes: Takes::Line,
        evcxrs: &["opt"],
        run: Some(timing::opt),
    },
    Entry {
        name: "dep",
        aliases: &[],
        arguments: "CRATE = \"VERSION\"",
        help: "adds a crate for the cells, written as in `[dependencies]` of a Cargo.toml",
        takes: Takes::Line,
        evcxrs: &["dep"],
        run: None,
    },
    Entry {
        name: "env",
        aliases: &["version"],
        arguments: "",
        help: "shows versions, directories, memory and settings",
        takes: Takes::Nothing,
        evcxrs: &["env", "version"],
        run: Some(session::environment),
    },
    Entry {
        name: "reset",
        aliases: &["clear"],
        arguments: "",
        help: "drops all variables and items and starts afresh",
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
        let expected: Vec<String> = TABLE
            .iter()
            .map(|entry| format!("| `{}` | {} |", entry.usage().replace('|', "\\|"), entry.help))
            .collect();
        assert_eq!(rows, expected);
    }
}
