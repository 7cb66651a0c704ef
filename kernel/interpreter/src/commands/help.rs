use partita_bridge::{MimeBundle, Table};

use super::command::{Answer, Context, Entry, find, unknown};

const NOTES: &str = "\
A cell is Rust. A last expression without `;` is shown. `use partita::prelude::*;` is in effect.
Commands go before the code of a cell. `%%sql` and `%%time` on the first line apply to the whole cell.
An interrupt (Ctrl-C) cancels the running job and keeps all variables. If the cell does not end, a
second one ends the evaluation process.";

/// Shows the table of commands, or one command.
pub fn help(context: Context<'_>) -> Answer {
    let wanted = context.argument();
    if !wanted.is_empty() {
        return one(context.table, wanted);
    }
    let mut table = Table::new(["command", "what it does"]);
    for entry in context.table {
        table.row([entry.usage(), entry.help.to_owned()]);
    }
    let mut notes = NOTES.to_owned();
    let more = context.evaluator.description().help;
    if !more.is_empty() {
        notes.push('\n');
        notes.push_str(more);
    }
    Ok(Some(table.bundle(&notes)))
}

fn one(table: &[Entry], wanted: &str) -> Answer {
    let Some(entry) = find(table, wanted.trim_start_matches([':', '%'])) else {
        return Err(unknown(table, wanted));
    };
    let mut text = format!("{}\n{}", entry.usage(), entry.help);
    if !entry.aliases.is_empty() {
        let aliases: Vec<String> = entry.aliases.iter().map(|alias| format!("`:{alias}`")).collect();
        text.push_str(&format!("\nalso: {}", aliases.join(", ")));
    }
    Ok(Some(MimeBundle::text(text)))
}
