use partita_bridge::{Comm, MimeBundle, Stream};
use partita_events::Event;

/// What a running cell sends before it ends, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Text on a standard stream.
    Text { stream: Stream, text: String },
    /// Something to show. It can be updated if it has an id.
    Display { id: Option<String>, bundle: MimeBundle },
    /// Replaces the content of the display with this id.
    UpdateDisplay { id: String, bundle: MimeBundle },
    /// Clears the cell's output so far.
    ClearOutput { wait: bool },
    /// A comm message for the front end.
    Comm(Comm),
    /// The running cell waits for a line of input. Answer every request through
    /// [`Interpreter::input`](crate::Interpreter::input), with the line or with the reason why there is
    /// none, even if no cell is running. The next request or the end of the cell cancels this one (the
    /// cell was interrupted); an answer that arrives later is dropped.
    InputRequest { prompt: String, password: bool },
    /// Something for the pager, shown when the cell has ended.
    Page(MimeBundle),
    /// What the jobs of one session did, in order. Job numbers are unique within a session only.
    Events { session: u64, events: Vec<Event> },
    /// The evaluation process has ended, and with it everything it had open in the front end.
    ProcessEnded,
}

/// Where outputs go. The channel is bounded: a cell that prints faster than the front end reads is slowed
/// down, not buffered. Evaluators run on their own threads and use `blocking_send`.
pub type OutputSender = tokio::sync::mpsc::Sender<Output>;
