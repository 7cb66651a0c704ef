//! Chooses how pictures are shown: by the person's setting, the environment, or the terminal's answer
//! to a query.

use std::env;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::repl::terminal_settings::ModesOff;

/// Set it to `kitty`, `iterm2`, `sixel`, `blocks` or `files` to override the automatic choice.
const VARIABLE: &str = "PARTITA_PICTURES";

/// A terminal that has not answered by now does not know the query.
const PATIENCE: Duration = Duration::from_secs(1);

/// How pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureMode {
    Kitty { tmux: bool },
    Iterm2 { tmux: bool },
    Sixel,
    Blocks { colours: Colours },
    Files,
}

/// The colours of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// All colours.
    True,
    /// 256 fixed colours.
    Few,
}

impl Colours {
    /// The colour as the parameters of an escape sequence, after `38;` or `48;`.
    pub fn of(self, [red, green, blue]: [u8; 3]) -> String {
        match self {
            Self::True => format!("2;{red};{green};{blue}"),
            Self::Few => format!("5;{}", nearest([red, green, blue])),
        }
    }
}

/// The nearest of the 256 colours: a cube with six steps per side, and 24 greys.
fn nearest([red, green, blue]: [u8; 3]) -> u32 {
    const STEPS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let step =
        |part: u8| (0..6).min_by_key(|&step| (STEPS[step] - i32::from(part)).abs()).unwrap_or_default();
    let grey = ((u32::from(red) + u32::from(green) + u32::from(blue)) / 3).saturating_sub(3) / 10;
    let grey = grey.min(23);
    let distance = |r: i32, g: i32, b: i32| {
        let (r, g, b) = (r - i32::from(red), g - i32::from(green), b - i32::from(blue));
        r * r + g * g + b * b
    };
    let (r, g, b) = (step(red), step(green), step(blue));
    let of_grey = 8 + 10 * grey as i32;
    if distance(of_grey, of_grey, of_grey) < distance(STEPS[r], STEPS[g], STEPS[b]) {
        232 + grey
    } else {
        (16 + 36 * r + 6 * g + b) as u32
    }
}

impl PictureMode {
    /// Determines the mode for this process's standard output.
    pub fn detect(terminal: bool) -> Self {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let asked = variable(VARIABLE).and_then(|name| Self::named(&name, &variable));
        match asked {
            Some(mode) => mode,
            None if !terminal || variable("TERM").as_deref() == Some("dumb") => Self::Files,
            None => Self::from_environment(&variable)
                .or_else(Self::from_terminal)
                .unwrap_or_else(|| Self::blocks(&variable)),
        }
    }

    fn named(name: &str, variable: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let tmux = variable("TMUX").is_some();
        match name {
            "kitty" => Some(Self::Kitty { tmux }),
            "iterm2" => Some(Self::Iterm2 { tmux }),
            "sixel" => Some(Self::Sixel),
            "blocks" => Some(Self::blocks(variable)),
            "files" => Some(Self::Files),
            other => {
                tracing::warn!(
                    "{VARIABLE} is `{other}`; set it to `kitty`, `iterm2`, `sixel`, `blocks` or `files`"
                );
                None
            }
        }
    }

    fn blocks(variable: &impl Fn(&str) -> Option<String>) -> Self {
        let plenty = matches!(variable("COLORTERM").as_deref(), Some("truecolor" | "24bit"));
        Self::Blocks { colours: if plenty { Colours::True } else { Colours::Few } }
    }

    /// The mode according to the environment. Inside tmux and screen, the environment describes another
    /// terminal than the one that would get the picture.
    fn from_environment(variable: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable("TMUX").is_some() || variable("STY").is_some() {
            return None;
        }
        let term = variable("TERM").unwrap_or_default();
        let program = variable("TERM_PROGRAM").unwrap_or_default();
        let kitty = variable("KITTY_WINDOW_ID").is_some()
            || term == "xterm-kitty"
            || term == "xterm-ghostty"
            || program == "ghostty";
        let iterm2 = matches!(program.as_str(), "iTerm.app" | "WezTerm")
            || variable("LC_TERMINAL").as_deref() == Some("iTerm2");
        if kitty {
            return Some(Self::Kitty { tmux: false });
        }
        iterm2.then_some(Self::Iterm2 { tmux: false })
    }

