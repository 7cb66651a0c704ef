//! Tables: rows of every kind that a step may have trouble with, cut into partitions of which some are empty.

use partita::prelude::*;
use proptest::prelude::*;

pub const TEXTS: [&str; 5] = ["", "a", "b", "ab", "ä"];

/// They add without rounding, so that sums are equal in any order.
pub const FLOATS: [f64; 8] = [0.0, -0.0, 1.5, -2.5, 7.0, 0.5, f64::NAN, f64::INFINITY];

#[derive(Debug, Clone)]
pub struct Row {
    k: Option<i64>,
    s: Option<&'static str>,
    f: Option<f64>,
    v: Option<i32>,
    d: Option<i32>,
    b: Option<bool>,
    l: Option<Vec<i64>>,
}

/// Rows, and where a partition ends. Cuts beyond the last row leave empty partitions.
#[derive(Debug, Clone)]
pub struct Table {
    pub rows: Vec<Row>,
    pub cuts: Vec<usize>,
}

/// Up to `most` rows in one to nine partitions.
pub fn tables(most: usize) -> impl Strategy<Value = Table> {
    let row = (
        prop::option::weighted(0.9, -2i64..5),
        prop::option::weighted(0.9, prop::sample::select(TEXTS.to_vec())),
        prop::option::weighted(0.9, prop::sample::select(FLOATS.to_vec())),
        prop::option::weighted(0.9, -20i32..20),
        prop::option::weighted(0.9, 0i32..12),
        prop::option::weighted(0.9, any::<bool>()),
        prop::option::weighted(0.8, prop::collection::vec(0i64..4, 0..3)),
    );
    let row = row.prop_map(|(k, s, f, v, d, b, l)| Row { k, s, f, v, d, b, l });
    let cuts = prop::collection::vec(0..=most, 0..9);
    (prop::collection::vec(row, 0..=most), cuts, prop::bool::weighted(0.1)).prop_map(
        |(mut rows, cuts, one_key)| {
            if one_key {
                rows.iter_mut().for_each(|row| row.k = Some(1));
            }
            Table { rows, cuts }
        },
    )
}

impl Table {
    /// All rows. `id` is another one in each.
    pub fn frame(&self) -> DataFrame {
        fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
            rows.iter().map(of).collect()
        }
        let rows = &self.rows;
        let days = Series::new("d".into(), column(rows, |row| row.d)).cast(&DataType::Date).unwrap();
        let n = rows.len();
        let mut lists = ListPrimitiveChunkedBuilder::<Int64Type>::new("l".into(), n, n, DataType::Int64);
        rows.iter().for_each(|row| lists.append_opt_slice(row.l.as_deref()));
        let mut frame = df!(
            "id" => (0..n as i64).collect::<Vec<_>>(),
            "k" => column(rows, |row| row.k),
            "s" => column(rows, |row| row.s),
            "f" => column(rows, |row| row.f),
            "v" => column(rows, |row| row.v),
            "b" => column(rows, |row| row.b),
        )
        .unwrap();
        frame.with_column(days.into()).unwrap();
        frame.with_column(lists.finish().into_series().into()).unwrap();
        frame
    }

    /// The rows of each partition.
    pub fn parts(&self) -> Vec<DataFrame> {
        let frame = self.frame();
        let mut bounds: Vec<usize> = self.cuts.iter().map(|cut| (*cut).min(frame.height())).collect();
        bounds.extend([0, frame.height()]);
        bounds.sort_unstable();
        bounds.windows(2).map(|part| frame.slice(part[0] as i64, part[1] - part[0])).collect()
    }
}
