use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const WAIT: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(1000);
const IDLE: Duration = Duration::from_millis(500);
/// More than one of the tests submits.
const MOST_SENT: usize = 1000;

fn attempt(job: u64, partition: u32) -> Attempt {
    Attempt { job, stage: 0, partition, attempt: 0 }
}

fn task(job: u64, partition: u32, preferred: &[u64], excluded: &[u64]) -> Queued {
    Queued {
        attempt: attempt(job, partition),
        body: Bytes::from_static(b"task"),
        preferred: preferred.to_vec(),
        excluded: excluded.to_vec(),
    }
}

/// A dispatch with workers of so many slots, from number 1, and sessions from number 1.
fn pool(slots: &[usize], sessions: u64) -> Dispatch {
    let mut dispatch = Dispatch::new(MOST_SENT);
    for (worker, slots) in (1..).zip(slots) {
        dispatch.add_worker(worker, *slots);
    }
    (1..=sessions).for_each(|session| dispatch.add_session(session, WAIT));
    dispatch
}

fn launched(dispatch: &mut Dispatch, now: Instant) -> Vec<(u64, u64, u32)> {
    let (launches, _) = dispatch.place(now);
    launches
        .into_iter()
        .map(|launch| (launch.worker, launch.session, launch.task.attempt.partition))
        .collect()
}

#[test]
fn slots_are_shared_between_sessions_whoever_came_first() {
    let (mut dispatch, now) = (pool(&[3, 3], 3), Instant::now());
    for session in 1..=3 {
        // The first one asks for far more than the others.
        for partition in 0..if session == 1 { 100 } else { 4 } {
            assert!(dispatch.submit(session, task(0, partition, &[], &[]), now));
        }
    }
    let launches = launched(&mut dispatch, now);
    assert_eq!(launches.len(), 6);
    for session in 1..=3 {
        assert_eq!(dispatch.running(session), 2);
    }
    // A slot that becomes free goes to whoever has the fewest.
    let (worker, session, partition) = launches[0];
    assert!(dispatch.ended(worker, session, attempt(0, partition), now));
    let next = launched(&mut dispatch, now);
    assert_eq!(next.iter().map(|(_, session, _)| *session).collect::<Vec<_>>(), [session]);
}

#[test]
fn one_session_alone_gets_every_slot_and_equal_workers_get_equal_shares() {
    let (mut dispatch, now) = (pool(&[4, 4], 2), Instant::now());
    (0..4).for_each(|partition| assert!(dispatch.submit(2, task(0, partition, &[], &[]), now)));
    launched(&mut dispatch, now);
    assert_eq!((dispatch.busy(1), dispatch.busy(2)), (2, 2));
    (4..100).for_each(|partition| assert!(dispatch.submit(2, task(0, partition, &[], &[]), now)));
    launched(&mut dispatch, now);
    assert_eq!((dispatch.busy(1), dispatch.busy(2)), (4, 4));
}

#[test]
fn a_task_waits_for_the_worker_it_prefers_and_then_goes_anywhere() {
    let (mut dispatch, now) = (pool(&[1, 1], 1), Instant::now());
    dispatch.submit(1, task(0, 0, &[2], &[]), now);
    dispatch.submit(1, task(0, 1, &[2], &[]), now);
    assert_eq!(launched(&mut dispatch, now), [(2, 1, 0)]);
    assert_eq!(dispatch.next(), Some(now + WAIT));
    assert!(launched(&mut dispatch, now + WAIT / 2).is_empty());
    assert_eq!(launched(&mut dispatch, now + WAIT), [(1, 1, 1)]);
    assert_eq!(dispatch.next(), None);
}

#[test]
fn a_worker_takes_what_prefers_it_before_what_others_left_waiting() {
    let (mut dispatch, now) = (pool(&[1], 1), Instant::now());
    dispatch.submit(1, task(0, 0, &[], &[]), now);
    dispatch.submit(1, task(0, 1, &[1], &[]), now);
    assert_eq!(launched(&mut dispatch, now), [(1, 1, 1)]);
    dispatch.ended(1, 1, attempt(0, 1), now);
    // But not before an earlier job's.
    dispatch.submit(1, task(1, 2, &[1], &[]), now);
    assert_eq!(launched(&mut dispatch, now), [(1, 1, 0)]);
}

