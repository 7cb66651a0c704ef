//! Groups of keys with few combinations: each combination of values has a cell in a table.

use polars::prelude::*;

use crate::axis::{Axis, Layout};

/// Cells of the largest table: it fits into a core's second-level cache beside a few columns.
const MOST_CELLS: usize = 1 << 17;
/// Cells that a table may have however few rows there are.
const FREE_CELLS: usize = 1 << 12;
/// Marks a cell without rows.
const NONE: IdxSize = IdxSize::MAX;

/// A table of cells with the number of each cell's group.
pub(crate) struct Dense {
    axes: Vec<Axis>,
    layouts: Vec<Layout>,
    table: Vec<IdxSize>,
    /// The cell of each group, in order of the groups.
    cells: Vec<u32>,
    rows: usize,
    scratch: Vec<u32>,
}

impl Dense {
    /// A table for keys of these types, if they are supported.
    pub fn new(keys: &Schema) -> Option<Self> {
        let axes = keys.iter_values().map(Axis::new).collect::<Option<Vec<_>>>()?;
        let layouts = vec![Layout::EMPTY; axes.len()];
        Some(Self { axes, layouts, table: vec![NONE], cells: Vec::new(), rows: 0, scratch: Vec::new() })
    }

    pub fn groups(&self) -> usize {
        self.cells.len()
    }

    /// Appends the group of each row to `group_of`. Returns `None` if the keys need more cells than allowed;
    /// the existing groups stay unchanged.
    pub fn add(&mut self, keys: &DataFrame, group_of: &mut Vec<IdxSize>) -> Option<()> {
        let mut surveyed = Vec::with_capacity(self.axes.len());
        let mut layouts = Vec::with_capacity(self.axes.len());
        self.rows += keys.height();
        let mut room = self.rows.saturating_mul(2).clamp(FREE_CELLS, MOST_CELLS);
        for ((axis, now), column) in self.axes.iter_mut().zip(&self.layouts).zip(keys.columns()) {
            let (values, layout) = axis.survey(column.as_materialized_series(), *now, room)?;
            room /= layout.span;
            surveyed.push(values);
            layouts.push(layout);
        }
        if layouts != self.layouts {
            self.lay_out(layouts);
        }
        self.scratch.clear();
        self.scratch.resize(keys.height(), 0);
        let mut stride = 1;
        for (values, layout) in surveyed.iter().zip(&self.layouts) {
            values.add_to(&mut self.scratch, *layout, stride as u32);
            stride *= layout.span;
        }
        let Self { table, cells, scratch, .. } = self;
        group_of.extend(scratch.iter().map(|cell| {
            let group = &mut table[*cell as usize];
            if *group == NONE {
                *group = cells.len() as IdxSize;
                cells.push(*cell);
            }
            *group
        }));
        Some(())
    }

    /// Moves the groups to a table with other layouts.
    fn lay_out(&mut self, layouts: Vec<Layout>) {
        let before = std::mem::replace(&mut self.layouts, layouts);
        let size = self.layouts.iter().map(|layout| layout.span).product();
        self.table.clear();
        self.table.resize(size, NONE);
        for (group, cell) in self.cells.iter_mut().enumerate() {
            let (mut rest, mut stride, mut moved) = (*cell as usize, 1, 0);
            for (old, new) in before.iter().zip(&self.layouts) {
                let code = rest % old.span;
                rest /= old.span;
                moved += new.code_of(code, *old) * stride;
                stride *= new.span;
            }
            *cell = moved as u32;
            self.table[moved] = group as IdxSize;
        }
    }

    /// The keys of the groups, in order of the groups.
    pub fn keys(&self, schema: &Schema) -> PolarsResult<DataFrame> {
        let mut stride = 1;
        let mut columns = Vec::with_capacity(self.axes.len());
        for ((axis, layout), name) in self.axes.iter().zip(&self.layouts).zip(schema.iter_names()) {
            let codes = self.cells.iter().map(|cell| *cell as usize / stride % layout.span);
            columns.push(axis.values(codes, *layout, name)?);
            stride *= layout.span;
        }
        DataFrame::new(self.groups(), columns)
    }
}
