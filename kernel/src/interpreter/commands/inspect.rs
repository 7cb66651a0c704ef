use partita_bridge::MimeBundle;

use super::{Answer, Desk, refuse};

/// Shows the type of an expression.
pub fn type_of(desk: Desk<'_, '_>) -> Answer {
    let found = desk.place.completer().type_of(desk.argument());
    found.map(|found| Some(MimeBundle::text(found))).map_err(refuse)
}

/// Shows the signature and docs of a name.
pub fn doc(desk: Desk<'_, '_>) -> Answer {
    let name = desk.argument();
    match desk.place.completer().inspect(name, name.len()) {
        Some(bundle) => Ok(Some(bundle)),
        None => Err(refuse(format!(
            "nothing is known about `{name}`; give the name of a variable, function, type or method, with its path if \
             it is not in scope"
        ))),
    }
}
