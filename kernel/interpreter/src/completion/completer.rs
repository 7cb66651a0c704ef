use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use partita_bridge::MimeBundle;
use ra_ap_rustc_lexer::TokenKind;

use super::{
    answers::{Completion, Completions},
    engine::Engine,
    index::Index,
    kind::Kind,
    names::{Candidate, Names},
    probe::TypeQueryError,
    text::{self, Context, CursorPlace, KEYWORDS, Token},
};
use crate::{
    source::split,
    state::{Snapshot, types},
};

/// Answers completion requests for one interpreter. The evaluator's thread passes it a [`Snapshot`] after
/// every cell.
pub struct Completer {
    executable: PathBuf,
    snapshot: Mutex<Arc<Snapshot>>,
    engine: OnceLock<Option<Arc<Engine>>>,
}

impl Completer {
    /// A completer for the build beside `executable`, which is located when it is first needed.
    pub fn new(executable: PathBuf) -> Self {
        Self { executable, snapshot: Mutex::default(), engine: OnceLock::new() }
    }

    /// Replaces the snapshot of the state that cells have left.
    pub fn update(&self, snapshot: Snapshot) {
        *self.snapshot.lock() = Arc::new(snapshot);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock())
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        let make = || {
            let snapshot = self.snapshot();
            let build = snapshot.compiler.as_ref().map(|compiler| compiler.build());
            Engine::new(&self.executable, build).map(Arc::new)
        };
        self.engine.get_or_init(make).as_ref()
    }

    fn index(&self) -> Option<Arc<Index>> {
        self.engine().and_then(Engine::index)
    }

    /// The completions at byte `cursor` of `code`.
    pub fn complete(&self, code: &str, cursor: usize) -> Completions {
        let place = CursorPlace::before(code, cursor);
        let mut items: Vec<Completion> = Vec::new();
        // A list of every name would not help.
        if !(place.word.is_empty() && place.context == Context::Name) {
            items = self.found(code, &place, place.word).into_iter().map(Candidate::completion).collect();
        }
        Completions { start: place.start, end: place.end, items }
    }

    /// What can stand at a place and begins with `prefix`.
    fn found(&self, code: &str, place: &CursorPlace<'_>, prefix: &str) -> Vec<Candidate> {
        let snapshot = self.snapshot();
        if place.context == Context::Nothing {
            return Vec::new();
        }
        let index = self.index();
        let cell = items_of_cell(code, place);
        let names = Names::new(&snapshot, index.as_deref(), &cell);
        let before = &code[..place.start];
        match &place.context {
            Context::Nothing => Vec::new(),
            Context::Name => names.names(&locals(before), prefix),
            Context::Path(path) => names.inside(path, prefix),
            Context::Import(path) => names.inside(path, prefix),
            Context::Member(range) => {
                let Some(ty) = self.type_at(&snapshot, &code[..range.end], range.start) else {
                    return Vec::new();
                };
                let mut found = names.members(&ty);
                found.retain(|one| one.member.name.starts_with(prefix));
                found
            }
        }
    }

    fn type_at(&self, snapshot: &Snapshot, before: &str, start: usize) -> Option<String> {
        let name = before[start..].trim();
        let known = snapshot.variable(name).filter(|_| !locals(&before[..start]).contains(name));
        match known {
            Some(variable) => Some(variable.ty.clone()),
            None => self.engine()?.prober.type_at(snapshot, before, start),
        }
    }

    /// Describes the name at byte `cursor` of `code`: its signature, then its docs, as `text/plain` and
    /// `text/markdown`. Between the parentheses of a call it describes the function called.
    pub fn inspect(&self, code: &str, cursor: usize) -> Option<MimeBundle> {
        let place = CursorPlace::around(code, cursor);
        if place.word.is_empty() {
            let tokens = text::tokens(&code[..place.start])?;
            let name = tokens[text::open_call(&tokens)?];
            return self.inspect(code, name.at + name.text.len());
        }
        let snapshot = self.snapshot();
        let found = self.found(code, &place, place.word);
        let one = found.into_iter().find(|one| one.member.name.trim_end_matches('!') == place.word)?;
        let known = snapshot.variable(place.word).filter(|_| place.context == Context::Name);
        if one.member.kind == Kind::Variable && known.is_none() {
            // A name that this cell binds.
            let ty = self.engine()?.prober.type_at(&snapshot, &code[..place.end], place.start)?;
            return Some(render(&format!("let {}: {ty}", place.word), "", ""));
        }
        let size = known.and_then(|variable| variable.bytes).map(|bytes| format!("About {bytes} bytes."));
        let signature = if one.member.signature.is_empty() {
            format!("{} {}", one.member.kind.as_str(), one.member.name)
        } else {
            one.member.signature.clone()
        };
        let docs = size.unwrap_or_else(|| one.member.docs.clone());
        Some(render(&signature, &one.owner, &docs))
    }

    /// The type of an expression, written as people write it.
    ///
    /// # Errors
    /// The compiler's error, when the expression is not valid.
    pub fn type_of(&self, expression: &str) -> Result<String, TypeQueryError> {
        let snapshot = self.snapshot();
        if let Some(variable) = snapshot.variable(expression.trim()) {
            return Ok(variable.shown.clone());
        }
        let Some(engine) = self.engine() else {
            return Err(TypeQueryError::NoCompiler);
        };
        engine.prober.type_of(&snapshot, expression).map(|ty| types::short(&ty))
    }
}

