use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    fs,
    hash::{Hash, Hasher},
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

use parking_lot::Mutex;
use ra_ap_rustc_lexer::TokenKind;
use tempfile::TempDir;
use thiserror::Error;

use super::text::{Token, tokens};
use crate::{
    source::collect_named,
    state::{Snapshot, types::type_of_local},
    toolchain::{Diagnostic, HEAD, IMPORTS, WarmBuild},
};

/// How many answers are kept, so that each further letter of a name is free.
const REMEMBERED: usize = 64;
const LABEL: &str = "this expression has type `";
/// The path of the cell's own items in a probe.
const INSIDE: &str = "__partita_probe::";

/// The name of the reference to the expression in a probe.
const PROBED: &str = "__partita_probed";

/// Asks the compiler for the type of an expression, without running anything. First it asks the spare
/// compiler, which is fastest: it writes the types of all variables into its MIR, but needs code that is
/// valid to the end. If the code is not, it starts another compiler on `let () = &(expression);`, a type
/// error that names the type whatever else is wrong around it.
pub struct Prober {
    build: WarmBuild,
    directory: TempDir,
    answers: Mutex<VecDeque<(u64, Answer)>>,
}

/// Why the type of an expression is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeQueryError {
    /// There is no library, or no compiler for it.
    #[error("no compiler was found; run a cell to see why")]
    NoCompiler,
    /// The compiler could not be run.
    #[error("{0}")]
    NotRun(String),
    /// The compiler's first error.
    #[error("{0}")]
    Refused(String),
    /// The compiler named no type.
    #[error("the compiler did not report the type")]
    NotReported,
}

type Answer = Result<String, TypeQueryError>;

impl Prober {
    /// A prober that compiles against `build`.
    pub fn new(build: WarmBuild) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("partita-probe-").tempdir()?;
        Ok(Self { build, directory, answers: Mutex::default() })
    }

    /// The type of the expression that begins at byte `start` and ends `before`, with everything in front
    /// of it in scope.
    pub fn type_at(&self, snapshot: &Snapshot, before: &str, start: usize) -> Option<String> {
        let expression = &before[start..];
        let prefix = tokens(&before[..start])?;
        let whole = Body { before: &before[..start], expression, closing: &closing(&prefix) };
        let found = self.ask(snapshot, &whole).ok();
        // A statement in front of it may not be valid Rust.
        found.or_else(|| self.type_of(snapshot, expression).ok())
    }

    /// The type of an expression that stands alone.
    pub fn type_of(&self, snapshot: &Snapshot, expression: &str) -> Answer {
        self.ask(snapshot, &Body { before: "", expression, closing: "" })
    }

    fn ask(&self, snapshot: &Snapshot, body: &Body<'_>) -> Answer {
        let (source, at) = source(snapshot, body, &format!("let () = &({}\n);", body.expression));
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let key = hasher.finish();
        let lock = || self.answers.lock();
        if let Some((_, answer)) = lock().iter().find(|(known, _)| *known == key) {
            return answer.clone();
        }
        let answer = match ask_spare(snapshot, body) {
            Some(ty) => Ok(ty),
            None => self
                .compile(snapshot, key, &source, at)
                .unwrap_or_else(|error| Err(TypeQueryError::NotRun(error.to_string()))),
        };
        let mut answers = lock();
        answers.push_back((key, answer.clone()));
        if answers.len() > REMEMBERED {
            answers.pop_front();
        }
        answer
    }

    fn compile(&self, snapshot: &Snapshot, key: u64, source: &str, at: usize) -> io::Result<Answer> {
        let crates = match &snapshot.compiler {
            Some(compiler) => compiler.crates(),
            None => vec![self.build.extern_argument(), self.build.dependency_argument()],
        };
        let source = format!("{HEAD}{IMPORTS}{source}");
        let at = at + HEAD.len() + IMPORTS.len();
        let file = format!("probe-{key:016x}.rs");
        let path = self.directory.path().join(&file);
        fs::write(&path, source)?;
        let _removed = Removed(path);
        let output = Command::new(&self.build.rustc)
            .current_dir(self.directory.path())
            .arg(&file)
            .args(["--crate-name=cells", "--crate-type=lib", "--edition=2024", "--error-format=json"])
            .args([
                "--emit=metadata",
                "--cap-lints=allow",
                "--diagnostic-width=1000000",
                "-Cmetadata=partita",
            ])
            // Print full paths. Without this the compiler also searches all of Polars to shorten them.
            .arg("-Ztrim-diagnostic-paths=no")
            .env("RUSTC_BOOTSTRAP", "1")
            .arg(format!("--out-dir={}", self.directory.path().display()))
            .args(crates)
            .stdin(Stdio::null())
            .output()?;
        Ok(read(&String::from_utf8_lossy(&output.stderr), at, output.status.success()))
    }
}

/// The type from the spare compiler; `None` if there is none or the code is not valid.
fn ask_spare(snapshot: &Snapshot, body: &Body<'_>) -> Option<String> {
    let compiler = snapshot.compiler.as_ref()?;
    let question = format!("let {PROBED} = ::std::hint::black_box(&({}\n)); loop {{}}", body.expression);
    let (source, _) = source(snapshot, body, &question);
    let said = compiler.analyse(&source).ok()?;
    let ty = said.succeeded.then(|| type_of_local(&said.mir, PROBED)).flatten()?;
    Some(plain(ty))
}

/// Turns the compiler's printed type of a reference into the type of the value, as a person would write
/// it.
fn plain(ty: &str) -> String {
    let ty = ty.strip_prefix('&').unwrap_or(ty).replace(INSIDE, "");
    // The types that numbers get when nothing else decides.
    ty.replace("{integer}", "i32").replace("{float}", "f64")
}

