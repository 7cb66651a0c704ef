//! Asks the person for a line of input. In a notebook or the REPL the front end asks; in a plain program
//! the question is printed and standard input is read. Which applies is decided elsewhere.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::OnceLock,
};

use thiserror::Error;

type Asker = fn(prompt: &str, password: bool) -> Result<String, InputError>;

static ASKER: OnceLock<Asker> = OnceLock::new();

/// Why there is no line.
#[derive(Debug, Error)]
pub enum InputError {
    /// Nobody can be asked, for example when a notebook runs without a person.
    #[error("there is nobody to ask: {0}")]
    Unavailable(String),
    /// The person interrupted the cell instead.
    #[error("interrupted while waiting for input")]
    Interrupted,
    /// Standard input has ended.
    #[error("standard input has ended")]
    Ended,
    /// Standard input cannot be read, or the question cannot be shown.
    #[error("cannot ask for input: {0}")]
    Io(#[from] io::Error),
}

/// Shows `prompt` and waits for a line, which is returned without its line break. An interrupt ends the
/// wait.
///
/// # Errors
/// When nobody can be asked or the cell is interrupted.
pub fn input(prompt: impl AsRef<str>) -> Result<String, InputError> {
    ask(prompt.as_ref(), false)
}

/// Like [`input`], but does not show what is typed.
///
/// # Errors
/// As [`input`].
pub fn password(prompt: impl AsRef<str>) -> Result<String, InputError> {
    ask(prompt.as_ref(), true)
}

/// Sets who asks from now on. Only the first call has an effect.
#[doc(hidden)]
pub fn ask_by(asker: Asker) {
    let _ = ASKER.set(asker);
}

fn ask(prompt: &str, password: bool) -> Result<String, InputError> {
    match ASKER.get() {
        Some(asker) => asker(prompt, password),
        None => ask_terminal(prompt, password),
    }
}

fn ask_terminal(prompt: &str, password: bool) -> Result<String, InputError> {
    print!("{prompt}");
    io::stdout().flush()?;
    let hidden = (password && io::stdin().is_terminal()).then(Hidden::begin).transpose()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    if hidden.is_some() {
        // The line break that the person typed was not shown.
        println!();
    }
    if read == 0 {
        return Err(InputError::Ended);
    }
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

/// Keeps the terminal from showing what is typed, until it is dropped.
struct Hidden {
    before: libc::termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        // SAFETY: all zeros are a valid `termios`; the call fills it or fails.
        let before = unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(libc::STDIN_FILENO, &raw mut settings) != 0 {
                return Err(io::Error::last_os_error());
            }
            settings
        };
        let mut hidden = before;
        hidden.c_lflag &= !libc::ECHO;
        set(&hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has closed shows nothing either.
        let _ = set(&self.before);
    }
}

fn set(settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the settings came from `tcgetattr`.
    let done = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, settings) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
