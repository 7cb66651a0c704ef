//! Opening, splitting and reading CSV files.

use std::fs::File;

use polars::prelude::*;
use proptest::prelude::*;

use super::{collect, file_of};
use crate::source::{CsvOptions, CsvSource};

const TRIPS: &str = "city,fare,note\nRome,12.5,\"a \"\"quiet\"\"\nstreet\"\nOslo,7,\nRome,,\"x,y\"\n";

fn trips() -> DataFrame {
    df!(
        "city" => ["Rome", "Oslo", "Rome"],
        "fare" => [Some(12.5), Some(7.0), None],
        "note" => [Some("a \"quiet\"\nstreet"), None, Some("x,y")],
    )
    .unwrap()
}

fn open(pattern: &str) -> CsvSource {
    CsvSource::open(pattern, &CsvOptions::default()).unwrap()
}

fn open_error(pattern: &str, options: &CsvOptions) -> String {
    CsvSource::open(pattern, options).unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_file_cut_between_records_gives_every_record_once(
        rows in prop::collection::vec((any::<i64>(), "[a\",\n\r ]{0,6}"), 1..60),
        wanted in 1usize..64,
    ) {
        let mut frame = df!(
            "number" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "text" => rows.iter().map(|row| format!("t{}", row.1)).collect::<Vec<_>>(),
        ).unwrap();
        let (_directory, path) = file_of("data.csv", "");
        CsvWriter::new(File::create(&path).unwrap()).finish(&mut frame).unwrap();
        let source = open(&path);
        let pieces = source.pieces(Some(wanted)).unwrap();
        prop_assert!(pieces.len() <= wanted);
        let (found, stats) = collect(&pieces, |lazy| lazy).unwrap();
        prop_assert!(found.equals(&frame), "{}\nnot\n{}", found, frame);
        prop_assert_eq!(stats.rows_read, rows.len() as u64);
        prop_assert_eq!(stats.bytes_read, source.bytes());
    }
}

#[test]
fn types_are_inferred_and_quotes_and_empty_fields_understood() {
    let (_directory, path) = file_of("trips.csv", TRIPS);
    let source = open(&path);
    assert_eq!(source.schema().get("fare"), Some(&DataType::Float64));
    for wanted in [None, Some(1), Some(2), Some(3), Some(9)] {
        let (found, _) = collect(&source.pieces(wanted).unwrap(), |lazy| lazy).unwrap();
        assert!(found.equals_missing(&trips()), "{wanted:?}: {found}");
    }
}

#[test]
fn projection_predicate_and_limit_give_what_the_frame_gives() {
    let (_directory, path) = file_of("trips.csv", TRIPS);
    let pieces = open(&path).pieces(None).unwrap();
    let plans: [fn(LazyFrame) -> LazyFrame; 5] = [
        |lazy| lazy.select([col("note"), col("city")]),
        |lazy| lazy.filter(col("fare").gt(lit(10))).select([col("city")]),
        |lazy| lazy.limit(2),
        |lazy| lazy.limit(2).filter(col("city").eq(lit("Rome"))),
        |lazy| lazy.select([len()]),
    ];
    for plan in plans {
        let (found, _) = collect(&pieces, plan).unwrap();
        assert!(found.equals_missing(&plan(trips().lazy()).collect().unwrap()), "{found}");
    }
    assert_eq!(collect(&pieces, plans[1]).unwrap().1.columns, ["city", "fare"]);
}

#[test]
fn files_share_pieces_when_fewer_are_wanted_and_are_cut_when_more_are() {
    let directory = tempfile::tempdir().unwrap();
    for file in 0..4 {
        let text: String = (0..10).map(|row| format!("{}\n", file * 10 + row)).collect();
        std::fs::write(directory.path().join(format!("{file}.csv")), format!("id\n{text}")).unwrap();
    }
    let source = open(directory.path().to_str().unwrap());
    let expected = df!("id" => (0i64..40).collect::<Vec<_>>()).unwrap();
    for (wanted, count) in [(None, 4), (Some(1), 1), (Some(3), 3), (Some(4), 4), (Some(8), 8)] {
        let pieces = source.pieces(wanted).unwrap();
        assert_eq!(pieces.len(), count);
        assert!(collect(&pieces, |lazy| lazy).unwrap().0.equals(&expected));
    }
}

#[test]
fn options_are_respected() {
    let (_directory, path) = file_of("data.csv", "1;NA;2024-05-01\n2;b;2024-05-02\n");
    let options = CsvOptions {
        separator: b';',
        has_header: false,
        parse_dates: true,
        null_values: vec!["NA".into()],
        types: vec![("column_1".into(), DataType::UInt8)],
        ..CsvOptions::default()
    };
    let source = CsvSource::open(&path, &options).unwrap();
    let (found, _) = collect(&source.pieces(Some(2)).unwrap(), |lazy| lazy).unwrap();
    let expected =
        df!("column_1" => [1u32, 2], "column_2" => [None, Some("b")], "column_3" => [19844, 19845])
            .unwrap()
            .lazy()
            .with_columns([col("column_1").cast(DataType::UInt8), col("column_3").cast(DataType::Date)])
            .collect()
            .unwrap();
    assert!(found.equals_missing(&expected), "{found}");
    let options = CsvOptions { types: vec![("fare".into(), DataType::Float64)], ..options };
    let error = open_error(&path, &options);
    assert!(error.contains("`fare`") && error.contains("`column_1`, `column_2`"), "{error}");
}

