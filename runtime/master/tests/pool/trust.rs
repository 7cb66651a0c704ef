use std::fs;
use std::future::poll_fn;
use std::time::Duration;

use partita_master::{Master, MasterError, MasterOptions};
use partita_wire::pool::master_client::MasterClient;
use partita_wire::pool::{
    BlobPart, BlobRequest, FromSession, FromWorker, SessionHello, TaskKey, Versions, WorkerHello,
    from_session, from_worker,
};
use partita_wire::{Identity, MESSAGE_BYTES, TlsFiles, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::http;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use crate::peers::*;

/// Nothing remains of a peer that was rejected.
fn untouched(pool: &Pool) {
    let cluster = pool.cluster();
    assert_eq!((cluster.workers.len(), cluster.sessions.len(), cluster.blob_bytes), (0, 0, 0));
    assert_eq!((cluster.totals.workers_joined, cluster.totals.sessions_opened), (0, 0));
}

#[tokio::test]
async fn without_the_token_every_call_is_refused_and_nothing_happens() {
    let token = Token::new("correct horse", "the test").unwrap();
    let pool = Pool::start(MasterOptions { token: Some(token.clone()), ..options() }).await;
    let wrong = Token::new("wrong horse", "the test").unwrap();
    for token in [None, Some(wrong)] {
        let channel = Endpoint::from_shared(format!("http://{}", pool.address)).unwrap().connect_lazy();
        let mut client = MasterClient::with_interceptor(channel, Token::send(token));
        let worker = from_worker(from_worker::Message::Hello(worker_hello("one", 1, "127.0.0.1:9")));
        let session = from_session(from_session::Message::Hello(session_hello("notebook")));
        let refusals: [Status; 5] = [
            client.work(tokio_stream::once(worker)).await.unwrap_err(),
            client.open(tokio_stream::once(session)).await.unwrap_err(),
            client.put_blob(tokio_stream::once(BlobPart::default())).await.unwrap_err(),
            client.get_blob(BlobRequest::default()).await.unwrap_err(),
            client.get_result(TaskKey::default()).await.unwrap_err(),
        ];
        for status in refusals {
            assert_eq!(status.code(), Code::Unauthenticated);
            assert!(!status.message().contains("horse"), "{status}");
        }
    }
    untouched(&pool);
    pool.stop().await;
}

#[tokio::test]
async fn other_versions_are_refused_with_both_named() {
    let pool = Pool::usual().await;
    let other = || Some(Versions::new("0.54.9"));
    let hello = WorkerHello { versions: other(), ..worker_hello("one", 1, "127.0.0.1:9") };
    let worker = Worker::say_hello(&pool, hello).await.err().unwrap();
    let hello = SessionHello { versions: other(), name: "notebook".into() };
    let session = Session::say_hello(&pool, hello).await.err().unwrap();
    for (status, peer) in [(worker, "worker"), (session, "session")] {
        assert_eq!(status.code(), Code::FailedPrecondition);
        for word in [peer, "0.54.9", POLARS] {
            assert!(status.message().contains(word), "{status}");
        }
    }
    let silent = SessionHello { versions: None, name: "notebook".into() };
    assert_eq!(Session::say_hello(&pool, silent).await.err().unwrap().code(), Code::FailedPrecondition);
    untouched(&pool);
    pool.stop().await;
}

#[tokio::test]
async fn a_hello_that_makes_no_sense_is_refused() {
    let pool = Pool::usual().await;
    for (slots, address) in
        [(0, "127.0.0.1:9"), (1 << 20, "127.0.0.1:9"), (1, ""), (1, "no port"), (1, "a b:80")]
    {
        let status = Worker::say_hello(&pool, worker_hello("one", slots, address)).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{slots} {address}: {status}");
    }
    let mut client = pool.dial().await;
    let nothing = client.work(tokio_stream::once(FromWorker { message: None })).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let nothing = client.open(tokio_stream::empty::<FromSession>()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    untouched(&pool);
    pool.stop().await;
}

#[tokio::test]
async fn more_workers_or_sessions_than_there_may_be_are_refused() {
    let mut options = options();
    (options.limits.workers, options.limits.sessions) = (1, 1);
    let pool = Pool::start(options).await;
    let _worker = Worker::join(&pool, "one", 1).await;
    let _session = Session::open(&pool, "one").await;
    let worker = Worker::say_hello(&pool, worker_hello("two", 1, "127.0.0.1:9")).await.err().unwrap();
    let session = Session::say_hello(&pool, session_hello("two")).await.err().unwrap();
    assert_eq!((worker.code(), session.code()), (Code::ResourceExhausted, Code::ResourceExhausted));
    pool.stop().await;
}

#[tokio::test]
async fn garbage_on_the_port_disturbs_nobody() {
    let pool = Pool::usual().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let with_preface = [&preface[..], &noise].concat();
    let frame_too_long = [&preface[..], &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1], &noise].concat();
    for bytes in
        [&noise[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &with_preface, &frame_too_long, &preface[..9]]
    {
        let mut socket = TcpStream::connect(pool.address).await.unwrap();
        // The master may close the socket before everything is written.
        let _ = socket.write_all(bytes).await;
        let _ = socket.shutdown().await;
        let _ = soon("the connection's end", socket.read_to_end(&mut Vec::new())).await;
    }
    untouched(&pool);
    let mut session = Session::open(&pool, "notebook").await;
    Worker::join(&pool, "one", 1).await.run(0);
    session.submit(tasks(3)).await;
    assert_eq!(session.all_ended(3).await.len(), 3);
    pool.stop().await;
}

#[tokio::test]
async fn a_call_whose_message_is_none_of_the_protocol_is_refused() {
    let pool = Pool::usual().await;
    let mut channel =
        Endpoint::from_shared(format!("http://{}", pool.address)).unwrap().connect().await.unwrap();
    for method in ["Work", "Open", "PutBlob", "GetBlob", "GetResult", "Nonsense"] {
        let request = http::Request::post(format!("http://{}/partita.v1.Master/{method}", pool.address))
            .header("content-type", "application/grpc")
            // A frame of five bytes that is not a message.
            .body(Body::new("\0\0\0\0\u{5}\u{f}oops".to_owned()))
            .unwrap();
        poll_fn(|context| GrpcService::poll_ready(&mut channel, context)).await.unwrap();
        let answer = soon("an answer", GrpcService::call(&mut channel, request)).await.unwrap();
        let code = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
        let expected = if method == "Nonsense" { Code::Unimplemented } else { Code::Internal };
        assert_eq!(code, Some((expected as i32).to_string()), "{method}");
    }
    untouched(&pool);
    pool.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_session_and_no_other() {
    let pool = Pool::usual().await;
    Worker::join(&pool, "one", 1).await.run(0);
    let mut large = Session::open(&pool, "large").await;
    let mut other = Session::open(&pool, "other").await;
    let mut too_large = task(0, 0);
    too_large.body = vec![0; MESSAGE_BYTES + 1].into();
    large.submit([too_large]).await;
    let status = large.end().await.unwrap();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains(&MESSAGE_BYTES.to_string()), "{status}");
    other.submit(tasks(2)).await;
    assert_eq!(other.all_ended(2).await.len(), 2);
    let cluster = pool.until("its end", |cluster| cluster.sessions.len() == 1).await;
    assert_eq!(cluster.totals.tasks_submitted, 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_message_out_of_turn_ends_the_peer_with_a_reason() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 1).await;
    worker.say(from_worker::Message::Hello(worker_hello("again", 1, "127.0.0.1:9"))).await;
    let status = soon("the worker's end", worker.from.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let mut session = Session::open(&pool, "notebook").await;
    session.say(from_session::Message::Hello(session_hello("again"))).await;
    assert_eq!(session.end().await.unwrap().code(), Code::InvalidArgument);
    let cluster = pool.until("their ends", |cluster| cluster.sessions.is_empty()).await;
    assert!(cluster.workers.is_empty());
    pool.stop().await;
}

#[tokio::test]
async fn a_master_open_to_other_machines_wants_a_token() {
    let everywhere = MasterOptions { listen: ([0, 0, 0, 0], 0).into(), ..options() };
    let error = Master::bind(everywhere.clone()).await.err().unwrap();
    assert!(matches!(error, MasterError::NoToken { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("0.0.0.0") && text.contains("PARTITA_TOKEN_FILE") && text.contains("openssl"),
        "{text}"
    );
    let token = Some(Token::new("correct horse", "the test").unwrap());
    assert!(Master::bind(MasterOptions { token, ..everywhere }).await.is_ok());
}

#[tokio::test]
async fn options_that_cannot_work_are_errors_that_say_so() {
    let pool = Pool::usual().await;
    let error = Master::bind(MasterOptions { listen: pool.address, ..options() }).await.err().unwrap();
    assert!(error.to_string().contains(&pool.address.to_string()), "{error}");
    let hasty = MasterOptions {
        lost_after: Duration::from_millis(5),
        heartbeat: Duration::from_secs(1),
        ..options()
    };
    let error = Master::bind(hasty).await.err().unwrap();
    assert!(error.to_string().contains("5ms"), "{error}");
    let spool = "/proc/nowhere".into();
    let error = Master::bind(MasterOptions { spool, ..options() }).await.err().unwrap();
    assert!(error.to_string().contains("/proc/nowhere"), "{error}");
    let tls = TlsFiles { ca: Some("/nowhere/ca.pem".into()), identity: None };
    let error = Master::bind(MasterOptions { tls, ..options() }).await.err().unwrap();
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    pool.stop().await;
}

#[tokio::test]
async fn with_a_certificate_only_tls_is_spoken() {
    let directory = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("pool.pem"), directory.path().join("pool.key"));
    fs::write(&certificate, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let identity = Some(Identity { certificate, key });
    let pool = Pool::start(MasterOptions { tls: TlsFiles { ca: None, identity }, ..options() }).await;
    let ca = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pair.cert.pem()));
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", pool.address.port())).unwrap();
    let channel = endpoint.tls_config(ca).unwrap().connect().await.unwrap();
    let session = Session::with(MasterClient::new(channel), session_hello("notebook")).await.unwrap();
    assert_eq!(pool.cluster().sessions.len(), 1);
    drop(session);
    pool.until("its end", |cluster| cluster.sessions.is_empty()).await;
    // The port does not answer unencrypted connections.
    let plain = Endpoint::from_shared(format!("http://{}", pool.address)).unwrap().connect_lazy();
    let hello = from_session(from_session::Message::Hello(session_hello("notebook")));
    assert!(MasterClient::new(plain).open(tokio_stream::once(hello)).await.is_err());
    assert_eq!(pool.cluster().totals.sessions_opened, 1);
    pool.stop().await;
}