fn render(signature: &str, owner: &str, docs: &str) -> MimeBundle {
    let origin = if owner.is_empty() || owner == signature { String::new() } else { format!("{owner}\n\n") };
    let mut plain = format!("{origin}{signature}");
    let mut markdown = format!("```rust\n{origin}{signature}\n```");
    if !docs.is_empty() {
        plain.push_str(&format!("\n\n{docs}"));
        markdown.push_str(&format!("\n\n{docs}"));
    }
    MimeBundle::text(plain).with("text/markdown", markdown)
}

/// The source of the items in the cell being written. The unfinished name is taken out. If the rest is
/// still not valid Rust, each item is parsed separately.
fn items_of_cell(code: &str, place: &CursorPlace<'_>) -> Vec<String> {
    let blanks = " ".repeat(place.end - place.start);
    let without = format!("{}{blanks}{}", &code[..place.start], &code[place.end..]);
    for candidate in [code, &without] {
        if let Ok(split) = split(candidate) {
            let sources = split.items.iter().filter_map(|item| candidate.get(item.range.clone()));
            return sources.map(str::to_owned).collect();
        }
    }
    let Some(tokens) = text::tokens(&code[..place.start]) else { return Vec::new() };
    pieces(code, &tokens).into_iter().filter(|piece| syn::parse_str::<syn::Item>(piece).is_ok()).collect()
}

