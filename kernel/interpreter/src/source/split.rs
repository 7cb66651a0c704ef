use std::{collections::BTreeSet, ops::Range, str::FromStr};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Block, Expr, Item, Pat, Stmt,
    parse::{ParseStream, Parser},
    spanned::Spanned,
    visit::{self, Visit},
};

use super::brackets;

/// A cell split into its parts. Ranges are bytes of its source.
#[derive(Debug, Default)]
pub struct Split {
    /// Items, in order.
    pub items: Vec<SplitItem>,
    /// `#![…]` at the start of the cell.
    pub inner_attributes: Vec<Range<usize>>,
    /// The names that top-level `let`s bind, each once, and whether the last `let` said `mut`.
    pub bindings: Vec<Binding>,
    /// The last expression, if its value is the value of the cell.
    pub value: Option<Range<usize>>,
    /// Whether there is anything to run besides items.
    pub has_statements: bool,
    /// Identifiers in the statements, including those in format strings.
    pub named: BTreeSet<String>,
    /// Everything that is not an item, in order.
    pub statements: Vec<Stmt>,
    /// Whether the statements `.await` outside an async block of their own.
    pub awaits: bool,
    /// Whether the last statement is a `let`.
    pub ends_in_let: bool,
}

/// One item of a cell.
#[derive(Debug, Clone)]
pub struct SplitItem {
    /// Its position.
    pub range: Range<usize>,
    /// The item itself.
    pub item: Item,
}

/// A name bound by a top-level `let`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// Whether it was bound `mut`.
    pub mutable: bool,
}

/// Splits a cell.
///
/// # Errors
/// When the cell is not Rust. Prefer the compiler's own message to this one.
pub fn split(code: &str) -> syn::Result<Split> {
    if too_deep(code).is_some() {
        return Err(syn::Error::new(proc_macro2::Span::call_site(), "brackets nest too deep"));
    }
    with_stack(code, || take_apart(code))
}

fn take_apart(code: &str) -> syn::Result<Split> {
    let (attributes, statements) = parse.parse_str(code)?;
    let mut split = Split {
        inner_attributes: attributes.iter().map(|attribute| attribute.span().byte_range()).collect(),
        ..Split::default()
    };
    let last = statements.len().checked_sub(1);
    let mut awaits = AwaitFinder::default();
    for (index, statement) in statements.into_iter().enumerate() {
        let range = statement.span().byte_range();
        if let Some(item) = as_item(&statement) {
            split.items.push(SplitItem { range, item });
            continue;
        }
        split.has_statements = true;
        collect_named(statement.to_token_stream(), &mut split.named);
        awaits.visit_stmt(&statement);
        match &statement {
            Stmt::Local(local) => {
                split.ends_in_let = Some(index) == last;
                let refutable = local.init.as_ref().is_some_and(|init| init.diverge.is_some());
                collect_bindings(&local.pat, refutable, &mut split.bindings);
            }
            Stmt::Expr(_, None) if Some(index) == last => split.value = Some(range),
            Stmt::Macro(call) if call.semi_token.is_none() && Some(index) == last => {
                split.value = Some(range)
            }
            _ => {}
        }
        split.statements.push(statement);
    }
    split.awaits = awaits.found;
    Ok(split)
}

/// The maximum nesting of brackets. The compiler recurses over them on a stack of its own.
pub const DEEPEST: usize = 500;

/// How deep the brackets of a cell nest, if that is more than [`DEEPEST`].
pub fn too_deep(code: &str) -> Option<usize> {
    let depth = brackets::deepest(code);
    (depth > DEEPEST).then_some(depth)
}

/// [`split`] for a cell that is to be run: the `;` after a final `let` may be missing.
///
/// # Errors
/// As [`split`].
pub fn split_open_ended(code: &str) -> syn::Result<Split> {
    split(code).or_else(|error| {
        let closed = format!("{code}\n;");
        match split(&closed) {
            Ok(split) if split.ends_in_let => Ok(split),
            _ => Err(error),
        }
    })
}

/// Runs `parse` on a stack that is large enough. The recursion of a parser is bounded by the number of
/// tokens, and a token has at least one byte.
pub(super) fn with_stack<T>(code: &str, parse: impl FnOnce() -> T) -> T {
    const BYTES_A_TOKEN: usize = 4 << 10;
    const LEAST: usize = 4 << 20;
    const MOST: usize = 1 << 30;
    // This reserves address space; memory is used only as the stack grows.
    stacker::grow(code.len().saturating_mul(BYTES_A_TOKEN).clamp(LEAST, MOST), parse)
}

fn parse(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Stmt>)> {
    Ok((input.call(Attribute::parse_inner)?, input.call(Block::parse_within)?))
}

/// Macros that define items although they look like statements.
const ITEM_MACROS: [&str; 2] = ["thread_local", "lazy_static"];

fn as_item(statement: &Stmt) -> Option<Item> {
    match statement {
        Stmt::Item(item) => Some(item.clone()),
        Stmt::Macro(call) => {
            let name = call.mac.path.segments.last()?.ident.to_string();
            ITEM_MACROS.contains(&name.as_str()).then(|| {
                Item::Macro(syn::ItemMacro {
                    attrs: call.attrs.clone(),
                    ident: None,
                    mac: call.mac.clone(),
                    semi_token: call.semi_token,
                })
            })
        }
        _ => None,
    }
}