#[test]
fn a_value_that_does_not_fit_is_named_with_file_and_line() {
    let text: String = (0..2000).map(|row| format!("{row},\"two\nlines\"\n")).collect();
    let (_directory, path) = file_of("bad.csv", &format!("id,note\n{text}oops,x\n1,y\n"));
    let source = open(&path);
    assert_eq!(source.schema().get("id"), Some(&DataType::Int64));
    for wanted in [1, 7] {
        let error = collect(&source.pieces(Some(wanted)).unwrap(), |lazy| lazy).unwrap_err().to_string();
        assert!(
            error.contains("bad.csv` line 4002: could not parse `oops` as dtype `i64` at column 'id'"),
            "{error}"
        );
        assert!(error.contains("infer_rows"), "{error}");
    }
}

#[test]
fn a_record_with_too_many_fields_is_named_with_file_and_line() {
    let (_directory, path) = file_of("wide.csv", "a,b\n1,2\n3,4,5\n");
    let options = CsvOptions { infer_rows: Some(1), ..CsvOptions::default() };
    let source = CsvSource::open(&path, &options).unwrap();
    let error = collect(&source.pieces(None).unwrap(), |lazy| lazy).unwrap_err().to_string();
    assert!(error.contains("wide.csv` line 3: found more fields"), "{error}");
}

#[test]
fn numbers_of_files_that_differ_become_the_type_that_holds_both() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.csv"), "x,y\n1,1\n").unwrap();
    std::fs::write(directory.path().join("b.csv"), "x,y\n2.5,true\n").unwrap();
    let source = open(directory.path().to_str().unwrap());
    let (found, _) = collect(&source.pieces(None).unwrap(), |lazy| lazy).unwrap();
    assert!(found.equals(&df!("x" => [1.0, 2.5], "y" => ["1", "true"]).unwrap()), "{found}");
}

#[test]
fn files_that_cannot_be_one_source_are_named_with_the_column() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.csv"), "x,y\n1,1\n").unwrap();
    let second = directory.path().join("b.csv");
    for (text, what) in [
        ("x\n1\n", "column `y` of"),
        ("x,z\n1,2\n", "stands where column `y` stands"),
        ("x,y,z\n1,2,3\n", "has no counterpart"),
        ("", "b.csv` has no line to take a schema from"),
    ] {
        std::fs::write(&second, text).unwrap();
        let error = open_error(directory.path().to_str().unwrap(), &CsvOptions::default());
        assert!(error.contains(what) && error.contains("b.csv"), "{error}");
    }
}

#[test]
fn a_file_with_a_header_alone_has_no_rows() {
    let (_directory, path) = file_of("head.csv", "a,b\n");
    let (found, stats) = collect(&open(&path).pieces(Some(3)).unwrap(), |lazy| lazy).unwrap();
    assert_eq!((found.shape(), stats.rows_read), ((0, 2), 0));
}

#[test]
fn a_compressed_file_is_read_and_its_lines_counted_but_it_is_never_cut() {
    // gzip of "a,b\n1,x\n2,y\nz,w\n"
    const PACKED: [u8; 36] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xd4, 0x49, 0xe2, 0x32, 0xd4, 0xa9,
        0xe0, 0x32, 0xd2, 0xa9, 0xe4, 0xaa, 0xd2, 0x29, 0xe7, 0x02, 0x00, 0x01, 0x7f, 0xe2, 0x8e, 0x10, 0x00,
        0x00, 0x00,
    ];
    let (directory, _) = file_of("note.txt", "");
    std::fs::write(directory.path().join("data.csv.gz"), PACKED).unwrap();
    let source = open(directory.path().to_str().unwrap());
    let pieces = source.pieces(Some(4)).unwrap();
    assert_eq!(pieces.len(), 1);
    let (found, stats) = collect(&pieces, |lazy| lazy.select([col("b")])).unwrap();
    assert!(found.equals(&df!("b" => ["x", "y", "w"]).unwrap()), "{found}");
    assert_eq!(stats.bytes_read, PACKED.len() as u64);
    let options = CsvOptions { infer_rows: Some(2), ..CsvOptions::default() };
    let source = CsvSource::open(directory.path().to_str().unwrap(), &options).unwrap();
    let error = collect(&source.pieces(None).unwrap(), |lazy| lazy).unwrap_err().to_string();
    assert!(error.contains("data.csv.gz` line 4: could not parse `z`"), "{error}");
}
