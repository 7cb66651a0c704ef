use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, header};

use super::part::{Origin, Part};
use super::whole;
use crate::cancel::{self, Token};
use crate::display::Progress;
use crate::taxi::TaxiError;

/// Bytes per read.
const CHUNK_BYTES: usize = 128 << 10;
/// The most chunks that wait to be written.
const CHUNKS: usize = 8;
/// More than any month has: an endless answer must not fill the disk.
const MOST_BYTES: u64 = 8 << 30;
/// A connection that is silent for this long is abandoned.
const SILENCE: Duration = Duration::from_secs(20);
/// How soon an interrupt is noticed.
const CANCEL_CHECK: Duration = Duration::from_millis(50);

/// Why an attempt failed.
enum Failure {
    /// Another attempt would end in the same way.
    Final(TaxiError),
    /// Another attempt may succeed.
    Passing(String),
}

impl From<TaxiError> for Failure {
    fn from(error: TaxiError) -> Self {
        Self::Final(error)
    }
}

/// Downloads `address` into `file` completely.
pub(super) fn fetch(
    address: &str,
    month: &str,
    file: &Path,
    waits: &ExponentialBuilder,
) -> Result<(), TaxiError> {
    let mut part = Part::open(file, address).map_err(TaxiError::io("write", file))?;
    let progress = Progress::bytes();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    progress.set_message(&*name);
    let mut transfer = Transfer { address, month, file, progress, token: cancel::current() };
    let mut left = waits.build();
    loop {
        let before = part.len();
        let cause = match transfer.attempt(&mut part) {
            Ok(()) => break,
            Err(Failure::Final(error)) => {
                if part.len() == 0 || matches!(error, TaxiError::NotTrips { .. }) {
                    part.discard();
                }
                return Err(error);
            }
            Err(Failure::Passing(cause)) => cause,
        };
        if part.len() > before {
            left = waits.build();
        }
        let Some(wait) = left.next() else {
            let (address, file, bytes) = (address.to_owned(), file.to_owned(), part.len());
            return Err(TaxiError::Broken { address, cause, file, bytes });
        };
        transfer.progress.set_message(format!("{name}, trying again"));
        transfer.pause(wait, &part)?;
        transfer.progress.set_message(&*name);
    }
    transfer.progress.finish();
    if let Err(why) = whole::check(part.path()) {
        part.discard();
        return Err(TaxiError::NotTrips { address: address.to_owned(), why });
    }
    part.keep(file).map_err(TaxiError::io("write", file))
}

struct Transfer<'a> {
    address: &'a str,
    month: &'a str,
    file: &'a Path,
    progress: Progress,
    token: Token,
}