#[test]
fn nobody_waits_for_a_worker_that_is_gone() {
    let (mut dispatch, now) = (pool(&[1, 1], 1), Instant::now());
    dispatch.submit(1, task(0, 0, &[2], &[]), now);
    dispatch.submit(1, task(0, 1, &[2], &[]), now);
    dispatch.submit(1, task(0, 2, &[7], &[]), now);
    assert_eq!(launched(&mut dispatch, now), [(2, 1, 0), (1, 1, 2)]);
    assert_eq!(dispatch.remove_worker(2, now), [(1, attempt(0, 0))]);
    dispatch.ended(1, 1, attempt(0, 2), now);
    assert_eq!(launched(&mut dispatch, now), [(1, 1, 1)]);
}

#[test]
fn a_speculative_copy_never_lands_beside_the_first_one() {
    let (mut dispatch, now) = (pool(&[2], 1), Instant::now());
    dispatch.submit(1, task(0, 0, &[1], &[1]), now);
    assert!(launched(&mut dispatch, now + WAIT * 2).is_empty());
    dispatch.add_worker(2, 1);
    assert_eq!(launched(&mut dispatch, now), [(2, 1, 0)]);
}

#[test]
fn a_paused_session_gets_no_slots_and_holds_up_nobody() {
    let (mut dispatch, now) = (pool(&[2], 2), Instant::now());
    (1..=2).for_each(|session| assert!(dispatch.submit(session, task(0, 0, &[], &[]), now)));
    dispatch.pause(1, true);
    assert_eq!(launched(&mut dispatch, now), [(1, 2, 0)]);
    dispatch.pause(1, false);
    assert_eq!(launched(&mut dispatch, now), [(1, 1, 0)]);
}

#[test]
fn cancelling_empties_the_queue_and_names_the_workers_that_run_the_rest() {
    let (mut dispatch, now) = (pool(&[1, 1], 1), Instant::now());
    (0..5).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), now)));
    dispatch.submit(1, task(1, 0, &[], &[]), now);
    launched(&mut dispatch, now);
    assert_eq!(dispatch.cancel(1, 0, Some(attempt(0, 4))), (vec![attempt(0, 4)], vec![]));
    assert_eq!(dispatch.cancel(1, 0, Some(attempt(0, 1))).1.len(), 1);
    let (queued, workers) = dispatch.cancel(1, 0, None);
    assert_eq!((queued, workers), (vec![attempt(0, 2), attempt(0, 3)], vec![1, 2]));
    // The other job is still there; slots stay taken until the workers say so.
    assert_eq!(dispatch.queued(1).0, 1);
    assert!(launched(&mut dispatch, now).is_empty());
}

#[test]
fn a_sessions_end_leaves_slots_taken_until_its_tasks_have_ended() {
    let (mut dispatch, now) = (pool(&[1], 2), Instant::now());
    dispatch.submit(1, task(0, 0, &[], &[]), now);
    launched(&mut dispatch, now);
    dispatch.remove_session(1);
    dispatch.submit(2, task(0, 0, &[], &[]), now);
    assert!(launched(&mut dispatch, now).is_empty());
    assert!(dispatch.ended(1, 1, attempt(0, 0), now));
    assert!(!dispatch.ended(1, 1, attempt(0, 0), now));
    assert_eq!(launched(&mut dispatch, now), [(1, 2, 0)]);
}

fn rule(min: usize, max: usize) -> Rule {
    Rule { min, max, idle: IDLE, step: STEP }
}

fn used(dispatch: &Dispatch) -> Vec<u64> {
    dispatch.used(1).0
}

