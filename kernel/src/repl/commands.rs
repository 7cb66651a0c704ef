use crate::interpreter::direct::dependencies;
use crate::interpreter::{EvaluatorKind, Interpreter};

/// What the REPL does itself when a line begins with `:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplCommand {
    Help,
    Variables,
    Quit,
    /// One that neither the REPL nor the evaluator has.
    Unknown(String),
}

impl ReplCommand {
    /// The command `line` asks for; `None` for everything the interpreter is to see, the commands of
    /// evcxr among it.
    pub fn parse(line: &str, evaluator: EvaluatorKind) -> Option<Self> {
        match line.trim() {
            ":help" | ":h" | ":?" => Some(Self::Help),
            ":vars" => Some(Self::Variables),
            ":quit" | ":q" | ":exit" => Some(Self::Quit),
            other
                if evaluator == EvaluatorKind::Direct
                    && other.starts_with(':')
                    && !dependencies::is_request(other)
                    && !other.starts_with("::") =>
            {
                Some(Self::Unknown(other.to_owned()))
            }
            _ => None,
        }
    }
}

/// What is said to an unknown command.
pub fn unknown(command: &str) -> String {
    format!("there is no command `{command}`; `:help` says which there are")
}

/// What `:help` prints.
pub const HELP: &str = "\
Type Rust; a cell runs when it is complete, and a last expression without `;` is shown.
`use partita::prelude::*;` is in effect.

  :help     this text
  :vars     the variables and their types
  :dep      extra crates: `:dep rand`, or `:dep name = …` as in a Cargo.toml; alone, those there are
  :quit     leave (also Ctrl-D)

Ctrl-C clears the line, or interrupts the running cell: once cancels its job and keeps every
variable, a second time ends the evaluation process.
";

/// What `:vars` prints: one variable a line, names aligned.
pub fn variables(interpreter: &Interpreter) -> String {
    let mut variables = interpreter.variables();
    if variables.is_empty() {
        return "no variables yet\n".to_owned();
    }
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    let width = variables.iter().map(|variable| variable.name.chars().count()).max().unwrap_or(0);
    variables.iter().map(|variable| format!("{:width$}  {}\n", variable.name, variable.type_name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_repls_own_commands_are_kept_from_the_interpreter() {
        let direct = |line| ReplCommand::parse(line, EvaluatorKind::Direct);
        assert_eq!(direct(" :quit "), Some(ReplCommand::Quit));
        assert_eq!(direct(":vars"), Some(ReplCommand::Variables));
        assert_eq!(direct(":dep serde"), None);
        assert_eq!(direct(":depend"), Some(ReplCommand::Unknown(":depend".into())));
        assert_eq!(direct("::std::mem::drop(1)"), None);
        assert_eq!(direct("quit"), None);
        assert_eq!(ReplCommand::parse(":dep serde", EvaluatorKind::Evcxr), None);
    }
}
