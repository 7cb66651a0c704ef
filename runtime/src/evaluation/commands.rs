use partita_bridge::{CellOutcome, Command};

use super::Scope;

/// Runs a command over the variables.
pub(super) fn run(command: &Command, _scope: &Scope) -> CellOutcome {
    CellOutcome::Failed(vec![format!("{command:?} is not known here")])
}
