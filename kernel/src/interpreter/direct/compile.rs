use std::{fs, io, path::PathBuf, sync::Arc, thread, time::Duration};

use serde::Deserialize;

use super::{
    generate::{Generated, INCLUDED},
    interrupts::Interrupts,
    linker::{self, Linker},
    rustc::{Product, Said, Until, Written},
    waiting::Waiting,
    warm_build::{WarmBuild, WarmBuildError},
};

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

/// The result of a compilation.
#[derive(Default)]
pub struct Compiled {
    /// Whether there is something to load.
    pub succeeded: bool,
    /// The files written, including the shared object.
    pub written: Option<Written>,
    /// The compiler's messages, in order.
    pub diagnostics: Vec<Diagnostic>,
    /// The MIR, if requested.
    pub mir: String,
    /// Output that is not a message: a linker's failure, or the compiler's own.
    pub other: String,
    /// The signal that ended the compiler, if any.
    pub ended_by: Option<i32>,
    /// The time until the cell was known to be valid, from there to machine code, and from there to the
    /// end.
    pub took: [Duration; 3],
}

impl Compiled {
    /// The shared object.
    pub fn library(&self) -> PathBuf {
        self.written.as_ref().map(Written::library).unwrap_or_default()
    }
}

/// How much of a compilation is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only whether the cell is valid; nothing is run.
    Check,
    /// A shared object to run.
    Link,
}

/// Compiles cells in a directory of their own.
pub struct Compiler {
    directory: PathBuf,
    /// Links cells. Without it, rustc links.
    linker: Option<Linker>,
    waiting: Arc<Waiting>,
    /// Whether there is a second core, on which the next compiler can start while this one works.
    has_second_core: bool,
}

impl Compiler {
    /// A compiler that works in `directory`.
    /// # Errors
    /// When the files that it needs there cannot be created.
    pub fn new(build: WarmBuild, directory: PathBuf) -> Result<Self, WarmBuildError> {
        let has_second_core = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let linker = Linker::prepare(&build, &directory);
        let product = if linker.is_some() { Product::Object } else { Product::Library };
        let waiting = Waiting::new(build, directory.clone(), product)?;
        Ok(Self { directory, linker, waiting, has_second_core })
    }

    /// Compiles one generated crate. An interrupt stops the compiler.
    pub fn compile(
        &mut self,
        generated: &Generated,
        depth: Depth,
        level: u8,
        interrupts: &Interrupts,
    ) -> io::Result<Compiled> {
        let mut text = "";
        for file in &generated.files {
            if file.name == INCLUDED {
                text = &file.text;
            } else {
                fs::write(self.directory.join(&file.name), &file.text)?;
            }
        }
        let asks = generated.files.iter().any(|file| linker::asks_for_libraries(&file.text));
        let product = if asks || self.linker.is_none() { Product::Library } else { Product::Object };
        let mut said = self.run(text, generated, depth, level, product, interrupts);
        if product == Product::Object
            && said.as_ref().is_ok_and(|said| said.not_linked)
            && !interrupts.asked()
        {
            // If libraries are in unusual places, the C compiler knows where.
            said = self.run(text, generated, depth, level, Product::Library, interrupts);
            if said.as_ref().is_ok_and(|said| said.succeeded) {
                // The linker is at fault, not the cell.
                self.linker = None;
                self.waiting.leave(Product::Library);
            }
        }
        for file in generated.files.iter().filter(|file| file.name != INCLUDED) {
            // A later cell that needs its items writes it again.
            let _ = fs::remove_file(self.directory.join(&file.name));
        }
        let said = said?;
        Ok(Compiled {
            succeeded: said.succeeded,
            written: Some(said.written),
            diagnostics: said.diagnostics,
            mir: said.mir,
            other: said.other,
            ended_by: said.ended_by,
            took: [said.check, said.codegen, said.link],
        })
    }

    /// Runs one compiler and starts the next cell's beside it.
    fn run(
        &mut self,
        text: &str,
        generated: &Generated,
        depth: Depth,
        level: u8,
        product: Product,
        interrupts: &Interrupts,
    ) -> io::Result<Said> {
        let usual = level == 0 && generated.attributes.is_empty();
        let rustc = match usual.then(|| self.waiting.take(product)).flatten() {
            Some(rustc) => rustc,
            None => self.waiting.start(level, &generated.attributes, product)?,
        };
        let with = self.waiting.linker_arguments();
        if self.has_second_core {
            self.waiting.prepare();
        }
        let until = match (depth, product, &self.linker) {
            (Depth::Check, ..) => Until::Checked,
            (Depth::Link, Product::Object, Some(linker)) => Until::LinkedBy(linker, &with),
            (Depth::Link, ..) => Until::Linked,
        };
        let _watch = interrupts.compiling(rustc.group());
        rustc.finish(text, until)
    }

    /// The compilers of this session.
    pub fn waiting(&self) -> &Arc<Waiting> {
        &self.waiting
    }

    /// Checks that the library to compile against is the one that is loaded.
    ///
    /// # Errors
    /// When it was rebuilt.
    pub fn check_unchanged(&self) -> Result<(), WarmBuildError> {
        self.waiting.build().check_unchanged()
    }
}
