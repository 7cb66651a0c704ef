use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

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

/// A model of the pool, as simple as possible, to compare the dispatch with.
#[derive(Default)]
struct Model {
    slots: BTreeMap<u64, usize>,
    /// Queued tasks: session, attempt, and until when it waits for the workers it prefers.
    queued: BTreeMap<(u64, Attempt), (Queued, Instant)>,
    running: BTreeMap<(u64, Attempt), u64>,
    /// Tasks sent to a worker that had no slot for them, in order.
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

    /// Places a task on a slot of the worker or, if none is free, among those sent ahead.
    fn launched(&mut self, worker: u64, task: (u64, Attempt)) {
        if self.free(worker) > 0 {
            self.running.insert(task, worker);
        } else {
            self.ahead.entry(worker).or_default().push(task);
        }
    }

    /// Ends a task, whether it ran or not.
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
                    // A worker that joins later is not waited for.
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
            // The changes sent to sessions are enough to know their workers.
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
            // Everything due by now is done, so the next alarm is always in the future.
            prop_assert!(dispatch.next().is_none_or(|next| next > now));
        }
    }
}
