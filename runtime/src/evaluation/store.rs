use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
};

use partita_bridge::Variable;

use super::sizes::{self, Measure};

/// The variables between two cells, without their types: each cell names the type it expects.
#[derive(Default)]
pub(super) struct Store {
    slots: BTreeMap<String, Slot>,
}

struct Slot {
    value: Box<dyn Any>,
    type_name: &'static str,
    size: Size,
}

/// How large a variable is.
#[derive(Clone, Copy)]
enum Size {
    /// Always this: nothing is dropped with it, so it owns nothing.
    Fixed(u64),
    /// What it says when it is asked.
    Asked(Measure),
    Unknown,
}

impl Size {
    fn of<T: 'static>() -> Self {
        if !std::mem::needs_drop::<T>() {
            return Self::Fixed(size_of::<T>() as u64);
        }
        sizes::measure_of(TypeId::of::<T>()).map_or(Self::Unknown, Self::Asked)
    }

    fn bytes(self, value: &dyn Any) -> Option<u64> {
        match self {
            Self::Fixed(bytes) => Some(bytes),
            Self::Asked(measure) => measure(value),
            Self::Unknown => None,
        }
    }
}

impl Store {
    /// Keeps a value; the one that had the name before is returned, so that the caller drops it
    /// when no lock is held.
    pub(super) fn put<T: 'static>(&mut self, name: &str, value: T) -> Option<Box<dyn Any>> {
        let type_name = std::any::type_name::<T>();
        let slot = Slot { value: Box::new(value), type_name, size: Size::of::<T>() };
        self.slots.insert(name.to_owned(), slot).map(|old| old.value)
    }

    /// Says what stops `name` from being taken as a `T`.
    pub(super) fn check<T: 'static>(&self, name: &str) -> Result<(), String> {
        match self.slots.get(name) {
            None => Err(format!("variable `{name}` is not in the evaluation process; run its cell again")),
            Some(slot) if !slot.value.is::<T>() => Err(format!(
                "variable `{name}` holds a `{}` where the cell expects a `{}`; run its cell again",
                slot.type_name,
                std::any::type_name::<T>()
            )),
            Some(_) => Ok(()),
        }
    }

    /// Hands a value out and leaves its slot empty.
    pub(super) fn take<T: 'static>(&mut self, name: &str) -> Option<T> {
        let slot = self.slots.remove(name)?;
        match slot.value.downcast::<T>() {
            Ok(value) => Some(*value),
            Err(value) => {
                self.slots.insert(name.to_owned(), Slot { value, ..slot });
                None
            }
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    pub(super) fn forget(&mut self, name: &str) -> Option<Box<dyn Any>> {
        self.slots.remove(name).map(|slot| slot.value)
    }

    /// Shows every value to `look`.
    pub(super) fn each(&self, mut look: impl FnMut(&str, &dyn Any)) {
        self.slots.iter().for_each(|(name, slot)| look(name, &*slot.value));
    }

    pub(super) fn variables(&self) -> Vec<Variable> {
        self.slots
            .iter()
            .map(|(name, slot)| Variable {
                name: name.clone(),
                type_name: slot.type_name.to_owned(),
                bytes: slot.size.bytes(&*slot.value),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_say_their_size_where_their_type_does() {
        struct Plain(#[allow(dead_code)] [u32; 3]);
        struct Opaque(#[allow(dead_code)] String);
        let mut store = Store::default();
        store.put("list", Vec::<u64>::with_capacity(10));
        store.put("opaque", Opaque(String::new()));
        store.put("plain", Plain([1, 2, 3]));
        let sizes: Vec<Option<u64>> = store.variables().into_iter().map(|variable| variable.bytes).collect();
        assert_eq!(sizes, [Some(24 + 80), None, Some(12)]);
    }

    #[test]
    fn a_value_asked_for_as_another_type_stays_where_it_is() {
        let mut store = Store::default();
        store.put("x", vec![1u8]);
        assert!(store.check::<String>("x").unwrap_err().contains("`x`"));
        assert_eq!(store.take::<String>("x"), None);
        assert_eq!(store.take::<Vec<u8>>("x"), Some(vec![1]));
        assert!(!store.contains("x"));
    }
}
