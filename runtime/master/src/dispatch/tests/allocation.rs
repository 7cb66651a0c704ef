use super::*;

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
    // Without any worker the first one is allocated at once.
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
    // A worker that joins makes up for a lost one.
    dispatch.remove_worker(3, now);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2]);
    dispatch.add_worker(9, 1);
    dispatch.place(now);
    assert_eq!(used(&dispatch), [2, 9]);
    // With dynamic allocation off, all workers are used again.
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
