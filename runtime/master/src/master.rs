use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partita_wire::pool::master_server::MasterServer;
use partita_wire::{MESSAGE_BYTES, Token};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::service::Service;
use crate::state::Shared;
use crate::{MasterError, MasterOptions, View, liveness, results};

/// How long the master waits for peers to receive the last message when it stops.
const GOODBYE: Duration = Duration::from_secs(3);

/// The most calls that one peer can have open at a time.
const CALLS: u32 = 1024;

/// The most bytes in flight for one call and for all calls of one peer.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// A bound master. [`Master::serve`] makes it answer.
pub struct Master {
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Master {
    /// Checks the options and binds the address.
    ///
    /// # Errors
    /// When the options are inconsistent, a file cannot be read or the address cannot be bound.
    pub async fn bind(options: MasterOptions) -> Result<Self, MasterError> {
        let listen = options.listen;
        if options.token.is_none() && !listen.ip().is_loopback() {
            return Err(MasterError::NoToken { listen });
        }
        if options.heartbeat.is_zero() || options.lost_after <= options.heartbeat {
            return Err(MasterError::Options(format!(
                "a worker is lost after {:?} without a sign of life, but gives one only every {:?}; the first \
                 must be longer, three times or more",
                options.lost_after, options.heartbeat
            )));
        }
        results::check(&options)?;
        let spool = options.spool.clone();
        let spooled = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&spool).and_then(|()| tempfile::tempfile_in(&spool)).map(drop)
        });
        let spooled = spooled.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        spooled.map_err(|cause| MasterError::Spool { path: options.spool.clone(), cause })?;
        let listening = TcpListener::bind(listen).await;
        let listener = listening.map_err(|cause| MasterError::Listen { listen, cause })?;
        let address = listener.local_addr().map_err(|cause| MasterError::Listen { listen, cause })?;
        Ok(Self { shared: Arc::new(Shared::new(options)), listener, address })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A view of the pool, to display it.
    pub fn view(&self) -> View {
        let shared = self.shared.clone();
        View::new(move || shared.cluster())
    }

    /// The token that stops the master when it is cancelled.
    pub fn stop(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Answers calls until it is stopped. Then workers and sessions are notified, with a short time to
    /// receive the message.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn serve(self) -> Result<(), MasterError> {
        let Self { shared, listener, .. } = self;
        let options = &shared.options;
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(options.lost_after))
            .http2_keepalive_timeout(Some(options.lost_after))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(CALLS);
        if let Some(tls) = options.tls.server()? {
            server = server.tls_config(tls)?;
        }
        let service = MasterServer::new(Service(shared.clone())).max_decoding_message_size(MESSAGE_BYTES);
        let service = InterceptedService::new(service, Token::require(options.token.clone()));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let clock = tokio::spawn(liveness::clock(shared.clone()));
        let stopped = shared.stop.clone().cancelled_owned();
        let serving = server.add_service(service).serve_with_incoming_shutdown(incoming, stopped);
        let late = async {
            shared.stop.cancelled().await;
            shared.with(|state, _| state.say_goodbye());
            tokio::time::sleep(GOODBYE).await;
        };
        let served = tokio::select! {
            served = serving => served.map_err(MasterError::from),
            () = late => Ok(()),
        };
        shared.stop.cancel();
        shared.with(|state, _| state.hang_up());
        let _ = clock.await;
        served
    }
}
