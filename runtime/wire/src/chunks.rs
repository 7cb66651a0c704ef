use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;
use tonic::codegen::tokio_stream::{Stream, StreamExt};

use crate::CHUNK_BYTES;
use crate::pool::Chunk;

/// The most chunks that wait between a writer and the network.
const CHUNKS_AHEAD: usize = 4;

/// A pipe from a thread that may block to a stream of chunks. The writer waits while the stream is not read.
pub fn chunks() -> (ChunkWriter, ChunkStream) {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let end = Arc::new(OnceLock::new());
    let writer = ChunkWriter { sender, buffer: BytesMut::new(), end: end.clone() };
    (writer, ChunkStream { receiver, end: Some(end) })
}

/// The end to write to, on a thread that may block: never on one of Tokio's. Finish it with
/// [`finish`](Self::finish) or [`fail`](Self::fail). If it is dropped without either, the stream ends in an
/// error, so that a reader never takes a part for the whole.
pub struct ChunkWriter {
    sender: mpsc::Sender<Chunk>,
    buffer: BytesMut,
    end: Arc<OnceLock<Result<(), Status>>>,
}

impl ChunkWriter {
    /// Sends the rest and ends the stream.
    ///
    /// # Errors
    /// `BrokenPipe` when the stream was dropped.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        // Set only once: here or in `fail`; both consume the writer.
        let _ = self.end.set(Ok(()));
        Ok(())
    }

    /// Ends the stream with an error.
    pub fn fail(self, status: Status) {
        let _ = self.end.set(Err(status));
    }

    fn send(&mut self) -> io::Result<()> {
        let data = self.buffer.split().freeze();
        self.sender.blocking_send(Chunk { data }).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES - self.buffer.len();
        let taken = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    /// Chunks are sent when they are full and at the end. IPC writers flush after every message, which would
    /// make chunks of a few bytes.
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.send() }
    }
}

/// The end that a tonic service returns or a client sends. Dropping it stops the writer.
pub struct ChunkStream {
    receiver: mpsc::Receiver<Chunk>,
    end: Option<Arc<OnceLock<Result<(), Status>>>>,
}

impl Stream for ChunkStream {
    type Item = Result<Chunk, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.receiver.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(None) => {
                let Some(end) = self.end.take() else { return Poll::Ready(None) };
                let cut_short =
                    || Err(Status::aborted("the rows are incomplete: their sender stopped in the middle"));
                Poll::Ready(end.get().cloned().unwrap_or_else(cut_short).err().map(Err))
            }
        }
    }
}

/// Reads a stream of chunks on a thread that may block: never on one of Tokio's. Each read waits for the
/// network for at most `silence`.
pub struct ChunkReader<S> {
    stream: S,
    runtime: Handle,
    silence: Duration,
    chunk: Bytes,
    position: u64,
    failure: Option<Status>,
}

impl<S: Stream<Item = Result<Chunk, Status>> + Unpin> ChunkReader<S> {
    /// A reader of `stream`, which `runtime` drives.
    pub fn new(stream: S, runtime: Handle, silence: Duration) -> Self {
        Self { stream, runtime, silence, chunk: Bytes::new(), position: 0, failure: None }
    }

    /// Why the last read failed, if it did.
    pub fn failure(&self) -> Option<&Status> {
        self.failure.as_ref()
    }

    fn next(&mut self) -> Result<Option<Chunk>, Status> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let (stream, silence) = (&mut self.stream, self.silence);
        match self.runtime.block_on(async { tokio::time::timeout(silence, stream.next()).await }) {
            Ok(chunk) => chunk.transpose(),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "no data for {} s: the other side is frozen or cut off",
                silence.as_secs_f64()
            ))),
        }
    }
}

impl<S: Stream<Item = Result<Chunk, Status>> + Unpin> BufRead for ChunkReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            match self.next() {
                Ok(Some(chunk)) => self.chunk = chunk.data,
                Ok(None) => break,
                Err(status) => {
                    let text = status.message().to_owned();
                    self.failure = Some(status);
                    return Err(io::Error::other(text));
                }
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, bytes: usize) {
        self.chunk.advance(bytes);
        self.position += bytes as u64;
    }
}

