//! Predicates and computed columns.

use partita::prelude::*;
use proptest::prelude::*;

use super::rows::{FLOATS, TEXTS};
use super::shape::*;

/// A predicate.
#[derive(Debug, Clone)]
pub enum Test {
    /// A column, an operator and a value.
    Compare(At, At, i8),
    /// Two columns of one type.
    Less(At, At),
    IsNull(At),
    IsIn(At, Vec<i8>),
    Between(At, i8, i8),
    StartsWith(At, i8),
    Is(At),
    /// Never true, and known to be so while the plan is made.
    EqualsNull(At),
    Constant(bool),
    /// Against an aggregate of all rows.
    AgainstAll(At, At),
    /// Against an aggregate of the rows with the same key.
    AgainstGroup(At, At),
    Duplicated(At),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

/// Predicates that look at one row.
pub fn row_tests() -> impl Strategy<Value = Test> {
    let value = || -3i8..8;
    let leaf = prop_oneof![
        4 => (any::<At>(), any::<At>(), value()).prop_map(|(a, op, v)| Test::Compare(a, op, v)),
        1 => any::<(At, At)>().prop_map(|(a, b)| Test::Less(a, b)),
        1 => any::<At>().prop_map(Test::IsNull),
        1 => (any::<At>(), prop::collection::vec(value(), 0..4)).prop_map(|(a, vs)| Test::IsIn(a, vs)),
        1 => (any::<At>(), value(), value()).prop_map(|(a, low, high)| Test::Between(a, low, high)),
        1 => (any::<At>(), value()).prop_map(|(a, v)| Test::StartsWith(a, v)),
        1 => any::<At>().prop_map(Test::Is),
        1 => any::<At>().prop_map(Test::EqualsNull),
        1 => any::<bool>().prop_map(Test::Constant),
    ];
    leaf.prop_recursive(2, 4, 2, |test| {
        prop_oneof![
            test.clone().prop_map(|a| Test::Not(Box::new(a))),
            (test.clone(), test.clone()).prop_map(|(a, b)| Test::And(Box::new(a), Box::new(b))),
            (test.clone(), test).prop_map(|(a, b)| Test::Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// Predicates, also over all rows and over those of a key.
pub fn tests() -> impl Strategy<Value = Test> {
    let wide = prop_oneof![
        any::<(At, At)>().prop_map(|(a, how)| Test::AgainstAll(a, how)),
        any::<(At, At)>().prop_map(|(a, key)| Test::AgainstGroup(a, key)),
        any::<At>().prop_map(Test::Duplicated),
    ];
    let both = (wide.clone(), row_tests()).prop_map(|(a, b)| Test::And(Box::new(a), Box::new(b)));
    prop_oneof![6 => row_tests(), 2 => wide, 1 => both]
}

impl Test {
    /// The predicate over columns that are there; `None` if there are no fitting ones.
    pub fn expr(&self, shape: &Shape) -> Option<Expr> {
        Some(match self {
            Self::Compare(at, op, value) => {
                let name = shape.pick(*at, is_plain)?;
                let value = literal(&shape.dtype(&name), *value);
                compared(col(name), *op, value)
            }
            Self::Less(a, b) => {
                let a = shape.pick(*a, is_plain)?;
                let dtype = shape.dtype(&a);
                col(a).lt(col(shape.pick(*b, |other| *other == dtype)?))
            }
            Self::IsNull(at) => col(shape.pick(*at, is_any)?).is_null(),
            Self::IsIn(at, values) => {
                let name = shape.pick(*at, |dtype| is_int(dtype) || is_text(dtype))?;
                let series = if is_text(&shape.dtype(&name)) {
                    let values: Vec<&str> = values.iter().map(|value| text(*value)).collect();
                    Series::new(PlSmallStr::EMPTY, values)
                } else {
                    let values: Vec<i64> = values.iter().map(|value| i64::from(*value)).collect();
                    Series::new(PlSmallStr::EMPTY, values)
                };
                col(name).is_in(lit(series).implode(true), false)
            }
            Self::Between(at, low, high) => {
                let name = shape.pick(*at, is_plain)?;
                let dtype = shape.dtype(&name);
                col(name).is_between(literal(&dtype, *low), literal(&dtype, *high), ClosedInterval::Left)
            }
            Self::StartsWith(at, value) => {
                col(shape.pick(*at, is_text)?).str().starts_with(lit(text(*value)))
            }
            Self::Is(at) => col(shape.pick(*at, is_bool)?),
            Self::EqualsNull(at) => col(shape.pick(*at, is_int)?).eq(lit(NULL)),
            Self::Constant(value) => lit(*value),
            Self::AgainstAll(at, how) => {
                let all = col(shape.pick(*at, is_number)?);
                match how % 4 {
                    0 => all.clone().eq(all.max()),
                    1 => all.clone().gt(all.min()),
                    2 => all.clone().gt_eq(all.mean()),
                    _ => all.clone().lt(all.median()),
                }
            }
            Self::AgainstGroup(at, key) => {
                let value = col(shape.pick(*at, is_number)?);
                value.clone().gt(value.min().over([col(shape.pick(*key, is_plain)?)]).ok()?)
            }
            Self::Duplicated(at) => col(shape.pick(*at, is_key)?).is_duplicated(),
            Self::Not(test) => test.expr(shape)?.not(),
            Self::And(a, b) => a.expr(shape)?.and(b.expr(shape)?),
            Self::Or(a, b) => a.expr(shape)?.or(b.expr(shape)?),
        })
    }
}

fn compared(column: Expr, op: At, value: Expr) -> Expr {
    match op % 8 {
        0 => column.eq(value),
        1 => column.neq(value),
        2 => column.lt(value),
        3 => column.lt_eq(value),
        4 => column.gt(value),
        5 => column.gt_eq(value),
        6 => column.eq_missing(value),
        _ => column.neq_missing(value),
    }
}

fn text(value: i8) -> &'static str {
    TEXTS[usize::from(value.unsigned_abs()) % TEXTS.len()]
}

/// A value to compare a column of this type with.
pub fn literal(dtype: &DataType, value: i8) -> Expr {
    match dtype {
        DataType::Float64 => lit(FLOATS[usize::from(value.unsigned_abs()) % FLOATS.len()]),
        DataType::String => lit(text(value)),
        DataType::Boolean => lit(value % 2 == 0),
        DataType::Date => lit(i32::from(value)).cast(DataType::Date),
        _ => lit(i32::from(value)),
    }
}

/// A computed column.
#[derive(Debug, Clone)]
pub struct Formula {
    pub how: How,
    pub column: At,
    pub other: At,
    /// The name of the result.
    pub to: At,
}

#[derive(Debug, Clone)]
pub enum How {
    Plus,
    Minus,
    Remainder,
    Half,
    AsFloat,
    AsText,
    Upper,
    Append,
    Length,
    IsNull,
    Fill(i8),
    Either,
    If(Test),
    Tomorrow,
    ListLength,
    ListSum,
    Constant(i8),
    /// What it is above the least of all rows.
    AboveLeast,
}

pub fn formulas() -> impl Strategy<Value = Formula> {
    let how = prop_oneof![
        Just(How::Plus),
        Just(How::Minus),
        Just(How::Remainder),
        Just(How::Half),
        Just(How::AsFloat),
        Just(How::AsText),
        Just(How::Upper),
        Just(How::Append),
        Just(How::Length),
        Just(How::IsNull),
        (-3i8..8).prop_map(How::Fill),
        Just(How::Either),
        tests().prop_map(How::If),
        Just(How::Tomorrow),
        Just(How::ListLength),
        Just(How::ListSum),
        (-3i8..8).prop_map(How::Constant),
        Just(How::AboveLeast),
    ];
    (how, any::<At>(), any::<At>(), any::<At>()).prop_map(|(how, column, other, to)| Formula {
        how,
        column,
        other,
        to,
    })
}

impl Formula {
    /// The column with its name.
    pub fn expr(&self, shape: &Shape) -> Option<Expr> {
        let pick = |fits: fn(&DataType) -> bool| shape.pick(self.column, fits);
        let alike = |name: &PlSmallStr| {
            let dtype = shape.dtype(name);
            shape.pick(self.other, move |other| *other == dtype)
        };
        let expr = match &self.how {
            How::Plus => col(pick(is_int)?) + lit(i32::from(self.other % 5)),
            How::Minus => {
                let name = pick(is_int)?;
                let other = alike(&name)?;
                col(name) - col(other)
            }
            How::Remainder => col(pick(is_int)?) % lit(3),
            How::Half => col(pick(is_float)?) * lit(0.5),
            How::AsFloat => col(pick(is_int)?).cast(DataType::Float64),
            How::AsText => col(pick(is_int)?).cast(DataType::String),
            How::Upper => col(pick(is_text)?).str().to_uppercase(),
            How::Append => col(pick(is_text)?) + lit("x"),
            How::Length => col(pick(is_text)?).str().len_chars(),
            How::IsNull => col(pick(is_any)?).is_null(),
            How::Fill(value) => {
                let name = pick(is_plain)?;
                let value = literal(&shape.dtype(&name), *value);
                col(name).fill_null(value)
            }
            How::Either => {
                let name = pick(is_plain)?;
                let other = alike(&name)?;
                coalesce(&[col(name), col(other)])
            }
            How::If(test) => {
                let name = pick(is_plain)?;
                let other = alike(&name)?;
                when(test.expr(shape)?).then(col(name)).otherwise(col(other))
            }
            How::Tomorrow => col(pick(is_date)?).dt().offset_by(lit("1d")),
            How::ListLength => col(pick(is_list)?).list().len(),
            How::ListSum => col(pick(is_list)?).list().sum(),
            How::Constant(value) => lit(i64::from(*value)),
            How::AboveLeast => {
                let value = col(pick(is_number)?);
                value.clone() - value.min()
            }
        };
        Some(expr.alias(shape.target(self.to, false)))
    }
}
