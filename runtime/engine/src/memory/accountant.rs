use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use thiserror::Error;

/// How often a task that waits for memory checks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(50);

/// The maximum number of bytes held: in total, and by what can be moved to disk.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub total: usize,
    pub shuffle: usize,
    pub cache: usize,
}

/// What holds memory, besides running tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Shuffle blocks, and results that wait to be fetched.
    Shuffle,
    /// Cached partitions.
    Cache,
    /// Frames that many tasks share; they cannot be moved.
    Blobs,
}

/// The bytes held now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    pub tasks: usize,
    pub shuffle: usize,
    pub cache: usize,
    pub blobs: usize,
}

impl Amounts {
    fn total(&self) -> usize {
        self.tasks.saturating_add(self.shuffle).saturating_add(self.cache).saturating_add(self.blobs)
    }

    fn of(&mut self, what: Use) -> &mut usize {
        match what {
            Use::Shuffle => &mut self.shuffle,
            Use::Cache => &mut self.cache,
            Use::Blobs => &mut self.blobs,
        }
    }
}

/// Can free memory by moving what it keeps to disk, or by dropping what can be recomputed.
pub trait Reclaim {
    /// Frees about this many bytes, if there are any, and returns how many were freed. Called without any
    /// lock held.
    ///
    /// # Errors
    /// When something cannot be written to disk; it then stays in memory.
    fn reclaim(&self, bytes: usize) -> Result<usize, SpillError>;
}

/// Why something stays in memory: it could not be written to disk.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SpillError(pub String);

/// Why a task gets no memory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It needs more than it would get even alone.
    #[error("at most {most} bytes are available")]
    TooLarge { most: usize },
    /// What takes the memory cannot be moved.
    #[error("{0}")]
    Stuck(#[from] SpillError),
    /// The task was cancelled while it waited.
    #[error("cancelled")]
    Cancelled,
}

/// One budget of bytes for everything that grows with the data. Tasks reserve before they start and wait
/// in order while there is no room. It counts and does not allocate: the numbers are estimates of Arrow
/// memory.
pub struct Accountant {
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: Amounts,
    /// Waiting tasks, first come, first served: a large task must not starve behind small ones.
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

impl Accountant {
    /// Nothing is held at first.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is held now.
    pub fn held(&self) -> Amounts {
        self.lock().held
    }

    /// Reserves room for something to keep, if both its share and the total have room.
    pub fn room(self: &Arc<Self>, what: Use, bytes: usize) -> Option<Room> {
        let mut state = self.lock();
        let share = match what {
            Use::Shuffle => self.limits.shuffle,
            Use::Cache => self.limits.cache,
            Use::Blobs => usize::MAX,
        };
        let fits = state.held.of(what).saturating_add(bytes) <= share
            && state.held.total().saturating_add(bytes) <= self.limits.total;
        if !fits && what != Use::Blobs {
            return None;
        }
        *state.held.of(what) += bytes;
        Some(Room { accountant: self.clone(), what, bytes })
    }

    /// The bytes that could be kept as `what` if everything else of that kind were removed.
    pub fn most(&self, what: Use) -> usize {
        let mut state = self.lock();
        let own = *state.held.of(what);
        let others = state.held.total().saturating_sub(own);
        let share = match what {
            Use::Shuffle => self.limits.shuffle,
            Use::Cache => self.limits.cache,
            Use::Blobs => usize::MAX,
        };
        share.min(self.limits.total.saturating_sub(others))
    }

