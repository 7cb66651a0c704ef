//! Steps in Polars' words.

use partita::prelude::*;

use super::aggs::{Agg, Key, each_once, keyed, named};
use super::joins;
use super::next::Next;
use super::shape::*;
use super::step::{Spans, Step};

impl Step {
    /// The step over these columns; `None` if it does not fit them.
    pub fn next(&self, left: &Shape, right: &Shape) -> Option<Next> {
        match self {
            Self::Filter(test) => {
                let test = test.expr(left)?;
                Some(Next::of(left, "filter", move |rows, _| rows.filter(test.clone())))
            }
            Self::Select(at) => {
                let names = columns(left.picks(at, is_any));
                Some(Next::of(left, "select", move |rows, _| rows.select(names.clone())))
            }
            Self::Drop(at) => {
                let name = left.pick(*at, is_any).filter(|_| left.schema.len() > 1)?;
                let name = by_name([name], true, false);
                Some(Next::of(left, "drop", move |rows, _| rows.drop(name.clone())))
            }
            Self::Rename(from, to) => {
                let from = left.pick(*from, is_any)?;
                let to = left.free(["x.y", "z w", "é"][usize::from(to % 3)]);
                Some(Next::of(left, "rename", move |rows, _| rows.rename([from.clone()], [to.clone()], true)))
            }
            Self::WithColumns(formulas) => {
                with_columns(left, "with_columns", formulas.iter().filter_map(|formula| formula.expr(left)))
            }
            Self::DropNulls(at) => {
                let subset = by_name(left.picks(at, is_any), true, false);
                Some(Next::of(left, "drop_nulls", move |rows, _| rows.drop_nulls(Some(subset.clone()))))
            }
            Self::FillNull(value) => {
                let value = lit(i32::from(*value));
                Some(Next::of(left, "fill_null", move |rows, _| rows.fill_null(value.clone())))
            }
            Self::Windows(windows) => {
                with_columns(left, "window", windows.iter().filter_map(|window| window.expr(left)))
            }
            Self::Running(runnings) => {
                with_columns(left, "running", runnings.iter().filter_map(|running| running.expr(left)))
            }
            Self::SelectBeside(at, aggs) => {
                let name = left.pick(*at, is_any)?;
                let mut exprs = named(aggs, left, false, std::slice::from_ref(&name));
                exprs.push(col(name));
                Some(Next::of(left, "select beside", move |rows, _| rows.select(exprs.clone())).hidden())
            }
            Self::Totals(aggs) => {
                let aggs = some(named(aggs, left, false, &[]))?;
                let next = Next::of(left, "totals", move |rows, _| rows.select(aggs.clone()));
                Some(Next { ordered: true, ..next.hidden().at_most(1) })
            }
            Self::GroupBy { by, aggs, stable } => group_by(left, by, aggs, *stable && left.ordered, None),
            Self::Having { by, aggs, least } => group_by(left, by, aggs, false, Some(*least)),
            Self::Dynamic(spans) => spans.dynamic(left),
            Self::Rolling(spans) => spans.rolling(left),
            Self::Sort { by, nulls_last, stable } => {
                let names = left.picks(&by.iter().map(|(at, _)| *at).collect::<Vec<_>>(), is_plain);
                let descending: Vec<bool> = by.iter().take(names.len()).map(|(_, down)| *down).collect();
                let options = SortMultipleOptions::default()
                    .with_order_descending_multi(descending)
                    .with_nulls_last(*nulls_last)
                    .with_maintain_order(*stable);
                let names = some(names)?;
                let next = Next::of(left, "sort", move |rows, _| rows.sort(names.clone(), options.clone()));
                Some(Next { ordered: *stable && left.ordered, ..next.hidden() })
            }
            Self::SortAll { first, descending, nulls_last } => {
                let names = some(everything(left, *first))?;
                let options = SortMultipleOptions::default()
                    .with_order_descending(*descending)
                    .with_nulls_last(*nulls_last);
                let next = Next::of(left, "sort by all", move |rows, _| {
                    let rows = rows.select(columns(names.clone()));
                    rows.sort(names.clone(), options.clone())
                });
                Some(Next { ordered: true, shown: true, ..next })
            }
            Self::TopK { k, first, smallest } => {
                let (names, k, smallest) = (some(everything(left, *first))?, IdxSize::from(*k), *smallest);
                let next = Next::of(left, "top k", move |rows, _| {
                    let (rows, by) = (rows.select(columns(names.clone())), columns(names.clone()));
                    match smallest {
                        true => rows.bottom_k(k, by, SortMultipleOptions::default()),
                        false => rows.top_k(k, by, SortMultipleOptions::default()),
                    }
                });
                Some(Next { ordered: true, shown: true, ..next })
            }
            Self::Slice(offset, len) => {
                let (offset, len) = (*offset, IdxSize::from(*len));
                let next = Next::of(left, "slice", move |rows, _| rows.slice(offset, len));
                Some(next).filter(|_| left.ordered)
            }
            Self::Reverse => {
                Some(Next::of(left, "reverse", |rows, _| rows.reverse()).hidden()).filter(|_| left.ordered)
            }
            Self::RowIndex(offset) => {
                let (name, offset) = (left.free("row"), IdxSize::from(*offset));
                let next = Next::of(left, "row index", move |rows, _| {
                    rows.with_row_index(name.clone(), Some(offset))
                });
                Some(next.hidden()).filter(|_| left.ordered)
            }
            Self::Unique { subset, keep, stable } => unique(left, subset, *keep, *stable && left.ordered),
            Self::Join(join) => join.next(left, right),
            Self::JoinFloats(how, at) => joins::by_float(*how, *at, left, right),
            Self::JoinSelf(how, at) => joins::with_itself(*how, *at, left),
            Self::JoinWhere(on) => joins::by_comparison(on, left, right),
            Self::Nearest(nearest) => nearest.next(left, right),
            Self::UnionSelf(test) => {
                let test = test.expr(left)?;
                let next = Next::of(left, "union with itself", move |rows, _| {
                    concat([rows.clone(), rows.filter(test.clone())], UnionArgs::default()).unwrap()
                });
                Some(next.hidden().at_most(left.most * 2))
            }
            Self::UnionRight(at) => {
                let same = |name: &PlSmallStr| right.has(name) && right.dtype(name) == left.dtype(name);
                let names = columns(some(left.picks(at, is_any).into_iter().filter(same).collect())?);
                let next = Next::of(left, "union", move |rows, right| {
                    concat([rows.select(names.clone()), right.select(names.clone())], UnionArgs::default())
                        .unwrap()
                });
                Some(next.hidden().at_most(left.most + right.most))
            }
            Self::Diagonal(at) => {
                let fits = |name: &PlSmallStr| !left.has(name) || right.dtype(name) == left.dtype(name);
                let names = columns(some(right.picks(at, is_any).into_iter().filter(fits).collect())?);
                let next = Next::of(left, "diagonal union", move |rows, right| {
                    concat_lf_diagonal([rows, right.select(names.clone())], UnionArgs::default()).unwrap()
                });
                Some(next.hidden().at_most(left.most + right.most))
            }
            Self::Beside(at) => {
                let (name, free) = (left.pick(*at, is_any)?, left.free("beside"));
                let next = Next::of(left, "side by side", move |rows, _| {
                    let other = rows.clone().select([col(name.clone()).alias(free.clone())]).reverse();
                    concat_lf_horizontal([rows, other], HConcatOptions::default()).unwrap()
                });
                Some(next.hidden()).filter(|_| left.ordered)
            }
            Self::Unpivot { on, index } => {
                let first = left.pick(*on.first()?, is_plain)?;
                let dtype = left.dtype(&first);
                let on = some(left.picks(on, |other| *other == dtype))?;
                let index: Vec<PlSmallStr> =
                    left.picks(index, is_any).into_iter().filter(|name| !on.contains(name)).collect();
                let most = left.most * on.len();
                let args = UnpivotArgsDSL {
                    on: Some(by_name(on, true, false)),
                    index: by_name(index, true, false),
                    variable_name: None,
                    value_name: None,
                };
                let next = Next::of(left, "unpivot", move |rows, _| rows.unpivot(args.clone()));
                Some(next.unordered().at_most(most))
            }
            Self::Explode { column, empty_as_null, keep_nulls } => {
                let column = by_name([left.pick(*column, is_list)?], true, false);
                let options = ExplodeOptions { empty_as_null: *empty_as_null, keep_nulls: *keep_nulls };
                let next = Next::of(left, "explode", move |rows, _| rows.explode(column.clone(), options));
                Some(next.hidden().at_most(left.most * 3))
            }
            Self::Nest(at) => {
                let (fields, name) = (some(left.picks(at, is_key))?, left.free("nested"));
                let next = Next::of(left, "nest", move |rows, _| {
                    let nested = as_struct(columns(fields.clone())).alias(name.clone());
                    rows.with_columns([nested]).drop(by_name(fields.clone(), true, false))
                });
                Some(next.hidden())
            }
            Self::Unnest => {
                let column = by_name([left.pick(0, is_struct)?], true, false);
                Some(Next::of(left, "unnest", move |rows, _| rows.unnest(column.clone(), None)))
            }
            Self::PolarsCache => Some(Next::of(left, "Polars' cache", |rows, _| rows.cache())),
            Self::Cache => Some(Next::on_dataset(left, "cache", Dataset::cache)),
            Self::Coalesce(n) => {
                let n = *n;
                Some(Next::on_dataset(left, "coalesce", move |rows| rows.coalesce(n)))
            }
            Self::RoundRobin(n) => {
                let n = *n;
                Some(Next::on_dataset(left, "round robin", move |rows| rows.repartition(n)).unordered())
            }
            Self::Hash(at, n) => {
                let by = Partitioning::Hash(vec![col(left.pick(*at, is_plain)?)], *n);
                let next = Next::on_dataset(left, "by hash", move |rows| rows.repartition_by(by.clone()));
                Some(next.unordered())
            }
            Self::Range(at, n) => {
                let by = Partitioning::Range(vec![col(left.pick(*at, is_plain)?)], *n);
                let next = Next::on_dataset(left, "by range", move |rows| rows.repartition_by(by.clone()));
                Some(next.unordered())
            }
            Self::EachPartition(test) => {
                let test = test.expr(left)?;
                let filter = test.clone();
                let next = Next::on_dataset(left, "each partition", move |rows| {
                    rows.map_partitions(|rows| rows.filter(test.clone()))
                });
                let plain = Next::of(left, "each partition", move |rows, _| rows.filter(filter.clone()));
                Some(Next { build: plain.build, ..next })
            }
        }
    }
}

