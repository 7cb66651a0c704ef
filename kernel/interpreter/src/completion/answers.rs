use super::kind::Kind;

/// One thing that can stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What to insert.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// Its declaration on one line: `fn lazy(self) -> LazyFrame`, or the type of a variable.
    pub signature: Option<String>,
    /// The first sentence of its docs.
    pub summary: Option<String>,
}

/// What can stand at the cursor, best first, and the text it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// First byte of the text that a completion replaces.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// The completions.
    pub items: Vec<Completion>,
}
