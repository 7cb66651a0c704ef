//! Visits to the expressions of one query, without those of the queries inside it.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Query, Visit, VisitMut, Visitor, VisitorMut};

use crate::build;
use crate::error::{Result, SqlError};

struct Changing<F> {
    depth: usize,
    change: F,
}

impl<F: FnMut(&mut Expr) -> Result<()>> VisitorMut for Changing<F> {
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
        match if self.depth == 0 { (self.change)(expr) } else { Ok(()) } {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// Changes every expression of `syntax`, inner ones first. Queries inside it are left alone.
pub fn change<S: VisitMut>(syntax: &mut S, change: impl FnMut(&mut Expr) -> Result<()>) -> Result<()> {
    match syntax.visit(&mut Changing { depth: 0, change }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Looking<F> {
    depth: usize,
    look: F,
}

impl<F: FnMut(&Expr) -> bool> Visitor for Looking<F> {
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
pub fn any<S: Visit>(syntax: &S, look: impl FnMut(&Expr) -> bool) -> bool {
    syntax.visit(&mut Looking { depth: 0, look }).is_break()
}

/// Returns whether a query is part of an expression of `syntax`.
pub fn has_subquery<S: Visit>(syntax: &S) -> bool {
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
