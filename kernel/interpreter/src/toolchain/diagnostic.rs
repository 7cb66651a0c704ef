use serde::Deserialize;

/// A compiler message, as in `--error-format=json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// The text.
    pub message: String,
    /// `E0382`, or a lint's name.
    pub code: Option<Code>,
    /// `error`, `warning`, `note`, `help`, `failure-note`.
    pub level: String,
    /// The places it refers to.
    pub spans: Vec<Span>,
    /// Notes and helps attached to it.
    pub children: Vec<Diagnostic>,
}

/// The code of a diagnostic.
#[derive(Debug, Clone, Deserialize)]
pub struct Code {
    /// The code.
    pub code: String,
}

/// A place in a source file.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// The file, as named to the compiler.
    pub file_name: String,
    /// The first byte in the file.
    pub byte_start: usize,
    /// The byte after the last one.
    pub byte_end: usize,
    /// The line of the first byte, 1-based.
    pub line_start: usize,
    /// The source lines, for files that we do not have.
    pub text: Vec<SpanText>,
    /// Whether the diagnostic points here.
    pub is_primary: bool,
    /// The text attached to this place.
    pub label: Option<String>,
    /// The proposed replacement.
    pub suggested_replacement: Option<String>,
    /// The macro call that this place came from.
    pub expansion: Option<Box<Expansion>>,
}

/// One line of a span.
#[derive(Debug, Clone, Deserialize)]
pub struct SpanText {
    /// The line.
    pub text: String,
    /// The column of the first character, 1-based.
    pub highlight_start: usize,
    /// The column after the last one, 1-based.
    pub highlight_end: usize,
}

/// Where a macro was called.
#[derive(Debug, Clone, Deserialize)]
pub struct Expansion {
    /// The call.
    pub span: Span,
}

impl Diagnostic {
    /// Whether the linker failed, not the compiler.
    pub fn is_linkers(&self) -> bool {
        self.is_error() && self.code.is_none() && self.message.starts_with("linking with")
    }

    /// Whether it stops the compilation. The closing summary does not count.
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
            && !(self.code.is_none() && self.message.starts_with("aborting due to"))
    }

    /// Its code, or an empty text.
    pub fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| &code.code)
    }
}

/// Everything that a compiler said about one crate.
#[derive(Debug, Default)]
pub struct CompilerMessages {
    /// Its diagnostics, in order.
    pub diagnostics: Vec<Diagnostic>,
    /// Output that is not a message: a linker's failure, or the compiler's own.
    pub other: String,
    /// The signal that ended it, if any.
    pub ended_by: Option<i32>,
}

impl CompilerMessages {
    /// The diagnostics that stop the compilation.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error())
    }
}
