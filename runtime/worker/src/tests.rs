//! Blocks between workers over real sockets. A worker with a master is tested in `tests/`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use partita_engine::codec::ShuffleSource;
use partita_engine::memory::Reclaim;
use partita_engine::shuffle::{MapOutput, Owner, ShuffleId};
use partita_engine::task::TaskError;
use partita_events::{SessionId, WorkerId};
use partita_wire::Token;
use partita_wire::pool::TaskKey;
use polars::prelude::*;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::fetch::Wanted;
use crate::master_channel::MasterChannel;
use crate::registration::{Registration, result_of};
use crate::{Shared, WorkerOptions, blocks, dial};

const SHUFFLE: Owner = Owner::Shuffle { session: SessionId(1), shuffle: ShuffleId(5) };

/// A worker without slots and master: its blocks, and the service that serves them.
struct Side {
    shared: Arc<Shared>,
    kept: Arc<Registration>,
    _stop: DropGuard,
    _directory: tempfile::TempDir,
}

fn side(runtime: &Runtime, number: u64, change: impl FnOnce(&mut WorkerOptions)) -> Side {
    let directory = tempfile::tempdir().unwrap();
    let mut options = WorkerOptions::new("127.0.0.1:1");
    options.name = format!("worker-{number}");
    options.memory_limit = 64 << 20;
    options.spill_dir = directory.path().to_owned();
    change(&mut options);
    let _inside = runtime.enter();
    let listener = runtime.block_on(TcpListener::bind(options.listen)).unwrap();
    let shared = Arc::new(Shared::new(options, listener.local_addr().unwrap(), None).unwrap());
    let stop = CancellationToken::new();
    blocks::serve(shared.clone(), listener, None, stop.clone()).unwrap();
    let master = MasterChannel { channel: dial::channel("127.0.0.1:1", None).unwrap(), token: None };
    let (to_master, _) = mpsc::channel(1);
    let kept = Registration::new(
        WorkerId(number),
        shared.accountant.clone(),
        shared.spill.clone(),
        to_master,
        master,
    );
    let kept = Arc::new(kept);
    shared.register(Some(kept.clone()));
    Side { shared, kept, _stop: stop.drop_guard(), _directory: directory }
}

impl Side {
    /// Writes two blocks for reduce partition 1 that contain the map partition's number.
    fn leave(&self, map: usize) {
        self.kept.blocks.open(SHUFFLE);
        let mut output = MapOutput::default();
        for part in 0..2 {
            let blocks = vec![frame(0), frame(map as i64 * 10 + part)];
            self.kept.blocks.add(&mut output, blocks).unwrap();
        }
        self.kept.blocks.put(SHUFFLE, map, output);
    }

    fn source(&self, maps: &[usize]) -> ShuffleSource {
        let address = self.shared.listening.to_string();
        ShuffleSource { address, worker: self.kept.worker, map_partitions: maps.to_vec() }
    }

    fn fetch(&self, sources: &[&ShuffleSource]) -> Result<Vec<(usize, Vec<DataFrame>)>, TaskError> {
        let wanted = Wanted { session: SessionId(1), shuffle: ShuffleId(5), partition: 1 };
        let mut frames = Vec::new();
        for stream in self.shared.fetcher.open(&wanted, sources)? {
            assert!(stream.bytes > 0, "the answer says how large it is");
            stream.read(|| Ok(()), &mut frames)?;
        }
        Ok(frames)
    }
}

