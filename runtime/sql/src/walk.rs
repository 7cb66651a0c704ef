//! Visits to the expressions of one query, without those of the queries inside it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, ObjectName, Query, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::build;
use crate::error::{Result, SqlError};

// A visitor is compiled for the whole syntax of SQL, so there is one of each kind, and it calls a function it does not know.

struct Changing<'a> {
    depth: usize,
    deep: bool,
    change: &'a mut dyn FnMut(&mut Expr) -> Result<()>,
}

impl VisitorMut for Changing<'_> {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match if self.deep || self.depth == 0 { (self.change)(expr) } else { Ok(()) } {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

fn visit(
    syntax: &mut impl VisitMut,
    deep: bool,
    change: &mut dyn FnMut(&mut Expr) -> Result<()>,
) -> Result<()> {
    match syntax.visit(&mut Changing { depth: 0, deep, change }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// Changes every expression of `syntax`, inner ones first. Queries inside it are left alone.
pub fn change(syntax: &mut impl VisitMut, mut change: impl FnMut(&mut Expr) -> Result<()>) -> Result<()> {
    visit(syntax, false, &mut change)
}

/// Changes every expression of `syntax` and of the queries inside it, inner ones first.
pub fn change_all(syntax: &mut impl VisitMut, mut change: impl FnMut(&mut Expr) -> Result<()>) -> Result<()> {
    visit(syntax, true, &mut change)
}

struct Looking<'a> {
    depth: usize,
    look: &'a mut dyn FnMut(&Expr) -> bool,
}

impl Visitor for Looking<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.depth == 0 && (self.look)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Returns whether `look` is true for an expression of `syntax`. Queries inside it are left alone.
pub fn any(syntax: &impl Visit, mut look: impl FnMut(&Expr) -> bool) -> bool {
    syntax.visit(&mut Looking { depth: 0, look: &mut look }).is_break()
}

struct Tables<'a>(&'a mut HashSet<String>);

impl Visitor for Tables<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.0.insert(alias.name.value.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.0.extend(relation.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.clone()));
        ControlFlow::Continue(())
    }
}

/// Adds the tables that `syntax` reads, and their aliases.
pub fn tables(syntax: &impl Visit, names: &mut HashSet<String>) {
    let _ = syntax.visit(&mut Tables(names));
}

/// Returns whether a query is part of an expression of `syntax`.
pub fn has_subquery(syntax: &impl Visit) -> bool {
    any(syntax, |expr| matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }))
}

/// Returns the conditions that `AND` holds together.
pub fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::Nested(inner)
            if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And, .. } | Expr::Nested(_)) =>
        {
            conjuncts(*inner)
        }
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(*left);
            all.extend(conjuncts(*right));
            all
        }
        other => vec![other],
    }
}

/// Holds conditions together by `AND`; `None` if there are none.
pub fn conjunction(mut conditions: Vec<Expr>) -> Option<Expr> {
    if conditions.len() == 1 {
        return conditions.pop();
    }
    conditions.into_iter().map(guarded).reduce(|left, right| build::binary(left, BinaryOperator::And, right))
}

/// `a OR b` needs parentheses to be one of several conditions.
fn guarded(condition: Expr) -> Expr {
    match condition {
        Expr::BinaryOp { op: BinaryOperator::Or | BinaryOperator::Xor, .. } => {
            Expr::Nested(Box::new(condition))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::expr;

    #[test]
    fn conditions_come_apart_and_together_again() {
        let parts = conjuncts(expr("(a = 1 and (b = 2 or c = 3)) and d = 4"));
        assert_eq!(parts.len(), 3);
        assert_eq!(conjunction(parts).unwrap().to_string(), "a = 1 AND (b = 2 OR c = 3) AND d = 4");
    }

    #[test]
    fn an_or_gets_parentheses_beside_another_condition() {
        let parts = vec![expr("a = 1 or b = 2"), expr("c = 3")];
        assert_eq!(conjunction(parts).unwrap().to_string(), "(a = 1 OR b = 2) AND c = 3");
    }

    #[test]
    fn queries_inside_are_not_visited() {
        assert!(!any(&expr("a in (select b from t)"), |expr| expr.to_string() == "b"));
        assert!(has_subquery(&expr("1 + (select b from t)")));
    }
}