fn columns(names: Vec<PlSmallStr>) -> Vec<Expr> {
    names.into_iter().map(col).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// All columns that can be sorted, this one first. Rows that agree in all of them are the same.
fn everything(shape: &Shape, first: At) -> Vec<PlSmallStr> {
    let mut names = shape.names(is_plain);
    if !names.is_empty() {
        let n = names.len();
        names.rotate_left(usize::from(first) % n);
    }
    names
}

fn with_columns(left: &Shape, name: &'static str, exprs: impl Iterator<Item = Expr>) -> Option<Next> {
    let exprs = some(each_once(exprs))?;
    let next = Next::of(left, name, move |rows, _| rows.with_columns(exprs.clone()));
    Some(if name == "with_columns" { next } else { next.hidden() })
}

fn group_by(left: &Shape, by: &[Key], aggs: &[Agg], stable: bool, least: Option<u8>) -> Option<Next> {
    let (keys, names): (Vec<Expr>, Vec<PlSmallStr>) = keyed(by, left).into_iter().unzip();
    let keys = some(keys)?;
    let aggs = some(named(aggs, left, true, &names))?;
    let next = Next::of(left, "group_by", move |rows, _| {
        let groups = match stable {
            true => rows.group_by_stable(keys.clone()),
            false => rows.group_by(keys.clone()),
        };
        match least {
            Some(least) => groups.having(len().gt(lit(i32::from(least)))).agg(aggs.clone()),
            None => groups.agg(aggs.clone()),
        }
    });
    Some(Next { ordered: stable, ..next.hidden() })
}

fn unique(left: &Shape, subset: &[At], keep: At, stable: bool) -> Option<Next> {
    use UniqueKeepStrategy::{Any, First, Last};
    let keep = [Any, First, Last, UniqueKeepStrategy::None][usize::from(keep % 4)];
    if subset.is_empty() {
        // Equal rows cannot be told apart, so any of them may be kept.
        let names = columns(some(left.names(is_plain))?);
        let next = Next::of(left, "unique", move |rows, _| rows.select(names.clone()).unique(None, keep));
        return Some(next.unordered());
    }
    let names = some(left.picks(subset, is_plain))?;
    let subset = by_name(names.clone(), true, false);
    let next = match keep {
        Any => Next::of(left, "unique of some columns", move |rows, _| {
            rows.unique(Some(subset.clone()), keep).select(columns(names.clone()))
        }),
        First | Last if !left.ordered => return None,
        _ if stable => {
            Next::of(left, "stable unique", move |rows, _| rows.unique_stable(Some(subset.clone()), keep))
        }
        _ => Next::of(left, "unique", move |rows, _| rows.unique(Some(subset.clone()), keep)),
    };
    Some(Next { ordered: stable && keep != Any, ..next.hidden() })
}

impl Spans {
    /// The index, the keys and the aggregates, if there are any.
    fn parts(&self, left: &Shape) -> Option<(PlSmallStr, Vec<Expr>, Vec<Expr>)> {
        let fits = |dtype: &DataType| matches!(dtype, DataType::Int64 | DataType::Int32 | DataType::Date);
        let index = left.pick(self.index, fits)?;
        let by: Vec<PlSmallStr> =
            self.by.and_then(|at| left.pick(at, is_key)).filter(|by| *by != index).into_iter().collect();
        let mut taken = by.clone();
        taken.push(index.clone());
        // Rows with an equal index have no order.
        let unordered = Shape { ordered: false, ..left.clone() };
        let aggs = some(named(&self.aggs, &unordered, true, &taken))?;
        Some((index, columns(by), aggs))
    }

    fn length(&self, n: i64, left: &Shape, index: &str) -> Duration {
        Duration::parse(&format!("{n}{}", if is_date(&left.dtype(index)) { "d" } else { "i" }))
    }

    fn closed(&self) -> ClosedWindow {
        use ClosedWindow::{Both, Left, None, Right};
        [Left, Right, Both, None][usize::from(self.closed % 4)]
    }

    fn dynamic(&self, left: &Shape) -> Option<Next> {
        let (index, by, aggs) = self.parts(left)?;
        let options = DynamicGroupOptions {
            every: self.length(self.every, left, &index),
            period: self.length(self.period, left, &index),
            offset: self.length(0, left, &index),
            // Of no rows Polars leaves them out, and of some their type is not the one it says.
            include_boundaries: false,
            closed_window: self.closed(),
            start_by: if self.closed % 8 < 4 { StartBy::WindowBound } else { StartBy::DataPoint },
            ..Default::default()
        };
        let next = Next::of(left, "group_by_dynamic", move |rows, _| {
            sorted(rows, &index)
                .group_by_dynamic(col(index.clone()), by.clone(), options.clone())
                .agg(aggs.clone())
        });
        Some(next.unordered().at_most(left.most * 5))
    }

    fn rolling(&self, left: &Shape) -> Option<Next> {
        let (index, by, aggs) = self.parts(left)?;
        let options = RollingGroupOptions {
            period: self.length(self.period, left, &index),
            offset: self.length(-self.period, left, &index),
            closed_window: self.closed(),
            ..Default::default()
        };
        let next = Next::of(left, "rolling", move |rows, _| {
            sorted(rows, &index).rolling(col(index.clone()), by.clone(), options.clone()).agg(aggs.clone())
        });
        Some(next.unordered())
    }
}

fn sorted(rows: LazyFrame, index: &PlSmallStr) -> LazyFrame {
    rows.filter(col(index.clone()).is_not_null()).sort([index.clone()], SortMultipleOptions::default())
}
