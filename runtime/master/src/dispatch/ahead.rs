//! Sends tasks to a worker before it has a slot for them.
//!
//! Between the end of a task and the start of the next one, a message goes from the worker to the master and
//! another goes back. Each message wakes several processes. That is nothing beside a task of a second, but a
//! large part of a task of a millisecond. So short tasks are sent ahead and wait at the worker, which reports
//! several at a time. The price is that they do not go to the slot that becomes free first. Therefore tasks
//! of a stage are sent ahead only if other tasks of that stage were short, only while one session alone wants
//! slots, and fewer as fewer are left (as in C. D. Polychronopoulos and D. J. Kuck, *Guided Self-Scheduling*,
//! 1987).

use std::collections::VecDeque;
use std::time::Duration;

use partita_wire::AHEAD;

use super::queue::Offer;
use super::{Attempt, Dispatch, Launch};

/// Tasks that take longer are not sent ahead.
const SHORT: Duration = Duration::from_millis(20);
/// Tasks sent ahead beyond the next one should not keep a slot busy for longer.
const ENOUGH: Duration = Duration::from_millis(10);

/// The duration of the tasks in a session's current stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    job: u64,
    stage: u32,
    /// A moving average.
    mean: Duration,
}

impl Pace {
    /// The pace after an attempt that took `took`.
    pub(super) fn after(before: Option<Self>, attempt: &Attempt, took: Duration) -> Self {
        let (job, stage) = (attempt.job, attempt.stage);
        match before {
            Some(pace) if (pace.job, pace.stage) == (job, stage) => {
                Self { mean: (pace.mean * 3 + took) / 4, ..pace }
            }
            _ => Self { job, stage, mean: took },
        }
    }

    fn is_of(&self, attempt: &Attempt) -> bool {
        (self.job, self.stage) == (attempt.job, attempt.stage)
    }

    /// The number of tasks that may be sent ahead per slot.
    fn ahead(&self) -> usize {
        if self.mean > SHORT {
            return 0;
        }
        let several = ENOUGH.as_micros() / self.mean.as_micros().max(1);
        usize::try_from(several).unwrap_or(AHEAD).clamp(1, AHEAD)
    }
}

/// The tasks sent to one worker that have no slot yet, in the order in which it runs them.
pub(super) type Ahead = VecDeque<(u64, Attempt)>;

impl Dispatch {
    /// Sends short tasks to workers whose slots are all taken.
    pub(super) fn send_ahead(&mut self, launches: &mut Vec<Launch>) {
        let mut wanting = self.sessions.iter_mut().filter(|(_, share)| !share.queue.is_empty());
        let (Some((session, share)), None) = (wanting.next(), wanting.next()) else { return };
        let Some(pace) = share.pace.filter(|_| !share.paused) else { return };
        let usable = self.workers.iter().filter(|(worker, _)| share.usable(**worker));
        let all: usize = usable.map(|(_, slots)| slots.slots).sum();
        for (worker, slots) in &mut self.workers {
            let most = pace.ahead() * slots.slots;
            while share.queue.len() > all
                && share.running.len() < self.most_sent
                && share.usable(*worker)
                && slots.running.len() >= slots.slots
                && slots.ahead.len() < most
                && slots.ahead.len() * all < share.queue.len() * slots.slots
            {
                let offer = share.queue.offer(*worker);
                let is_of = |offer: &Offer| share.queue.attempt(offer.place).is_some_and(|a| pace.is_of(a));
                let Some(offer) = offer.filter(is_of) else { break };
                let Some(task) = share.queue.take(offer.place) else { break };
                share.launched(task.attempt, *worker);
                slots.ahead.push_back((*session, task.attempt));
                launches.push(Launch { worker: *worker, session: *session, task, local: offer.local });
            }
        }
    }
}
