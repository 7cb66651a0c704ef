/// The most bytes in one [`Chunk`](crate::pool::Chunk).
pub const CHUNK_BYTES: usize = 1 << 20;

/// Rows up to this many bytes are sent inside messages; larger ones as chunks.
pub const INLINE_BYTES: usize = 256 << 10;

/// The most bytes in one message: the limit for a batch of tasks.
pub const MESSAGE_BYTES: usize = 32 << 20;

/// The most messages or chunks that wait in a queue between two tasks of a process.
pub const QUEUE: usize = 16;

/// The most tasks that a worker may be sent per slot beside the running one.
pub const AHEAD: usize = 8;
