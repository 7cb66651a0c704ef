//! Opening, splitting and reading Parquet files.

use std::path::Path;

use polars::prelude::*;

use super::{collect, file_of, parquet_of, write_parquet};
use crate::source::{ParquetSource, Piece};

/// Rows in order, with a text column next to the numbers.
fn numbered(rows: i64) -> DataFrame {
    df!(
        "id" => (0..rows).collect::<Vec<_>>(),
        "half" => (0..rows).map(|id| id as f64 / 2.0).collect::<Vec<_>>(),
        "name" => (0..rows).map(|id| format!("name {id}")).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn open_error(pattern: &Path) -> String {
    ParquetSource::open(pattern.to_str().unwrap()).unwrap_err().to_string()
}

#[test]
fn any_number_of_pieces_reads_every_row_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let frame = numbered(1000);
    write_parquet(&directory.path().join("a.parquet"), &frame.slice(0, 430), 17);
    write_parquet(&directory.path().join("b.parquet"), &frame.slice(430, 70), 100);
    write_parquet(&directory.path().join("c.parquet"), &frame.slice(500, 500), 33);
    let source = ParquetSource::open(directory.path().to_str().unwrap()).unwrap();
    assert_eq!(source.rows(), 1000);
    for wanted in 1..=64 {
        let pieces = source.pieces(Some(wanted));
        assert!(pieces.len() <= wanted);
        assert_eq!(pieces.iter().filter_map(Piece::rows).sum::<u64>(), 1000);
        assert_eq!(pieces.iter().map(Piece::bytes).sum::<u64>(), source.bytes());
        let (found, stats) = collect(&pieces, |lazy| lazy).unwrap();
        assert!(found.equals(&frame), "{wanted} pieces");
        assert_eq!((stats.rows_read, stats.bytes_read), (1000, source.bytes()));
    }
}

#[test]
fn pieces_have_about_the_same_number_of_rows() {
    let (_directory, path) = parquet_of(&numbered(1000), 10);
    let rows: Vec<_> = ParquetSource::open(&path)
        .unwrap()
        .pieces(Some(8))
        .iter()
        .map(|piece| piece.rows().unwrap())
        .collect();
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|rows| (120..=130).contains(rows)), "{rows:?}");
}

#[test]
fn without_a_number_tiny_row_groups_share_a_piece_and_others_stand_alone() {
    let (_directory, path) = parquet_of(&numbered(100), 10);
    assert_eq!(ParquetSource::open(&path).unwrap().pieces(None).len(), 1);
    let (_directory, path) = parquet_of(&numbered(400_000), 100_000);
    assert_eq!(ParquetSource::open(&path).unwrap().pieces(None).len(), 4);
}

#[test]
fn a_piece_says_which_row_groups_of_which_file_it_reads() {
    let (_directory, path) = parquet_of(&numbered(100), 10);
    let pieces = ParquetSource::open(&path).unwrap().pieces(Some(2));
    let parts = pieces[1].parts();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].row_groups, Some(5..10));
    assert_eq!(parts[0].rows, Some(50));
    assert_eq!(pieces[1].to_string(), format!("{path} row groups 5..10"));
}

#[test]
fn only_the_columns_a_plan_needs_are_read() {
    let (_directory, path) = parquet_of(&numbered(1000), 100);
    let source = ParquetSource::open(&path).unwrap();
    let bytes = |columns: &'static [&'static str]| {
        collect(&source.pieces(Some(3)), |lazy| lazy.select([cols(columns.to_vec()).as_expr()])).unwrap().1
    };
    let (id, half, name) = (bytes(&["id"]), bytes(&["half"]), bytes(&["name"]));
    assert_eq!(id.columns, ["id"]);
    assert_eq!(bytes(&["half", "id"]).columns, ["half", "id"]);
    assert!([&id, &half, &name].iter().all(|read| read.bytes_read > 0));
    assert_eq!(id.bytes_read + half.bytes_read + name.bytes_read, source.bytes());
}

#[test]
fn row_groups_without_a_passing_row_are_skipped_unread() {
    let (_directory, path) = parquet_of(&numbered(1000), 100);
    let source = ParquetSource::open(&path).unwrap();
    let (found, stats) =
        collect(&source.pieces(Some(4)), |lazy| lazy.filter(col("id").gt_eq(lit(750)))).unwrap();
    assert_eq!(found.height(), 250);
    assert_eq!((stats.row_groups_skipped, stats.row_groups_read, stats.rows_read), (7, 3, 300));
    assert!(stats.bytes_read < source.bytes() / 2);
}

