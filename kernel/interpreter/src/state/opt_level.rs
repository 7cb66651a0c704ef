use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Expr, ExprLit, ExprMethodCall, Lit, Token,
    punctuated::Punctuated,
    visit::{self, Visit},
};

use crate::source::collect_named;

/// How long a piece of code may run by itself, judged by its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hotness {
    /// No loop, a short one, or one whose work is done by Polars, which is compiled already.
    #[default]
    Cold,
    /// It iterates over something once.
    Warm,
    /// Nested loops, loops without a known end, recursion.
    Hot,
}

/// Names that a cell uses to plan work for Polars. Optimising such a cell takes more than a second,
/// because what Polars inlines is optimised with it, and gains little.
const PLANS: [&str; 22] = [
    "df",
    "lazy",
    "col",
    "cols",
    "lit",
    "when",
    "agg",
    "group_by",
    "with_column",
    "with_columns",
    "select",
    "Expr",
    "LazyFrame",
    "LazyCsvReader",
    "Dataset",
    "Session",
    "Series",
    "Column",
    "sweep",
    "taxi",
    "plot",
    "map_partitions",
];

/// Iterator methods that call a closure for each element.
const ADAPTORS: [&str; 24] = [
    "map",
    "filter",
    "filter_map",
    "flat_map",
    "fold",
    "try_fold",
    "for_each",
    "try_for_each",
    "any",
    "all",
    "find",
    "find_map",
    "position",
    "take_while",
    "skip_while",
    "map_while",
    "scan",
    "inspect",
    "reduce",
    "max_by_key",
    "min_by_key",
    "max_by",
    "min_by",
    "partition",
];

/// A loop with fewer rounds is not worth optimising.
const SHORT: u64 = 1000;

/// Whether code with these names plans work for Polars, possibly through a variable among `variables`.
pub fn plans(named: &BTreeSet<String>, variables: &BTreeSet<String>) -> bool {
    PLANS.iter().any(|name| named.contains(*name)) || !named.is_disjoint(variables)
}

/// Whether a variable of this type is a plan.
pub fn is_plan(ty: &str) -> bool {
    ["LazyFrame", "LazyGroupBy", "Dataset", "Session", "Expr"].iter().any(|name| ty.contains(name))
}

/// Judges statements. `variables` are those that are plans.
pub fn of_statements<'a>(
    statements: impl IntoIterator<Item = &'a syn::Stmt>,
    variables: &BTreeSet<String>,
) -> Hotness {
    let mut finder = Finder { variables, depth: 0, found: Hotness::Cold };
    statements.into_iter().for_each(|statement| finder.visit_stmt(statement));
    finder.found
}

/// Judges an item, whose functions may be recursive.
pub fn of_item(item: &syn::Item) -> Hotness {
    let variables = BTreeSet::new();
    let mut finder = Finder { variables: &variables, depth: 0, found: Hotness::Cold };
    finder.visit_item(item);
    finder.found
}

struct Finder<'a> {
    variables: &'a BTreeSet<String>,
    /// How many loops surround the current place.
    depth: usize,
    found: Hotness,
}