/// A file that is removed on drop.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn read(stderr: &str, at: usize, succeeded: bool) -> Answer {
    let diagnostics: Vec<Diagnostic> =
        stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for diagnostic in &diagnostics {
        let here = diagnostic.spans.iter().filter(|span| span.byte_start == at);
        let labels = here.filter_map(|span| span.label.as_deref());
        if let Some(ty) = labels.filter_map(|label| label.strip_prefix(LABEL)).next() {
            return Ok(plain(ty.trim_end_matches('`')));
        }
    }
    if succeeded {
        // The expression's type fits the pattern.
        return Ok("()".to_owned());
    }
    let error = diagnostics.into_iter().find(Diagnostic::is_error);
    Err(error.map_or(TypeQueryError::NotReported, |error| TypeQueryError::Refused(error.message)))
}

/// An expression, the statements before it, and the text that closes what they leave open.
struct Body<'a> {
    before: &'a str,
    expression: &'a str,
    closing: &'a str,
}

impl Body<'_> {
    /// The statements with `question` in place of the expression, and the position where it begins.
    fn with(&self, question: &str) -> (String, usize) {
        // A loop that does not end has any type.
        let mut text = format!("{} loop {{ ", self.before);
        let at = text.len();
        text.push_str(&format!("{question} }} {}", self.closing));
        (text, at)
    }
}

/// The source to compile after the cells' imports, and the position in it where the expression's
/// parentheses begin. `question` asks for the type of the expression, whose last line may end in a
/// comment.
fn source(snapshot: &Snapshot, body: &Body<'_>, question: &str) -> (String, usize) {
    let (statements, begins) = body.with(question);
    let parentheses = begins + question.find("&(").unwrap_or(0);
    let mut named = std::collections::BTreeSet::new();
    if let Ok(stream) = statements.parse() {
        collect_named(stream, &mut named);
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    let mut text = String::new();
    for item in snapshot.item_sources() {
        text.push_str(&item);
        text.push('\n');
    }
    let asynchronous = if named.contains("await") { "async " } else { "" };
    text.push_str(&format!("{asynchronous}fn __partita_probe("));
    for variable in snapshot.variables.iter().filter(|variable| named.contains(&variable.name)) {
        let mutable = if variable.mutable { "mut " } else { "" };
        text.push_str(&format!("{mutable}{}: {}, ", variable.name, variable.ty));
    }
    text.push_str(") -> ::std::result::Result<(), ::std::boxed::Box<dyn ::std::error::Error>> {\n");
    let at = text.len() + parentheses;
    text.push_str(&statements);
    text.push_str("\n; loop {} }\n");
    (text, at)
}

/// The text that closes everything that `tokens` leave open, after an expression has followed them.
fn closing(tokens: &[Token<'_>]) -> String {
    /// An open pair of brackets.
    #[derive(Default)]
    struct Level {
        close: &'static str,
        /// An `if`, `match`, `while` or `for` whose block has not begun.
        head: bool,
        /// A `let` without its semicolon yet.
        binding: bool,
    }
    let mut levels = vec![Level::default()];
    let mut previous: Option<TokenKind> = None;
    for (index, token) in tokens.iter().enumerate() {
        let begins =
            matches!(previous, None | Some(TokenKind::Semi | TokenKind::OpenBrace | TokenKind::CloseBrace));
        let arrow = token.kind == TokenKind::Gt && previous == Some(TokenKind::Eq);
        if let Some(level) = levels.last_mut() {
            match token.kind {
                TokenKind::Ident if begins && token.text == "let" => level.binding = true,
                TokenKind::Ident if ["if", "match", "while"].contains(&token.text) => level.head = true,
                TokenKind::Ident if token.text == "for" => {
                    level.head = tokens.get(index + 1).is_none_or(|next| next.kind != TokenKind::Lt);
                }
                TokenKind::Semi => (level.head, level.binding) = (false, false),
                TokenKind::OpenBrace => level.head = false,
                _ if arrow => level.head = false,
                _ => {}
            }
        }
        let close = match token.kind {
            TokenKind::OpenParen => Some(")"),
            TokenKind::OpenBracket => Some("]"),
            TokenKind::OpenBrace => Some("}"),
            _ => None,
        };
        if let Some(close) = close {
            levels.push(Level { close, ..Level::default() });
        } else if matches!(
            token.kind,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace
        ) && levels.len() > 1
        {
            levels.pop();
        }
        previous = Some(token.kind);
    }
    let mut text = String::new();
    while let Some(level) = levels.pop() {
        if level.head {
            text.push_str(" {}");
        }
        if level.binding {
            text.push(';');
        }
        text.push_str(level.close);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_closed_so_that_the_compiler_can_read_it() {
        for code in [
            "",
            "let x = ",
            "f(a, ",
            "v.iter().map(|a| ",
            "if a { let y = ",
            "if ",
            "match x { A if b => ",
            "for i in ",
            "struct S; impl S { fn f(&self) { ",
            "println!(\"{}\", ",
            "let p = Point { x: ",
        ] {
            let closed = closing(&tokens(code).unwrap());
            let (text, at) =
                Body { before: code, expression: "e", closing: &closed }.with("let () = &(e\n);");
            let whole = format!("fn f() {{ {text} ; loop {{}} }}");
            assert!(syn::parse_str::<syn::Item>(&whole).is_ok(), "{whole}");
            assert!(text[at..].starts_with("let () = &(e"));
        }
    }
}
