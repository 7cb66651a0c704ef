/// What the cells have left, as completion sees it. Made after every cell, and never changed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The variables in the store.
    pub variables: Vec<VisibleVariable>,
}

/// A variable of an earlier cell.
#[derive(Debug, Clone)]
pub struct VisibleVariable {
    /// Its name.
    pub name: String,
    /// Its type, with paths that a cell can write.
    pub ty: String,
    /// Its type as people say it.
    pub shown: String,
    /// Whether it was bound `mut`.
    pub mutable: bool,
    /// About how much memory its value holds, if that was found out.
    pub bytes: Option<u64>,
}
