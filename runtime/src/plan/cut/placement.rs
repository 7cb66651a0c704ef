//! Which rows of a flow are together: what a shuffle by keys has brought together need not be shuffled by
//! the same keys again.

use polars::prelude::*;

/// Rows that agree in the keys are in the same partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Placement {
    /// For each key in the order of the hash, the columns that have its values. Empty: nothing is known.
    keys: Vec<Vec<PlSmallStr>>,
}

impl Placement {
    /// Rows were shuffled by these columns.
    pub fn by(keys: impl IntoIterator<Item = PlSmallStr>) -> Self {
        Self { keys: keys.into_iter().map(|key| vec![key]).collect() }
    }

    /// Whether rows that agree in `keys` are in one partition.
    pub fn joins(&self, keys: &[PlSmallStr]) -> bool {
        !self.keys.is_empty() && self.keys.iter().all(|names| names.iter().any(|name| keys.contains(name)))
    }

    /// For each key of the hash, its position among `keys`; `None` if one is not among them.
    pub fn positions(&self, keys: &[PlSmallStr]) -> Option<Vec<usize>> {
        let position = |names: &Vec<PlSmallStr>| keys.iter().position(|key| names.contains(key));
        if self.keys.is_empty() { None } else { self.keys.iter().map(position).collect() }
    }

    /// Only these columns are left.
    pub fn keep(&mut self, columns: &[PlSmallStr]) {
        self.rename(&|name| if columns.contains(name) { vec![name.clone()] } else { Vec::new() });
    }

    /// Each column becomes these.
    pub fn rename(&mut self, names_of: &dyn Fn(&PlSmallStr) -> Vec<PlSmallStr>) {
        for names in &mut self.keys {
            *names = names.iter().flat_map(names_of).collect();
        }
        if self.keys.iter().any(Vec::is_empty) {
            self.keys.clear();
        }
    }

    /// These columns have other values now.
    pub fn overwrite(&mut self, columns: &[PlSmallStr]) {
        self.rename(&|name| if columns.contains(name) { Vec::new() } else { vec![name.clone()] });
    }

    /// The column `other` has the same values as `name`.
    pub fn also(&mut self, name: &PlSmallStr, other: PlSmallStr) {
        for names in self.keys.iter_mut().filter(|names| names.contains(name)) {
            names.push(other.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<PlSmallStr> {
        names.iter().map(|name| PlSmallStr::from_str(name)).collect()
    }

    #[test]
    fn rows_are_together_by_more_keys_than_they_were_shuffled_by_but_not_by_fewer() {
        let placed = Placement::by(names(&["a", "b"]));
        assert!(placed.joins(&names(&["b", "c", "a"])));
        assert!(!placed.joins(&names(&["a"])));
        assert!(!Placement::default().joins(&names(&["a"])));
        assert_eq!(placed.positions(&names(&["c", "b", "a"])), Some(vec![2, 1]));
    }

    #[test]
    fn a_key_that_is_dropped_or_overwritten_is_forgotten_with_all_keys() {
        let mut placed = Placement::by(names(&["a", "b"]));
        placed.also(&"a".into(), "x".into());
        placed.keep(&names(&["x", "b"]));
        assert!(placed.joins(&names(&["x", "b"])) && !placed.joins(&names(&["a", "b"])));
        placed.overwrite(&names(&["b"]));
        assert!(!placed.joins(&names(&["x", "b"])));
    }
}
