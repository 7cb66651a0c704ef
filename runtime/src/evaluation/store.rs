use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeMap,
};

use partita_bridge::Variable;

/// The variables between two cells, without their types: each cell names the type it expects.
#[derive(Default)]
pub(super) struct Store {
    slots: BTreeMap<String, Slot>,
}

struct Slot {
    value: Box<dyn Any>,
    type_name: &'static str,
}

impl Store {
    /// Keeps a value; the one that had the name before is returned, so that the caller drops it
    /// when no lock is held.
    pub(super) fn put<T: 'static>(&mut self, name: &str, value: T) -> Option<Box<dyn Any>> {
        self.put_value(name, Box::new(value), type_name::<T>())
    }

    /// [`put`](Self::put) for a value whose type only the caller knows.
    pub(super) fn put_value(
        &mut self,
        name: &str,
        value: Box<dyn Any>,
        type_name: &'static str,
    ) -> Option<Box<dyn Any>> {
        let slot = Slot { value, type_name };
        self.slots.insert(name.to_owned(), slot).map(|old| old.value)
    }

    /// Says what stops `name` from being taken as the type with this id.
    pub(super) fn check(&self, name: &str, id: TypeId, type_name: &str) -> Result<(), String> {
        match self.slots.get(name) {
            None => Err(format!("variable `{name}` is not in the evaluation process; run its cell again")),
            Some(slot) if (*slot.value).type_id() != id => Err(format!(
                "variable `{name}` holds a `{}` where the cell expects a `{type_name}`; run its cell again",
                slot.type_name,
            )),
            Some(_) => Ok(()),
        }
    }

    /// Hands a value of the type with this id out and leaves its slot empty.
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
                bytes: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_asked_for_as_another_type_stays_where_it_is() {
        let mut store = Store::default();
        store.put("x", vec![1u8]);
        let (string, bytes) = (TypeId::of::<String>(), TypeId::of::<Vec<u8>>());
        assert!(store.check("x", string, "String").unwrap_err().contains("`x`"));
        assert!(store.take("x", string).is_none());
        assert_eq!(store.take("x", bytes).unwrap().downcast_ref(), Some(&vec![1u8]));
        assert!(!store.contains("x"));
    }
}
