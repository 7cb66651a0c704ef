//! Interrupting a job: alone in its process, because an interrupt reaches every job in it.

use partita::prelude::*;

#[test]
fn an_interrupt_cancels_the_running_job_and_the_next_one_runs() {
    let session = Session::embedded(2).unwrap();
    let (started, wait) = std::sync::mpsc::channel();
    session.events().listen(move |event| {
        if matches!(event, partita::events::Event::TaskStarted { .. }) {
            let _ = started.send(());
        }
    });
    let slow = session.range(0, 4, 4).map_partitions(|lf| {
        lf.with_columns([col("id").map(
            |column| {
                std::thread::sleep(std::time::Duration::from_millis(300));
                Ok(column)
            },
            |_, field| Ok(field.clone()),
        )])
    });
    let job = std::thread::spawn(move || slow.collect());
    wait.recv().unwrap();
    partita::cancel::cancel();
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, PartitaError::Cancelled { .. }), "{error}");
    partita::cancel::next_cell();
    assert_eq!(session.range(0, 100, 4).count().unwrap(), 100);
}
