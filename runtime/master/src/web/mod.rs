//! The master's page and everything else it answers over HTTP: live events, JSON in the format of Spark's
//! REST API, metrics, health. It shows the contents of [`View`] and [`History`] and changes nothing: every
//! request but the login is a GET. `guard` decides who may see it.

mod assets;
mod guard;
mod live;
mod pool;
mod spark;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use partita_wire::{Pem, TlsError, TlsFiles, Token};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::View;
use crate::history::History;

/// The most pages that may be open at a time.
const WATCHERS: usize = 256;
/// How long a client may take for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long clients may take to receive their last answer when the page stops.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// What the page shows, and to whom.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events that sessions sent about their jobs.
    pub history: Arc<History>,
    /// The pool. Without one, only the history is shown.
    pub view: Option<View>,
    /// The token that a reader must have. It may be absent on loopback only.
    pub token: Option<Token>,
    /// With an identity, the page is served over HTTPS only.
    pub tls: TlsFiles,
}

/// Why the page does not start, or why it stopped.
#[derive(Debug, Error)]
pub enum PageError {
    /// It would listen beyond this machine without a token.
    #[error(
        "the page at {listen} can be reached from other machines, and there is no token: set \
         PARTITA_TOKEN_FILE to a file that holds one (make it with `openssl rand -hex 32 > pool.token`), \
         or listen on 127.0.0.1"
    )]
    NoToken {
        /// The address it was to listen on.
        listen: SocketAddr,
    },
    /// A file of the certificate cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The files do not contain a certificate and its key.
    #[error(
        "the page cannot be served with the certificate that was given: {0}; --tls-cert wants a certificate \
         chain in PEM, --tls-key the private key of its first certificate"
    )]
    Certificate(io::Error),
    /// The transport failed.
    #[error("the page cannot be served: {0}")]
    Transport(#[from] io::Error),
}

/// The state that handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    page: Page,
    guard: Arc<guard::Guard>,
    watchers: Arc<Semaphore>,
    stopped: CancellationToken,
}

impl Page {
    /// Serves the page until `stop` is cancelled. Then open streams end, and answers in progress are
    /// finished.
    ///
    /// # Errors
    /// When the page would be open to anybody, the certificate cannot be used, or the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), PageError> {
        let listen = listener.local_addr()?;
        if self.token.is_none() && !listen.ip().is_loopback() {
            return Err(PageError::NoToken { listen });
        }
        let acceptor = match self.tls.pem()? {
            Some(Pem { certificate, key }) => {
                let config =
                    RustlsConfig::from_pem(certificate, key).await.map_err(PageError::Certificate)?;
                Some(RustlsAcceptor::new(config))
            }
            None => None,
        };
        let (handle, stopped) = (Handle::new(), CancellationToken::new());
        let server = axum_server::from_tcp(listener.into_std()?)?;
        let server = server.handle(handle.clone()).first_request_timeout(FIRST_REQUEST);
        let page = self.router(stopped.clone()).into_make_service();
        let served = async {
            match acceptor {
                Some(acceptor) => server.acceptor(acceptor).serve(page).await,
                None => server.serve(page).await,
            }
        };
        tokio::pin!(served);
        tokio::select! {
            ended = &mut served => return Ok(ended?),
            () = stop => {}
        }
        stopped.cancel();
        handle.graceful_shutdown(Some(LAST_ANSWER));
        Ok(served.await?)
    }

    fn router(self, stopped: CancellationToken) -> Router {
        let guard = Arc::new(guard::Guard::new(self.token.clone(), self.tls.identity.is_some()));
        let watchers = Arc::new(Semaphore::new(WATCHERS));
        let shared = Shared { page: self, guard, watchers, stopped };
        Router::new()
            .route("/", get(assets::page))
            .route("/metrics", get(metrics))
            .route("/api/v1/pool", get(pool::pool))
            .route("/api/v1/events", get(live::pool))
            .route("/api/v1/events/{session}/{job}", get(live::job))
            .merge(spark::routes())
            .layer(middleware::from_fn_with_state(shared.clone(), guard::check))
            // Assets are not secret, and the login needs them.
            .route("/assets/{name}", get(assets::asset))
            .route("/login", get(guard::form).post(guard::login).layer(DefaultBodyLimit::max(4096)))
            .layer(middleware::from_fn_with_state(shared.clone(), guard::headers))
            .route("/healthz", get(|| async { "ok\n" }))
            .fallback(|| async { plain(StatusCode::NOT_FOUND, "There is nothing at this address.\n") })
            .with_state(shared)
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match crate::metrics::text(&shared.page.history, shared.page.view.as_ref()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be written.\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}
