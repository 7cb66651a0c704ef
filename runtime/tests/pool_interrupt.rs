//! Interrupting a job on a pool: alone in its process, because an interrupt reaches every job in it.

use partita::prelude::*;

mod local_pool;
use local_pool::Pool;

#[test]
fn an_interrupt_cancels_the_job_on_the_pool_and_the_next_one_runs() {
    let pool = Pool::start(1);
    let session = pool.session();
    let (started, wait) = std::sync::mpsc::channel();
    session.events().listen(move |event| {
        if matches!(event, partita::events::Event::TaskStarted { .. }) {
            let _ = started.send(());
        }
    });
    let slow = session.range(0, 400, 400).map_partitions(|lf| {
        let many =
            DataFrame::new_infer_height(vec![Column::new("n".into(), (0..1000i64).collect::<Vec<_>>())]);
        let many = many.unwrap().lazy();
        let more = lf.cross_join(many.clone(), None).cross_join(many, Some("_2".into()));
        more.select([(col("id") * col("n")).sum().alias("id")])
    });
    let job = std::thread::spawn(move || slow.collect());
    wait.recv().unwrap();
    partita::cancel::cancel();
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, PartitaError::Cancelled { .. }), "{error}");
    partita::cancel::next_cell();
    assert_eq!(session.range(0, 100, 4).count().unwrap(), 100);
}
