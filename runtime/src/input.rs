//! Asks the person for a line of input. In a notebook or the REPL the front end asks; in a plain program
//! the question is printed and standard input is read. The [`host`] decides.

use crate::host;
pub use crate::host::input_error::InputError;

/// Shows `prompt` and waits for a line, which is returned without its line break. An interrupt ends the
/// wait.
///
/// # Errors
/// When nobody can be asked or the cell is interrupted.
pub fn input(prompt: impl AsRef<str>) -> Result<String, InputError> {
    host::current().ask(prompt.as_ref(), false)
}

/// Like [`input`], but does not show what is typed.
///
/// # Errors
/// As [`input`].
pub fn password(prompt: impl AsRef<str>) -> Result<String, InputError> {
    host::current().ask(prompt.as_ref(), true)
}
