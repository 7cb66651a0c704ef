use polars::prelude::*;

use super::Dataset;

/// What Polars' frames have for columns and first rows, under the same names.
impl Dataset {
    /// The first `n` rows in partition order.
    #[must_use]
    pub fn head(&self, n: usize) -> Self {
        self.limit(n)
    }

    /// The last `n` rows in partition order.
    #[must_use]
    pub fn tail(&self, n: usize) -> Self {
        let n = IdxSize::try_from(n).unwrap_or(IdxSize::MAX);
        self.wide("tail", |lf| lf.tail(n))
    }

    /// The rows with the largest values, largest first.
    #[must_use]
    pub fn top_k(&self, k: usize, by: impl AsRef<[Expr]>) -> Self {
        let k = IdxSize::try_from(k).unwrap_or(IdxSize::MAX);
        self.wide("top_k", |lf| lf.top_k(k, by.as_ref(), SortMultipleOptions::default()))
    }

    /// The rows with the smallest values, smallest first.
    #[must_use]
    pub fn bottom_k(&self, k: usize, by: impl AsRef<[Expr]>) -> Self {
        let k = IdxSize::try_from(k).unwrap_or(IdxSize::MAX);
        self.wide("bottom_k", |lf| lf.bottom_k(k, by.as_ref(), SortMultipleOptions::default()))
    }

    /// All columns but these.
    #[must_use]
    pub fn drop<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = named(columns);
        self.narrow("drop", |lf| lf.drop(columns.clone()))
    }

    /// Columns under other names: pairs of the old and the new one.
    #[must_use]
    pub fn rename<A: AsRef<str>, B: AsRef<str>>(&self, columns: impl IntoIterator<Item = (A, B)>) -> Self {
        let (old, new): (Vec<String>, Vec<String>) =
            columns.into_iter().map(|(old, new)| (old.as_ref().to_owned(), new.as_ref().to_owned())).unzip();
        self.narrow("rename", |lf| lf.rename(&old, &new, true))
    }

    /// Nulls of every column replaced by a value, where the type fits.
    #[must_use]
    pub fn fill_null(&self, value: impl Into<Expr>) -> Self {
        let value = value.into();
        self.narrow("fill_null", |lf| lf.fill_null(value.clone()))
    }

    /// NaN of every float column replaced by a value.
    #[must_use]
    pub fn fill_nan(&self, value: impl Into<Expr>) -> Self {
        let value = value.into();
        self.narrow("fill_nan", |lf| lf.fill_nan(value.clone()))
    }

    /// Only rows without a null.
    #[must_use]
    pub fn drop_nulls(&self) -> Self {
        self.narrow("drop_nulls", |lf| lf.drop_nulls(None))
    }

    /// Only rows without a null in these columns.
    #[must_use]
    pub fn drop_nulls_in<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = named(columns);
        self.narrow("drop_nulls", |lf| lf.drop_nulls(Some(columns.clone())))
    }

    /// A first column with the number of each row, from 0.
    #[must_use]
    pub fn with_row_index(&self, name: &str) -> Self {
        self.wide("with_row_index", |lf| lf.with_row_index(name, None))
    }

    /// Like [`distinct`](Self::distinct), under Polars' name.
    #[must_use]
    pub fn unique(&self) -> Self {
        self.distinct()
    }

    /// A row for each element of these list columns.
    #[must_use]
    pub fn explode<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = named(columns);
        let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
        self.narrow("explode", |lf| lf.explode(columns.clone(), options))
    }

    /// Each field of these struct columns as a column.
    #[must_use]
    pub fn unnest<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = named(columns);
        self.narrow("unnest", |lf| lf.unnest(columns.clone(), None))
    }

    /// From wide to long: a row for each of the columns `on`, with its name in `variable` and its value in
    /// `value`. The columns `index` stay.
    #[must_use]
    pub fn unpivot<A: AsRef<str>, B: AsRef<str>>(
        &self,
        on: impl IntoIterator<Item = A>,
        index: impl IntoIterator<Item = B>,
    ) -> Self {
        let args = UnpivotArgsDSL {
            on: Some(named(on)),
            index: named(index),
            variable_name: None,
            value_name: None,
        };
        self.narrow("unpivot", |lf| lf.unpivot(args.clone()))
    }
}

/// Columns with exactly these names: `*` and `^…$` are names here.
fn named<S: AsRef<str>>(columns: impl IntoIterator<Item = S>) -> Selector {
    by_name(columns.into_iter().map(|name| PlSmallStr::from_str(name.as_ref())), true, false)
}