    /// The mode according to the terminal's answer.
    fn from_terminal() -> Option<Self> {
        let answer = ask().ok()?;
        Self::from_answer(&answer)
    }

    fn from_answer(answer: &str) -> Option<Self> {
        if answer.contains("\x1b_Gi=31;OK") {
            return Some(Self::Kitty { tmux: false });
        }
        let attributes = answer.rsplit("\x1b[?").next()?.strip_suffix('c')?;
        attributes.split(';').skip(1).any(|attribute| attribute == "4").then_some(Self::Sixel)
    }
}

/// Asks whether the terminal supports kitty's pictures, and then for its attributes. Every terminal
/// answers the second question, so there is always something to wait for.
fn ask() -> std::io::Result<String> {
    let mut terminal = std::fs::File::options().read(true).write(true).open("/dev/tty")?;
    let descriptor = terminal.as_raw_fd();
    let _at_once =
        ModesOff::new(descriptor, libc::ICANON | libc::ECHO).ok_or(std::io::ErrorKind::Unsupported)?;
    // Keys typed ahead must not be mistaken for the answer.
    if readable(descriptor, Duration::ZERO) {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    terminal.write_all(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c")?;
    let mut answer = Vec::new();
    let until = Instant::now() + PATIENCE;
    while !(answer.ends_with(b"c") && answer.windows(3).any(|part| part == b"\x1b[?")) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !readable(descriptor, left) {
            break;
        }
        let mut byte = [0; 64];
        let count = terminal.read(&mut byte)?;
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&byte[..count]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn readable(descriptor: i32, wait: Duration) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one valid entry; the caller has the descriptor open.
    unsafe { libc::poll(&raw mut poll, 1, wait) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_environment(variables: &[(&str, &str)]) -> Option<PictureMode> {
        let known: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        PictureMode::from_environment(&|name: &str| {
            known.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn terminals_are_known_by_their_environment_but_not_through_tmux() {
        assert_eq!(from_environment(&[("KITTY_WINDOW_ID", "1")]), Some(PictureMode::Kitty { tmux: false }));
        assert_eq!(
            from_environment(&[("TERM_PROGRAM", "iTerm.app")]),
            Some(PictureMode::Iterm2 { tmux: false })
        );
        assert_eq!(from_environment(&[("LC_TERMINAL", "iTerm2")]), Some(PictureMode::Iterm2 { tmux: false }));
        assert_eq!(from_environment(&[("TERM", "xterm-256color")]), None);
        assert_eq!(from_environment(&[("KITTY_WINDOW_ID", "1"), ("TMUX", "/tmp/x")]), None);
    }

    #[test]
    fn a_terminal_says_itself_what_it_can_show() {
        assert_eq!(
            PictureMode::from_answer("\x1b_Gi=31;OK\x1b\\\x1b[?62;c"),
            Some(PictureMode::Kitty { tmux: false })
        );
        assert_eq!(PictureMode::from_answer("\x1b[?62;4;22c"), Some(PictureMode::Sixel));
        assert_eq!(PictureMode::from_answer("\x1b[?1;2c"), None);
        // A class is not an attribute.
        assert_eq!(PictureMode::from_answer("\x1b[?4;6c"), None);
        assert_eq!(PictureMode::from_answer(""), None);
    }

    #[test]
    fn colours_are_found_in_the_cube_and_among_the_greys() {
        assert_eq!(nearest([255, 0, 0]), 196);
        assert_eq!(nearest([128, 128, 128]), 244);
        assert_eq!(nearest([0, 0, 0]), 16);
        assert_eq!(nearest([255, 255, 255]), 231);
    }
}
