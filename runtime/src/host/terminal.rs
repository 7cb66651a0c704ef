//! The host of a plain program: its standard streams.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::input_error::InputError;
use super::interrupts::Interrupts;
use super::{Host, Shown};

/// Prints what is shown as text on standard output, and reads answers from standard input.
#[derive(Debug, Default)]
pub struct Terminal {
    interrupts: Interrupts,
}

impl Host for Terminal {
    fn show(&self, shown: Shown) {
        let bundle = match shown {
            Shown::New { bundle, .. } | Shown::Update { bundle, .. } | Shown::Page(bundle) => bundle,
            // Printed text cannot be cleared.
            Shown::Clear { .. } => return,
        };
        if let Some(text) = bundle.get("text/plain") {
            // A closed standard output is not the program's error.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
        }
    }

    fn ask(&self, prompt: &str, password: bool) -> Result<String, InputError> {
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

    fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    fn replaces_displays(&self) -> bool {
        false
    }

    fn has_colours(&self) -> bool {
        io::stdout().is_terminal()
    }
}

/// Keeps the terminal from showing what is typed, until it is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has closed shows nothing either.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}
