//! Slots as threads of this process, for every engine that has slots.

use std::cell::Cell;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use crossbeam_channel::Receiver;
use polars_async::executor::ALLOW_RAYON_THREADS;

/// The stack of a thread that decodes and runs tasks. Only the part in use takes memory.
pub const STACK_BYTES: usize = 32 << 20;

const SLOT_THREAD: &str = "partita-slot-";

thread_local! {
    static INSIDE_TASK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is a slot. An action here would wait for the slot that it runs on.
pub fn inside_task() -> bool {
    INSIDE_TASK.get()
}

/// Starts `slots` threads that take work until all senders are dropped. One task, one core: what Polars
/// does on such a thread stays on it. Returns the count of busy slots.
///
/// # Errors
/// When the system provides no more threads.
pub fn start<T: Send + 'static>(
    slots: usize,
    queue: &Receiver<T>,
    run: impl Fn(usize, T, &Busy) + Send + Sync + 'static,
) -> std::io::Result<Arc<AtomicUsize>> {
    quiet_slot_panics();
    let count = Arc::new(AtomicUsize::new(0));
    let run = Arc::new(run);
    for slot in 0..slots {
        let (queue, busy, run) = (queue.clone(), Busy(count.clone()), run.clone());
        thread::Builder::new().name(format!("{SLOT_THREAD}{slot}")).stack_size(STACK_BYTES).spawn(
            move || {
                ALLOW_RAYON_THREADS.set(false);
                INSIDE_TASK.set(true);
                for work in queue {
                    run(slot, work, &busy);
                }
            },
        )?;
    }
    Ok(count)
}

/// Counts the slots that run a task.
pub struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Runs `run` and counts the slot as busy meanwhile.
    pub fn during<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&self.0);
        run()
    }
}

/// Silences panics of tasks: they are reported as the job's error, and the default hook would print them
/// a second time.
fn quiet_slot_panics() {
    // Process-wide, as the panic hook is: a second hook would call the first for nothing.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !thread::current().name().is_some_and(|name| name.starts_with(SLOT_THREAD)) {
                previous(info);
            }
        }));
    });
}
