use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use partita_bridge::FromEvaluation;

use super::bridge;
use partita::{cancel, input::InputError};

/// One question at a time: an answer does not say which question it belongs to.
static TURN: Mutex<()> = Mutex::new(());
static STATE: Mutex<State> = Mutex::new(State::Nobody);
static CHANGED: Condvar = Condvar::new();

enum State {
    /// Nobody waits; an answer would come too late.
    Nobody,
    Waiting,
    Answered(Result<String, String>),
}

/// Asks the front end, and waits for its answer or an interrupt.
pub(super) fn ask(prompt: &str, password: bool) -> Result<String, InputError> {
    let _turn = lock(&TURN);
    let token = cancel::current();
    let bridge = bridge().ok_or_else(|| InputError::Unavailable("there is no kernel".into()))?;
    *lock(&STATE) = State::Waiting;
    let request = FromEvaluation::InputRequest { prompt: prompt.to_owned(), password };
    let sent = bridge.send(&request).map_err(|error| InputError::Unavailable(error.to_string()));
    let mut state = lock(&STATE);
    loop {
        let answered = matches!(*state, State::Answered(_));
        if answered || token.is_cancelled() || sent.is_err() {
            break;
        }
        state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    match std::mem::replace(&mut *state, State::Nobody) {
        State::Answered(line) => line.map_err(InputError::Unavailable),
        State::Nobody | State::Waiting => sent.and(Err(InputError::Interrupted)),
    }
}

/// Receives the line that a cell waits for, or the reason why there is none.
pub(super) fn answer(line: Result<String, String>) {
    let mut state = lock(&STATE);
    if matches!(*state, State::Waiting) {
        *state = State::Answered(line);
        CHANGED.notify_all();
    }
}

/// The running work was cancelled: wakes up whoever waits for a line.
pub(super) fn interrupted() {
    // Under the lock, so that it cannot fall between a check and the following wait.
    let _state = lock(&STATE);
    CHANGED.notify_all();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
