use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::OnceLock,
};

use polars::prelude::{Column, DataFrame, Series};

/// How many items of a collection are measured; the others are assumed to be similar. Sizes are computed
/// after each cell, so this must be cheap.
const SAMPLE: usize = 64;

/// Measures the bytes of a value, including what it points to.
pub(super) type Measure = fn(&dyn Any) -> Option<u64>;

/// How to measure values of a type, if it is a known one.
pub(super) fn measure_of(type_id: TypeId) -> Option<Measure> {
    // Process-wide: a table of types, which is the same for everybody.
    static KNOWN: OnceLock<HashMap<TypeId, Measure>> = OnceLock::new();
    KNOWN.get_or_init(known).get(&type_id).copied()
}

/// What a value points to and owns, in bytes.
trait Holds {
    /// Whether values of the type own nothing, so that they need not be measured.
    const NOTHING: bool = false;

    fn held(&self) -> u64;
}

macro_rules! hold_nothing {
    ($($type:ty),*) => {$(
        impl Holds for $type {
            const NOTHING: bool = true;
            fn held(&self) -> u64 {
                0
            }
        }
    )*};
}

hold_nothing!(
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    f32,
    f64,
    bool,
    char,
    &'static str
);

impl Holds for String {
    fn held(&self) -> u64 {
        self.capacity() as u64
    }
}

impl Holds for PathBuf {
    fn held(&self) -> u64 {
        self.capacity() as u64
    }
}

impl Holds for Series {
    fn held(&self) -> u64 {
        self.estimated_size() as u64
    }
}

impl Holds for Column {
    fn held(&self) -> u64 {
        // A single value for all rows is measured without expanding it.
        self.as_series().map_or(0, Holds::held)
    }
}

impl Holds for DataFrame {
    fn held(&self) -> u64 {
        let columns = self.columns();
        size_of_val(columns) as u64 + columns.iter().map(Holds::held).sum::<u64>()
    }
}

impl<T: Holds> Holds for Option<T> {
    const NOTHING: bool = T::NOTHING;

    fn held(&self) -> u64 {
        self.as_ref().map_or(0, Holds::held)
    }
}

impl<T: Holds> Holds for Box<T> {
    fn held(&self) -> u64 {
        size_of::<T>() as u64 + (**self).held()
    }
}

impl<A: Holds, B: Holds> Holds for (A, B) {
    const NOTHING: bool = A::NOTHING && B::NOTHING;

    fn held(&self) -> u64 {
        self.0.held() + self.1.held()
    }
}

impl<T: Holds> Holds for Vec<T> {
    fn held(&self) -> u64 {
        buffer::<T>(self.capacity()) + items(self.iter(), self.len())
    }
}

impl<T: Holds> Holds for VecDeque<T> {
    fn held(&self) -> u64 {
        buffer::<T>(self.capacity()) + items(self.iter(), self.len())
    }
}

// Maps and sets also have one byte per entry (hash tables) or their nodes' edges (trees); this is close
// enough.

impl<K: Holds, V: Holds> Holds for HashMap<K, V> {
    fn held(&self) -> u64 {
        buffer::<(K, V, u8)>(self.capacity())
            + items(self.keys(), self.len())
            + items(self.values(), self.len())
    }
}

impl<K: Holds, V: Holds> Holds for BTreeMap<K, V> {
    fn held(&self) -> u64 {
        buffer::<(K, V, u8)>(self.len()) + items(self.keys(), self.len()) + items(self.values(), self.len())
    }
}

impl<T: Holds> Holds for HashSet<T> {
    fn held(&self) -> u64 {
        buffer::<(T, u8)>(self.capacity()) + items(self.iter(), self.len())
    }
}

impl<T: Holds> Holds for BTreeSet<T> {
    fn held(&self) -> u64 {
        buffer::<(T, u8)>(self.len()) + items(self.iter(), self.len())
    }
}

fn buffer<T>(items: usize) -> u64 {
    items as u64 * size_of::<T>() as u64
}

