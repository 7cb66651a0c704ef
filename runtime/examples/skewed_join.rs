//! A join with one hot key: what the report shows, what the advisor says, and how the remedies compare.
//!
//! `cargo run --release --workspace --example skewed_join`

use partita::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::embedded(2)?;
    // Otherwise the small right side would be broadcast, without skew.
    session.set_broadcast_threshold(0);

    // Four of five trips start in zone 132.
    let zone = when((col("id") % lit(5)).lt(lit(4))).then(lit(132i64)).otherwise(col("id") % lit(260));
    let trips = session.range(0, 1_000_000, 8).with_columns([zone.alias("zone")]);
    let zones =
        session.range(0, 260, 2).select([col("id").alias("zone"), (col("id") % lit(6)).alias("borough")]);
    let joined = trips.join(&zones, [col("zone")], JoinType::Inner);
    let by_borough = |rows: &Dataset| {
        rows.group_by([col("borough")]).agg([len().alias("trips")]).sort([col("borough")]).collect()
    };

    let (rows, report) = joined.profile()?;
    println!("{report}");
    assert_eq!(rows.height(), 1_000_000);
    let join = report.stages.iter().find(|stage| stage.name == "join").ok_or("there is no join stage")?;
    let skew = join.row_skew().ok_or("the join has no tasks")?;
    println!("The fullest join task, partition {}, read {} rows.\n", skew.worst, skew.max);

    for advice in advise(&report) {
        println!("{advice}\n");
    }

    let compared = compare("shuffled", || by_borough(&joined))
        .with("salted", || by_borough(&joined.salted(4)))
        .with("broadcast", || by_borough(&joined.broadcast()))
        .repeats(5)
        .run()?;
    display(&compared);

    // A remedy changes where rows go, not the result.
    let results = compared.results();
    assert!(results.iter().all(|result| *result == results[0]));
    Ok(())
}
