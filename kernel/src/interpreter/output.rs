use partita_bridge::{MimeBundle, Stream};

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
}

/// Where outputs go. Bounded: a cell that prints faster than the front end reads is slowed, not
/// buffered. Evaluators run on their own threads and use `blocking_send`.
pub type OutputSender = tokio::sync::mpsc::Sender<Output>;