impl<S: Stream<Item = Result<Chunk, Status>> + Unpin> Read for ChunkReader<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let taken = ready.len().min(into.len());
        into[..taken].copy_from_slice(&ready[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

/// Seeks forward only, by reading: Polars' reader of IPC streams skips padding this way.
impl<S: Stream<Item = Result<Chunk, Status>> + Unpin> Seek for ChunkReader<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let ahead = match to {
            SeekFrom::Start(position) => position.checked_sub(self.position),
            SeekFrom::Current(offset) => u64::try_from(offset).ok(),
            SeekFrom::End(_) => None,
        };
        let Some(ahead) = ahead else {
            let text = "a stream of chunks can be read forward only";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        };
        if io::copy(&mut self.by_ref().take(ahead), &mut io::sink())? < ahead {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;
    use tokio::runtime::Runtime;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn reader(runtime: &Runtime, stream: ChunkStream) -> ChunkReader<ChunkStream> {
        ChunkReader::new(stream, runtime.handle().clone(), PATIENCE)
    }

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_is_written_in_any_pieces_is_read_whole(
            pieces in prop::collection::vec((0..3 * CHUNK_BYTES, any::<u8>(), any::<bool>()), 0..6)
        ) {
            let runtime = runtime();
            let (mut writer, stream) = chunks();
            let written: Vec<u8> =
                pieces.iter().flat_map(|(length, byte, _)| vec![*byte; *length]).collect();
            let wrote = thread::spawn(move || {
                for (length, byte, flush) in pieces {
                    writer.write_all(&vec![byte; length]).unwrap();
                    if flush {
                        writer.flush().unwrap();
                    }
                }
                writer.finish().unwrap();
            });
            let mut read = Vec::new();
            reader(&runtime, stream).read_to_end(&mut read).unwrap();
            wrote.join().unwrap();
            prop_assert!(read == written);
        }
    }

    #[test]
    fn chunks_keep_to_their_size_and_a_writer_waits_for_its_reader() {
        let runtime = runtime();
        let (mut writer, mut stream) = chunks();
        let sender = writer.sender.clone();
        let wrote = thread::spawn(move || {
            writer.write_all(&vec![7; 20 * CHUNK_BYTES]).unwrap();
            writer.finish().unwrap();
        });
        while sender.capacity() > 0 {
            thread::yield_now();
        }
        assert!(!wrote.is_finished(), "more chunks were taken than may wait");
        drop(sender);
        let mut total = 0;
        while let Some(chunk) = runtime.block_on(stream.next()) {
            let length = chunk.unwrap().data.len();
            assert!(length <= CHUNK_BYTES);
            total += length;
        }
        wrote.join().unwrap();
        assert_eq!(total, 20 * CHUNK_BYTES);
    }

    #[test]
    fn a_writer_whose_reader_left_gets_a_broken_pipe() {
        let (mut writer, stream) = chunks();
        drop(stream);
        let error = writer.write_all(&vec![0; CHUNK_BYTES]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_stream_that_ends_early_is_an_error_for_its_reader() {
        let runtime = runtime();
        let (mut writer, stream) = chunks();
        writer.write_all(b"a part").unwrap();
        writer.flush().unwrap();
        drop(writer);
        let mut reader = reader(&runtime, stream);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        assert_eq!(reader.failure().unwrap().code(), tonic::Code::Aborted);
    }

    #[test]
    fn a_writer_that_fails_says_why_to_the_reader() {
        let runtime = runtime();
        let (writer, stream) = chunks();
        writer.fail(Status::not_found("no block 7"));
        let mut reader = reader(&runtime, stream);
        let error = reader.read(&mut [0]).unwrap_err();
        assert!(error.to_string().contains("no block 7"), "{error}");
        assert_eq!(reader.failure().unwrap().code(), tonic::Code::NotFound);
    }

    #[test]
    fn a_reader_steps_forward_and_says_so_when_asked_to_step_back() {
        let runtime = runtime();
        let (mut writer, stream) = chunks();
        writer.write_all(&[1, 2, 3, 4, 5]).unwrap();
        writer.finish().unwrap();
        let mut reader = reader(&runtime, stream);
        assert_eq!(reader.seek(SeekFrom::Current(2)).unwrap(), 2);
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        assert_eq!((byte, reader.stream_position().unwrap()), ([3], 3));
        assert_eq!(reader.seek(SeekFrom::Start(1)).unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(reader.seek(SeekFrom::Start(9)).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_silent_sender_is_given_up_on() {
        let runtime = runtime();
        let (_writer, stream) = chunks();
        let mut reader = ChunkReader::new(stream, runtime.handle().clone(), Duration::from_millis(10));
        assert!(reader.read(&mut [0]).is_err());
        assert_eq!(reader.failure().unwrap().code(), tonic::Code::DeadlineExceeded);
    }
}
