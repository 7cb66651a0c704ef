use crate::display::html::escape;
use crate::display::{MimeBundle, MimeDisplay};
use crate::host;

/// The verdict on an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    name: String,
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotYet,
    Wrong,
    Right,
}

impl Verdict {
    pub(super) fn not_yet(name: &str) -> Self {
        Self::new(name, Kind::NotYet, "not answered yet; replace None by Some(your answer)")
    }

    pub(super) fn wrong(name: &str, why: &str) -> Self {
        Self::new(name, Kind::Wrong, why)
    }

    pub(super) fn right(name: &str) -> Self {
        Self::new(name, Kind::Right, "right")
    }

    fn new(name: &str, kind: Kind, text: &str) -> Self {
        Self { name: name.to_owned(), kind, text: text.to_owned() }
    }

    /// The verdict as a line of text.
    pub(super) fn line(&self) -> String {
        format!("{} {}: {}", self.kind.mark(), self.name, self.text)
    }
}

impl Kind {
    /// The mark; it is distinct without colours too.
    fn mark(self) -> char {
        match self {
            Self::NotYet => '○',
            Self::Wrong => '✗',
            Self::Right => '✓',
        }
    }

    /// Distinct with any colour vision, and on light and dark pages.
    fn colour(self) -> &'static str {
        match self {
            Self::NotYet => "#808890",
            Self::Wrong => "#D55E00",
            Self::Right => "#009E73",
        }
    }

    /// The same colour in a terminal.
    fn ansi(self) -> &'static str {
        match self {
            Self::NotYet => "\x1b[2m",
            Self::Wrong => "\x1b[31m",
            Self::Right => "\x1b[32m",
        }
    }
}

impl MimeDisplay for Verdict {
    fn mime_bundle(&self) -> MimeBundle {
        let Self { name, kind, text } = self;
        let (mark, colour, ansi) = (kind.mark(), kind.colour(), kind.ansi());
        let html = format!(
            "<div style=\"border-left:4px solid {colour};padding:0.2em 0.8em\">\
             <b style=\"color:{colour}\">{mark}</b> <code>{}</code>: {}</div>",
            escape(name),
            escape(text)
        );
        let line = self.line();
        let line = if host::current().has_colours() { format!("{ansi}{line}\x1b[0m") } else { line };
        MimeBundle::text(line).with("text/html", html)
    }
}
