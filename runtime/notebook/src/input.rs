//! A question to the person, and the kernel's answer.

use parking_lot::{Condvar, Mutex};
use partita::cancel::Token;
use partita::input::InputError;
use partita_bridge::FromEvaluation;

use crate::bridge::bridge;

/// The questions of the cells, one at a time.
#[derive(Default)]
pub(crate) struct Questions {
    /// Held while a question is open: an answer does not say which question it belongs to.
    turn: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    /// Nobody waits; an answer would come too late.
    #[default]
    Nobody,
    Waiting,
    Answered(Result<String, InputError>),
}

impl Questions {
    /// Asks the front end, and waits for its answer, or until `token` is cancelled and
    /// [`interrupted`](Self::interrupted) is called.
    pub fn ask(&self, prompt: &str, password: bool, token: &Token) -> Result<String, InputError> {
        let _turn = self.turn.lock();
        let bridge = bridge().ok_or_else(|| InputError::Unavailable("there is no kernel".into()))?;
        *self.state.lock() = State::Waiting;
        let request = FromEvaluation::InputRequest { prompt: prompt.to_owned(), password };
        let sent = bridge.send(&request).map_err(|error| InputError::Unavailable(error.to_string()));
        let mut state = self.state.lock();
        loop {
            let answered = matches!(*state, State::Answered(_));
            if answered || token.is_cancelled() || sent.is_err() {
                break;
            }
            self.changed.wait(&mut state);
        }
        match std::mem::take(&mut *state) {
            State::Answered(line) => line,
            State::Nobody | State::Waiting => sent.and(Err(InputError::Interrupted)),
        }
    }

    /// Receives the line that a cell waits for, or the reason why there is none.
    pub fn answer(&self, line: Result<String, InputError>) {
        let mut state = self.state.lock();
        if matches!(*state, State::Waiting) {
            *state = State::Answered(line);
            self.changed.notify_all();
        }
    }

    /// The running work was cancelled: wakes up whoever waits for a line.
    pub fn interrupted(&self) {
        // Under the lock, so that it cannot fall between a check and the following wait.
        let _state = self.state.lock();
        self.changed.notify_all();
    }
}
