//! Months from a local server that behaves as real servers and networks do.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use backon::ExponentialBuilder;
use futures::StreamExt;
use tokio::runtime::Runtime;

use crate::taxi::download::fetch;
use crate::taxi::{DownloadOptions, TaxiError, TripSpec, generate, read};

const MONTH: &str = "2019-03";
const NAME: &str = "yellow_tripdata_2019-03.parquet";
/// Where connections are cut: in the middle of a row group.
const CUT: usize = 100_000;

/// An HTTP server that answers the n-th request as the test wants, and records the requests.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
    _runtime: Runtime,
}

impl Server {
    fn new(answer: impl Fn(usize, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        let answer = Arc::new(answer);
        let app = Router::new().fallback(move |headers: HeaderMap| {
            let mut heard = heard.lock().unwrap();
            heard.push(headers.clone());
            let response = answer(heard.len(), &headers);
            async move { response }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}/trip-data", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, asked, _runtime: runtime }
    }

    /// A header of every request, if present.
    fn asked(&self, name: HeaderName) -> Vec<Option<String>> {
        let text = |headers: &HeaderMap| headers.get(&name).map(|value| value.to_str().unwrap().to_owned());
        self.asked.lock().unwrap().iter().map(text).collect()
    }
}

/// The file as a server with range support sends it; the connection ends after `cut` bytes of the file.
fn file(bytes: &Bytes, tag: &'static str, headers: &HeaderMap, cut: Option<usize>) -> Response {
    let range = headers.get(header::RANGE).map(|range| range.to_str().unwrap());
    let unchanged = headers.get(header::IF_RANGE).is_none_or(|expected| expected == tag);
    let from = range
        .filter(|_| unchanged)
        .map_or(0, |range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let status = if from > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut all = vec![
        (header::ETAG, tag.to_owned()),
        (header::CONTENT_LENGTH, (bytes.len() - from).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    if from > 0 {
        all.push((header::CONTENT_RANGE, format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())));
    }
    let mut response = (status, sent(bytes, from, cut)).into_response();
    for (name, value) in all {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// The same from a server without support for ranges and versions.
fn plain(bytes: &Bytes, cut: Option<usize>) -> Response {
    let length = [(header::CONTENT_LENGTH, bytes.len().to_string())];
    (length, sent(bytes, 0, cut)).into_response()
}

fn sent(bytes: &Bytes, from: usize, cut: Option<usize>) -> Body {
    let piece = bytes.slice(from..cut.unwrap_or(bytes.len()).max(from));
    let first = futures::stream::iter([Ok(piece)]);
    let end = futures::stream::once(async {
        // Queued bytes are sent before the connection breaks.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut"))
    });
    if cut.is_some() { Body::from_stream(first.chain(end)) } else { Body::from_stream(first) }
}

/// A month of trips, as bytes of a Parquet file.
fn month(seed: u64) -> Bytes {
    let directory = tempfile::tempdir().unwrap();
    let spec = TripSpec { rows: 5_000, seed, row_group_rows: 1_000, ..TripSpec::default() };
    let files = generate(spec).unwrap().write_parquet(directory.path()).unwrap();
    let bytes = Bytes::from(fs::read(&files[0]).unwrap());
    assert!(bytes.len() > 2 * CUT, "{}", bytes.len());
    bytes
}

struct Fixture {
    directory: tempfile::TempDir,
    server: Server,
}

impl Fixture {
    fn new(answer: impl Fn(usize, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), server: Server::new(answer) }
    }

    fn options(&self) -> DownloadOptions {
        DownloadOptions { address: self.server.address.clone(), directory: self.directory.path().into() }
    }

    /// Fetches with this many retries after the first request.
    fn fetch(&self, tries: usize) -> Result<PathBuf, TaxiError> {
        let waits = ExponentialBuilder::default().with_min_delay(Duration::ZERO).with_max_times(tries);
        fetch(MONTH, &self.options(), &waits)
    }

    /// The files in the directory, without the lock.
    fn files(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(self.directory.path()).unwrap().map(name).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }
}

#[test]
fn a_month_is_fetched_once_and_read_as_trips() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture = Fixture::new(move |_, headers| file(&sent, "\"a\"", headers, None));
    let path = fixture.fetch(0).unwrap();
    assert_eq!(path, fixture.directory.path().join(NAME));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(read(&path).unwrap().report().unwrap().rows_clean, 5_000);
    assert_eq!(fixture.fetch(0).unwrap(), path);
    assert_eq!(fixture.server.asked(header::RANGE), [None], "the second time there is no request");
    assert_eq!(fixture.files(), [NAME]);
}

#[test]
fn a_connection_cut_in_the_middle_goes_on_where_it_ended() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture =
        Fixture::new(move |request, headers| file(&sent, "\"a\"", headers, (request == 1).then_some(CUT)));
    assert_eq!(fs::read(fixture.fetch(1).unwrap()).unwrap(), bytes);
    assert_eq!(fixture.server.asked(header::RANGE), [None, Some(format!("bytes={CUT}-"))]);
    assert_eq!(fixture.server.asked(header::IF_RANGE), [None, Some("\"a\"".to_owned())]);
}

#[test]
fn tries_begin_anew_whenever_something_has_come() {
    let bytes = month(1);
    let sent = bytes.clone();
    // The connection ends after a tenth, two tenths and so on of the file.
    let fixture = Fixture::new(move |request, headers| {
        file(&sent, "\"a\"", headers, (request < 10).then_some(sent.len() * request / 10))
    });
    assert_eq!(fs::read(fixture.fetch(1).unwrap()).unwrap(), bytes);
    assert_eq!(fixture.server.asked(header::RANGE).len(), 10);
}

#[test]
fn what_came_before_the_last_error_is_kept_for_the_next_call() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture =
        Fixture::new(move |request, headers| file(&sent, "\"a\"", headers, (request == 1).then_some(CUT)));
    let error = fixture.fetch(0).unwrap_err();
    assert!(matches!(error, TaxiError::Broken { bytes, .. } if bytes == CUT as u64), "{error}");
    assert!(error.to_string().contains("0.1 MB downloaded so far are kept"), "{error}");
    assert_eq!(fixture.files(), [format!("{NAME}.part"), format!("{NAME}.part.json")]);
    assert_eq!(fs::read(fixture.fetch(0).unwrap()).unwrap(), bytes);
    assert_eq!(fixture.server.asked(header::RANGE), [None, Some(format!("bytes={CUT}-"))]);
    assert_eq!(fixture.files(), [NAME]);
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_of_it_again() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture = Fixture::new(move |request, _| plain(&sent, (request == 1).then_some(CUT)));
    assert_eq!(fs::read(fixture.fetch(1).unwrap()).unwrap(), bytes);
    // Without a version it is unknown whether the rest belongs to the same file.
    assert_eq!(fixture.server.asked(header::RANGE), [None, None]);
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_from_its_beginning() {
    let (old, new) = (month(1), month(2));
    let sent = new.clone();
    let fixture = Fixture::new(move |request, headers| match request {
        1 => file(&old, "\"old\"", headers, Some(CUT)),
        _ => file(&sent, "\"new\"", headers, None),
    });
    assert_eq!(fs::read(fixture.fetch(1).unwrap()).unwrap(), new);
    assert_eq!(fixture.server.asked(header::IF_RANGE), [None, Some("\"old\"".to_owned())]);
}

#[test]
fn a_part_that_does_not_fit_is_not_appended() {
    let (old, new) = (month(1), month(2));
    assert_ne!(old.len(), new.len());
    let sent = new.clone();
    let fixture = Fixture::new(move |request, headers| match request {
        1 => file(&old, "\"old\"", headers, Some(CUT)),
        // Sends the rest of another file, whatever is requested.
        2 => {
            let mut asked = headers.clone();
            asked.remove(header::IF_RANGE);
            file(&sent, "\"new\"", &asked, None)
        }
        _ => file(&sent, "\"new\"", headers, None),
    });
    assert_eq!(fs::read(fixture.fetch(2).unwrap()).unwrap(), new);
    assert_eq!(fixture.server.asked(header::RANGE), [None, Some(format!("bytes={CUT}-")), None]);
}

#[test]
fn a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture = Fixture::new(move |request, headers| match request {
        1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        2 => StatusCode::TOO_MANY_REQUESTS.into_response(),
        _ => file(&sent, "\"a\"", headers, None),
    });
    assert_eq!(fs::read(fixture.fetch(2).unwrap()).unwrap(), bytes);

    let fixture = Fixture::new(|_, _| StatusCode::PROXY_AUTHENTICATION_REQUIRED.into_response());
    let error = fixture.fetch(2).unwrap_err();
    assert!(matches!(&error, TaxiError::Refused { status, .. } if status.starts_with("407")), "{error}");
    assert_eq!(fixture.server.asked(header::RANGE).len(), 1);
}

#[test]
fn a_month_that_is_not_there_is_an_error_that_says_so_and_leaves_nothing() {
    for status in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN] {
        let fixture = Fixture::new(move |_, _| (status, "<Error/>").into_response());
        let error = fixture.fetch(2).unwrap_err();
        assert!(matches!(&error, TaxiError::NotPublished { month, .. } if month == MONTH), "{error}");
        assert!(error.to_string().contains("two months"), "{error}");
        assert_eq!(fixture.server.asked(header::RANGE).len(), 1);
        assert_eq!(fixture.files(), Vec::<String>::new());
    }
    let error = fetch("2019-3", &DownloadOptions::default(), &ExponentialBuilder::default()).unwrap_err();
    assert!(error.to_string().contains("such as `2019-03`"), "{error}");
}

#[test]
fn what_is_no_month_of_trips_is_never_given_out_and_not_kept() {
    let whole = month(1);
    let half = whole.slice(..whole.len() / 2);
    let mut damaged = whole.to_vec();
    damaged[CUT..CUT + 5_000].fill(0xA5);
    let other = {
        use polars::prelude::*;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut df!("price" => [1, 2, 3]).unwrap()).unwrap();
        bytes
    };
    for (bytes, why) in [
        (Bytes::from_static(b"<html>Log in to the hotel's network</html>"), "begins with \"<html>"),
        (half, "not a Parquet file"),
        (damaged.into(), "not a Parquet file"),
        (other.into(), "these are not TLC taxi trips"),
    ] {
        let fixture = Fixture::new(move |_, headers| file(&bytes, "\"a\"", headers, None));
        let error = fixture.fetch(2).unwrap_err();
        assert!(matches!(error, TaxiError::NotTrips { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(fixture.files(), Vec::<String>::new());
        assert_eq!(fixture.server.asked(header::RANGE).len(), 1, "a retry would not help");
    }
}

#[test]
fn a_file_that_was_cut_on_disk_is_fetched_again() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture = Fixture::new(move |_, headers| file(&sent, "\"a\"", headers, None));
    fs::write(fixture.directory.path().join(NAME), &bytes[..CUT]).unwrap();
    assert_eq!(fs::read(fixture.fetch(0).unwrap()).unwrap(), bytes);
}

#[test]
fn of_two_that_want_the_same_month_one_fetches_it() {
    let bytes = month(1);
    let sent = bytes.clone();
    let fixture = Fixture::new(move |_, headers| file(&sent, "\"a\"", headers, None));
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| fixture.fetch(0).unwrap()));
        for one in both {
            assert_eq!(fs::read(one.join().unwrap()).unwrap(), bytes);
        }
    });
    assert_eq!(fixture.server.asked(header::RANGE).len(), 1);
}

#[test]
fn where_nobody_answers_the_error_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    // Nothing listens on the port of a closed listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}");
    let options = DownloadOptions { address, directory: directory.path().into() };
    let waits = ExponentialBuilder::default().with_min_delay(Duration::ZERO).with_max_times(1);
    let error = fetch(MONTH, &options, &waits).unwrap_err();
    assert!(matches!(error, TaxiError::Broken { bytes: 0, .. }), "{error}");
    assert!(error.to_string().contains("check the network"), "{error}");
}
