use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeMap,
    mem::needs_drop,
};

use partita_bridge::Variable;

use super::sizes::{self, Measure};

/// The variables between two cells, without their types: each cell names the type that it expects.
#[derive(Default)]
pub(super) struct Store {
    slots: BTreeMap<String, Slot>,
}

/// Why a variable cannot be taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreError {
    #[error("variable `{name}` is not in the evaluation process; run its cell again")]
    Missing { name: String },
    #[error("variable `{name}` holds a `{holds}` where the cell expects a `{expected}`; run its cell again")]
    OtherType { name: String, holds: &'static str, expected: &'static str },
}

struct Slot {
    value: Box<dyn Any>,
    type_name: &'static str,
    size: Size,
}

/// The size of a variable.
#[derive(Clone, Copy)]
enum Size {
    /// A fixed size: dropping it does nothing, so it owns nothing.
    Fixed(u64),
    /// A size to be measured.
    Asked(Measure),
    Unknown,
}

impl Size {
    fn of(value: &dyn Any, owns: bool) -> Self {
        if !owns {
            return Self::Fixed(size_of_val(value) as u64);
        }
        sizes::measure_of(value.type_id()).map_or(Self::Unknown, Self::Asked)
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
    /// Keeps a value. Returns the previous value of the name, so that the caller drops it when no lock is
    /// held.
    pub(super) fn put<T: 'static>(&mut self, name: &str, value: T) -> Option<Box<dyn Any>> {
        self.put_value(name, Box::new(value), type_name::<T>(), needs_drop::<T>())
    }

    /// [`put`](Self::put) for a value whose type only the caller knows. `owns` tells whether dropping it
    /// does something.
    pub(super) fn put_value(
        &mut self,
        name: &str,
        value: Box<dyn Any>,
        type_name: &'static str,
        owns: bool,
    ) -> Option<Box<dyn Any>> {
        let size = Size::of(&*value, owns);
        let slot = Slot { value, type_name, size };
        self.slots.insert(name.to_owned(), slot).map(|old| old.value)
    }

    /// Returns what prevents `name` from being taken as the type with this id.
    pub(super) fn check(&self, name: &str, id: TypeId, type_name: &'static str) -> Result<(), StoreError> {
        match self.slots.get(name) {
            None => Err(StoreError::Missing { name: name.to_owned() }),
            Some(slot) if (*slot.value).type_id() != id => Err(StoreError::OtherType {
                name: name.to_owned(),
                holds: slot.type_name,
                expected: type_name,
            }),
            Some(_) => Ok(()),
        }
    }

    /// Takes out a value of the type with this id and leaves its slot empty.
    pub(super) fn take(&mut self, name: &str, id: TypeId) -> Option<Box<dyn Any>> {
        if (*self.slots.get(name)?.value).type_id() != id {
            return None;
        }
        self.forget(name)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    pub(super) fn forget(&mut self, name: &str) -> Option<Box<dyn Any>> {
        self.slots.remove(name).map(|slot| slot.value)
    }

    /// Passes every value to `look`.
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
        let (string, bytes) = (TypeId::of::<String>(), TypeId::of::<Vec<u8>>());
        assert!(store.check("x", string, "String").unwrap_err().to_string().contains("`x`"));
        assert!(store.take("x", string).is_none());
        assert_eq!(store.take("x", bytes).unwrap().downcast_ref(), Some(&vec![1u8]));
        assert!(!store.contains("x"));
    }
}
