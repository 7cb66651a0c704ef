//! How many partitions are best for one aggregation? The same work with 1 to 64 of them, measured in
//! rounds, and the two costs that explain the curve.
//!
//! `cargo run --release --workspace --example sweep`

use partita::prelude::*;

const ROWS: i64 = 4_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::embedded(2)?;
    let swept = sweep("partitions", [1, 2, 4, 8, 16, 32, 64]).repeats(5).run(|n| {
        session
            .range(0, ROWS, n)
            .with_columns([(col("id") % lit(1000)).alias("key")])
            .group_by([col("key")])
            .agg([col("id").sum().alias("sum")])
            .agg([col("sum").sum()])
            .collect()
    })?;
    display(&swept);

    let fit = swept.fit_costs(session.slots())?;
    println!("{fit}");
    let picture = session.temp_dir()?.join("sweep.svg");
    std::fs::write(&picture, fit.plot().svg()?)?;
    println!("The curve was drawn: {} bytes of SVG", picture.metadata()?.len());

    // Partitions change the time, not the result.
    let expected = df!("sum" => [ROWS * (ROWS - 1) / 2])?;
    assert!(swept.results().iter().all(|result| *result == expected));
    Ok(())
}
