use std::{
    io::{ErrorKind, Read},
    os::fd::AsRawFd,
    process::{ChildStderr, ChildStdout},
    sync::Arc,
    thread,
};

use parking_lot::{Mutex, MutexGuard};
use partita_bridge::Stream;

use crate::output::{Output, OutputSender};

/// How much of the end of a stream is kept.
const TAIL_BYTES: usize = 16 << 10;

/// Where the outputs of the evaluation process go: to the running cell, or to the background when none
/// runs. An evaluator has one for its whole life, so that a restarted process writes to the same place.
#[derive(Clone)]
pub struct Outputs {
    target: Arc<Mutex<Target>>,
}

struct Target {
    cell: Option<OutputSender>,
    background: OutputSender,
}

impl Outputs {
    /// Creates it; outputs go to `background` until a cell runs.
    pub fn new(background: OutputSender) -> Self {
        Self { target: Arc::new(Mutex::new(Target { cell: None, background })) }
    }

    /// Sets the cell that outputs belong to from now on, or none.
    pub fn set_cell(&self, cell: Option<OutputSender>) {
        self.target.lock().cell = cell;
    }

    /// Sends one output. For a running cell this waits for the reader. For the background it never waits,
    /// because nothing could interrupt it: what the reader has no room for is lost.
    pub fn send(&self, output: Output) {
        let (cell, background) = {
            let target = self.target.lock();
            (target.cell.clone(), target.background.clone())
        };
        // A receiver that has gone wants no output.
        let _ = match cell {
            Some(cell) => cell.blocking_send(output).is_ok(),
            None => background.try_send(output).is_ok(),
        };
    }

    /// Sends text.
    pub fn text(&self, stream: Stream, text: impl Into<String>) {
        self.send(Output::Text { stream, text: text.into() });
    }
}

/// The standard streams of the process, for what does not come over the bridge (`dbg!`, C code, the last
/// words of a crash). One thread per stream reads them as data arrives; [`drain`](Self::drain) empties
/// them when the caller must be sure that nothing is left.
pub(super) struct Pipes {
    pipes: Vec<Shared>,
    outputs: Outputs,
}

struct Shared {
    /// Held while waiting for the pipe. A mutex alone is not fair: a thread that has just released it may
    /// take it again and again before a waiting thread wakes up.
    turn: Mutex<()>,
    pipe: Mutex<Pipe>,
}

impl Shared {
    fn take(&self) -> MutexGuard<'_, Pipe> {
        let _turn = self.turn.lock();
        self.pipe.lock()
    }
}

struct Pipe {
    source: Box<dyn Read + Send>,
    descriptor: i32,
    stream: Stream,
    /// Bytes of a character whose rest has not arrived yet.
    partial: Vec<u8>,
    /// The end of the stream, at most [`TAIL_BYTES`] plus one read.
    tail: String,
    closed: bool,
}

impl Pipes {
    pub(super) fn start(
        stdout: ChildStdout,
        stderr: ChildStderr,
        outputs: Outputs,
    ) -> std::io::Result<Arc<Self>> {
        let descriptors = [stdout.as_raw_fd(), stderr.as_raw_fd()];
        for descriptor in descriptors {
            set_nonblocking(descriptor)?;
        }
        let pipe = |source, descriptor, stream| {
            let pipe =
                Pipe { source, descriptor, stream, partial: Vec::new(), tail: String::new(), closed: false };
            Shared { turn: Mutex::new(()), pipe: Mutex::new(pipe) }
        };
        let pipes = vec![
            pipe(Box::new(stdout) as Box<_>, descriptors[0], Stream::Stdout),
            pipe(Box::new(stderr), descriptors[1], Stream::Stderr),
        ];
        let pipes = Arc::new(Self { pipes, outputs });
        for (index, descriptor) in descriptors.into_iter().enumerate() {
            let pipes = Arc::clone(&pipes);
            thread::Builder::new()
                .name("output".into())
                .spawn(move || while wait_readable(descriptor) && pipes.read_some(index) {})?;
        }
        Ok(pipes)
    }

    /// Forwards everything written so far and no more, because a program started by a cell may write
    /// without end.
    pub(super) fn drain(&self) {
        for pipe in &self.pipes {
            let mut pipe = pipe.take();
            let mut waiting = waiting_bytes(pipe.descriptor);
            while waiting > 0 {
                match self.forward(&mut pipe) {
                    0 => break,
                    count => waiting = waiting.saturating_sub(count),
                }
            }
        }
    }

    /// The end of standard error, which may hold the process's last words.
    pub(super) fn last_stderr(&self) -> String {
        let stderr = self.pipes.iter().map(Shared::take).find(|pipe| pipe.stream == Stream::Stderr);
        stderr.map(|pipe| pipe.tail.clone()).unwrap_or_default()
    }

    /// Reads once and forwards the result. Returns whether more may come. The lock is released after each
    /// read, so that [`drain`](Self::drain) gets its turn.
    fn read_some(&self, index: usize) -> bool {
        let mut pipe = self.pipes[index].take();
        self.forward(&mut pipe);
        !pipe.closed
    }

    /// Reads once and forwards under the pipe's lock: whoever holds the lock knows that nothing read is
    /// still on its way. Returns the number of bytes.
    fn forward(&self, pipe: &mut Pipe) -> usize {
        let mut buffer = [0; 16 << 10];
        match pipe.source.read(&mut buffer) {
            Ok(0) => pipe.closed = true,
            Ok(count) => {
                if let Some(text) = pipe.decode(&buffer[..count]) {
                    pipe.remember(&text);
                    self.outputs.text(pipe.stream, text);
                }
                return count;
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => pipe.closed = true,
        }
        0
    }
}

impl Pipe {
    fn remember(&mut self, text: &str) {
        let kept = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..self.tail.ceil_char_boundary(kept));
        self.tail.push_str(&text[text.ceil_char_boundary(text.len().saturating_sub(TAIL_BYTES))..]);
    }

    fn decode(&mut self, bytes: &[u8]) -> Option<String> {
        self.partial.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.partial) {
            Ok(text) => text.len(),
            // Cut off in the middle of a character; the rest comes with the next read.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.partial.len(),
        };
        let rest = self.partial.split_off(whole);
        let text = String::from_utf8_lossy(&std::mem::replace(&mut self.partial, rest)).into_owned();
        (!text.is_empty()).then_some(text)
    }
}

fn set_nonblocking(descriptor: i32) -> std::io::Result<()> {
    // SAFETY: plain flag calls on a descriptor that the caller owns.
    let done = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        flags >= 0 && libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK) >= 0
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// How many bytes can be read now without waiting.
fn waiting_bytes(descriptor: i32) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the request writes one `c_int`; the pipe that has the descriptor is open.
    let done = unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut count) };
    if done == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

/// Waits until there is something to read or the other end has closed.
fn wait_readable(descriptor: i32) -> bool {
    loop {
        let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry; the pipe outlives the thread, which holds it.
        match unsafe { libc::poll(&raw mut poll, 1, -1) } {
            count if count > 0 => return true,
            _ if std::io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
            _ => return false,
        }
    }
}
