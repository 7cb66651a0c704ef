//! Pieces of syntax, made.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
    UnaryOperator, Value,
};
use sqlparser::keywords::ALL_KEYWORDS;

/// Returns a name, in quotes if it needs them.
pub fn ident(name: &str) -> Ident {
    let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain = word && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty();
    if plain && !ALL_KEYWORDS.contains(&name.to_ascii_uppercase().as_str()) {
        Ident::new(name)
    } else {
        Ident::with_quote('"', name)
    }
}

/// Returns a reference to a column by its name alone.
pub fn column(name: &str) -> Expr {
    Expr::Identifier(ident(name))
}

pub fn number(digits: impl Into<String>) -> Expr {
    Expr::Value(Value::Number(digits.into(), false).with_empty_span())
}

pub fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_empty_span())
}

pub fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).with_empty_span())
}

pub fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

pub fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub fn equal(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Eq, right)
}

pub fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(expr)) }
}

/// Returns an expression in parentheses if it could fall apart without them.
pub fn nested(expr: Expr) -> Expr {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Value(_)
        | Expr::Function(_)
        | Expr::Nested(_)
        | Expr::Cast { .. }
        | Expr::Case { .. } => expr,
        other => Expr::Nested(Box::new(other)),
    }
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Returns `CASE WHEN … THEN … [ELSE …] END`.
pub fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: branches.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect(),
        else_result: otherwise.map(Box::new),
    }
}

pub fn call(name: &str, args: Vec<Expr>) -> Expr {
    function(name, args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect())
}

pub fn count_rows() -> Expr {
    function("count", vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)])
}

fn function(name: &str, args: Vec<FunctionArg>) -> Expr {
    let args = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub fn aliased(expr: Expr, alias: &str) -> SelectItem {
    match &expr {
        Expr::Identifier(name) if name.value == alias => SelectItem::UnnamedExpr(expr),
        _ => SelectItem::ExprWithAlias { expr, alias: ident(alias) },
    }
}

pub fn star() -> SelectItem {
    SelectItem::Wildcard(Default::default())
}

/// Returns `SELECT … FROM … WHERE …` with nothing else.
pub fn select(projection: Vec<SelectItem>, from: Vec<TableWithJoins>, selection: Option<Expr>) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

pub fn query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

pub fn select_query(select: Select) -> Query {
    query(SetExpr::Select(Box::new(select)))
}

pub fn alias(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: ident(name), columns: Vec::new(), at: None }
}

pub fn table(name: &str) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(vec![ident(name)]),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// Returns `(query) AS name`.
pub fn derived(query: Query, name: &str) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias(name)), sample: None }
}

pub fn from(relation: TableFactor) -> TableWithJoins {
    TableWithJoins { relation, joins: Vec::new() }
}

pub fn join(relation: TableFactor, kind: impl Fn(JoinConstraint) -> JoinOperator, on: Option<Expr>) -> Join {
    let constraint = on.map_or(JoinConstraint::None, JoinConstraint::On);
    Join { relation, global: false, join_operator: kind(constraint) }
}
