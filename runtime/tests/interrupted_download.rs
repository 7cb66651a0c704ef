//! Interrupting a download: alone in its process, because an interrupt reaches everything in it.

use std::fs;
use std::sync::mpsc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use futures::StreamExt;
use partita::taxi::{DownloadOptions, TaxiError, TripSpec, download_with, generate};

#[test]
fn an_interrupt_ends_a_download_that_stands_still_and_the_next_call_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let spec = TripSpec { rows: 5_000, ..TripSpec::default() };
    let files = generate(spec).unwrap().write_parquet(directory.path().join("made")).unwrap();
    let bytes = Bytes::from(fs::read(&files[0]).unwrap());
    let half = bytes.len() / 2;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, requests) = mpsc::channel();
    let sent = bytes.clone();
    let app = Router::new().fallback(move |headers: HeaderMap| {
        let range = headers.get(header::RANGE).map(|range| range.to_str().unwrap().to_owned());
        let (sent, all) = (sent.clone(), sent.len());
        asked.send(range.clone()).unwrap();
        async move {
            let Some(range) = range else {
                // The first half, and then nothing more.
                let first = futures::stream::iter([Ok::<_, std::io::Error>(sent.slice(..half))]);
                let head = [(header::CONTENT_LENGTH, all.to_string()), (header::ETAG, "\"a\"".to_owned())];
                return (head, Body::from_stream(first.chain(futures::stream::pending()))).into_response();
            };
            let from: usize = range["bytes=".len()..].trim_end_matches('-').parse().unwrap();
            let range = format!("bytes {from}-{}/{all}", all - 1);
            let status = axum::http::StatusCode::PARTIAL_CONTENT;
            (status, [(header::CONTENT_RANGE, range)], Body::from(sent.slice(from..))).into_response()
        }
    });
    runtime.spawn(async move { axum::serve(listener, app).await });

    let options = DownloadOptions { address, directory: directory.path().join("kept") };
    let part = options.directory.join("yellow_tripdata_2019-03.parquet.part");
    let waiting = options.clone();
    let download = std::thread::spawn(move || download_with("2019-03", &waiting));
    assert_eq!(requests.recv().unwrap(), None);
    while fs::metadata(&part).map_or(0, |file| file.len()) < half as u64 {
        std::thread::yield_now();
    }
    partita::cancel::cancel();
    let error = download.join().unwrap().unwrap_err();
    assert!(matches!(error, TaxiError::Interrupted { bytes, .. } if bytes == half as u64), "{error}");

    partita::cancel::next_cell();
    assert_eq!(fs::read(download_with("2019-03", &options).unwrap()).unwrap(), bytes);
    assert_eq!(requests.recv().unwrap(), Some(format!("bytes={half}-")));
}
