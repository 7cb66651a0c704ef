//! Groups of keys that together span little: every combination of values has a cell in a table.

use polars::prelude::*;

use crate::axis::{Axis, Layout};

/// Cells of the largest table: what a core's second-level cache holds beside a few columns.
const MOST_CELLS: usize = 1 << 17;
/// Cells that a table may have however few rows there are.
const FREE_CELLS: usize = 1 << 12;
/// No row was seen in the cell.
const NONE: IdxSize = IdxSize::MAX;

/// A table of cells, each with the number of its group.
pub(crate) struct Dense {
    axes: Vec<Axis>,
    layouts: Vec<Layout>,
    table: Vec<IdxSize>,
    /// The cell of each group, in order.
    cells: Vec<u32>,
    rows: usize,
    scratch: Vec<u32>,
}

impl Dense {
    /// A table for keys of these types, if there can be one.
    pub fn new(keys: &Schema) -> Option<Self> {
        let axes = keys.iter_values().map(Axis::new).collect::<Option<Vec<_>>>()?;
        let layouts = vec![Layout::EMPTY; axes.len()];
        Some(Self { axes, layouts, table: vec![NONE], cells: Vec::new(), rows: 0, scratch: Vec::new() })
    }

    pub fn groups(&self) -> usize {
        self.cells.len()
    }

    /// Appends the group of each row to `group_of`. `None` if these keys span more than there may be
    /// cells; what was known before stays as it was.
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

    /// Moves the groups to a table with other axes.
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

    /// The keys of the groups, in order.
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