    /// Waits until a task that needs `bytes` bytes may start.
    ///
    /// # Errors
    /// When it can never start, or is cancelled meanwhile.
    pub fn admit(
        self: &Arc<Self>,
        bytes: usize,
        reclaim: &dyn Reclaim,
        cancelled: &AtomicBool,
    ) -> Result<Reservation, Refused> {
        let ticket = Ticket::take(self);
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Refused::Cancelled);
            }
            let mut state = self.lock();
            if bytes > self.limits.total {
                return Err(Refused::TooLarge { most: self.limits.total });
            }
            if state.waiting.front() == Some(&ticket.number) {
                let over = state.held.total().saturating_add(bytes).saturating_sub(self.limits.total);
                if over == 0 {
                    state.held.tasks += bytes;
                    return Ok(Reservation { accountant: self.clone(), bytes });
                }
                let alone = state.held.tasks == 0;
                let movable = state.held.shuffle + state.held.cache;
                if alone && movable == 0 {
                    return Err(Refused::TooLarge { most: self.limits.total - state.held.blobs });
                }
                if movable > 0 {
                    drop(state);
                    match reclaim.reclaim(over) {
                        Ok(0) => {}
                        Ok(_) => continue,
                        // The end of another task may make room without using the disk.
                        Err(cause) if alone => return Err(Refused::Stuck(cause)),
                        Err(_) => {}
                    }
                    state = self.lock();
                }
            }
            self.changed.wait_for(&mut state, CANCEL_CHECK);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A place in the queue, given up on drop.
struct Ticket<'a> {
    accountant: &'a Accountant,
    number: u64,
}

impl<'a> Ticket<'a> {
    fn take(accountant: &'a Accountant) -> Self {
        let mut state = accountant.lock();
        let number = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(number);
        Self { accountant, number }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.accountant.lock().waiting.retain(|number| *number != self.number);
        self.accountant.changed.notify_all();
    }
}

/// Memory held by something kept. Released on drop.
pub struct Room {
    accountant: Arc<Accountant>,
    what: Use,
    bytes: usize,
}

impl Room {
    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.accountant.lock().held.of(self.what) -= self.bytes;
        self.accountant.changed.notify_all();
    }
}

/// Memory held by a running task. Released on drop.
pub struct Reservation {
    accountant: Arc<Accountant>,
    bytes: usize,
}

impl Reservation {
    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows the reservation to `bytes`, if there is room or room can be made without waiting for another
    /// task.
    pub fn grow(&mut self, bytes: usize, reclaim: &dyn Reclaim) -> bool {
        loop {
            let more = bytes.saturating_sub(self.bytes);
            let mut state = self.accountant.lock();
            let over = state.held.total().saturating_add(more).saturating_sub(self.accountant.limits.total);
            if over == 0 {
                state.held.tasks += more;
                self.bytes += more;
                return true;
            }
            if state.held.shuffle + state.held.cache < over {
                return false;
            }
            drop(state);
            if !matches!(reclaim.reclaim(over), Ok(1..)) {
                return false;
            }
        }
    }