impl Transfer<'_> {
    /// Sends one request and handles its answer.
    fn attempt(&mut self, part: &mut Part) -> Result<(), Failure> {
        if part.is_complete() {
            return Ok(());
        }
        let messages = request(self.address, part.resume());
        let Message::Head(status, headers) = self.next(&messages, part)? else {
            return Err(Failure::Passing("the server sent no answer".to_owned()));
        };
        self.begin(status, &headers, part)?;
        self.progress.set_position(part.len());
        if let Some(total) = part.total() {
            self.progress.set_total(total);
        }
        loop {
            match self.next(&messages, part)? {
                Message::Bytes(bytes) => self.take(&bytes, part)?,
                Message::End => break,
                Message::Head(..) => {}
            }
        }
        match part.total() {
            Some(total) if part.len() < total => {
                Err(Failure::Passing(format!("the connection ended after {} of {total} bytes", part.len())))
            }
            _ => Ok(()),
        }
    }

    /// Decides from the server's answer what happens to the bytes that are here.
    fn begin(&self, status: StatusCode, headers: &HeaderMap, part: &mut Part) -> Result<(), Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let validator = || {
            // A weak tag means that the content is equivalent, not that its bytes are the same.
            let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
            tag.or_else(|| text(header::LAST_MODIFIED)).map(str::to_owned)
        };
        let origin = |total| Origin { address: self.address.to_owned(), validator: validator(), total };
        let restart = |part: &mut Part, total| {
            part.restart(origin(total)).map_err(|error| TaxiError::io("write", part.path())(error))
        };
        match status {
            // The whole file, from the beginning: the server does not support ranges, or the file has
            // changed.
            StatusCode::OK => {
                let total = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
                if total.is_some_and(|total| total > MOST_BYTES) {
                    return Err(self.not_trips("its announced size is more than 8 GiB").into());
                }
                Ok(restart(part, total)?)
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = text(header::CONTENT_RANGE).and_then(parse_range);
                if range
                    .is_some_and(|(from, all)| from == part.len() && (all.is_none() || all == part.total()))
                {
                    return Ok(());
                }
                restart(part, None)?;
                Err(Failure::Passing("the server sent another part of the file than requested".to_owned()))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                restart(part, None)?;
                Err(Failure::Passing("the file has changed and is shorter now".to_owned()))
            }
            // TLC's server answers 403 for files that do not exist.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => {
                let (month, address) = (self.month.to_owned(), self.address.to_owned());
                Err(TaxiError::NotPublished { month, address }.into())
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(Failure::Passing(format!("the server answered {status}")))
            }
            status if status.is_server_error() => {
                Err(Failure::Passing(format!("the server answered {status}")))
            }
            status => {
                Err(TaxiError::Refused { address: self.address.to_owned(), status: status.to_string() }
                    .into())
            }
        }
    }

    fn take(&self, bytes: &[u8], part: &mut Part) -> Result<(), Failure> {
        let at = part.len() as usize;
        // A page of HTML is detected at once, not after a hundred megabytes.
        if at < whole::MAGIC.len() {
            let expected = &whole::MAGIC[at..];
            let length = expected.len().min(bytes.len());
            if bytes[..length] != expected[..length] {
                let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
                return Err(self.not_trips(&format!("it begins with {start:?}")).into());
            }
        }
        let after = part.len() + bytes.len() as u64;
        if after > part.total().unwrap_or(MOST_BYTES) {
            return Err(self.not_trips("it is longer than announced").into());
        }
        part.write(bytes).map_err(|error| TaxiError::io("write", part.path())(error))?;
        self.progress.set_position(part.len());
        Ok(())
    }

    fn not_trips(&self, why: &str) -> TaxiError {
        TaxiError::NotTrips { address: self.address.to_owned(), why: why.to_owned() }
    }

    /// The next message, or the interrupt if it comes first.
    fn next(&self, messages: &Receiver<Result<Message, String>>, part: &Part) -> Result<Message, Failure> {
        loop {
            match messages.recv_timeout(CANCEL_CHECK) {
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(cause)) => return Err(Failure::Passing(cause)),
                Err(RecvTimeoutError::Timeout) => self.look(part)?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Passing("the transfer ended early".to_owned()));
                }
            }
        }
    }

    fn look(&self, part: &Part) -> Result<(), TaxiError> {
        if self.token.is_cancelled() {
            return Err(TaxiError::Interrupted { file: self.file.to_owned(), bytes: part.len() });
        }
        Ok(())
    }

    fn pause(&self, wait: Duration, part: &Part) -> Result<(), TaxiError> {
        let until = Instant::now() + wait;
        loop {
            self.look(part)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(CANCEL_CHECK));
        }
    }
}

/// A message from the request's thread.
enum Message {
    Head(StatusCode, HeaderMap),
    Bytes(Vec<u8>),
    End,
}

/// Sends a request on a thread of its own, so that an interrupted caller need not wait for the network. The
/// thread ends with the answer, or when the receiver is dropped.
fn request(address: &str, resume: Option<(u64, &str)>) -> Receiver<Result<Message, String>> {
    let (send, messages) = sync_channel(CHUNKS);
    let address = address.to_owned();
    let resume = resume.map(|(from, validator)| (format!("bytes={from}-"), validator.to_owned()));
    let failed = send.clone();
    let work = move || {
        if let Err(error) = answer(&address, resume, &send) {
            let _ = send.send(Err(error.to_string()));
        }
    };
    if let Err(error) = thread::Builder::new().name("download".to_owned()).spawn(work) {
        let _ = failed.send(Err(error.to_string()));
    }
    messages
}

fn answer(
    address: &str,
    resume: Option<(String, String)>,
    send: &SyncSender<Result<Message, String>>,
) -> Result<(), ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("partita/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .into();
    // Compressed in transit, its bytes could not be counted.
    let mut request = agent.get(address).header(header::ACCEPT_ENCODING, "identity");
    if let Some((range, validator)) = resume {
        request = request.header(header::RANGE, range).header(header::IF_RANGE, validator);
    }
    let (head, body) = request.call()?.into_parts();
    if send.send(Ok(Message::Head(head.status, head.headers))).is_err() {
        return Ok(());
    }
    let mut body = body.into_reader();
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let length = body.read(&mut chunk)?;
        chunk.truncate(length);
        let message = if length == 0 { Message::End } else { Message::Bytes(chunk) };
        if send.send(Ok(message)).is_err() || length == 0 {
            return Ok(());
        }
    }
}

/// Parses `bytes 100-199/200`: the start, and the total number of bytes.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, all) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, all.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn a_content_range_says_where_it_begins_and_how_much_there_is() {
        assert_eq!(parse_range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(parse_range("bytes 100-199/*"), Some((100, None)));
        for wrong in ["", "bytes", "bytes */200", "items 1-2/3", "bytes x-1/2"] {
            assert_eq!(parse_range(wrong), None, "{wrong}");
        }
    }
}
