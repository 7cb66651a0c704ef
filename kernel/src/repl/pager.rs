use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use console::Term;

use super::rows::rows;

/// Shows a text in the person's pager if it is longer than the screen; says whether it did.
pub fn show(text: &str) -> bool {
    let (height, width) = Term::stdout().size();
    rows(text, usize::from(width)) >= usize::from(height) && page(text).is_ok()
}

fn page(text: &str) -> io::Result<()> {
    let asked = env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let command = asked.unwrap_or_else(|| "less -R".to_owned());
    // As a shell would read it: people write options into the variable.
    let mut pager = Command::new("sh").args(["-c", &command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = pager.stdin.take() {
        // Whoever leaves the pager early closes it.
        let _ = stdin.write_all(text.as_bytes());
    }
    let status = pager.wait()?;
    // 127: the shell has not found it.
    if status.code() == Some(127) { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
}