#[test]
fn where_no_row_passes_only_the_columns_of_the_predicate_are_read() {
    let frame = numbered(1000).lazy().with_column((col("id") % lit(10)).alias("digit")).collect().unwrap();
    let (_directory, path) = parquet_of(&frame, 100);
    let source = ParquetSource::open(&path).unwrap();
    let digit = collect(&source.pieces(None), |lazy| lazy.select([col("digit")])).unwrap().1;
    // The statistics say 0 to 9, so the row groups must be read.
    let filtered =
        collect(&source.pieces(None), |lazy| lazy.filter((col("digit") * lit(2)).eq(lit(5)))).unwrap();
    assert_eq!((filtered.0.height(), filtered.1.row_groups_read), (0, 10));
    assert_eq!(filtered.1.bytes_read, digit.bytes_read);
}

#[test]
fn a_limit_reads_no_more_rows_than_it_needs() {
    let (_directory, path) = parquet_of(&numbered(1000), 100);
    let source = ParquetSource::open(&path).unwrap();
    let (found, stats) = collect(&source.pieces(Some(1)), |lazy| lazy.limit(105)).unwrap();
    assert!(found.equals(&numbered(105)));
    assert_eq!((stats.rows_read, stats.row_groups_read), (105, 2));
}

#[test]
fn predicates_over_the_whole_column_are_not_evaluated_row_group_by_row_group() {
    let frame = numbered(100);
    let (_directory, path) = parquet_of(&frame, 10);
    let source = ParquetSource::open(&path).unwrap();
    for predicate in
        [col("id").gt(col("id").mean()), col("id").gt(lit(-1)).all(true), col("id").is_first_distinct()]
    {
        let plan = |lazy: LazyFrame| lazy.filter(predicate.clone());
        let expected = plan(frame.clone().lazy()).collect().unwrap();
        assert!(collect(&source.pieces(Some(1)), plan).unwrap().0.equals(&expected), "{predicate}");
    }
}

#[test]
fn counting_rows_and_grouping_give_what_the_frame_gives() {
    let frame = numbered(500);
    let (_directory, path) = parquet_of(&frame, 50);
    let source = ParquetSource::open(&path).unwrap();
    let count = collect(&source.pieces(Some(1)), |lazy| lazy.select([len()])).unwrap().0;
    assert!(count.equals(&df!("len" => [500 as IdxSize]).unwrap()));
    let plan = |lazy: LazyFrame| {
        lazy.group_by_stable([(col("id") % lit(7)).alias("key")])
            .agg([col("half").sum()])
            .sort(["key"], Default::default())
    };
    assert!(collect(&source.pieces(Some(1)), plan).unwrap().0.equals(&plan(frame.lazy()).collect().unwrap()));
}

#[test]
fn nested_and_categorical_columns_come_back_as_written() {
    let frame = numbered(100)
        .lazy()
        .with_columns([
            as_struct(vec![col("id"), col("name")]).alias("pair"),
            (col("id") % lit(3))
                .cast(DataType::String)
                .cast(DataType::from_categories(Categories::global()))
                .alias("kind"),
        ])
        .collect()
        .unwrap();
    let (_directory, path) = parquet_of(&frame, 9);
    let source = ParquetSource::open(&path).unwrap();
    assert_eq!(source.schema().as_ref(), frame.schema().as_ref());
    for predicate in [col("kind").eq(lit("1")), col("id").lt(lit(3)), col("pair").is_not_null()] {
        let plan = |lazy: LazyFrame| lazy.filter(predicate.clone());
        let expected = plan(frame.clone().lazy()).collect().unwrap();
        assert!(collect(&source.pieces(Some(3)), plan).unwrap().0.equals(&expected), "{predicate}");
    }
}

#[test]
fn a_file_without_rows_is_one_empty_piece() {
    let (_directory, path) = parquet_of(&numbered(0), 10);
    let source = ParquetSource::open(&path).unwrap();
    for wanted in [None, Some(4)] {
        let pieces = source.pieces(wanted);
        assert_eq!(pieces.len(), 1);
        assert!(collect(&pieces, |lazy| lazy).unwrap().0.equals(&numbered(0)));
    }
}