fn collect_bindings(pattern: &Pat, refutable: bool, bindings: &mut Vec<Binding>) {
    struct Names<'a> {
        refutable: bool,
        bindings: &'a mut Vec<Binding>,
    }
    impl<'ast> Visit<'ast> for Names<'_> {
        fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
            let name = pattern.ident.to_string();
            // `None` before an `else` is a constant, not a new name.
            let constant = self.refutable
                && pattern.by_ref.is_none()
                && pattern.subpat.is_none()
                && pattern.mutability.is_none()
                && name.starts_with(char::is_uppercase);
            if !constant {
                self.bindings.retain(|binding| binding.name != name);
                self.bindings.push(Binding { name, mutable: pattern.mutability.is_some() });
            }
            visit::visit_pat_ident(self, pattern);
        }
        // A type or a guard inside a pattern binds nothing.
        fn visit_expr(&mut self, _: &'ast Expr) {}
    }
    Names { refutable, bindings }.visit_pat(pattern);
}

/// A static inside an item, or one made by a macro, worded as in notices.
pub fn hidden_static(item: &Item) -> Option<String> {
    #[derive(Default)]
    struct Finder(Option<String>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
            self.0 = Some(format!("`{}`", item.ident));
        }
        fn visit_macro(&mut self, call: &'ast syn::Macro) {
            let name = call.path.segments.last().map(|segment| segment.ident.to_string());
            if let Some(name) = name.filter(|name| ITEM_MACROS.contains(&name.as_str())) {
                self.0 = Some(format!("what `{name}!` makes"));
            }
        }
    }
    let mut finder = Finder::default();
    if !matches!(item, Item::Static(_)) {
        finder.visit_item(item);
    }
    finder.0
}

/// Collects every identifier in `tokens`, at any depth, and those that format strings name: `{x}`.
pub fn collect_named(tokens: TokenStream, named: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                named.insert(ident.to_string());
            }
            TokenTree::Group(group) => collect_named(group.stream(), named),
            TokenTree::Literal(literal) => collect_captures(&literal.to_string(), named),
            TokenTree::Punct(_) => {}
        }
    }
}

fn collect_captures(literal: &str, named: &mut BTreeSet<String>) {
    if !literal.contains('"') {
        return;
    }
    // Covers `{x}`, `{x:?}` and widths like `{x:>width$}`. Finding too many names does no harm.
    for piece in literal.split('{').skip(1) {
        let inside = piece.split('}').next().unwrap_or(piece);
        for word in inside.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
            if word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                named.insert(word.to_owned());
            }
        }
    }
}

#[derive(Default)]
struct AwaitFinder {
    found: bool,
}

impl<'ast> Visit<'ast> for AwaitFinder {
    fn visit_expr_await(&mut self, _: &'ast syn::ExprAwait) {
        self.found = true;
    }
    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.asyncness.is_none() {
            visit::visit_expr_closure(self, closure);
        }
    }
    fn visit_item(&mut self, _: &'ast Item) {}
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let mut words = BTreeSet::new();
        collect_named(call.tokens.clone(), &mut words);
        self.found |= words.contains("await") && !words.contains("async");
    }
}

/// Whether the compiler's lexer would find all brackets, strings and comments closed.
pub fn lexes(code: &str) -> bool {
    too_deep(code).is_none() && with_stack(code, || TokenStream::from_str(code).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(code: &'a str, range: &Range<usize>) -> &'a str {
        &code[range.clone()]
    }

    #[test]
    fn items_statements_and_the_value_are_told_apart() {
        let code = "/// two\nfn two() -> i32 { 2 }\nlet (a, mut b) = (two(), 1);\nb += a;\na + b // sum\n";
        let split = split(code).unwrap();
        assert_eq!(split.items.len(), 1);
        assert_eq!(text(code, &split.items[0].range), "/// two\nfn two() -> i32 { 2 }");
        assert_eq!(text(code, split.value.as_ref().unwrap()), "a + b");
        let bound: Vec<_> = split.bindings.iter().map(|b| (b.name.as_str(), b.mutable)).collect();
        assert_eq!(bound, [("a", false), ("b", true)]);
    }

    #[test]
    fn a_trailing_semicolon_leaves_no_value() {
        assert!(split("1 + 1;").unwrap().value.is_none());
        assert!(split("1 + 1").unwrap().value.is_some());
        assert!(split("println!(\"x\")").unwrap().value.is_some());
    }

    #[test]
    fn names_are_found_inside_macros_and_format_strings() {
        let named = split(r#"println!("{x:>w$} {}", vec![y; 2].len());"#).unwrap().named;
        for name in ["x", "w", "y"] {
            assert!(named.contains(name), "{name} in {named:?}");
        }
    }

    #[test]
    fn only_an_await_of_the_cell_itself_makes_it_async() {
        assert!(split("f().await").unwrap().awaits);
        assert!(split("println!(\"{}\", f().await);").unwrap().awaits);
        assert!(!split("let task = async { f().await };").unwrap().awaits);
        assert!(!split("async fn g() { f().await }").unwrap().awaits);
    }

    #[test]
    fn a_name_bound_twice_counts_once_and_a_constant_pattern_binds_nothing() {
        let split = split("let mut x = 1; let x = 2; let None = y else { panic!() }; let N = 3;").unwrap();
        let names = ["x", "N"].map(|name| Binding { name: name.into(), mutable: false });
        assert_eq!(split.bindings, names);
    }
}