fn frame(n: i64) -> DataFrame {
    df!("n" => vec![n; 100], "s" => (0..100).map(|i| format!("a longer string {i}")).collect::<Vec<_>>())
        .unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn lost(error: TaskError) -> (Vec<usize>, String) {
    match error {
        TaskError::FetchFailed { shuffle: ShuffleId(5), map_partitions, cause } => (map_partitions, cause),
        error => panic!("{error:?}"),
    }
}

#[test]
fn blocks_in_memory_and_on_disk_come_from_several_workers_as_they_were_left() {
    let runtime = runtime();
    let (first, second) = (side(&runtime, 1, |_| {}), side(&runtime, 2, |_| {}));
    first.leave(3);
    first.leave(0);
    assert!(first.kept.reclaim(1).unwrap() > 0, "some are on disk");
    second.leave(1);
    let sources = [first.source(&[0, 3]), second.source(&[1])];
    let fetched = second.fetch(&sources.iter().collect::<Vec<_>>()).unwrap();
    let expected: Vec<_> =
        [0, 3, 1].map(|map: i64| (map as usize, vec![frame(map * 10), frame(map * 10 + 1)])).into();
    assert_eq!(fetched, expected);
}

#[test]
fn what_a_worker_lacks_is_named_and_nothing_else() {
    let runtime = runtime();
    let side = side(&runtime, 1, |_| {});
    side.leave(0);
    let source = side.source(&[0, 1, 2]);
    let (maps, cause) = lost(side.fetch(&[&source]).unwrap_err());
    assert_eq!(maps, [1, 2]);
    assert!(cause.contains("worker-1") && cause.contains("[1, 2]"), "{cause}");
}

#[test]
fn workers_that_are_gone_or_frozen_are_all_named_at_once() {
    let runtime = runtime();
    let side = side(&runtime, 1, |options| options.fetch_silence = Duration::from_millis(300));
    side.leave(0);
    // Accepts connections and stays silent, like a stopped process.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = |address: std::net::SocketAddr, map| ShuffleSource {
        address: address.to_string(),
        worker: WorkerId(9),
        map_partitions: vec![map],
    };
    let sources = [side.source(&[0]), at(frozen.local_addr().unwrap(), 4), at(closed, 7)];
    let (maps, cause) = lost(side.fetch(&sources.iter().collect::<Vec<_>>()).unwrap_err());
    assert_eq!(maps, [4, 7]);
    assert!(cause.contains(&closed.to_string()), "{cause}");
}

#[test]
fn blocks_are_given_to_those_with_the_token_only() {
    let runtime = runtime();
    let token = |text| Some(Token::new(text, "the test").unwrap());
    let guarded = side(&runtime, 1, |options| options.token = token("pool"));
    guarded.leave(0);
    let source = guarded.source(&[0]);
    assert_eq!(guarded.fetch(&[&source]).unwrap().len(), 1);
    let stranger = side(&runtime, 2, |options| options.token = token("other"));
    let (maps, cause) = lost(stranger.fetch(&[&source]).unwrap_err());
    assert!(maps == [0] && cause.contains("token"), "{cause}");
}

#[test]
fn a_block_whose_file_is_gone_is_an_error_once_and_then_missing_so_that_it_is_made_again() {
    let runtime = runtime();
    let side = side(&runtime, 1, |_| {});
    side.leave(0);
    while side.kept.reclaim(1).unwrap() > 0 {}
    for file in std::fs::read_dir(side.shared.spill.make().unwrap()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let source = side.source(&[0]);
    let (maps, cause) = lost(side.fetch(&[&source]).unwrap_err());
    assert!(maps == [0] && cause.contains("cannot read back"), "{cause}");
    let (maps, cause) = lost(side.fetch(&[&source]).unwrap_err());
    assert!(maps == [0] && cause.contains("does not have"), "{cause}");
}

fn key(job: u64) -> TaskKey {
    TaskKey { session: 1, job, stage: 0, partition: 0, attempt: 0 }
}

fn output(side: &Side) -> MapOutput {
    let mut output = MapOutput::default();
    side.kept.blocks.add(&mut output, vec![frame(1)]).unwrap();
    output
}

#[test]
fn what_comes_after_its_job_or_session_ended_is_not_kept() {
    let runtime = runtime();
    let side = side(&runtime, 1, |_| {});
    let (late, running) = (key(1), key(2));
    let flags: [Arc<AtomicBool>; 2] = [side.kept.begin(late), side.kept.begin(running)];
    side.kept.remove_shuffle(SessionId(1), ShuffleId(5));
    side.kept.keep_output(&late, ShuffleId(5), 0, output(&side));
    assert!(side.kept.blocks.blocks(SHUFFLE, 0, Some(&[0])).is_err(), "its shuffle was removed");
    side.kept.keep_output(&running, ShuffleId(6), 0, output(&side));
    side.kept.keep_result(&running, output(&side));
    assert!(side.kept.blocks.take(result_of(&running)).is_some());
    assert!(side.kept.blocks.take(result_of(&running)).is_none(), "it can be taken once");
    side.kept.end_session(SessionId(1));
    assert!(flags.iter().all(|flag| flag.load(std::sync::atomic::Ordering::Relaxed)));
    side.kept.keep_output(&running, ShuffleId(6), 0, output(&side));
    let held = side.shared.accountant.held();
    assert_eq!(held, partita_engine::memory::Amounts::default(), "nothing of the session is left");
}