#[test]
fn columns_are_matched_by_name_across_files() {
    let directory = tempfile::tempdir().unwrap();
    let frame = numbered(20);
    write_parquet(&directory.path().join("a.parquet"), &frame.slice(0, 10), 5);
    let turned = frame.slice(10, 10).select(["name", "id", "half"]).unwrap();
    write_parquet(&directory.path().join("b.parquet"), &turned, 5);
    let source = ParquetSource::open(directory.path().to_str().unwrap()).unwrap();
    assert!(collect(&source.pieces(Some(2)), |lazy| lazy).unwrap().0.equals(&frame));
}

#[test]
fn a_glob_and_a_directory_find_data_files_and_leave_bookkeeping_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("part")).unwrap();
    for name in ["a.parquet", "b.parquet", "part/c.parquet", "_meta.parquet", ".a.parquet"] {
        write_parquet(&directory.path().join(name), &numbered(1), 1);
    }
    std::fs::write(directory.path().join("_SUCCESS"), "").unwrap();
    let rows = |pattern: &Path| ParquetSource::open(pattern.to_str().unwrap()).unwrap().rows();
    assert_eq!(rows(directory.path()), 3);
    assert_eq!(rows(&directory.path().join("*.parquet")), 2);
    assert_eq!(rows(&directory.path().join("a.parquet")), 1);
}

#[test]
fn what_cannot_be_opened_is_named_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let error = open_error(&root.join("missing.parquet"));
    assert!(
        error.contains("missing.parquet` does not exist") && error.contains("check the spelling"),
        "{error}"
    );
    let error = open_error(&root.join("*.parquet"));
    assert!(error.contains("no file matches") && error.contains("*.parquet"), "{error}");
    let error = open_error(root);
    assert!(error.contains("holds no .parquet or .pq file"), "{error}");
    let (_other, text) = file_of("table.csv", "a,b\n1,2\n");
    let error = open_error(Path::new(&text));
    assert!(error.contains("table.csv` is not a complete Parquet file"), "{error}");
    let (_other, empty) = file_of("empty.parquet", "");
    let error = open_error(Path::new(&empty));
    assert!(error.contains("empty.parquet` is not a complete Parquet file"), "{error}");
}

#[test]
fn files_with_another_schema_are_named_with_the_column() {
    let directory = tempfile::tempdir().unwrap();
    let frame = numbered(3);
    write_parquet(&directory.path().join("a.parquet"), &frame, 3);
    let second = directory.path().join("b.parquet");
    let cases = [
        (
            frame.clone().lazy().with_column(col("half").cast(DataType::String)),
            "column `half`",
            "is str but is f64 in",
        ),
        (frame.clone().lazy().drop(cols(["half"])), "column `half`", "is missing but is f64 in"),
        (frame.lazy().with_column(lit(1).alias("extra")), "column `extra`", "has no counterpart in"),
    ];
    for (other, column, what) in cases {
        write_parquet(&second, &other.collect().unwrap(), 3);
        let error = open_error(directory.path());
        for part in [column, what, "b.parquet", "a.parquet"] {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}

#[test]
fn a_file_that_changed_since_it_was_opened_is_not_read() {
    let (_directory, path) = parquet_of(&numbered(100), 10);
    let source = ParquetSource::open(&path).unwrap();
    write_parquet(Path::new(&path), &numbered(7), 10);
    let error = collect(&source.pieces(None), |lazy| lazy).unwrap_err().to_string();
    assert!(error.contains("has changed since the source was opened"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = collect(&source.pieces(None), |lazy| lazy).unwrap_err().to_string();
    assert!(error.contains("data.parquet` any more"), "{error}");
}

#[test]
fn a_piece_can_be_opened_again_from_its_parts() {
    let directory = tempfile::tempdir().unwrap();
    let frame = numbered(100);
    write_parquet(&directory.path().join("a.parquet"), &frame.slice(0, 50), 10);
    write_parquet(&directory.path().join("b.parquet"), &frame.slice(50, 50), 10);
    let pieces = ParquetSource::open(directory.path().to_str().unwrap()).unwrap().pieces(Some(3));
    let again: Vec<_> = pieces.iter().map(|piece| ParquetSource::piece_of(&piece.parts()).unwrap()).collect();
    assert!(collect(&again, |lazy| lazy).unwrap().0.equals(&frame));
    write_parquet(&directory.path().join("b.parquet"), &frame.slice(0, 10), 10);
    let error = ParquetSource::piece_of(&pieces[2].parts()).unwrap_err().to_string();
    assert!(error.contains("b.parquet` no longer has the row groups"), "{error}");
}
