use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::state::Shared;

/// Watches whether a peer still sends messages.
pub(crate) struct Pulse {
    ticks: Interval,
    silent: u32,
}

/// What was received from a peer.
pub(crate) enum Heard<T> {
    Something(T),
    /// The peer ended its stream.
    End,
    Silence,
}

/// The number of silent ticks after which a peer is lost.
const TICKS: u32 = 8;

impl Pulse {
    /// Watches a peer that may be silent for `patience`. Time is counted in ticks, and a late tick counts
    /// once: a master that was suspended for a while does not lose its workers.
    pub(crate) fn new(patience: Duration) -> Self {
        let tick = (patience / TICKS).max(Duration::from_millis(1));
        let mut ticks = interval_at(Instant::now() + tick, tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, silent: 0 }
    }

    /// Waits for the peer's next message.
    pub(crate) async fn next<S: Stream + Unpin>(&mut self, peer: &mut S) -> Heard<S::Item> {
        loop {
            tokio::select! {
                biased;
                heard = peer.next() => {
                    self.silent = 0;
                    return heard.map_or(Heard::End, Heard::Something);
                }
                _ = self.ticks.tick() => {
                    self.silent += 1;
                    if self.silent > TICKS {
                        return Heard::Silence;
                    }
                }
            }
        }
    }
}

/// Triggers placement when only time has passed: a wait for a preferred worker has ended, an idle worker is
/// due for release, a session has caught up.
pub(crate) async fn clock(shared: Arc<Shared>) {
    loop {
        let alarm = shared.alarm();
        let sleep = async {
            match alarm {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.clock.notified() => {}
            () = sleep => {}
        }
        shared.with(|_, _| ());
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_master_that_was_stopped_itself_still_waits_for_its_workers() {
        let patience = Duration::from_millis(80);
        let mut pulse = Pulse::new(patience);
        let mut nobody = stream::pending::<()>();
        // The whole thread stands still, and the pulse is checked only afterwards.
        std::thread::sleep(patience * 3);
        let before = Instant::now();
        assert!(matches!(pulse.next(&mut nobody).await, Heard::Silence));
        assert!(before.elapsed() >= patience, "{:?}", before.elapsed());
    }
}
