//! The statements of a text. Views become part of the queries that read them.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{CreateView, ObjectName, ObjectType, Query, Statement, VisitMut, With};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use std::collections::HashSet;

use crate::catalog::Catalog;
use crate::error::{Result, SqlError, unsupported};
use crate::query::Rewriter;
use crate::{Rewritten, View, build, interval, literal, walk};

/// Rewrites a text.
pub fn rewrite(text: &str, catalog: &dyn Catalog) -> Result<Rewritten> {
    let mut rewriter = Rewriter::new(text, catalog);
    let mut done = Rewritten::default();
    // The WITH of the views comes first; what a query adds to it goes with that query.
    let mut of_views = 0;
    let mut views: Vec<String> = Vec::new();
    for (source, mut statement) in parse(text)? {
        let before = statement.clone();
        fold(&mut statement)?;
        match &mut statement {
            Statement::CreateView(view) => {
                let name = create(&mut rewriter, view, &views)?;
                views.retain(|view| *view != name);
                views.push(name);
                of_views = rewriter.ctes.len();
                continue;
            }
            Statement::Drop { object_type: ObjectType::View, if_exists, names, .. } => {
                for name in names.iter() {
                    let known = views.iter().position(|view| *view == name.to_string());
                    match known {
                        Some(at) => drop(views.remove(at)),
                        None if *if_exists => {}
                        None => {
                            return Err(unsupported(
                                "DROP VIEW of a view that this text has not created",
                                name,
                                "create it first, or write DROP VIEW IF EXISTS",
                            ));
                        }
                    }
                    rewriter.visible.retain(|(visible, _)| *visible != name.to_string());
                }
                continue;
            }
            Statement::Explain { statement: explained, .. } => {
                if let Statement::Query(query) = explained.as_mut() {
                    finish(&mut rewriter, query)?;
                }
            }
            Statement::Query(query) => finish(&mut rewriter, query)?,
            Statement::CreateTable(table) => {
                if let Some(query) = &mut table.query {
                    finish(&mut rewriter, query)?;
                }
            }
            _ => statement = before.clone(),
        }
        rewriter.ctes.truncate(of_views);
        done.statements.push(if statement == before { source.to_owned() } else { statement.to_string() });
    }
    for name in views {
        let mut query = build::select_query(build::select(
            vec![build::star()],
            vec![build::from(build::table(&name))],
            None,
        ));
        finish(&mut rewriter, &mut query)?;
        done.views.push(View { name, query: query.to_string() });
    }
    Ok(done)
}

/// Takes a text apart at its semicolons; each statement comes with its own text.
fn parse(text: &str) -> Result<Vec<(&str, Statement)>> {
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| SqlError::Syntax { message: error.to_string() })?;
    let mut statements = Vec::new();
    for tokens in tokens.split(|token| token.token == Token::SemiColon) {
        let blank = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
        let (Some(first), Some(last)) = (tokens.iter().find(blank), tokens.iter().rfind(blank)) else {
            continue;
        };
        let source = &text[offset(text, first.span.start)..offset(text, last.span.end)];
        let parsed = Parser::new(&GenericDialect)
            // As Polars reads it.
            .with_options(ParserOptions { trailing_commas: true, ..ParserOptions::default() })
            .with_tokens_with_locations(tokens.to_vec())
            .parse_statements()
            .map_err(|error| SqlError::Syntax {
                message: error.to_string().replace("sql parser error: ", ""),
            })?;
        statements.extend(parsed.into_iter().map(|statement| (source, statement)));
    }
    Ok(statements)
}

/// Returns the position in bytes of a line and a column, which counts characters.
fn offset(text: &str, location: Location) -> usize {
    let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at)
}

/// Computes what is constant.
pub fn fold(syntax: &mut impl VisitMut) -> Result<()> {
    walk::change_all(syntax, |expr| {
        literal::fold(expr);
        interval::rewrite(expr)
    })
}