    /// Records what the task was seen to hold, even if there is no room, and tries to make room for it.
    pub fn observe(&mut self, bytes: usize, reclaim: &dyn Reclaim) {
        if bytes <= self.bytes {
            return;
        }
        let mut state = self.accountant.lock();
        state.held.tasks += bytes - self.bytes;
        self.bytes = bytes;
        let over = state.held.total().saturating_sub(self.accountant.limits.total);
        let movable = state.held.shuffle + state.held.cache;
        drop(state);
        if over > 0 && movable > 0 {
            // What cannot be moved now stays: the task already has its memory.
            let _ = reclaim.reclaim(over);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.accountant.lock().held.tasks -= self.bytes;
        self.accountant.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    struct Nothing;

    impl Reclaim for Nothing {
        fn reclaim(&self, _: usize) -> Result<usize, SpillError> {
            Ok(0)
        }
    }

    /// Holds rooms and releases one at a time.
    struct Keeper(Mutex<Vec<Room>>);

    impl Reclaim for Keeper {
        fn reclaim(&self, _: usize) -> Result<usize, SpillError> {
            Ok(self.0.lock().pop().map_or(0, |room| room.bytes()))
        }
    }

    fn accountant(total: usize) -> Arc<Accountant> {
        Arc::new(Accountant::new(Limits { total, shuffle: total / 2, cache: total / 2 }))
    }

    static RUNNING: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_task_waits_for_another_to_end_and_a_later_small_one_waits_behind_it() {
        let accountant = accountant(100);
        let first = accountant.admit(80, &Nothing, &RUNNING).unwrap();
        let (started, order) = crossbeam_channel::unbounded();
        let waiting = |bytes: usize| {
            let (accountant, started) = (accountant.clone(), started.clone());
            let before = accountant.lock().waiting.len();
            let task = thread::spawn({
                let accountant = accountant.clone();
                move || {
                    let reservation = accountant.admit(bytes, &Nothing, &RUNNING).unwrap();
                    started.send(bytes).unwrap();
                    drop(reservation);
                }
            });
            while accountant.lock().waiting.len() == before {
                thread::yield_now();
            }
            task
        };
        let (large, small) = (waiting(90), waiting(20));
        assert!(order.is_empty(), "there is room for the small one, but it came later");
        drop(first);
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [90, 20]);
        assert_eq!(accountant.held(), Amounts::default());
    }

    #[test]
    fn what_can_be_moved_makes_room_for_tasks_and_only_as_much_as_needed() {
        let accountant = accountant(100);
        let rooms = (0..5).map(|_| accountant.room(Use::Cache, 10).unwrap()).collect();
        assert!(accountant.room(Use::Cache, 1).is_none(), "the cache has its share");
        let keeper = Keeper(Mutex::new(rooms));
        let task = accountant.admit(65, &keeper, &RUNNING).unwrap();
        assert_eq!(accountant.held(), Amounts { tasks: 65, cache: 30, ..Amounts::default() });
        assert_eq!(task.bytes(), 65);
        assert!(accountant.room(Use::Shuffle, 6).is_none(), "tasks have the rest");
        assert!(accountant.room(Use::Shuffle, 5).is_some());
    }

    #[test]
    fn what_could_never_fit_is_refused_at_once_and_a_cancelled_task_stops_waiting() {
        let accountant = accountant(100);
        let refused = accountant.admit(101, &Nothing, &RUNNING).err();
        assert_eq!(refused, Some(Refused::TooLarge { most: 100 }));
        let _blob = accountant.room(Use::Blobs, 30).unwrap();
        let refused = accountant.admit(71, &Nothing, &RUNNING).err();
        assert_eq!(refused, Some(Refused::TooLarge { most: 70 }));
        let _task = accountant.admit(70, &Nothing, &RUNNING).unwrap();
        let refused = accountant.admit(1, &Nothing, &AtomicBool::new(true)).err();
        assert_eq!(refused, Some(Refused::Cancelled));
        assert!(accountant.lock().waiting.is_empty());
    }

    #[test]
    fn a_full_disk_refuses_only_a_task_that_nobody_else_will_make_room_for() {
        struct FullDisk;
        impl Reclaim for FullDisk {
            fn reclaim(&self, _: usize) -> Result<usize, SpillError> {
                Err(SpillError("the disk is full".into()))
            }
        }
        let accountant = accountant(100);
        let _kept = accountant.room(Use::Shuffle, 50).unwrap();
        let refused = accountant.admit(60, &FullDisk, &RUNNING).err();
        assert_eq!(refused, Some(Refused::Stuck(SpillError("the disk is full".into()))));
    }

    #[test]
    fn a_running_task_grows_only_into_room_that_is_there_or_can_be_made() {
        let accountant = accountant(100);
        let keeper = Keeper(Mutex::new(vec![accountant.room(Use::Shuffle, 40).unwrap()]));
        let mut first = accountant.admit(10, &keeper, &RUNNING).unwrap();
        let _second = accountant.admit(30, &keeper, &RUNNING).unwrap();
        assert!(first.grow(70, &keeper), "the shuffle's blocks can go");
        assert!(!first.grow(71, &keeper), "the other task cannot");
        first.observe(90, &keeper);
        assert_eq!(accountant.held().tasks, 120, "what is there is counted");
    }
}
