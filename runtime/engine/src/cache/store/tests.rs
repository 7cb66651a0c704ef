use super::*;
use crate::memory::{Amounts, Limits};

const ONE: SessionId = SessionId(1);

fn frame(n: i64) -> DataFrame {
    df!("a" => (0..1000).map(|i| i * n).collect::<Vec<i64>>()).unwrap()
}

fn key(cache: u64, partition: usize) -> CacheKey {
    CacheKey { session: ONE, cache: CacheId(cache), partition }
}

struct Fixture {
    store: CacheStore,
    accountant: Arc<Accountant>,
    evicted: Arc<Mutex<Vec<CacheKey>>>,
    directory: tempfile::TempDir,
}

fn fixture(cache: usize) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let accountant = Arc::new(Accountant::new(Limits { total: usize::MAX, shuffle: 0, cache }));
    let evicted = Arc::new(Mutex::new(Vec::new()));
    let heard = evicted.clone();
    let spill = Arc::new(SpillDirectory::new(directory.path().join("spill")));
    std::fs::create_dir(directory.path().join("spill")).unwrap();
    let store = CacheStore::new(accountant.clone(), spill, Box::new(move |key| heard.lock().push(key)));
    Fixture { store, accountant, evicted, directory }
}

#[test]
fn memory_only_drops_the_least_recently_used_says_so_and_stays_under_its_limit() {
    let size = frame(1).estimated_size();
    let Fixture { store, accountant, evicted, .. } = fixture(2 * size);
    for partition in 0..2 {
        store.put(key(1, partition), StorageLevel::MemoryOnly, &frame(1)).unwrap();
    }
    store.get(key(1, 0)).unwrap().unwrap();
    store.put(key(1, 2), StorageLevel::MemoryOnly, &frame(2)).unwrap();
    assert!(store.get(key(1, 1)).unwrap().is_none(), "partition 1 was used least recently");
    assert!(store.get(key(1, 0)).unwrap().is_some() && store.get(key(1, 2)).unwrap().is_some());
    assert!(accountant.held().cache <= 2 * size);
    assert_eq!(*evicted.lock(), [key(1, 1)]);
}

#[test]
fn memory_and_disk_keeps_everything_and_disk_only_uses_no_memory() {
    let Fixture { store, accountant, evicted, directory: _directory } = fixture(frame(1).estimated_size());
    for partition in 0..3 {
        store.put(key(1, partition), StorageLevel::MemoryAndDisk, &frame(partition as i64)).unwrap();
    }
    assert_eq!(store.kept(ONE, CacheId(1)), (1, 2));
    for partition in 0..3 {
        assert_eq!(store.get(key(1, partition)).unwrap().unwrap(), frame(partition as i64));
    }
    store.remove(ONE, CacheId(1));
    assert_eq!(
        (store.kept(ONE, CacheId(1)), accountant.held(), store.on_disk()),
        ((0, 0), Amounts::default(), 0)
    );
    let kept = store.put(key(2, 0), StorageLevel::DiskOnly, &frame(7)).unwrap();
    assert!(matches!(kept, Kept::OnDisk(1..)));
    assert_eq!((store.kept(ONE, CacheId(2)), accountant.held().cache), ((0, 1), 0));
    assert_eq!(store.get(key(2, 0)).unwrap().unwrap(), frame(7));
    assert!(evicted.lock().is_empty(), "nothing was lost");
}

#[test]
fn what_is_larger_than_the_whole_cache_evicts_nobody() {
    let size = frame(1).estimated_size();
    let Fixture { store, .. } = fixture(size);
    store.put(key(1, 0), StorageLevel::MemoryOnly, &frame(1)).unwrap();
    let large = frame(1).vstack(&frame(2)).unwrap();
    assert_eq!(store.put(key(1, 1), StorageLevel::MemoryOnly, &large).unwrap(), Kept::No);
    assert_eq!(store.kept(ONE, CacheId(1)), (1, 0));
}

#[test]
fn sessions_with_the_same_numbers_have_caches_of_their_own() {
    let Fixture { store, .. } = fixture(usize::MAX);
    let other = CacheKey { session: SessionId(2), ..key(1, 0) };
    store.put(key(1, 0), StorageLevel::MemoryOnly, &frame(1)).unwrap();
    store.put(other, StorageLevel::MemoryOnly, &frame(2)).unwrap();
    store.remove(ONE, CacheId(1));
    assert!(store.get(key(1, 0)).unwrap().is_none());
    assert_eq!(store.get(other).unwrap().unwrap(), frame(2));
}

#[test]
fn a_disk_that_takes_nothing_is_an_error_and_what_was_in_memory_stays() {
    let Fixture { store, directory, .. } = fixture(frame(1).estimated_size());
    std::fs::remove_dir(directory.path().join("spill")).unwrap();
    store.put(key(1, 0), StorageLevel::MemoryAndDisk, &frame(1)).unwrap();
    let error = store.put(key(1, 1), StorageLevel::MemoryAndDisk, &frame(2)).unwrap_err();
    assert!(error.to_string().contains("caching partition 0"), "{error}");
    assert_eq!(store.get(key(1, 0)).unwrap().unwrap(), frame(1));
}