fn create(rewriter: &mut Rewriter<'_>, view: &CreateView, views: &[String]) -> Result<String> {
    let name = view.name.to_string();
    if view.materialized {
        return Err(unsupported("CREATE MATERIALIZED VIEW", &view.name, "write CREATE TABLE … AS"));
    }
    if views.contains(&name) && !view.or_replace {
        return Err(unsupported(
            "a second view of this name",
            &view.name,
            "drop the first one, or write CREATE OR REPLACE VIEW",
        ));
    }
    let columns: Vec<String> = view.columns.iter().map(|column| column.name.value.clone()).collect();
    let ObjectName(parts) = &view.name;
    let [part] = &parts[..] else {
        return Err(unsupported("a view in a schema", &view.name, "give it a name without a point"));
    };
    let name = part.as_ident().map_or(name, |ident| ident.value.clone());
    rewriter.define(&name, (*view.query).clone(), &columns, &[])?;
    Ok(name)
}

/// Rewrites a query and puts what it reads before it.
fn finish(rewriter: &mut Rewriter<'_>, query: &mut Query) -> Result<()> {
    rewriter.query(query, &[])?;
    let mut needed = HashSet::new();
    walk::tables(query, &mut needed);
    let mut used = Vec::new();
    for cte in rewriter.ctes.iter().rev() {
        if needed.contains(&cte.alias.name.value) {
            walk::tables(cte.query.as_ref(), &mut needed);
            used.push(cte.clone());
        }
    }
    used.reverse();
    if !used.is_empty() {
        query.with = Some(With { with_token: AttachedToken::empty(), recursive: false, cte_tables: used });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten, run};

    #[test]
    fn a_view_becomes_a_with_of_the_queries_that_read_it() {
        let done = run("create view v (k, n) as select i, count(*) from t group by i;\n select * from v; select 1; drop view v").unwrap();
        assert_eq!(
            done.statements,
            ["WITH v AS (SELECT i AS k, count(*) AS n FROM t GROUP BY i) SELECT * FROM v", "select 1",]
        );
        assert!(done.views.is_empty());
    }

    #[test]
    fn a_view_that_is_left_is_handed_back() {
        let done =
            run("create view v as select i from t; create view w as select i + 1 as j from v").unwrap();
        assert_eq!(done.views[1].name, "w");
        assert_eq!(
            done.views[1].query,
            "WITH v AS (SELECT i FROM t), w AS (SELECT i + 1 AS j FROM v) SELECT * FROM w"
        );
    }

    #[test]
    fn a_view_may_hide_a_table() {
        assert_eq!(
            rewritten("create view r as select i from t; select i from r"),
            "WITH _sql1 AS (SELECT i FROM t) SELECT i FROM _sql1 AS r"
        );
    }

    #[test]
    fn other_statements_stay_as_they_are() {
        let text = "show tables; -- which\ndrop table  t;\n/* é */ delete from t where  a = 'ü;' ;; select  \"a.b\" from t";
        assert_eq!(
            run(text).unwrap().statements,
            ["show tables", "drop table  t", "delete from t where  a = 'ü;'", "select  \"a.b\" from t"]
        );
    }

    #[test]
    fn a_with_moves_to_the_top_under_a_name_of_its_own() {
        assert_eq!(
            rewritten("select x from (with r as (select i as x from t) select x from r) as u"),
            "WITH _sql1 AS (SELECT i AS x FROM t) SELECT x FROM (SELECT x FROM _sql1 AS r) AS u"
        );
    }

    #[test]
    fn what_is_no_sql_is_refused_with_its_place() {
        assert_eq!(refused("select 1;\nselect (i from t"), "Expected: ), found: from at Line: 2, Column: 11");
    }

    #[test]
    fn a_view_that_does_not_exist_is_not_dropped() {
        assert_eq!(
            refused("drop view v"),
            "DROP VIEW of a view that this text has not created at line 1, column 11 is not supported; \
             create it first, or write DROP VIEW IF EXISTS"
        );
        assert!(refused("with recursive v as (select 1 as x) select * from v").contains("WITH RECURSIVE"));
    }
}
