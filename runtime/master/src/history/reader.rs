use partita_events::JobId;
use partita_events::changes::{Changes, Cursor, since};
use partita_events::fold;
use serde_json::Value;

use super::store::Place;
use super::{History, ReplayError, replay};

/// A reader that follows one job, and its position.
#[derive(Debug)]
pub(crate) struct Reader {
    session: String,
    job: JobId,
    cursor: Cursor,
    /// The job as it was folded from the log's files, once that was necessary.
    files: Option<Box<fold::Session>>,
}

/// The next part of a job.
#[derive(Debug)]
pub(crate) enum Piece {
    /// There is no such job.
    Unknown,
    /// Its attempts are not kept anywhere any more.
    Forgotten,
    /// What changed since the last piece, if anything did. `more` has changed already, or the job has
    /// `ended` and this was the last.
    Changes { message: Option<Value>, more: bool, ended: bool },
}

impl Reader {
    /// Follows a job from its beginning.
    pub fn new(session: String, job: JobId) -> Self {
        Self { session, job, cursor: Cursor::default(), files: None }
    }

    /// The changes since the last call, with at most `most` attempts. May read files: not for async code.
    pub fn next(&mut self, history: &History, most: usize) -> Result<Piece, ReplayError> {
        if self.files.is_none() {
            let begun = self.cursor != Cursor::default();
            let cursor = &mut self.cursor;
            let place = history.find(&self.session, self.job, begun, |session, job| {
                let changes = since(job, session.fold.workers(), session.now(job), cursor, most);
                (changes, job.has_ended())
            });
            match place {
                Place::Unknown => return Ok(Piece::Unknown),
                Place::Forgotten => return Ok(Piece::Forgotten),
                Place::Memory((changes, ended)) => return Ok(self.piece(changes, ended)),
                Place::Files { directory, interrupted } => {
                    let session = replay::job(&directory, &self.session, self.job, interrupted)?;
                    // The reader starts again from the beginning of the job.
                    (self.files, self.cursor) = (Some(Box::new(session)), Cursor::default());
                }
            }
        }
        let Some(session) = &self.files else { return Ok(Piece::Forgotten) };
        let Some(job) = session.job(self.job) else { return Ok(Piece::Forgotten) };
        let changes = since(job, session.workers(), job.last, &mut self.cursor, most);
        // The files are complete; nothing follows.
        Ok(self.piece(changes, true))
    }

    fn piece(&self, changes: Option<Changes>, ended: bool) -> Piece {
        let Some(Changes { mut message, more }) = changes else {
            return Piece::Changes { message: None, more: false, ended };
        };
        message["session"] = self.session.clone().into();
        Piece::Changes { message: Some(message), more, ended: ended && !more }
    }
}
