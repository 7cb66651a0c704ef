//! One step of a random query in Polars' words.

use std::rc::Rc;

use partita::prelude::*;

use super::shape::Shape;

/// A step of datasets.
type OfDataset = Rc<dyn Fn(&Dataset) -> Dataset>;

/// A plan of the left rows and those of the right table.
pub type Build = Rc<dyn Fn(LazyFrame, LazyFrame) -> LazyFrame>;

/// A step, and what is known of the rows after it.
#[derive(Clone)]
pub struct Next {
    pub name: &'static str,
    pub build: Build,
    /// What Polars has to do for the right answer, if not the same.
    pub oracle: Option<Build>,
    /// A step of datasets that leaves rows as they are.
    pub of_dataset: Option<OfDataset>,
    pub ordered: bool,
    pub shown: bool,
    pub most: usize,
}

impl Next {
    /// A step after which rows are in the order they had, and no more than there were.
    pub fn of(
        before: &Shape,
        name: &'static str,
        build: impl Fn(LazyFrame, LazyFrame) -> LazyFrame + 'static,
    ) -> Self {
        Self {
            name,
            build: Rc::new(build),
            oracle: None,
            of_dataset: None,
            ordered: before.ordered,
            shown: before.shown,
            most: before.most,
        }
    }

    /// A step that only datasets have.
    pub fn on_dataset(
        before: &Shape,
        name: &'static str,
        step: impl Fn(&Dataset) -> Dataset + 'static,
    ) -> Self {
        Self { of_dataset: Some(Rc::new(step)), ..Self::of(before, name, |rows, _| rows) }
    }

    /// After it no order is defined.
    #[must_use]
    pub fn unordered(self) -> Self {
        Self { ordered: false, shown: false, ..self }
    }

    /// After it no order is to be seen in a result, though steps may build on it.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { shown: false, ..self }
    }

    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}
