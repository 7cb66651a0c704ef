use partita_bridge::{Comm, MimeBundle, Stream};
use partita_events::Event;

/// What a running cell sends before it ends, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Text on a standard stream.
    Text { stream: Stream, text: String },
    /// Something to show, updatable if it has an id.
    Display { id: Option<String>, bundle: MimeBundle },
    /// Replaces what the display with this id shows.
    UpdateDisplay { id: String, bundle: MimeBundle },
    /// Clears the cell's output so far.
    ClearOutput { wait: bool },
    /// A comm's message to the front end.
    Comm(Comm),
    /// The running cell waits for a line; [`Interpreter::input`](crate::Interpreter::input) brings it.
    /// Every request is to be answered, with the line or with why there is none; one that comes while
    /// no cell runs too. The next request, or the end of the cell, says that the question is void: the
    /// cell was interrupted, and an answer that still comes is dropped.
    InputRequest { prompt: String, password: bool },
    /// Something for the pager, once the cell has ended.
    Page(MimeBundle),
    /// What the jobs of one session did, in order. Job numbers are the session's own.
    Events { session: u64, events: Vec<Event> },
    /// The evaluation process is gone, and with it everything it had open towards the front end.
    ProcessEnded,
}

/// Where outputs go. Bounded: a cell that prints faster than the front end reads is slowed, not
/// buffered. Evaluators run on their own threads and use `blocking_send`.
pub type OutputSender = tokio::sync::mpsc::Sender<Output>;
