use polars::prelude::*;
use proptest::prelude::*;

use super::*;
use crate::memory::{Amounts, Limits};

fn frame(start: i64, rows: usize) -> DataFrame {
    let numbers: Vec<i64> = (start..).take(rows).collect();
    let words: Vec<String> = numbers.iter().map(|i| format!("word number {i} of many")).collect();
    df!("i" => numbers, "s" => words).unwrap()
}

fn store(shuffle: usize, directory: &std::path::Path) -> (BlockStore, Arc<Accountant>) {
    let limits = Limits { total: usize::MAX, shuffle, cache: 0 };
    let accountant = Arc::new(Accountant::new(limits));
    let spill = Arc::new(SpillDirectory::new(directory.to_owned()));
    (BlockStore::new(accountant.clone(), spill), accountant)
}

fn shuffle(shuffle: u64) -> Owner {
    Owner::Shuffle { session: SessionId(1), shuffle: ShuffleId(shuffle) }
}

fn rows(
    store: &BlockStore,
    owner: Owner,
    partition: usize,
    wanted: Option<&[usize]>,
) -> Vec<(usize, Vec<i64>)> {
    let numbers = |block: Block| {
        let frame = block.read().unwrap();
        frame.column("i").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>()
    };
    let found = store.blocks(owner, partition, wanted).unwrap();
    found.into_iter().map(|(map, blocks)| (map, blocks.into_iter().flat_map(numbers).collect())).collect()
}

#[derive(Debug, Clone)]
enum Do {
    Put { shuffle: u64, map: usize, parts: Vec<Vec<usize>> },
    Spill { bytes: usize },
    Remove { shuffle: u64 },
}

fn actions() -> impl Strategy<Value = Vec<Do>> {
    let parts = prop::collection::vec(prop::collection::vec(0..60usize, 3), 0..3);
    let put = (0..2u64, 0..4usize, parts).prop_map(|(shuffle, map, parts)| Do::Put { shuffle, map, parts });
    let spill = (0..20_000usize).prop_map(|bytes| Do::Spill { bytes });
    let remove = (0..2u64).prop_map(|shuffle| Do::Remove { shuffle });
    prop::collection::vec(prop_oneof![4 => put, 2 => spill, 1 => remove], 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Compares the store with a map of plain numbers, for any limit.
    #[test]
    fn any_sequence_of_put_spill_and_remove_gives_the_rows_that_were_put(
        limit in prop_oneof![Just(0), 1_000..20_000usize, Just(usize::MAX)],
        actions in actions()
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (store, accountant) = store(limit, directory.path());
        let mut model: HashMap<u64, std::collections::BTreeMap<usize, [Vec<i64>; 3]>> = HashMap::new();
        let mut next = 0;
        for action in actions {
            match action {
                Do::Put { shuffle: id, map, parts } => {
                    store.open(shuffle(id));
                    let mut output = MapOutput::default();
                    let mut expected: [Vec<i64>; 3] = Default::default();
                    for part in parts {
                        let blocks = part.iter().zip(&mut expected).map(|(&rows, expected)| {
                            let block = frame(next, rows);
                            expected.extend(next..next + rows as i64);
                            next += rows as i64;
                            block
                        });
                        let blocks = blocks.collect();
                        store.add(&mut output, blocks).unwrap();
                    }
                    store.put(shuffle(id), map, output);
                    model.entry(id).or_default().entry(map).or_insert(expected);
                }
                Do::Spill { bytes } => drop(store.spill(bytes).unwrap()),
                Do::Remove { shuffle: id } => {
                    store.remove(shuffle(id));
                    model.remove(&id);
                }
            }
            prop_assert!(accountant.held().shuffle <= limit);
            for (id, maps) in &model {
                for partition in 0..3 {
                    let expected: Vec<_> =
                        maps.iter().map(|(map, blocks)| (*map, blocks[partition].clone())).collect();
                    prop_assert_eq!(rows(&store, shuffle(*id), partition, None), expected.clone());
                    let backwards: Vec<usize> = maps.keys().rev().copied().collect();
                    let expected: Vec<_> = expected.into_iter().rev().collect();
                    prop_assert_eq!(rows(&store, shuffle(*id), partition, Some(&backwards)), expected);
                }
            }
        }
        store.remove_all(|_| true);
        prop_assert_eq!((accountant.held(), store.on_disk()), (Amounts::default(), 0));
    }
}

#[test]
fn what_is_missing_is_named_and_a_block_of_a_removed_shuffle_can_still_be_read_by_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = store(0, directory.path());
    store.open(shuffle(1));
    let mut output = MapOutput::default();
    assert!(store.add(&mut output, vec![frame(0, 10)]).unwrap() > 0, "there is no room in memory");
    store.put(shuffle(1), 2, output);
    assert_eq!(store.blocks(shuffle(1), 0, Some(&[1, 2, 3])).err(), Some(vec![1, 3]));
    assert_eq!(store.blocks(shuffle(2), 0, Some(&[2])).err(), Some(vec![2]));
    let (_, blocks) = store.blocks(shuffle(1), 0, None).unwrap().remove(0);
    store.remove(shuffle(1));
    assert_eq!(blocks[0].clone().read().unwrap(), frame(0, 10));
    let mut late = MapOutput::default();
    store.add(&mut late, vec![frame(0, 10)]).unwrap();
    store.put(shuffle(1), 0, late);
    assert!(store.blocks(shuffle(1), 0, None).unwrap().is_empty(), "nobody will ever fetch it");
}

#[test]
fn when_the_disk_does_not_take_blocks_they_stay_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let gone = directory.path().join("gone");
    let (store, accountant) = store(usize::MAX, &gone);
    store.open(shuffle(1));
    let mut output = MapOutput::default();
    store.add(&mut output, vec![frame(0, 10)]).unwrap();
    store.put(shuffle(1), 0, output);
    let error = store.spill(1).unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
    assert_eq!(rows(&store, shuffle(1), 0, None), [(0, (0..10).collect())]);
    std::fs::create_dir(&gone).unwrap();
    assert!(store.spill(1).unwrap() > 0, "it is tried again");
    assert_eq!(accountant.held().shuffle, 0);
    assert_eq!(rows(&store, shuffle(1), 0, None), [(0, (0..10).collect())]);
}