#[test]
fn workers_are_taken_while_tasks_queue_twice_as_many_each_time_and_given_back_when_idle() {
    let (mut dispatch, start) = (pool(&[1; 8], 1), Instant::now());
    assert_eq!(dispatch.set_rule(1, Some(rule(0, 6))).len(), 8);
    assert!(dispatch.place(start).1.is_empty());
    for partition in 0..100 {
        dispatch.submit(1, task(0, partition, &[], &[]), start);
    }
    // Without any worker the first one comes at once.
    let mut running = launched(&mut dispatch, start);
    assert_eq!(running.len(), 1);
    let mut now = start;
    for expected in [2, 4, 6] {
        now = dispatch.next().unwrap();
        running.extend(launched(&mut dispatch, now));
        assert_eq!(used(&dispatch).len(), expected);
        assert_eq!(running.len(), expected);
    }
    dispatch.cancel(1, 0, None);
    for (worker, session, partition) in running {
        assert!(dispatch.ended(worker, session, attempt(0, partition), now));
    }
    let (_, changes) = dispatch.place(now);
    assert!(changes.is_empty());
    let idle = dispatch.next().unwrap();
    assert_eq!(idle, now + IDLE);
    let (_, changes) = dispatch.place(idle);
    assert!(changes.iter().all(|(session, change)| *session == 1 && !change.used));
    assert_eq!((changes.len(), used(&dispatch).len()), (6, 0));
    assert_eq!(dispatch.next(), None);
}

#[test]
fn a_session_asks_for_no_more_workers_than_its_queue_needs() {
    let (mut dispatch, mut now) = (pool(&[2; 8], 1), Instant::now());
    dispatch.set_rule(1, Some(rule(1, 8)));
    dispatch.place(now);
    assert_eq!(used(&dispatch).len(), 1);
    for partition in 0..7 {
        dispatch.submit(1, task(0, partition, &[], &[]), now);
    }
    let mut tasks = launched(&mut dispatch, now).len();
    for _ in 0..5 {
        now += STEP * 10;
        tasks += launched(&mut dispatch, now).len();
    }
    assert_eq!((tasks, used(&dispatch).len()), (7, 4));
}

#[test]
fn the_least_number_of_workers_is_kept_and_made_up_for_when_one_is_lost() {
    let (mut dispatch, now) = (pool(&[1; 3], 1), Instant::now());
    dispatch.set_rule(1, Some(rule(2, 3)));
    dispatch.place(now);
    assert_eq!(used(&dispatch), [1, 2]);
    dispatch.place(now + IDLE * 10);
    assert_eq!(used(&dispatch), [1, 2]);
    dispatch.remove_worker(1, now);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2, 3]);
    // A worker that joins fills what is missing.
    dispatch.remove_worker(3, now);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2]);
    dispatch.add_worker(9, 1);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2, 9]);
    // Switched off, all are used again.
    dispatch.add_worker(10, 1);
    assert_eq!(dispatch.set_rule(1, None), [(1, Change { worker: 10, used: true })]);
}

#[test]
fn a_lower_most_gives_back_workers_as_they_become_idle() {
    let (mut dispatch, now) = (pool(&[1; 3], 1), Instant::now());
    (0..2).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), now)));
    launched(&mut dispatch, now);
    assert_eq!(dispatch.set_rule(1, Some(rule(0, 1))), [(1, Change { worker: 3, used: false })]);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [1, 2]);
    dispatch.ended(1, 1, attempt(0, 0), now);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2]);
}

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn short_tasks_are_sent_ahead_once_they_are_known_to_be_short_but_for_the_last_ones() {
    let (mut dispatch, start) = (pool(&[1, 1], 1), Instant::now());
    (0..8).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), start)));
    assert_eq!(launched(&mut dispatch, start), [(1, 1, 0), (2, 1, 1)]);
    assert!(dispatch.ended(1, 1, attempt(0, 0), start + MOMENT));
    // One for the slot that is free; then each worker its share of what is left, and of the last two none.
    assert_eq!(launched(&mut dispatch, start + MOMENT), [(1, 1, 2), (1, 1, 3), (1, 1, 4), (2, 1, 5)],);
    assert_eq!((dispatch.busy(1), dispatch.busy(2), dispatch.running(1)), (1, 1, 2));
    assert!(dispatch.ended(2, 1, attempt(0, 1), start + MOMENT));
    assert!(launched(&mut dispatch, start + MOMENT).is_empty(), "two are left for whoever is free first");
    assert!(dispatch.runs(2, 1, attempt(0, 5)) && dispatch.busy(2) == 1);
    assert!(dispatch.ended(2, 1, attempt(0, 5), start + MOMENT));
    assert_eq!(launched(&mut dispatch, start + MOMENT), [(2, 1, 6)]);
    let lost: Vec<u32> =
        dispatch.remove_worker(1, start).into_iter().map(|(_, attempt)| attempt.partition).collect();
    assert_eq!(lost, [2, 3, 4], "what was sent ahead is lost with its worker");
}

