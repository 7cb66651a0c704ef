//! What the next step of a random query may build on.

use partita::prelude::*;

/// The number of a column. Beyond the last one it starts again, so every number fits every plan.
pub type At = u8;

/// No step makes more rows than this of small tables.
pub const MOST_ROWS: usize = 3000;

/// What is known of a plan's rows.
#[derive(Debug, Clone)]
pub struct Shape {
    pub schema: SchemaRef,
    /// Whether the order of rows is defined. Steps that see the order are only made where it is.
    pub ordered: bool,
    /// Whether a result must have its rows in this order: after a sort by everything.
    pub shown: bool,
    /// There are at most as many rows.
    pub most: usize,
}

impl Shape {
    /// The columns of fitting types. Values that depend on the order of additions are not among them: what
    /// compares them would have another result in the last bit.
    pub fn names(&self, fits: impl Fn(&DataType) -> bool) -> Vec<PlSmallStr> {
        let exact = |(name, dtype): &(&PlSmallStr, &DataType)| !is_rough(name) && fits(dtype);
        self.schema.iter().filter(exact).map(|(name, _)| name.clone()).collect()
    }

    pub fn pick(&self, at: At, fits: impl Fn(&DataType) -> bool) -> Option<PlSmallStr> {
        let names = self.names(fits);
        names.get(usize::from(at).checked_rem(names.len())?).cloned()
    }

    /// Some of them, each once.
    pub fn picks(&self, at: &[At], fits: impl Fn(&DataType) -> bool) -> Vec<PlSmallStr> {
        let mut names = Vec::new();
        for name in at.iter().filter_map(|at| self.pick(*at, &fits)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    pub fn has(&self, name: &str) -> bool {
        self.schema.contains(name)
    }

    pub fn dtype(&self, name: &str) -> DataType {
        self.schema.get(name).cloned().unwrap_or(DataType::Null)
    }

    /// The name of a computed column: a new one, or one that it replaces.
    pub fn target(&self, at: At, rough: bool) -> PlSmallStr {
        match (rough, at % 4) {
            (true, n) => format!("rough{n}").into(),
            (false, 3) => self.pick(at / 4, |_| true).unwrap_or("c3".into()),
            (false, n) => format!("c{n}").into(),
        }
    }

    /// A name that no column has.
    pub fn free(&self, stem: &str) -> PlSmallStr {
        let name = |n: usize| PlSmallStr::from(format!("{stem}{n}"));
        (0..).map(name).find(|name| !self.has(name)).unwrap_or_default()
    }
}

/// Whether values of a column with this name are right but for the last bits.
pub fn is_rough(name: &str) -> bool {
    name.starts_with("rough")
}

pub fn is_any(_: &DataType) -> bool {
    true
}

pub fn is_int(dtype: &DataType) -> bool {
    dtype.is_integer()
}

pub fn is_float(dtype: &DataType) -> bool {
    *dtype == DataType::Float64
}

pub fn is_number(dtype: &DataType) -> bool {
    is_int(dtype) || is_float(dtype)
}

pub fn is_text(dtype: &DataType) -> bool {
    *dtype == DataType::String
}

pub fn is_bool(dtype: &DataType) -> bool {
    *dtype == DataType::Boolean
}

pub fn is_date(dtype: &DataType) -> bool {
    *dtype == DataType::Date
}

pub fn is_list(dtype: &DataType) -> bool {
    matches!(dtype, DataType::List(_))
}

pub fn is_struct(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Struct(_))
}

/// Values that are equal only if they are the same.
pub fn is_key(dtype: &DataType) -> bool {
    is_int(dtype) || is_text(dtype) || is_bool(dtype) || is_date(dtype)
}

/// What rows are sorted, grouped and told apart by.
pub fn is_plain(dtype: &DataType) -> bool {
    is_key(dtype) || is_float(dtype)
}
