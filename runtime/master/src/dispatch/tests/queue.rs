use super::*;

#[test]
fn slots_are_shared_between_sessions_whoever_came_first() {
    let (mut dispatch, now) = (pool(&[3, 3], 3), Instant::now());
    for session in 1..=3 {
        // The first session submits far more than the others.
        for partition in 0..if session == 1 { 100 } else { 4 } {
            assert!(dispatch.submit(session, task(0, partition, &[], &[]), now));
        }
    }
    let launches = launched(&mut dispatch, now);
    assert_eq!(launches.len(), 6);
    for session in 1..=3 {
        assert_eq!(dispatch.running(session), 2);
    }
    // A slot that becomes free goes to the session with the fewest running tasks.
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
    // But not before a task of an earlier job.
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
    // The other job is still queued; slots stay taken until the workers report the ends.
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
