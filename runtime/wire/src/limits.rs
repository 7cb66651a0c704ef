/// Bytes of one [`Chunk`](crate::pool::Chunk) at most.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Rows of at most so many bytes travel inside of messages; more of them as chunks.
pub const INLINE_BYTES: usize = 256 << 10;

/// Bytes of one message at most: what a batch of tasks may come to.
pub const MESSAGE_BYTES: usize = 32 << 20;

/// Messages or chunks that wait in a queue between two tasks of a process, at most.
pub const QUEUE: usize = 16;

/// Tasks that a worker may be sent for each of its slots beside the one that runs there.
pub const AHEAD: usize = 8;