impl Finder<'_> {
    fn is_cold(&self, body: TokenStream) -> bool {
        let mut named = BTreeSet::new();
        collect_named(body, &mut named);
        plans(&named, self.variables)
    }

    /// Enters a loop. One of unknown length counts as two.
    fn enter(&mut self, body: TokenStream, endless: bool, inside: impl FnOnce(&mut Self)) {
        let cold = self.is_cold(body);
        if !cold {
            let found = if endless || self.depth > 0 { Hotness::Hot } else { Hotness::Warm };
            self.found = self.found.max(found);
            self.depth += 1;
        }
        inside(self);
        if !cold {
            self.depth -= 1;
        }
    }

    fn function(&mut self, name: &syn::Ident, block: &syn::Block) {
        let mut named = BTreeSet::new();
        collect_named(block.to_token_stream(), &mut named);
        if named.contains(&name.to_string()) && !plans(&named, self.variables) {
            self.found = Hotness::Hot;
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_for_loop(&mut self, expr: &'ast syn::ExprForLoop) {
        if is_short(&expr.expr) {
            return visit::visit_expr_for_loop(self, expr);
        }
        self.enter(expr.body.to_token_stream(), false, |finder| visit::visit_expr_for_loop(finder, expr));
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.enter(expr.to_token_stream(), true, |finder| visit::visit_expr_while(finder, expr));
    }

    fn visit_expr_loop(&mut self, expr: &'ast syn::ExprLoop) {
        self.enter(expr.body.to_token_stream(), true, |finder| visit::visit_expr_loop(finder, expr));
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let closure = call.args.iter().find(|argument| matches!(argument, Expr::Closure(_)));
        let adapts = ADAPTORS.iter().any(|name| call.method == name);
        match closure {
            Some(closure) if adapts && !is_short(source(call)) => {
                self.visit_expr(&call.receiver);
                self.enter(closure.to_token_stream(), false, |finder| {
                    call.args.iter().for_each(|argument| finder.visit_expr(argument));
                });
            }
            _ => visit::visit_expr_method_call(self, call),
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    // `println!` and `vec!` take expressions. What other macros take is unknown.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            // The expressions live as long as the visit, which keeps no reference to them.
            let mut inner = Finder { variables: self.variables, depth: self.depth, found: self.found };
            arguments.iter().for_each(|argument| inner.visit_expr(argument));
            self.found = inner.found;
        }
    }
}

/// The start of a method chain.
fn source(call: &ExprMethodCall) -> &Expr {
    let mut source = &*call.receiver;
    loop {
        source = match source {
            Expr::MethodCall(call) => &call.receiver,
            Expr::Paren(inner) => &inner.expr,
            other => return other,
        };
    }
}

/// Whether a loop over it has few rounds: a list literal, or a range of small numbers.
fn is_short(expr: &Expr) -> bool {
    match expr {
        Expr::Array(_) => true,
        Expr::Reference(inner) => is_short(&inner.expr),
        Expr::Paren(inner) => is_short(&inner.expr),
        Expr::MethodCall(call) => is_short(source(call)),
        Expr::Macro(call) => call.mac.path.is_ident("vec") && !call.mac.tokens.to_string().contains(';'),
        Expr::Range(range) => range.end.as_deref().and_then(number).is_some_and(|end| end < SHORT),
        _ => false,
    }
}

fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hotness(code: &str) -> Hotness {
        let block: syn::Block = syn::parse_str(&format!("{{ {code} }}")).unwrap();
        of_statements(&block.stmts, &BTreeSet::from(["ds".to_owned()]))
    }

    #[test]
    fn loops_of_the_cell_itself_are_told_from_loops_around_polars() {
        assert_eq!(hotness("let x = 1; x + 1"), Hotness::Cold);
        assert_eq!(hotness("for i in 0..n { t += i; }"), Hotness::Warm);
        assert_eq!(hotness("for i in 0..n { for j in 0..n { t += i * j; } }"), Hotness::Hot);
        assert_eq!(hotness("while i * i <= n { i += 1; }"), Hotness::Hot);
        assert_eq!(
            hotness("for i in 0..n { out.push(df.clone().lazy().filter(col(\"a\").gt(i)).collect()?); }"),
            Hotness::Cold
        );
        assert_eq!(hotness("for i in 0..n { total += ds.count()?; }"), Hotness::Cold);
    }

    #[test]
    fn few_rounds_are_not_worth_an_optimiser_but_rounds_inside_them_may_be() {
        assert_eq!(hotness("for p in [1, 2, 4] { show(p); }"), Hotness::Cold);
        assert_eq!(hotness("for p in 0..10 { show(p); }"), Hotness::Cold);
        assert_eq!(hotness("vec![1, 2].iter().map(|x| x + 1).sum::<i32>()"), Hotness::Cold);
        assert_eq!(hotness("for p in 0..10 { for i in 0..n { t += i; } }"), Hotness::Warm);
    }

    #[test]
    fn closures_over_iterators_count_inside_macros_too() {
        assert_eq!(hotness("(0..10_000_000u64).map(|i| i % 7).sum::<u64>()"), Hotness::Warm);
        assert_eq!(hotness("println!(\"{}\", v.iter().filter(|x| **x > 1).count());"), Hotness::Warm);
        assert_eq!(hotness("let add = |a: i32| a + 1; add(2)"), Hotness::Cold);
    }

    #[test]
    fn a_function_that_calls_itself_is_hot() {
        let item = |code| of_item(&syn::parse_str(code).unwrap());
        assert_eq!(item("fn f(n: u64) -> u64 { if n < 2 { n } else { f(n - 1) + f(n - 2) } }"), Hotness::Hot);
        assert_eq!(item("fn g(n: u64) -> u64 { n + 1 }"), Hotness::Cold);
    }
}
