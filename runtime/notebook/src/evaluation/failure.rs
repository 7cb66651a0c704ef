use std::error::Error;

/// The error that a `?` returns from a cell: its text and its causes, outermost first.
///
/// Everything that converts into a boxed error converts into it: every [`Error`], `Box<dyn Error>`, and
/// plain text.
#[derive(Debug)]
pub struct CellFailure {
    chain: Vec<String>,
}

impl CellFailure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { chain: vec![message.into()] }
    }

    pub(super) fn into_chain(self) -> Vec<String> {
        self.chain
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for CellFailure {
    fn from(error: E) -> Self {
        Self::of(&*error.into())
    }
}

impl CellFailure {
    /// Not generic, so that cells only call it.
    #[inline(never)]
    fn of(error: &dyn Error) -> Self {
        let mut chain = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors print their cause themselves and also return it as source.
            if chain.last().is_none_or(|last| !last.contains(text.trim())) {
                chain.push(text);
            }
            cause = error.source();
        }
        Self { chain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_of_an_error_follow_it_in_order() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::num::ParseIntError);
        let inner = "x".parse::<i32>().unwrap_err();
        let text = inner.to_string();
        assert_eq!(CellFailure::from(Outer(inner)).into_chain(), ["outer".to_owned(), text]);
        assert_eq!(CellFailure::from("plain").into_chain(), ["plain"]);
    }

    #[test]
    fn a_cause_that_the_error_has_told_already_is_not_told_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read the number: {0}")]
        struct Outer(#[source] std::num::ParseIntError);
        let chain = CellFailure::from(Outer("x".parse::<i32>().unwrap_err())).into_chain();
        assert_eq!(chain, ["cannot read the number: invalid digit found in string"]);
    }
}
