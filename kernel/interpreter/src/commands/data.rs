use partita_bridge::Command;

use super::command::{Answer, Context, answer, refuse};

/// Runs a query over the variables.
pub fn sql(context: Context<'_>) -> Answer {
    let (into, query) = target(context.argument(), context.step.whole_cell);
    if query.is_empty() {
        return Err(refuse("the query is missing; try `:sql SELECT * FROM trips LIMIT 10`"));
    }
    if let Some(name) = &into
        && syn::parse_str::<syn::Ident>(name).is_err()
    {
        return Err(refuse(format!("`{name}` is not a valid variable name; choose another")));
    }
    let command = Command::Sql { query: query.to_owned(), into };
    answer(context.evaluator.command(&command, context.outputs))
}

/// Shows the plan of a variable.
pub fn explain(context: Context<'_>) -> Answer {
    let command = Command::Explain { variable: context.argument().to_owned() };
    answer(context.evaluator.command(&command, context.outputs))
}

/// Lists the jobs that ran, or shows one of them.
pub fn jobs(context: Context<'_>) -> Answer {
    let job = match context.argument() {
        "" => None,
        number => Some(number.parse().map_err(|_| {
            refuse(format!(
                "`:jobs` takes a job number, but `{number}` is not one; `:jobs` alone lists the jobs"
            ))
        })?),
    };
    answer(context.evaluator.command(&Command::Jobs { job }, context.outputs))
}

/// Shows what runs tasks.
pub fn workers(context: Context<'_>) -> Answer {
    answer(context.evaluator.command(&Command::Workers, context.outputs))
}

/// Words that begin a query and cannot be a name.
const STARTS: [&str; 9] = ["SELECT", "WITH", "FROM", "SHOW", "VALUES", "TABLE", "EXPLAIN", "CREATE", "DROP"];

/// Splits `name = SELECT …` (or `name << SELECT …`, JupySQL's notation) into name and query. In a whole
/// cell the name may also stand alone on the first line.
fn target(text: &str, whole_cell: bool) -> (Option<String>, &str) {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || STARTS.iter().any(|start| name.eq_ignore_ascii_case(start)) {
        return (None, text);
    }
    let behind = rest.trim_start();
    if let Some(query) = behind.strip_prefix("<<").or_else(|| behind.strip_prefix('=')) {
        return (Some(name.to_owned()), query.trim());
    }
    match rest.split_once('\n') {
        Some((line, query)) if whole_cell && line.trim().is_empty() => (Some(name.to_owned()), query.trim()),
        None if whole_cell && rest.is_empty() => (Some(name.to_owned()), ""),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_say_which_variable_keeps_its_result() {
        let named = Some("busy".to_owned());
        assert_eq!(target("busy = SELECT 1", false), (named.clone(), "SELECT 1"));
        assert_eq!(target("busy << SELECT 1", false), (named.clone(), "SELECT 1"));
        assert_eq!(target("busy\nSELECT 1", true), (named, "SELECT 1"));
        for query in ["SELECT a = 1", "select\n1", "WITH a AS (SELECT 1) SELECT * FROM a", "(SELECT 1)"] {
            assert_eq!(target(query, true), (None, query));
        }
        assert_eq!(target("SELEC 1", false), (None, "SELEC 1"));
    }
}
