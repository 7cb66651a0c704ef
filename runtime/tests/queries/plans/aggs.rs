//! Aggregates, windows and running values.

use partita::prelude::*;
use polars::series::ops::NullBehavior;
use proptest::prelude::*;

use super::shape::*;

/// An aggregate of a column.
#[derive(Debug, Clone)]
pub struct Agg {
    pub of: Of,
    pub column: At,
}

#[derive(Debug, Clone, Copy)]
pub enum Of {
    Len,
    Count,
    NullCount,
    Sum,
    Min,
    Max,
    Mean,
    Var,
    Std,
    Median,
    Nearest,
    NUnique,
    First,
    Last,
    Any,
    All,
    SumOfPositive,
    Spread,
    /// All values as a sorted list.
    Sorted,
}

pub fn aggs() -> impl Strategy<Value = Agg> {
    use Of::*;
    let of = prop::sample::select(vec![
        Len,
        Count,
        NullCount,
        Sum,
        Sum,
        Min,
        Max,
        Mean,
        Var,
        Std,
        Median,
        Nearest,
        NUnique,
        First,
        Last,
        Any,
        All,
        SumOfPositive,
        Spread,
        Sorted,
    ]);
    (of, any::<At>()).prop_map(|(of, column)| Agg { of, column })
}

impl Agg {
    /// The aggregate, and whether it is right but for the last bits.
    fn expr(&self, shape: &Shape, in_groups: bool) -> Option<(Expr, bool)> {
        let pick = |fits: fn(&DataType) -> bool| shape.pick(self.column, fits).map(col);
        let exact = |expr: Expr| Some((expr, false));
        let rough = |expr: Expr| Some((expr, true));
        match self.of {
            Of::Len => exact(len()),
            Of::Count => exact(pick(is_any)?.count()),
            Of::NullCount => exact(pick(is_any)?.null_count()),
            Of::Sum => exact(pick(is_number)?.sum()),
            Of::Min => exact(pick(is_plain)?.min()),
            Of::Max => exact(pick(is_plain)?.max()),
            Of::Mean => rough(pick(is_number)?.mean()),
            Of::Var => rough(pick(is_number)?.var(1)),
            Of::Std => rough(pick(is_number)?.std(1)),
            Of::Median => rough(pick(is_number)?.median()),
            Of::Nearest => rough(pick(is_number)?.quantile(lit(0.25), QuantileMethod::Nearest)),
            Of::NUnique => exact(pick(is_plain)?.n_unique()),
            Of::First if shape.ordered => exact(pick(is_plain)?.first()),
            Of::Last if shape.ordered => exact(pick(is_plain)?.last()),
            Of::Any => exact(pick(is_bool)?.any(true)),
            Of::All => exact(pick(is_bool)?.all(true)),
            Of::SumOfPositive => {
                let value = pick(is_number)?;
                exact(value.clone().filter(value.gt(lit(0))).sum())
            }
            Of::Spread => {
                let value = pick(is_number)?;
                exact(value.clone().max() - value.min())
            }
            Of::Sorted if in_groups => exact(pick(is_int)?.sort(SortOptions::default())),
            Of::First | Of::Last | Of::Sorted => None,
        }
    }
}

/// Aggregates under names that are not among `taken`.
pub fn named(aggs: &[Agg], shape: &Shape, in_groups: bool, taken: &[PlSmallStr]) -> Vec<Expr> {
    let mut exprs = Vec::new();
    for (expr, rough) in aggs.iter().filter_map(|agg| agg.expr(shape, in_groups)) {
        let stem = if rough { "rough" } else { "a" };
        let name = |n: usize| PlSmallStr::from(format!("{stem}{n}"));
        let free = |name: &PlSmallStr| !taken.contains(name);
        let name = (0..).map(name).filter(free).nth(exprs.len()).unwrap_or_default();
        exprs.push(expr.alias(name));
    }
    exprs
}

/// A key to group by.
#[derive(Debug, Clone)]
pub struct Key {
    pub column: At,
    /// An expression of the column rather than the column.
    pub computed: bool,
}

pub fn keys() -> impl Strategy<Value = Vec<Key>> {
    let key =
        (any::<At>(), prop::bool::weighted(0.2)).prop_map(|(column, computed)| Key { column, computed });
    prop::collection::vec(key, 1..3)
}

