use std::collections::HashMap;
use std::sync::Arc;

use partita_engine::codec::BlobError;
use partita_wire::INLINE_BYTES;
use polars::prelude::*;

/// The frames that were sent ahead, so that each is sent once. A frame is identified by its columns:
/// copies of a frame share them.
#[derive(Default)]
pub(super) struct BlobTable {
    next: u64,
    sent: HashMap<Vec<usize>, Sent>,
}

struct Sent {
    number: u64,
    /// Kept, so that no other frame's columns can get the addresses of its columns.
    frame: DataFrame,
}

impl BlobTable {
    /// Whether a frame is too large for a task, and can be recognised later.
    pub fn wants(frame: &DataFrame) -> bool {
        frame.estimated_size() > INLINE_BYTES && shared(frame).is_some()
    }

    /// The number under which the frame was sent ahead. Calls `send` if it was not sent yet.
    pub fn number(
        &mut self,
        frame: &DataFrame,
        send: impl FnOnce(u64) -> Result<(), BlobError>,
    ) -> Result<u64, BlobError> {
        let key: Vec<usize> = frame.columns().iter().map(address).collect();
        if let Some(sent) = self.sent.get(&key) {
            return Ok(sent.number);
        }
        let number = self.next;
        self.next += 1;
        send(number)?;
        self.sent.insert(key, Sent { number, frame: frame.clone() });
        Ok(number)
    }

    /// Drops frames that have no other owner, and returns their numbers.
    pub fn sweep(&mut self) -> Vec<u64> {
        let mut unused = Vec::new();
        self.sent.retain(|_, sent| {
            let used = shared(&sent.frame).is_some_and(|column| Arc::strong_count(column) > 1);
            if !used {
                unused.push(sent.number);
            }
            used
        });
        unused
    }
}

fn address(column: &Column) -> usize {
    match column {
        Column::Series(series) => Arc::as_ptr(&series.0).cast::<()>().addr(),
        Column::Scalar(_) => 0,
    }
}

/// A column that shows whether the frame has other owners.
fn shared(frame: &DataFrame) -> Option<&Arc<dyn polars::series::SeriesTrait>> {
    let all_series = frame.columns().iter().all(|column| matches!(column, Column::Series(_)));
    match frame.columns().first() {
        Some(Column::Series(series)) if all_series => Some(&series.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_ahead_once_and_is_forgotten_with_its_last_owner() {
        let frame = |n: i64| df!("a" => (0..100_000).map(|i| i * n).collect::<Vec<i64>>()).unwrap();
        let (one, other) = (frame(1), frame(2));
        assert!(BlobTable::wants(&one) && !BlobTable::wants(&one.head(Some(10))));
        let mut table = BlobTable::default();
        let mut sent = Vec::new();
        for frame in [&one, &other, &one.clone(), &other] {
            table
                .number(frame, |number| {
                    sent.push(number);
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(sent, [0, 1]);
        assert!(table.number(&one.head(Some(50_000)), |_| Err(BlobError::NotSent("broken".into()))).is_err());
        assert_eq!(table.sweep(), Vec::<u64>::new());
        drop(one);
        assert_eq!(table.sweep(), [0]);
        assert_eq!(table.number(&other, |_| Err(BlobError::NotSent("again".into()))), Ok(1));
    }
}