#[test]
fn no_more_is_sent_ahead_than_a_session_that_stops_reading_has_room_for() {
    let (mut dispatch, start) = (Dispatch::new(2), Instant::now());
    dispatch.add_worker(1, 1);
    dispatch.add_session(1, WAIT);
    (0..20).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), start)));
    launched(&mut dispatch, start);
    dispatch.ended(1, 1, attempt(0, 0), start + MOMENT);
    assert_eq!(launched(&mut dispatch, start + MOMENT), [(1, 1, 1), (1, 1, 2)]);
}

#[test]
fn long_tasks_are_not_sent_ahead_nor_those_of_a_stage_nobody_knows_nor_of_one_session_among_others() {
    let (mut dispatch, start) = (pool(&[1], 2), Instant::now());
    (0..8).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), start)));
    launched(&mut dispatch, start);
    let later = start + Duration::from_secs(1);
    dispatch.ended(1, 1, attempt(0, 0), later);
    assert_eq!(launched(&mut dispatch, later), [(1, 1, 1)], "they take a second");
    dispatch.cancel(1, 0, None);
    dispatch.ended(1, 1, attempt(0, 1), later);

    (0..8).for_each(|partition| assert!(dispatch.submit(1, task(1, partition, &[], &[]), later)));
    assert_eq!(launched(&mut dispatch, later), [(1, 1, 0)], "nothing is known of the next job");
    dispatch.submit(2, task(0, 0, &[], &[]), later);
    dispatch.ended(1, 1, attempt(1, 0), later);
    dispatch.submit(2, task(0, 1, &[], &[]), later);
    assert_eq!(launched(&mut dispatch, later), [(1, 2, 0)], "another session wants slots, too");
}

#[derive(Debug, Clone)]
enum Step {
    Submit { session: u64, job: u64, preferred: Vec<u64>, excluded: Vec<u64> },
    End { which: usize },
    Cancel { session: u64, job: u64 },
    Join { slots: usize },
    Lose { which: usize },
    Close { session: u64 },
    Pause { session: u64, paused: bool },
    Rule { session: u64, rule: Option<(usize, usize)> },
    Later { by: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let workers = || prop::collection::vec(1u64..6, 0..3);
    prop_oneof![
        8 => (1u64..4, 0u64..3, workers(), workers()).prop_map(|(session, job, preferred, excluded)| {
            Step::Submit { session, job, preferred, excluded }
        }),
        6 => any::<usize>().prop_map(|which| Step::End { which }),
        1 => (1u64..4, 0u64..3).prop_map(|(session, job)| Step::Cancel { session, job }),
        1 => (1usize..4).prop_map(|slots| Step::Join { slots }),
        1 => any::<usize>().prop_map(|which| Step::Lose { which }),
        1 => (1u64..4).prop_map(|session| Step::Close { session }),
        1 => (1u64..4, any::<bool>()).prop_map(|(session, paused)| Step::Pause { session, paused }),
        1 => (1u64..4, prop::option::of((0usize..3, 0usize..3)))
            .prop_map(|(session, rule)| Step::Rule { session, rule }),
        3 => (0u64..200).prop_map(|by| Step::Later { by }),
    ]
}

/// What is true of the pool, kept in the simplest way, to hold the dispatch against.
#[derive(Default)]
struct Model {
    slots: BTreeMap<u64, usize>,
    /// Queued: session, task, and until when it waits for those it prefers.
    queued: BTreeMap<(u64, Attempt), (Queued, Instant)>,
    running: BTreeMap<(u64, Attempt), u64>,
    /// Sent to a worker that had no slot for them, in order.
    ahead: BTreeMap<u64, Vec<(u64, Attempt)>>,
    paused: BTreeSet<u64>,
    used: BTreeMap<u64, BTreeSet<u64>>,
}

impl Model {
    /// Tasks that workers have, with or without a slot.
    fn sent(&self) -> impl Iterator<Item = ((u64, Attempt), u64)> {
        let running = self.running.iter().map(|(task, worker)| (*task, *worker));
        running.chain(self.ahead.iter().flat_map(|(worker, tasks)| tasks.iter().map(|task| (*task, *worker))))
    }

