//! Numbers groups of rows by their keys.

use std::sync::Arc;

use polars::prelude::*;
use polars_expr::groups::{Grouper, new_hash_grouper};
use polars_expr::hash_keys::HashKeys;

use crate::dense::Dense;

/// The groups so far, numbered in order of appearance.
pub(crate) struct Groups {
    schema: Arc<Schema>,
    way: Way,
}

enum Way {
    Dense(Dense),
    Hashed(Hashed),
}

impl Groups {
    /// No groups, for keys of these types.
    pub fn new(schema: Arc<Schema>) -> Self {
        let way = match Dense::new(&schema) {
            Some(dense) => Way::Dense(dense),
            None => Way::Hashed(Hashed::new(&schema)),
        };
        Self { schema, way }
    }

    pub fn len(&self) -> usize {
        match &self.way {
            Way::Dense(dense) => dense.groups(),
            Way::Hashed(hashed) => hashed.grouper.num_groups() as usize,
        }
    }

    /// Writes the group of each row into `group_of`. Each column must have one chunk.
    pub fn add(&mut self, keys: &DataFrame, group_of: &mut Vec<IdxSize>) -> PolarsResult<()> {
        group_of.clear();
        if let Way::Dense(dense) = &mut self.way {
            if dense.add(keys, group_of).is_some() {
                return Ok(());
            }
            // The keys span too many cells: the groups keep their numbers and move to a hash table.
            let mut hashed = Hashed::new(&self.schema);
            hashed.add(&dense.keys(&self.schema)?, group_of);
            group_of.clear();
            self.way = Way::Hashed(hashed);
        }
        if let Way::Hashed(hashed) = &mut self.way {
            hashed.add(keys, group_of);
        }
        Ok(())
    }

    /// The keys of the groups, in order of the groups.
    pub fn keys(&self) -> PolarsResult<DataFrame> {
        match &self.way {
            Way::Dense(dense) => dense.keys(&self.schema),
            Way::Hashed(hashed) => Ok(hashed.grouper.get_keys_in_group_order(&self.schema)),
        }
    }
}

/// Polars' own hash tables.
struct Hashed {
    grouper: Box<dyn Grouper>,
    random_state: PlRandomState,
    every_row: Vec<IdxSize>,
}

impl Hashed {
    fn new(schema: &Arc<Schema>) -> Self {
        Self {
            grouper: new_hash_grouper(schema.clone()),
            random_state: PlRandomState::default(),
            every_row: Vec::new(),
        }
    }

    fn add(&mut self, keys: &DataFrame, group_of: &mut Vec<IdxSize>) {
        let hashed = HashKeys::from_df(keys, self.random_state.clone(), true, false);
        self.every_row.extend(self.every_row.len() as IdxSize..keys.height() as IdxSize);
        let every_row = &self.every_row[..keys.height()];
        // SAFETY: the indices are those of the keys' rows.
        unsafe { self.grouper.insert_keys_subset(&hashed, every_row, Some(group_of)) };
    }
}
