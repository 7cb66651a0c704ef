use serde::Deserialize;

/// One message of the compiler, as `--error-format=json` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// What it says.
    pub message: String,
    /// `E0382`, or a lint's name.
    pub code: Option<Code>,
    /// `error`, `warning`, `note`, `help`, `failure-note`.
    pub level: String,
    /// The places it is about.
    pub spans: Vec<Span>,
    /// Notes and helps that belong to it.
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
    /// The file as the compiler was told it.
    pub file_name: String,
    /// First byte in the file.
    pub byte_start: usize,
    /// Byte after the last.
    pub byte_end: usize,
    /// 1-based line of the first byte.
    pub line_start: usize,
    /// The lines, for files we do not have.
    pub text: Vec<SpanText>,
    /// Whether it is what the diagnostic points at.
    pub is_primary: bool,
    /// What is said about this place.
    pub label: Option<String>,
    /// What should stand there instead.
    pub suggested_replacement: Option<String>,
    /// The macro call that this place came from.
    pub expansion: Option<Box<Expansion>>,
}

/// One line of a span.
#[derive(Debug, Clone, Deserialize)]
pub struct SpanText {
    /// The line.
    pub text: String,
    /// 1-based column of the first character meant.
    pub highlight_start: usize,
    /// 1-based column after the last.
    pub highlight_end: usize,
}

/// Where a macro was called.
#[derive(Debug, Clone, Deserialize)]
pub struct Expansion {
    /// The call.
    pub span: Span,
}

impl Diagnostic {
    /// Whether the linker, and not the compiler, refused.
    pub fn is_linkers(&self) -> bool {
        self.is_error() && self.code.is_none() && self.message.starts_with("linking with")
    }

    /// Whether it stops the compilation by itself (the closing summary does not count).
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
            && !(self.code.is_none() && self.message.starts_with("aborting due to"))
    }

    /// Its code, or nothing.
    pub fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| &code.code)
    }
}

/// Everything that a compiler said about one crate.
#[derive(Debug, Default)]
pub struct CompilerMessages {
    /// Its diagnostics, in order.
    pub diagnostics: Vec<Diagnostic>,
    /// What is no diagnostic: a linker's failure, or its own.
    pub other: String,
    /// The signal that ended it, if one did.
    pub ended_by: Option<i32>,
}

impl CompilerMessages {
    /// The diagnostics that stop the compilation.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error())
    }
}
