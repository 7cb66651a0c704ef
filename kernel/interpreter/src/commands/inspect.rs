use partita_bridge::MimeBundle;

use super::command::{Answer, Context, refuse};

/// Shows the type of an expression.
pub fn type_of(context: Context<'_>) -> Answer {
    let found = context.evaluator.shared().completer.type_of(context.argument());
    found.map(|found| Some(MimeBundle::text(found))).map_err(|error| refuse(error.to_string()))
}

/// Shows the signature and docs of a name.
pub fn doc(context: Context<'_>) -> Answer {
    let name = context.argument();
    match context.evaluator.shared().completer.inspect(name, name.len()) {
        Some(bundle) => Ok(Some(bundle)),
        None => Err(refuse(format!(
            "nothing is known about `{name}`; give the name of a variable, function, type or method, with its path if \
             it is not in scope"
        ))),
    }
}
