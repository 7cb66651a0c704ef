use std::{
    io::{ErrorKind, Read},
    os::fd::AsRawFd,
    process::{ChildStderr, ChildStdout},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use partita_bridge::Stream;

use crate::output::{Output, OutputSender};

/// How much of the end of a stream is remembered.
const TAIL_BYTES: usize = 16 << 10;

/// Where the evaluation process's outputs go: to the running cell, or to the background while none
/// runs. One for the life of an evaluator, so that a restarted process writes to the same place.
#[derive(Clone)]
pub struct Outputs {
    target: Arc<Mutex<Target>>,
}

struct Target {
    cell: Option<OutputSender>,
    background: OutputSender,
}

impl Outputs {
    /// Outputs that go to `background` until a cell runs.
    pub fn new(background: OutputSender) -> Self {
        Self { target: Arc::new(Mutex::new(Target { cell: None, background })) }
    }

    /// From now on outputs belong to this cell, or to none.
    pub fn set_cell(&self, cell: Option<OutputSender>) {
        lock(&self.target).cell = cell;
    }

    /// Sends one output. A running cell waits for its reader; the background never waits, because
    /// nothing could tell it to stop: what its reader has no room for is lost.
    pub fn send(&self, output: Output) {
        let (cell, background) = {
            let target = lock(&self.target);
            (target.cell.clone(), target.background.clone())
        };
        // A receiver that is gone wants no output.
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

/// The process's own standard streams: what did not come over the bridge (`dbg!`, C code, the last
/// words of a crash). Read as it comes by a thread each, and emptied by whoever needs to be sure
/// that nothing is left.
pub(super) struct Pipes {
    pipes: Vec<Shared>,
    outputs: Outputs,
}

struct Shared {
    /// Held while waiting for the pipe. A mutex alone is not fair: whoever has just released it may
    /// take it again and again before the one that waits has woken up.
    turn: Mutex<()>,
    pipe: Mutex<Pipe>,
}

impl Shared {
    fn take(&self) -> MutexGuard<'_, Pipe> {
        let _turn = lock(&self.turn);
        lock(&self.pipe)
    }
}

struct Pipe {
    source: Box<dyn Read + Send>,
    descriptor: i32,
    stream: Stream,
    /// Bytes of a character whose rest has not come yet.
    partial: Vec<u8>,
    /// The end of what came, at most [`TAIL_BYTES`] and a piece.
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

    /// Forwards everything that has been written so far, and no more: a program that a cell has
    /// started may write without end.
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

    /// The end of what came on standard error: a process's last words may be among it.
    pub(super) fn last_stderr(&self) -> String {
        let stderr = self.pipes.iter().map(Shared::take).find(|pipe| pipe.stream == Stream::Stderr);
        stderr.map(|pipe| pipe.tail.clone()).unwrap_or_default()
    }

    /// Forwards what one read yields, and says whether there may be more later. The lock is released
    /// after each read, so that [`drain`](Self::drain) gets its turn.
    fn read_some(&self, index: usize) -> bool {
        let mut pipe = self.pipes[index].take();
        self.forward(&mut pipe);
        !pipe.closed
    }

    /// Reads once and forwards it under the pipe's lock, so that whoever has the lock knows that
    /// nothing read is still on its way. Returns how many bytes there were.
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
            // Cut off in the middle of a character: its rest comes with the next read.
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

/// How much can be read now without waiting.
fn waiting_bytes(descriptor: i32) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the request writes one `c_int`; the pipe that has the descriptor is open.
    let done = unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut count) };
    if done == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

/// Waits until there is something to read, or the other end is gone.
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
