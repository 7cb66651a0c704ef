//! One connection to a master: connecting, the handshake, and the stream in both directions.

use std::error::Error;
use std::io;
use std::time::Duration;

use futures::StreamExt;
use partita_wire::pool::master_client::MasterClient;
use partita_wire::pool::{
    FromSession, SessionHello, SessionOpened, ToSession, Versions, from_session, to_session,
};
use partita_wire::{MESSAGE_BYTES, QUEUE, Token, is_distrust, root, words};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use super::error::PoolError;
use super::options::{Address, PoolOptions, tls, token};

/// How often a silent connection is checked, and how long the check may take.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The flow-control windows of a call and of the connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Adds the token to every call.
#[derive(Clone)]
pub(super) struct SendToken(Option<Token>);

impl Interceptor for SendToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        Token::send(self.0.clone()).call(request)
    }
}

pub(super) type Client = MasterClient<InterceptedService<Channel, SendToken>>;

/// An open connection.
#[derive(Clone)]
pub(super) struct Link {
    pub client: Client,
    /// The master's number for this session.
    pub session: u64,
    /// Counts the session's connections.
    pub connection: u64,
    /// The stream to the master ends when the last clone of this is dropped.
    pub outgoing: mpsc::Sender<FromSession>,
    /// Cancelled when no more messages can be received.
    pub gone: CancellationToken,
}

/// The connection takes no more messages.
#[derive(Debug, Error)]
#[error("the connection broke")]
pub(super) struct Broken;

impl Link {
    /// Sends a message, and waits while too many are queued. Can be called from a thread of another
    /// runtime.
    pub fn send(&self, message: from_session::Message) -> Result<(), Broken> {
        send(&self.outgoing, message)
    }
}

/// See [`Link::send`].
pub(super) fn send(
    outgoing: &mpsc::Sender<FromSession>,
    message: from_session::Message,
) -> Result<(), Broken> {
    let message = FromSession { message: Some(message) };
    futures::executor::block_on(outgoing.send(message)).map_err(|_| Broken)
}

/// The parts of a new connection.
pub(super) struct Opened {
    pub client: Client,
    pub outgoing: mpsc::Sender<FromSession>,
    pub incoming: Streaming<ToSession>,
    pub hello: SessionOpened,
}

/// Connects to the master and opens a session.
pub(super) async fn open(options: &PoolOptions, address: &Address) -> Result<Opened, PoolError> {
    let at = address.host_and_port();
    let patience = options.connect_timeout;
    let late = || PoolError::NothingListens { at: at.clone(), cause: format!("no answer in {patience:?}") };
    let no_host =
        |cause: io::Error| PoolError::NoHost { host: address.host.clone(), cause: cause.to_string() };
    let token = token(options)?;
    let tls = tls(options, address)?;
    let found = timeout(patience, tokio::net::lookup_host(at.clone())).await.map_err(|_| late())?;
    let found = found.map_err(no_host)?.count();
    if found == 0 {
        return Err(no_host(io::Error::other("the name has no address")));
    }
    let no_master = |error: &dyn Error| match root(error) {
        cause if is_distrust(&cause) => PoolError::Certificate { at: at.clone(), cause },
        cause => PoolError::NoMaster { at: at.clone(), cause },
    };
    let mut endpoint = Endpoint::from_shared(address.uri(tls.is_some()))
        .map_err(|error| no_master(&error))?
        .connect_timeout(patience)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls).map_err(|error| no_master(&error))?;
    }
    let channel = timeout(patience, endpoint.connect()).await.map_err(|_| late())?;
    let channel = channel.map_err(|error| match system_error(&error) {
        Some(cause) => PoolError::NothingListens { at: at.clone(), cause: cause.to_string() },
        None => no_master(&error),
    })?;
    let mut client = MasterClient::with_interceptor(channel, SendToken(token))
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES);

    let (outgoing, messages) = mpsc::channel(QUEUE);
    let versions = Some(Versions::new(polars::VERSION));
    let hello = SessionHello { versions, name: options.name.clone() };
    let hello = FromSession { message: Some(from_session::Message::Hello(hello)) };
    let first = futures::stream::once(std::future::ready(hello));
    let refused = |status: Status| refusal(&at, &status);
    let messages = first.chain(ReceiverStream::new(messages));
    let mut incoming =
        timeout(patience, client.open(messages)).await.map_err(|_| late())?.map_err(refused)?.into_inner();
    let opened = timeout(patience, incoming.message()).await.map_err(|_| late())?.map_err(refused)?;
    match opened.and_then(|message| message.message) {
        Some(to_session::Message::Opened(hello)) => Ok(Opened { client, outgoing, incoming, hello }),
        _ => Err(PoolError::NoMaster { at, cause: "it did not open a session".into() }),
    }
}

fn refusal(at: &str, status: &Status) -> PoolError {
    let (at, cause) = (at.to_owned(), status.message().to_owned());
    match status.code() {
        Code::Unauthenticated => PoolError::Token { at, cause },
        Code::FailedPrecondition | Code::ResourceExhausted => PoolError::Refused { at, cause },
        _ => PoolError::NoMaster { at, cause: words(status) },
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The system's error in a failed connection attempt.
fn system_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
    chain(error).filter_map(|error| error.downcast_ref::<io::Error>()).find(|error| {
        matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | TimedOut)
    })
}