    /// A task got a slot of the worker's, or none: then it is one of those sent ahead.
    fn launched(&mut self, worker: u64, task: (u64, Attempt)) {
        if self.free(worker) > 0 {
            self.running.insert(task, worker);
        } else {
            self.ahead.entry(worker).or_default().push(task);
        }
    }

    /// A task ended, whether it ran or not.
    fn ended(&mut self, worker: u64, task: (u64, Attempt)) {
        let ahead = self.ahead.entry(worker).or_default();
        if self.running.remove(&task).is_none() {
            ahead.retain(|other| *other != task);
        } else if !ahead.is_empty() {
            self.running.insert(ahead.remove(0), worker);
        }
    }

    fn free(&self, worker: u64) -> usize {
        self.slots[&worker] - self.running.values().filter(|at| **at == worker).count()
    }

    fn may_run(&self, session: u64, task: &Queued, until: Instant, worker: u64, now: Instant) -> bool {
        let mut preferred =
            task.preferred.iter().filter(|w| self.slots.contains_key(w) && !task.excluded.contains(w));
        let waits = until > now && preferred.clone().next().is_some();
        !task.excluded.contains(&worker)
            && (!waits || preferred.any(|preferred| *preferred == worker))
            && self.used.get(&session).is_none_or(|used| used.contains(&worker))
            && !self.paused.contains(&session)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_slot_is_given_twice_no_task_is_lost_and_none_waits_beside_a_free_slot(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut now = Instant::now();
        let mut dispatch = pool(&[2, 1], 3);
        let mut model = Model { slots: BTreeMap::from([(1, 2), (2, 1)]), ..Model::default() };
        let (mut number, mut next_worker) = (0, 3);
        let mut open = BTreeSet::from([1, 2, 3]);
        for step in steps {
            let mut told = Vec::new();
            match step {
                Step::Submit { session, job, preferred, excluded } => {
                    number += 1;
                    // A worker that joins later is no reason to wait.
                    let there = preferred.iter().copied().filter(|w| model.slots.contains_key(w)).collect();
                    let task = Queued { preferred: there, ..task(job, number, &[], &excluded) };
                    let accepted = dispatch.submit(session, Queued { preferred, ..task.clone() }, now);
                    prop_assert_eq!(accepted, open.contains(&session));
                    if accepted {
                        model.queued.insert((session, task.attempt), (task, now + WAIT));
                    }
                }
                Step::End { which } if !model.running.is_empty() => {
                    let count = model.sent().count();
                    let ((session, attempt), worker) = model.sent().nth(which % count).unwrap();
                    model.ended(worker, (session, attempt));
                    prop_assert!(dispatch.ended(worker, session, attempt, now));
                    prop_assert!(!dispatch.ended(worker, session, attempt, now));
                }
                Step::Cancel { session, job } => {
                    let (mut queued, workers) = dispatch.cancel(session, job, None);
                    queued.sort_unstable();
                    let mine = |(of, attempt): &(u64, Attempt)| *of == session && attempt.job == job;
                    let expected: Vec<_> = model.queued.keys().filter(|key| mine(key)).map(|key| key.1).collect();
                    prop_assert_eq!(queued, expected);
                    model.queued.retain(|key, _| !mine(key));
                    let sent: BTreeSet<_> =
                        model.sent().filter(|(key, _)| mine(key)).map(|(_, worker)| worker).collect();
                    if open.contains(&session) {
                        prop_assert_eq!(workers, sent.into_iter().collect::<Vec<_>>());
                    }
                }
                Step::Join { slots } => {
                    dispatch.add_worker(next_worker, slots);
                    model.slots.insert(next_worker, slots);
                    next_worker += 1;
                }
                Step::Lose { which } if !model.slots.is_empty() => {
                    let worker = *model.slots.keys().nth(which % model.slots.len()).unwrap();
                    let lost = dispatch.remove_worker(worker, now);
                    let mut expected: Vec<_> = model
                        .sent()
                        .filter(|((session, _), at)| *at == worker && open.contains(session))
                        .map(|(key, _)| key)
                        .collect();
                    expected.sort_unstable();
                    prop_assert_eq!(lost, expected);
                    model.running.retain(|_, at| *at != worker);
                    model.ahead.remove(&worker);
                    model.slots.remove(&worker);
                    model.used.values_mut().for_each(|used| { used.remove(&worker); });
                }
                Step::Close { session } => {
                    dispatch.remove_session(session);
                    open.remove(&session);
                    model.queued.retain(|(of, _), _| *of != session);
                    model.used.remove(&session);
                }
                Step::Pause { session, paused } => {
                    dispatch.pause(session, paused);
                    if paused { model.paused.insert(session) } else { model.paused.remove(&session) };
                }
                Step::Rule { session, rule } if open.contains(&session) => {
                    let rule = rule.map(|(min, more)| Rule {
                        min, max: (min + more).max(1), idle: IDLE, step: STEP,
                    });
                    told = dispatch.set_rule(session, rule);
                    match rule {
                        None => { model.used.remove(&session); }
                        Some(_) => {
                            model.used.entry(session).or_insert_with(|| model.slots.keys().copied().collect());
                        }
                    }
                }
                Step::Later { by } => now += Duration::from_millis(by),
                _ => {}
            }
            let (launches, allocated) = dispatch.place(now);
            told.extend(allocated);
            // What sessions are told of their workers is enough to know them.
            for (session, Change { worker, used }) in told {
                if let Some(all) = model.used.get_mut(&session) {
                    let news = if used { all.insert(worker) } else { all.remove(&worker) };
                    prop_assert!(news, "told twice");
                }
            }
            for (session, used) in &model.used {
                prop_assert_eq!(used.iter().copied().collect::<Vec<_>>(), dispatch.used(*session).0);
            }
            for Launch { worker, session, task, .. } in launches {
                let (queued, until) = model.queued.remove(&(session, task.attempt)).expect("it was queued");
                prop_assert!(model.may_run(session, &queued, until, worker, now), "{:?} on {}", queued, worker);
                model.launched(worker, (session, task.attempt));
            }
            for (worker, ahead) in &model.ahead {
                let most = partita_wire::AHEAD * model.slots[worker];
                prop_assert!(ahead.len() <= most, "{} tasks wait at {}", ahead.len(), worker);
            }
            for worker in model.slots.keys().copied() {
                let busy = model.running.values().filter(|at| **at == worker).count();
                prop_assert!(busy <= model.slots[&worker]);
                prop_assert_eq!(busy, dispatch.busy(worker));
                if model.free(worker) > 0 {
                    for ((session, _), (task, until)) in &model.queued {
                        prop_assert!(!model.may_run(*session, task, *until, worker, now), "{:?} waits for nothing", task);
                    }
                }
            }
            for session in &open {
                let of = |keys: &mut dyn Iterator<Item = &(u64, Attempt)>| keys.filter(|key| key.0 == *session).count();
                prop_assert_eq!(dispatch.queued(*session).0, of(&mut model.queued.keys()));
                prop_assert_eq!(dispatch.queued(*session).1, 4 * of(&mut model.queued.keys()));
                prop_assert_eq!(dispatch.running(*session), of(&mut model.running.keys()));
            }
            // Time is never asked for in vain: what was to be done by now is done.
            prop_assert!(dispatch.next().is_none_or(|next| next > now));
        }
    }
}
