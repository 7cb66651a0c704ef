//! Connections that fall silent without an end or a reset, as when a cable is pulled: whoever waits for
//! the other side notices, reports it, and goes on when the connection is restored.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use partita::events::Event;
use partita::prelude::*;
use partita_master::MasterOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

mod local_pool;
use local_pool::{Pool, until};

/// A wire between two processes. It passes bytes on in both directions until it is cut; after that
/// neither side receives anything, and neither is notified.
struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    target: watch::Sender<Option<SocketAddr>>,
}

impl Wire {
    /// The far end's address comes from `target`.
    fn new(runtime: &Runtime) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (whole, target) = (watch::Sender::new(true), watch::Sender::new(None));
        let wire = Self { address: listener.local_addr().unwrap(), whole, target };
        let (whole, mut target) = (wire.whole.subscribe(), wire.target.subscribe());
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(Some(far)) = target.wait_for(Option::is_some).await.map(|target| *target) else {
                    return;
                };
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = TcpStream::connect(far).await.unwrap().into_split();
                tokio::spawn(pass(from_near, to_far, whole.clone()));
                tokio::spawn(pass(from_far, to_near, whole.clone()));
            }
        });
        wire
    }

    fn cut(&self) {
        self.whole.send_replace(false);
    }

    fn heal(&self) {
        self.whole.send_replace(true);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut whole: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await;
        // An end counts as a message as well.
        if whole.wait_for(|whole| *whole).await.is_err() {
            return;
        }
        match read {
            Ok(bytes @ 1..) if to.write_all(&buffer[..bytes]).await.is_ok() => {}
            _ => return,
        }
    }
}

fn options(lost_after: Duration) -> MasterOptions {
    let mut options = MasterOptions::new("127.0.0.1:0".parse().unwrap(), polars::VERSION);
    options.heartbeat = lost_after / 5;
    options.lost_after = lost_after;
    options
}

fn events(session: &Session) -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel();
    session.events().listen(move |event| drop(sender.send(event.clone())));
    events
}

fn wait_for_start(events: &mpsc::Receiver<Event>) {
    while !matches!(events.recv().unwrap(), Event::TaskStarted { .. }) {}
}

/// Tasks that take long enough to be cut off.
fn slow(session: &Session) -> Dataset {
    let work = (0..12).fold(col("id"), |work, i| (work * lit(1_103_515_245i64 + i)) % lit(2_147_483_647i64));
    session
        .range(0, 4_000_000, 16)
        .select([(col("id") % lit(1009)).alias("key"), work.alias("work")])
        .group_by([col("key")])
        .agg([col("work").sum()])
        .sort([col("key")])
}

fn slow_answer() -> DataFrame {
    slow(&Session::embedded(2).unwrap()).collect().unwrap()
}

#[test]
fn a_session_cut_off_from_its_master_says_so_and_goes_on_when_that_heals() {
    let mut pool = Pool::with(options(Duration::from_secs(1)));
    pool.add_worker();
    let wire = Wire::new(&pool.runtime);
    wire.target.send_replace(Some(pool.address.parse().unwrap()));
    let mut how = PoolOptions::new(format!("partita://{}", wire.address));
    how.worker_timeout = Duration::from_secs(30);
    let session = Session::connect_with(how).unwrap();
    let events = events(&session);
    let job = slow(&session);
    let running = std::thread::spawn(move || job.collect());
    wait_for_start(&events);
    wire.cut();
    let error = running.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("connection to the master") && error.contains("was lost"), "{error}");
    until("the master to let go of the session", || pool.view.cluster().sessions.is_empty());
    wire.heal();
    assert_eq!(slow(&session).collect().unwrap(), slow_answer());
}

#[test]
fn a_worker_cut_off_from_its_master_is_replaced_and_joins_anew_when_that_heals() {
    let mut pool = Pool::with(options(Duration::from_secs(1)));
    let wire = Wire::new(&pool.runtime);
    wire.target.send_replace(Some(pool.address.parse().unwrap()));
    pool.add_worker();
    pool.add_worker_with(|options| options.master = wire.address.to_string());
    let session = pool.session();
    let events = events(&session);
    let job = slow(&session);
    let running = std::thread::spawn(move || job.collect());
    wait_for_start(&events);
    wire.cut();
    assert_eq!(running.join().unwrap().unwrap(), slow_answer());
    until("the pool to notice", || session.slots() == 2);
    let lost = pool.view.cluster().lost;
    assert!(lost.iter().any(|worker| worker.reason.contains("it sent nothing for")), "{lost:?}");
    wire.heal();
    until("the worker to come back", || session.slots() == 4);
    assert_eq!(slow(&session).collect().unwrap(), slow_answer());
}

#[test]
fn workers_cut_off_from_each_other_fail_to_fetch_and_get_it_when_that_heals() {
    let mut pool = Pool::with(options(Duration::from_secs(10)));
    let mut wires = Vec::new();
    for _ in 0..2 {
        let wire = Wire::new(&pool.runtime);
        let address = wire.address.to_string();
        pool.add_worker_with(|options| {
            options.advertise = Some(address);
            options.fetch_silence = Duration::from_millis(500);
        });
        wire.target.send_replace(Some(pool.workers.last().unwrap().address()));
        wires.push(wire);
    }
    let session = pool.session();
    session.set_shuffle_partitions(4).unwrap();
    assert_eq!(slow(&session).collect().unwrap(), slow_answer());
    wires.iter().for_each(Wire::cut);
    let events = events(&session);
    let job = slow(&session);
    let running = std::thread::spawn(move || job.collect());
    let cause = loop {
        match events.recv().unwrap() {
            Event::TaskFailed { cause, .. } => break cause,
            _ => continue,
        }
    };
    assert!(cause.contains("frozen or cut off"), "{cause}");
    wires.iter().for_each(Wire::heal);
    assert_eq!(running.join().unwrap().unwrap(), slow_answer());
}
