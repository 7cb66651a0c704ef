use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use partita_master::{History, HistoryLimits, Page, View};
use partita_wire::{TlsFiles, Token};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A page that is served until this is dropped.
pub struct Served {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub fn new(history: &Arc<History>, view: Option<View>, token: Option<&str>) -> Self {
        let token = token.map(|text| Token::new(text, "the test").unwrap());
        Self::page(Page { history: history.clone(), view, token, tls: TlsFiles::default() })
    }

    pub fn page(page: Page) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                page.serve(listener, async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and text of an answer to a request with these headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        self.get_with(path, &[])
    }

    pub fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The messages of a stream of events, as pairs of kind and data.
    pub fn stream(&self, path: &str) -> impl Iterator<Item = (String, Value)> + use<> {
        let answer = agent().get(self.url(path)).call().unwrap();
        assert_eq!(answer.status(), 200);
        let mut kind = String::new();
        BufReader::new(answer.into_body().into_reader()).lines().map_while(Result::ok).filter_map(
            move |line| {
                if let Some(name) = line.strip_prefix("event: ") {
                    kind = name.to_owned();
                }
                Some((kind.clone(), serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
            },
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build().into()
}

pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The log of a made-up run: three workers, one of them lost; failures, a speculative copy, skew, a failed
/// job.
pub fn recorded() -> Arc<History> {
    let (history, replayed) = History::replay(&data(), HistoryLimits::default()).unwrap();
    assert_eq!((replayed.sessions, replayed.unreadable), (1, 0));
    Arc::new(history)
}

pub const APP: &str = "/api/v1/applications/session-1763909000000-1";