/// The keys with their names, each once.
pub fn keyed(keys: &[Key], shape: &Shape) -> Vec<(Expr, PlSmallStr)> {
    let mut out: Vec<(Expr, PlSmallStr)> = Vec::new();
    for key in keys {
        let Some(name) = shape.pick(key.column, is_plain) else { continue };
        let (expr, name) = match (key.computed, is_int(&shape.dtype(&name))) {
            (false, _) => (col(name.clone()), name),
            (true, true) => ((col(name) % lit(2)).alias("g0"), "g0".into()),
            (true, false) => (col(name).is_null().alias("g1"), "g1".into()),
        };
        if out.iter().all(|(_, other)| *other != name) {
            out.push((expr, name));
        }
    }
    out
}

/// An aggregate over the rows with the same keys, as a column. Without keys: over all rows.
#[derive(Debug, Clone)]
pub struct Window {
    pub agg: Agg,
    pub keys: Vec<At>,
    pub to: At,
}

pub fn windows() -> impl Strategy<Value = Window> {
    (aggs(), prop::collection::vec(any::<At>(), 0..3), any::<At>()).prop_map(|(agg, keys, to)| Window {
        agg,
        keys,
        to,
    })
}

impl Window {
    pub fn expr(&self, shape: &Shape) -> Option<Expr> {
        let (expr, rough) = self.agg.expr(shape, false)?;
        let keys: Vec<Expr> = shape.picks(&self.keys, is_plain).into_iter().map(col).collect();
        let expr = if keys.is_empty() { expr } else { expr.over(keys).ok()? };
        Some(expr.alias(shape.target(self.to, rough)))
    }
}

/// A value that depends on the rows before or after, or on where a row stands among them.
#[derive(Debug, Clone)]
pub struct Running {
    pub what: What,
    pub column: At,
    /// Among the rows with the same value of this column.
    pub over: Option<At>,
    pub to: At,
}

#[derive(Debug, Clone, Copy)]
pub enum What {
    Shift(i8),
    CumSum,
    CumSumReversed,
    CumMax,
    CumCount,
    Diff,
    FirstDistinct,
    FillForward,
    Reverse,
    RunId,
    RankDense,
    RankMin,
}

pub fn runnings() -> impl Strategy<Value = Running> {
    let what = prop_oneof![
        2 => (-3i8..4).prop_map(What::Shift),
        2 => Just(What::CumSum),
        1 => Just(What::CumSumReversed),
        1 => Just(What::CumMax),
        1 => Just(What::CumCount),
        1 => Just(What::Diff),
        1 => Just(What::FirstDistinct),
        1 => Just(What::FillForward),
        1 => Just(What::Reverse),
        1 => Just(What::RunId),
        1 => Just(What::RankDense),
        1 => Just(What::RankMin),
    ];
    (what, any::<At>(), prop::option::of(any::<At>()), any::<At>())
        .prop_map(|(what, column, over, to)| Running { what, column, over, to })
}

impl Running {
    pub fn expr(&self, shape: &Shape) -> Option<Expr> {
        let pick = |fits: fn(&DataType) -> bool| shape.pick(self.column, fits).map(col);
        let rank = |method| RankOptions { method, descending: false };
        if !shape.ordered && !matches!(self.what, What::RankDense | What::RankMin) {
            return None;
        }
        let expr = match self.what {
            What::Shift(n) => pick(is_plain)?.shift(lit(i64::from(n))),
            What::CumSum => pick(is_number)?.cum_sum(false),
            What::CumSumReversed => pick(is_int)?.cum_sum(true),
            What::CumMax => pick(is_int)?.cum_max(false),
            What::CumCount => pick(is_plain)?.cum_count(false),
            What::Diff => pick(is_number)?.diff(lit(1), NullBehavior::Ignore),
            What::FirstDistinct => pick(is_key)?.is_first_distinct(),
            What::FillForward => pick(is_plain)?.fill_null_with_strategy(FillNullStrategy::Forward(None)),
            What::Reverse => pick(is_plain)?.reverse(),
            What::RunId => pick(is_key)?.rle_id(),
            What::RankDense => pick(is_int)?.rank(rank(RankMethod::Dense), None),
            What::RankMin => pick(is_int)?.rank(rank(RankMethod::Min), None),
        };
        let expr = match self.over.and_then(|at| shape.pick(at, is_plain)) {
            Some(key) => expr.over([col(key)]).ok()?,
            None => expr,
        };
        Some(expr.alias(shape.target(self.to, false)))
    }
}

/// The first expression of each name: a step cannot make a column twice.
pub fn each_once(exprs: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    let mut names = Vec::new();
    let mut once = |expr: &Expr| {
        let Expr::Alias(_, name) = expr else { return true };
        let new = !names.contains(name);
        names.push(name.clone());
        new
    };
    exprs.into_iter().filter(|expr| once(expr)).collect()
}
