use super::*;

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn short_tasks_are_sent_ahead_once_they_are_known_to_be_short_but_for_the_last_ones() {
    let (mut dispatch, start) = (pool(&[1, 1], 1), Instant::now());
    (0..8).for_each(|partition| assert!(dispatch.submit(1, task(0, partition, &[], &[]), start)));
    assert_eq!(launched(&mut dispatch, start), [(1, 1, 0), (2, 1, 1)]);
    assert!(dispatch.ended(1, 1, attempt(0, 0), start + MOMENT));
    // One task for the free slot, then each worker its share of the rest, except the last two tasks.
    assert_eq!(launched(&mut dispatch, start + MOMENT), [(1, 1, 2), (1, 1, 3), (1, 1, 4), (2, 1, 5)],);
    assert_eq!((dispatch.busy(1), dispatch.busy(2), dispatch.running(1)), (1, 1, 2));
    assert!(dispatch.ended(2, 1, attempt(0, 1), start + MOMENT));
    assert!(launched(&mut dispatch, start + MOMENT).is_empty(), "two are left for the first free slot");
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
    assert_eq!(launched(&mut dispatch, later), [(1, 1, 1)], "its tasks take a second");
    dispatch.cancel(1, 0, None);
    dispatch.ended(1, 1, attempt(0, 1), later);

    (0..8).for_each(|partition| assert!(dispatch.submit(1, task(1, partition, &[], &[]), later)));
    assert_eq!(launched(&mut dispatch, later), [(1, 1, 0)], "the pace of the next job is unknown");
    dispatch.submit(2, task(0, 0, &[], &[]), later);
    dispatch.ended(1, 1, attempt(1, 0), later);
    dispatch.submit(2, task(0, 1, &[], &[]), later);
    assert_eq!(launched(&mut dispatch, later), [(1, 2, 0)], "another session also wants slots");
}
