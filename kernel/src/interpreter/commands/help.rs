use partita_bridge::{MimeBundle, Table};

use super::{Answer, Desk, EvaluatorKind, TABLE, find, unknown};

const NOTES: &str = "\
A cell is Rust; a last expression without `;` is shown. `use partita::prelude::*;` is in effect.
Commands stand before the code of a cell. `%%sql` and `%%time` on a cell's first line take all of it.
An interrupt (Ctrl-C) cancels the running job and keeps every variable; a second one, if the cell does
not end, ends the evaluation process.";

/// The table of commands, or one of them.
pub fn help(desk: Desk<'_, '_>) -> Answer {
    let wanted = desk.argument();
    if !wanted.is_empty() {
        return one(wanted);
    }
    let mut table = Table::new(["command", "what it does"]);
    for entry in TABLE {
        table.row([entry.usage(), entry.help.to_owned()]);
    }
    let mut notes = NOTES.to_owned();
    if desk.place.kind() == EvaluatorKind::Evcxr {
        notes.push_str(
            "\nThis is the evcxr evaluator: its own commands (`:dep`, `:opt`, `:type`, `:explain` and others) reach \
             it; those about DataFrames and jobs need the direct one.",
        );
    }
    Ok(Some(table.bundle(&notes)))
}

fn one(wanted: &str) -> Answer {
    let Some(entry) = find(wanted.trim_start_matches([':', '%'])) else { return Err(unknown(wanted)) };
    let mut text = format!("{}\n{}", entry.usage(), entry.help);
    if !entry.aliases.is_empty() {
        let aliases: Vec<String> = entry.aliases.iter().map(|alias| format!("`:{alias}`")).collect();
        text.push_str(&format!("\nalso: {}", aliases.join(", ")));
    }
    Ok(Some(MimeBundle::text(text)))
}