/// The text between the ends of blocks and statements at the top level of a cell.
fn pieces(code: &str, tokens: &[Token<'_>]) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for token in tokens {
        let end = token.at + token.text.len();
        match token.kind {
            TokenKind::OpenBrace | TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
            TokenKind::CloseBrace | TokenKind::CloseParen | TokenKind::CloseBracket => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if depth == 0 && matches!(token.kind, TokenKind::CloseBrace | TokenKind::Semi) {
            pieces.push(code[start..end].to_owned());
            start = end;
        }
    }
    pieces
}

/// Names that the code before the cursor binds, by `let`, `for`, as parameters or in patterns. Scopes are
/// ignored: an extra name does little harm.
fn locals(before: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(tokens) = text::tokens(before) else { return names };
    let mut add = |token: &Token<'_>| {
        let name = token.text;
        if token.kind == TokenKind::Ident
            && !KEYWORDS.contains(&name)
            && !name.starts_with(char::is_uppercase)
        {
            names.insert(name.to_owned());
        }
    };
    for (index, token) in tokens.iter().enumerate() {
        let rest = &tokens[index + 1..];
        let stops: &[TokenKind] = match token.kind {
            TokenKind::Ident if token.text == "let" => &[TokenKind::Eq, TokenKind::Colon, TokenKind::Semi],
            TokenKind::Ident if token.text == "for" => &[],
            TokenKind::Or if begins_closure(tokens.get(index.wrapping_sub(1))) => &[TokenKind::Or],
            // A parameter, as in `fn f(name: T)`.
            TokenKind::Colon if index > 0 && !text::is_path_separator(&tokens, index + 1) => {
                if rest.first().is_none_or(|next| next.kind != TokenKind::Colon) {
                    add(&tokens[index - 1]);
                }
                continue;
            }
            _ => continue,
        };
        for bound in rest.iter().take_while(|token| !stops.contains(&token.kind) && !token.is("in")).take(32)
        {
            add(bound);
        }
    }
    names
}

fn begins_closure(previous: Option<&Token<'_>>) -> bool {
    previous.is_none_or(|token| {
        matches!(
            token.kind,
            TokenKind::OpenParen | TokenKind::Comma | TokenKind::Eq | TokenKind::OpenBrace | TokenKind::Semi
        ) || token.is("move")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::VisibleVariable;

    /// Without a build: knows only names and keywords.
    fn completer() -> Completer {
        let variable = |name: &str, ty: &str| VisibleVariable {
            name: name.to_owned(),
            ty: ty.to_owned(),
            shown: ty.to_owned(),
            mutable: false,
            bytes: None,
        };
        let completer = Completer::new(PathBuf::from("/nonexistent/partita"));
        let variables =
            vec![variable("trips", "DataFrame"), variable("größe", "f64"), variable("p", "Point")];
        completer.update(Snapshot { variables, ..Snapshot::default() });
        completer
    }

    fn completed(code: &str, cursor: usize) -> (Vec<String>, usize, usize) {
        let found = completer().complete(code, cursor);
        (found.items.into_iter().map(|item| item.text).collect(), found.start, found.end)
    }

    #[test]
    fn variables_come_before_keywords() {
        assert_eq!(completed("let x = tr", 10), (vec!["trips".into(), "trait".into(), "true".into()], 8, 10));
    }

    #[test]
    fn positions_are_bytes_and_a_cursor_inside_a_character_is_moved_before_it() {
        assert_eq!(completed("ö + grö", 9), (vec!["größe".into()], 5, 9));
        assert_eq!(completed("ö", 1), (vec![], 0, 0));
        assert_eq!(completed("", 99), (vec![], 0, 0));
    }

    #[test]
    fn names_bound_in_the_cell_are_offered() {
        let code = "let first_one = 1; for fi_index in 0..3 {} fn f(fi_arg: i32) {} xs.map(|fi_el| fi";
        let (names, ..) = completed(code, code.len());
        assert_eq!(names, ["fi_arg", "fi_el", "fi_index", "first_one"]);
    }

    #[test]
    fn a_type_of_the_same_cell_has_its_fields_and_methods_also_while_the_cell_is_unfinished() {
        let code = "struct Point { x: f64 }\nimpl Point { fn length(&self) -> f64 { self.x } }\np.";
        assert_eq!(completed(code, code.len()).0, ["x", "length"]);
        let code = format!("{}x + (", code);
        assert_eq!(completed(&code, code.len() - 5).0, ["x", "length"]);
    }

    #[test]
    fn the_variable_under_the_cursor_is_described_with_its_type() {
        for cursor in 1..=6 {
            assert!(completer().inspect("(trips)", cursor).is_some(), "{cursor}");
        }
        assert!(completer().inspect("(trips)", 99).is_none());
        assert_eq!(completer().type_of("trips"), Ok("DataFrame".into()));
    }
}
