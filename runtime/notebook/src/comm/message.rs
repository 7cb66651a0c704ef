use serde_json::{Map, Value};
use thiserror::Error;

/// A message on a channel: a JSON object, and binary data that JSON is not suited for.
#[derive(Debug, Clone, PartialEq)]
pub struct CommMessage {
    /// The message itself: a JSON object.
    pub data: Value,
    /// Information about the message, such as the version of its protocol: a JSON object.
    pub metadata: Value,
    /// Binary data; `data` describes what it is.
    pub buffers: Vec<Vec<u8>>,
}

impl CommMessage {
    /// The same message with these buffers.
    #[must_use]
    pub fn with_buffers(self, buffers: Vec<Vec<u8>>) -> Self {
        Self { buffers, ..self }
    }

    /// The same message with this metadata, a JSON object.
    #[must_use]
    pub fn with_metadata(self, metadata: Value) -> Self {
        Self { metadata, ..self }
    }
}

/// A received message. It is parsed where it is used, so that the receiving thread is not delayed.
pub(super) struct Incoming {
    data: String,
    metadata: String,
    buffers: Vec<Vec<u8>>,
}

impl Incoming {
    pub(super) fn new(data: String, metadata: String, buffers: Vec<Vec<u8>>) -> Self {
        Self { data, metadata, buffers }
    }

    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.metadata.len() + self.buffers.iter().map(Vec::len).sum::<usize>()
    }

    pub(super) fn read(self) -> CommMessage {
        let object = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::Object(Map::new()));
        CommMessage { data: object(&self.data), metadata: object(&self.metadata), buffers: self.buffers }
    }
}

impl Default for CommMessage {
    fn default() -> Self {
        Self::from(Value::Object(Map::new()))
    }
}

impl From<Value> for CommMessage {
    fn from(data: Value) -> Self {
        Self { data, metadata: Value::Object(Map::new()), buffers: Vec::new() }
    }
}

/// An empty message, as when a channel is closed without a reason.
impl From<()> for CommMessage {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommError {
    /// There is no front end to receive it.
    #[error("there is no front end to open a channel to; comms work in notebooks")]
    NoFrontEnd,
    /// The channel is closed.
    #[error("the comm is closed; open another one")]
    Closed,
    /// Data or metadata do not follow the protocol.
    #[error("a comm's {0} must be a JSON object, such as json!({{\"value\": 1}})")]
    NotAnObject(&'static str),
    /// The message is too large.
    #[error("a comm message of {0} bytes is too large; send it in parts of less than 64 MB")]
    TooLarge(u64),
    /// Too many channels are open.
    #[error("{0} comms are open, which is the limit; close those that are not needed")]
    TooMany(usize),
    /// The connection to the kernel failed.
    #[error("the comm's message could not be sent: {0}")]
    Connection(String),
}
