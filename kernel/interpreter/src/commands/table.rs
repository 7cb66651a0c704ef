use super::{
    command::{Entry, Takes, find},
    data, help, inspect, session, timing,
};

/// All commands, in the order of `:help`.
pub fn all() -> &'static [Entry] {
    TABLE
}

/// The names that can follow a `:`, without the `:`.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.name)
}

/// Whether the cell asks a front end that can end to do so.
pub fn is_quit(cell: &str) -> bool {
    let name = cell.trim().strip_prefix(':').and_then(|name| find(TABLE, name)).map(|entry| entry.name);
    name == Some("quit")
}

/// Every command. A new command is a line here and a function.
pub(super) static TABLE: &[Entry] = &[
    Entry {
        name: "help",
        aliases: &["h", "?"],
        arguments: "[COMMAND]",
        help: "lists the commands",
        takes: Takes::Line,
        run: Some(help::help),
    },
    Entry {
        name: "vars",
        aliases: &[],
        arguments: "",
        help: "lists the variables: name, type, memory",
        takes: Takes::Nothing,
        run: Some(session::variables),
    },
    Entry {
        name: "type",
        aliases: &["t"],
        arguments: "EXPRESSION",
        help: "shows the type of an expression without running it",
        takes: Takes::Line,
        run: Some(inspect::type_of),
    },
    Entry {
        name: "doc",
        aliases: &[],
        arguments: "NAME",
        help: "shows the signature and docs of a name (also `?NAME` and `NAME?`)",
        takes: Takes::Line,
        run: Some(inspect::doc),
    },
    Entry {
        name: "sql",
        aliases: &[],
        arguments: "[NAME =] SELECT …",
        help: "runs SQL over DataFrames, LazyFrames and Datasets; NAME keeps the result",
        takes: Takes::Query,
        run: Some(data::sql),
    },
    Entry {
        name: "explain",
        aliases: &[],
        arguments: "NAME",
        help: "shows the plan of a LazyFrame or Dataset without running it",
        takes: Takes::Line,
        run: Some(data::explain),
    },
    Entry {
        name: "jobs",
        aliases: &[],
        arguments: "[NUMBER]",
        help: "lists the last jobs of all sessions, or shows one in full",
        takes: Takes::Line,
        run: Some(data::jobs),
    },
    Entry {
        name: "workers",
        aliases: &[],
        arguments: "",
        help: "lists the workers: their slots and what their caches hold",
        takes: Takes::Nothing,
        run: Some(data::workers),
    },
    Entry {
        name: "time",
        aliases: &[],
        arguments: "CODE",
        help: "runs the rest of the cell and says how long it took",
        takes: Takes::Code,
        run: Some(timing::time),
    },
    Entry {
        name: "timing",
        aliases: &[],
        arguments: "[on|off]",
        help: "says after each cell where its time went",
        takes: Takes::Line,
        run: Some(timing::timing),
    },
    Entry {
        name: "opt",
        aliases: &[],
        arguments: "[auto|0|1|2|3]",
        help: "sets how much cells are optimised; `auto` optimises those with loops",
        takes: Takes::Line,
        run: Some(timing::opt),
    },
    Entry {
        name: "dep",
        aliases: &[],
        arguments: "CRATE = \"VERSION\"",
        help: "adds a crate for the cells, written as in `[dependencies]` of a Cargo.toml",
        takes: Takes::Line,
        run: None,
    },
    Entry {
        name: "env",
        aliases: &["version"],
        arguments: "",
        help: "shows versions, directories, memory and settings",
        takes: Takes::Nothing,
        run: Some(session::environment),
    },
    Entry {
        name: "reset",
        aliases: &["clear"],
        arguments: "",
        help: "drops all variables and items and starts afresh",
        takes: Takes::Nothing,
        run: Some(session::reset),
    },
    Entry {
        name: "quit",
        aliases: &["q", "exit"],
        arguments: "",
        help: "leaves the terminal (also Ctrl-D)",
        takes: Takes::Nothing,
        run: Some(session::quit),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::command::unknown, *};

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

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        assert!(unknown(TABLE, ":hepl").message.contains("did you mean `:help`?"));
        assert!(unknown(TABLE, "%%tiem").message.contains("did you mean `%%time`?"));
        let far = unknown(TABLE, ":xylophone").message;
        assert!(!far.contains("did you mean") && far.contains("`:help`"), "{far}");
    }

    #[test]
    fn only_the_whole_cell_quits() {
        assert!(is_quit(" :quit\n") && is_quit(":q") && is_quit(":exit"));
        assert!(!is_quit("quit") && !is_quit(":vars") && !is_quit(":quit\n1"));
    }
}
