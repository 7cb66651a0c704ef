use partita_bridge::MimeBundle;

use super::{
    command::{Context, Entry, Takes, refuse, unknown},
    parse::parse,
    table::TABLE,
};
use crate::{
    active_evaluator::ActiveEvaluator,
    evaluator::{Cell, CellError, Outcome},
    output::{Output, OutputSender},
};

/// Runs a cell: its commands here, its code in the evaluator.
pub(crate) fn execute(evaluator: &mut ActiveEvaluator, cell: &Cell, outputs: &OutputSender) -> Outcome {
    let variables = evaluator.variables();
    // `name?` is Rust if the variable's type has `?`, and a question about the name otherwise.
    let can_fail = |name: &str| {
        let types = ["Result<", "Option<", "Poll<", "ControlFlow<"];
        variables.iter().any(|variable| {
            variable.name == name && types.iter().any(|ty| variable.type_name.starts_with(ty))
        })
    };
    let Some(parsed) = parse(&cell.code, evaluator.description(), can_fail) else {
        return evaluator.run(cell, outputs);
    };
    let mut answer = None;
    for step in &parsed.steps {
        show(answer.take(), outputs);
        let context = Context { evaluator, outputs, cell, step, table: TABLE };
        let answered = match step.entry {
            Some(Entry { run: Some(run), .. }) => check(&context).and_then(|()| run(context)),
            Some(Entry { name, .. }) => Err(refuse(format!("`{}` is spelled `:{name}`", step.word))),
            None => Err(unknown(TABLE, &step.word)),
        };
        match answered {
            Ok(bundle) => answer = bundle,
            Err(error) => return Outcome::Failed(error),
        }
    }
    match parsed.code {
        Some(code) => {
            show(answer, outputs);
            evaluator.run(&Cell { code, ..*cell }, outputs)
        }
        None => Outcome::Finished(answer),
    }
}

/// Shows the answer of a command that is not the last one of the cell.
fn show(answer: Option<MimeBundle>, outputs: &OutputSender) {
    if let Some(bundle) = answer {
        // The front end may have gone; the cell runs anyway.
        let _ = outputs.blocking_send(Output::Display { id: None, bundle });
    }
}

fn check(context: &Context<'_>) -> Result<(), CellError> {
    let Some(entry) = context.step.entry else { return Ok(()) };
    let given = !context.argument().is_empty();
    match entry.takes {
        Takes::Nothing if given => Err(refuse(format!(
            "`:{}` takes no argument, but got `{}`",
            entry.name,
            context.argument().lines().next().unwrap_or_default()
        ))),
        Takes::Line | Takes::Query | Takes::Code if !given && entry.needs_argument() => {
            Err(refuse(format!("`:{}` needs an argument: {}", entry.name, entry.usage())))
        }
        _ => Ok(()),
    }
}
