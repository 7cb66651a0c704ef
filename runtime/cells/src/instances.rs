//! Instances of generic code that cells commonly use, compiled here once. A cell is compiled without
//! optimisation. Such a crate links against the instances in the libraries it depends on, including drop
//! code, instead of generating its own. So these functions contain what cells usually do with frames and
//! datasets. They are never called.

use ::partita::prelude::*;
use ::partita_notebook::evaluation::{Kept, Scope};

/// Frames: created from columns, shown, kept, queried.
#[doc(hidden)]
pub fn frames(scope: &Scope) {
    scope.run(|| {
        let made = df!("a" => [1i64, 2, 3], "b" => ["x", "y", "z"])?;
        let ints = df!("a" => [1i32, 2, 3], "b" => [1.5, 2.5, 3.5])?;
        let vectors = df!("a" => vec![1i64], "b" => vec!["x"], "c" => vec![1.0f64], "d" => vec![1i32])?;
        let texts = df!("a" => vec![String::new()], "b" => vec![true], "c" => vec![1u32])?;
        let column: Vec<i64> = (0..3i64).map(|i| i % 2).collect();
        let series = Series::new("a".into(), column);
        let lazy = made
            .clone()
            .lazy()
            .filter(col("a").gt(lit(1)))
            .with_columns([(col("a") * lit(2)).alias("double"), col("b")])
            .group_by([col("b")])
            .agg([col("a").sum(), col("a").mean().alias("mean"), len()])
            .sort(["a"], SortMultipleOptions::default())
            .select([col("a"), col("b")]);
        let answer = lazy.clone().collect().unwrap();
        let joined = ints.clone().lazy().join(
            vectors.clone().lazy(),
            [col("a")],
            [col("a")],
            JoinArgs::new(JoinType::Inner),
        );
        scope.show(::partita::mime_of!(answer));
        scope.show(::partita::mime_of!(lazy));
        scope.show(::partita::mime_of!(series));
        scope.show(::partita::mime_of!(answer.column("a")?));
        scope.keep(Kept::new("made", made));
        scope.keep(Kept::new("lazy", lazy));
        scope.keep(Kept::new("joined", joined));
        scope.keep(Kept::new("series", series));
        scope.keep(Kept::new("texts", texts));
        Ok(())
    });
    let _: (DataFrame, LazyFrame, Series) = (scope.take("a"), scope.take("b"), scope.take("c"));
}

/// Datasets: created, narrow and wide steps, run, shown, kept.
#[doc(hidden)]
pub fn datasets(scope: &Scope) {
    scope.run(|| {
        let session = Session::embedded(2)?;
        let dataset = session
            .range(0, 10, 2)
            .filter(col("id").gt(lit(1)))
            .with_columns([(col("id") % lit(3)).alias("key")])
            .select([col("id"), col("key")])
            .repartition(4);
        let grouped = dataset.group_by([col("key")]).agg([col("id").sum(), len().alias("rows")]);
        let joined = dataset.join(&grouped, [col("key")], JoinType::Inner).sort([col("id")]).cache();
        let counted = joined.count()?;
        let frame = joined.collect()?;
        scope.show(::partita::mime_of!(dataset));
        scope.show(::partita::mime_of!(session));
        scope.show(::partita::mime_of!(counted));
        scope.show(::partita::mime_of!(frame));
        scope.show(::partita::mime_of!(session.last_report()));
        scope.keep(Kept::new("session", session));
        scope.keep(Kept::new("dataset", dataset));
        scope.keep(Kept::new("frame", frame));
        Ok(())
    });
    let _: (Session, Dataset) = (scope.take("a"), scope.take("b"));
}

/// Values of std.
#[doc(hidden)]
pub fn values(scope: &Scope) {
    scope.run(|| {
        let numbers: Vec<i32> = (1..4).collect();
        let text = format!("{numbers:?}");
        println!("{text} {}", numbers.iter().sum::<i32>());
        scope.show(::partita::mime_of!(1i32));
        scope.show(::partita::mime_of!(1.5f64));
        scope.show(::partita::mime_of!(true));
        scope.show(::partita::mime_of!("text"));
        scope.show(::partita::mime_of!(text));
        scope.show(::partita::mime_of!(numbers));
        scope.keep(Kept::new("numbers", numbers));
        scope.keep(Kept::new("text", text));
        scope.keep(Kept::new("number", 1i32));
        Ok(())
    });
    let _: (Vec<i32>, String, i32) = (scope.take("a"), scope.take("b"), scope.take("c"));
}
