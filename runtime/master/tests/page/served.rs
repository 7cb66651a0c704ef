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

    /// What a page holds of a job once its stream has ended, and how it ended.
    pub fn follow(&self, session: &str, job: usize) -> (Followed, Value) {
        let mut followed = Followed::default();
        for (name, data) in self.stream(&format!("/api/v1/events/{session}/{job}")) {
            match name.as_str() {
                "changes" => followed.take(session, &data),
                "end" => return (followed, data),
                _ => {}
            }
        }
        panic!("the stream ended without a word");
    }
}

/// A job as a page puts it together from changes.
#[derive(Debug, Default)]
pub struct Followed {
    /// The last message.
    pub last: Value,
    /// Stages in their order.
    pub stages: Vec<Value>,
    /// Attempts as rows of numbers.
    pub attempts: Vec<Vec<u64>>,
    /// The most attempts in a message.
    pub most: usize,
}

impl Followed {
    pub fn take(&mut self, session: &str, data: &Value) {
        let row =
            |row: &Value| row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect::<Vec<_>>();
        for message in data.as_array().unwrap() {
            assert_eq!(message["session"], session);
            let first = message["first"].as_u64().unwrap() as usize;
            if first == 0 {
                *self = Self::default();
            }
            assert_eq!(first, self.attempts.len(), "attempts come without gaps");
            let added = message["added"].as_array().unwrap();
            self.most = self.most.max(added.len());
            self.attempts.extend(added.iter().map(row));
            for changed in message["changed"].as_array().unwrap() {
                let mut numbers = row(changed);
                let index = if numbers.is_empty() { 0 } else { numbers.remove(0) };
                self.attempts[index as usize] = numbers;
            }
            for stage in message["stages"].as_array().unwrap() {
                let order = stage["order"].as_u64().unwrap() as usize;
                self.stages.resize(self.stages.len().max(order + 1), Value::Null);
                self.stages[order] = stage.clone();
            }
            self.last = message.clone();
        }
    }

    /// The number at a place of an attempt's row; zeros at its end are not sent.
    pub fn number(&self, attempt: usize, place: usize) -> u64 {
        self.attempts[attempt].get(place).copied().unwrap_or(0)
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
