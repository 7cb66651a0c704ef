use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::CodecError;

/// Parts that a session's tasks have in common, keyed by their bytes. The tasks of a stage have the same
/// plan; it is decoded and checked once. Decoding it for every task took a twentieth of a worker's time
/// when tasks were short.
#[derive(Default)]
pub struct Shared(Mutex<Parts>);

#[derive(Default)]
struct Parts {
    by_bytes: HashMap<(TypeId, Bytes), Arc<dyn Any + Send + Sync>>,
    bytes: usize,
}

/// A decoded part.
pub(super) enum Part<T> {
    /// Means the same in every task that has these bytes.
    Shared(T),
    /// Must be decoded for each task: it reads files, which may change, or holds much memory.
    Own(T),
}

impl Shared {
    /// The maximum number of bytes kept; decoded, the parts take about ten times as much.
    const MOST: usize = 1 << 20;
    /// Larger parts, with large literals, are not kept.
    const LARGEST: usize = 64 << 10;

    /// The part for these bytes.
    ///
    /// # Errors
    /// Those of `decode`, which is called if the part is not known.
    pub(super) fn part<T: Any + Send + Sync>(
        &self,
        bytes: &Bytes,
        decode: impl FnOnce() -> Result<Part<T>, CodecError>,
    ) -> Result<Arc<T>, CodecError> {
        let key = (TypeId::of::<T>(), bytes.clone());
        let known = self.0.lock().by_bytes.get(&key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return Ok(known);
        }
        let part = match decode()? {
            Part::Own(part) => return Ok(Arc::new(part)),
            Part::Shared(part) => Arc::new(part),
        };
        if bytes.len() <= Self::LARGEST {
            let mut parts = self.0.lock();
            let full = parts.bytes + bytes.len() > Self::MOST;
            let before = if full { mem::take(&mut *parts) } else { Parts::default() };
            if parts.by_bytes.insert(key, part.clone()).is_none() {
                parts.bytes += bytes.len();
            }
            drop(parts);
            // Drop it after the lock is released, so that others need not wait for that.
            drop(before);
        }
        Ok(part)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.lock();
        f.debug_struct("Shared").field("parts", &parts.by_bytes.len()).field("bytes", &parts.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(shared: &Shared, bytes: &[u8], part: Part<usize>) -> usize {
        *shared.part(&Bytes::copy_from_slice(bytes), || Ok(part)).unwrap()
    }

    #[test]
    fn what_means_the_same_for_all_is_decoded_once_and_the_rest_each_time() {
        let shared = Shared::default();
        assert_eq!(decoded(&shared, b"a step", Part::Shared(1)), 1);
        assert_eq!(decoded(&shared, b"a step", Part::Shared(2)), 1);
        assert_eq!(decoded(&shared, b"another", Part::Shared(3)), 3);
        assert_eq!(decoded(&shared, b"a scan", Part::Own(1)), 1);
        assert_eq!(decoded(&shared, b"a scan", Part::Own(2)), 2);
        let other: Arc<String> =
            shared.part(&Bytes::from_static(b"a step"), || Ok(Part::Shared("x".into()))).unwrap();
        assert_eq!(*other, "x", "the same bytes may be something else elsewhere");
    }

    #[test]
    fn a_peer_that_sends_ever_new_parts_does_not_fill_the_memory() {
        let shared = Shared::default();
        for number in 0..1000u32 {
            let mut bytes = vec![0; 10_000];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            decoded(&shared, &bytes, Part::Shared(0));
            decoded(&shared, &vec![1; Shared::LARGEST + 1], Part::Shared(0));
            let parts = shared.0.lock();
            assert!(parts.bytes <= Shared::MOST && parts.by_bytes.len() <= Shared::MOST / 10_000);
        }
    }
}