/// What `count` items own, extrapolated from the first of them.
fn items<'a, T: Holds + 'a>(items: impl Iterator<Item = &'a T>, count: usize) -> u64 {
    if T::NOTHING || count == 0 {
        return 0;
    }
    let asked = count.min(SAMPLE) as u64;
    let held: u64 = items.take(SAMPLE).map(Holds::held).sum();
    (u128::from(held) * count as u128 / u128::from(asked)) as u64
}

fn known() -> HashMap<TypeId, Measure> {
    let mut known = HashMap::new();
    macro_rules! add_with_containers {
        ($($type:ty),*) => {$(
            add::<$type>(&mut known);
            add::<Option<$type>>(&mut known);
            add::<Box<$type>>(&mut known);
            add::<Vec<$type>>(&mut known);
            add::<Option<Vec<$type>>>(&mut known);
            add::<Vec<Vec<$type>>>(&mut known);
            add::<Vec<Option<$type>>>(&mut known);
            add::<Vec<(String, $type)>>(&mut known);
            add::<VecDeque<$type>>(&mut known);
            add::<HashMap<String, $type>>(&mut known);
            add::<HashMap<&'static str, $type>>(&mut known);
            add::<HashMap<u64, $type>>(&mut known);
            add::<HashMap<i64, $type>>(&mut known);
            add::<HashMap<i32, $type>>(&mut known);
            add::<BTreeMap<String, $type>>(&mut known);
            add::<BTreeMap<&'static str, $type>>(&mut known);
        )*};
    }
    macro_rules! add_sets {
        ($($type:ty),*) => {$(
            add::<HashSet<$type>>(&mut known);
            add::<BTreeSet<$type>>(&mut known);
        )*};
    }
    add_with_containers!(
        u8,
        u16,
        u32,
        u64,
        usize,
        i8,
        i16,
        i32,
        i64,
        isize,
        f32,
        f64,
        bool,
        char,
        &'static str,
        String,
        PathBuf,
        DataFrame,
        Series,
        Column
    );
    add_sets!(u8, u32, u64, usize, i32, i64, char, &'static str, String, PathBuf);
    known
}

fn add<T: Holds + 'static>(known: &mut HashMap<TypeId, Measure>) {
    known.insert(TypeId::of::<T>(), |value| {
        value.downcast_ref::<T>().map(|value| size_of::<T>() as u64 + value.held())
    });
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    fn bytes<T: 'static>(value: T) -> Option<u64> {
        measure_of(TypeId::of::<T>()).and_then(|measure| measure(&value))
    }

    #[test]
    fn a_value_holds_itself_and_what_it_points_to() {
        assert_eq!(bytes(String::with_capacity(100)), Some(24 + 100));
        assert_eq!(bytes(Vec::<u64>::with_capacity(10)), Some(24 + 80));
        assert_eq!(bytes(vec![String::with_capacity(5)]), Some(24 + 24 + 5));
        assert_eq!(bytes(Some(Vec::<u32>::with_capacity(3))), Some(24 + 12));
        assert_eq!(bytes(Box::new(1_u16)), Some(8 + 2));
    }

    #[test]
    fn a_frame_holds_its_columns_data() {
        let frame = df!("n" => (0..1_000_i64).collect::<Vec<_>>()).unwrap();
        let held = bytes(frame.clone()).unwrap();
        assert!((8_000..10_000).contains(&held), "{held}");
        assert!(bytes(vec![frame.clone(), frame]).unwrap() > 2 * 8_000);
    }

    #[test]
    fn a_long_collection_is_judged_by_its_beginning() {
        let text = "x".repeat(10);
        let held = bytes(vec![text; 10_000]).unwrap();
        assert_eq!(held, 24 + 10_000 * 24 + 10_000 * 10);
    }

    #[test]
    fn a_type_nobody_knows_says_nothing() {
        struct Opaque(#[allow(dead_code)] Vec<u8>);
        assert_eq!(bytes(Opaque(vec![1])), None);
    }
}
