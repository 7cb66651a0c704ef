use std::{env, process};

use partita_bridge::{Command, MimeBundle, Table};
use partita_events::figures::{bytes, plural};

use super::command::{Answer, Context, answer, refuse};

/// Lists the variables.
pub fn variables(context: Context<'_>) -> Answer {
    let mut variables = context.evaluator.variables();
    if variables.is_empty() {
        return Ok(Some(MimeBundle::text("no variables yet")));
    }
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    let mut table = Table::new(["name", "type", "size"]).right(2);
    for variable in variables {
        let size = variable.bytes.map(bytes).unwrap_or_default();
        table.row([variable.name, variable.type_name, size]);
    }
    Ok(Some(table.bundle("")))
}

/// Describes this kernel and its evaluation process.
pub fn environment(context: Context<'_>) -> Answer {
    let description = context.evaluator.description();
    let mut table = Table::new(["kernel", ""]);
    table.row(["partita", env!("CARGO_PKG_VERSION")]);
    table.row(["evaluator", description.name]);
    for (name, value) in context.evaluator.facts() {
        table.row([name, &value]);
    }
    table.row(["process", &process::id().to_string()]);
    if let Some(directory) = dirs::data_dir() {
        table.row(["history", &directory.join("partita").display().to_string()]);
    }
    for (name, value) in settings() {
        table.row([name, value]);
    }
    let own = table.bundle("");
    if !description.has_bridge {
        return Ok(Some(own));
    }
    let below =
        answer(context.evaluator.command(&Command::Environment, context.outputs))?.unwrap_or_default();
    let both = |mime: &str, between: &str| {
        format!("{}{between}{}", own.get(mime).unwrap_or_default(), below.get(mime).unwrap_or_default())
    };
    Ok(Some(MimeBundle::text(both("text/plain", "\n\n")).with("text/html", both("text/html", ""))))
}

/// Partita's environment variables.
fn settings() -> Vec<(String, String)> {
    let own = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        // Secrets must not end up in a notebook that is shared.
        let secret = ["TOKEN", "SECRET", "PASSWORD", "KEY"].iter().any(|word| name.contains(word));
        let value = if secret { "(set)".to_owned() } else { value.to_string_lossy().into_owned() };
        name.starts_with("PARTITA_").then_some((name, value))
    });
    let mut own: Vec<_> = own.collect();
    own.sort();
    own
}

/// Starts afresh.
pub fn reset(context: Context<'_>) -> Answer {
    let variables =
        context.evaluator.variables().into_iter().map(|variable| format!("`{}`", variable.name)).collect();
    let items = context.evaluator.items();
    context.evaluator.restart().map_err(|error| refuse(error.to_string()))?;
    let text = match (listed("variable", variables), listed("item", items)) {
        (None, None) => "there was nothing to forget; the evaluation process is new".to_owned(),
        (Some(one), None) | (None, Some(one)) => format!("forgotten: {one}"),
        (Some(variables), Some(items)) => format!("forgotten: {variables}; {items}"),
    };
    Ok(Some(MimeBundle::text(text)))
}

/// `2 variables (`a`, `b`)`; `None` for none.
fn listed(noun: &str, names: Vec<String>) -> Option<String> {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    (!names.is_empty()).then(|| format!("{} ({shown}{more})", plural(names.len(), noun)))
}

/// Front ends that can end do so before they get here.
pub fn quit(_context: Context<'_>) -> Answer {
    Ok(Some(MimeBundle::text(
        "the front end ends a notebook's kernel: Kernel ▸ Shut Down Kernel in JupyterLab, Ctrl-D in a console",
    )))
}
