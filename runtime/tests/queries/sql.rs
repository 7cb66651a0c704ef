//! SQL over datasets, and what is said about queries that cannot be.

use partita::prelude::*;

/// A session with tables `orders`, in three partitions, and `people`, in two.
fn session() -> Session {
    let session = Session::embedded(2).unwrap();
    let orders = df!("person" => [1i64, 2, 1, 3, 1], "price" => [10i64, 20, 30, 40, 50]).unwrap();
    let people = df!("id" => [1i64, 2, 4], "name" => ["Ada", "Grace", "Mary"]).unwrap();
    session.register("orders", &session.frame(orders, 3)).unwrap();
    session.register("people", &session.frame(people, 2)).unwrap();
    session
}

#[track_caller]
fn assert_answer(query: &str, expected: PolarsResult<DataFrame>) {
    let session = session();
    for threshold in [0, 10 << 20] {
        session.set_broadcast_threshold(threshold);
        let dataset = session.sql(query).unwrap();
        let (rows, expected) = (dataset.collect().unwrap(), expected.as_ref().unwrap());
        assert!(rows.equals_missing(expected), "{rows}\nexpected {expected}\n{}", dataset.explain().unwrap());
    }
}

#[track_caller]
fn assert_says(error: impl std::fmt::Display, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

#[test]
fn groups_have_the_rows_of_all_partitions() {
    assert_answer(
        "select person, sum(price) as total, count(*) as n from orders group by person order by person",
        df!("person" => [1i64, 2, 3], "total" => [90i64, 20, 40], "n" => [3u32, 1, 1]),
    );
    assert_answer(
        "select person from orders group by person having sum(price) > 30 order by person desc",
        df!("person" => [3i64, 1]),
    );
    assert_answer(
        "select max(price) as most, avg(price) as mean from orders",
        df!("most" => [50i64], "mean" => [30.0]),
    );
}

#[test]
fn an_order_with_a_limit_is_that_of_all_rows() {
    assert_answer("select price from orders order by price desc limit 2", df!("price" => [50i64, 40]));
    assert_answer("select price from orders order by price limit 2 offset 1", df!("price" => [20i64, 30]));
    assert_answer("select distinct person from orders order by person", df!("person" => [1i64, 2, 3]));
}

#[test]
fn tables_are_joined_whatever_their_partitions() {
    assert_answer(
        "select name, price from orders join people on orders.person = people.id where price > 10 order by price",
        df!("name" => ["Grace", "Ada", "Ada"], "price" => [20i64, 30, 50]),
    );
    assert_answer(
        "select name, sum(price) as total from people left join orders on people.id = orders.person \
         group by name order by name",
        df!("name" => ["Ada", "Grace", "Mary"], "total" => [Some(90i64), Some(20), None]),
    );
    assert_answer(
        "select name from people where id in (select person from orders) order by name",
        df!("name" => ["Ada", "Grace"]),
    );
}

#[test]
fn subqueries_have_names() {
    assert_answer(
        "with totals as (select person, sum(price) as total from orders group by person) \
         select name, total from totals join people on totals.person = people.id order by total",
        df!("name" => ["Grace", "Ada"], "total" => [20i64, 90]),
    );
    assert_answer(
        "select price from (select price from orders where price < 20 union all \
         select id as price from people where id > 2) as together order by price",
        df!("price" => [4i64, 10]),
    );
}

#[test]
fn windows_see_all_rows_of_their_key() {
    assert_answer(
        "select price, sum(price) over (partition by person) as total from orders order by price",
        df!("price" => [10i64, 20, 30, 40, 50], "total" => [90i64, 20, 90, 40, 90]),
    );
}

#[test]
fn files_need_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let session = session();
    session.range(0, 100, 4).write_parquet(directory.path().join("t")).unwrap();
    let file = directory.path().join("t").join("*.parquet");
    let odd = format!("select count(*) as n from read_parquet('{}') where id % 2 = 1", file.display());
    assert_eq!(session.sql(&odd).unwrap().collect().unwrap(), df!("n" => [50u32]).unwrap());
}

#[test]
fn a_name_is_that_of_the_dataset_registered_last() {
    let session = session();
    session.register("orders", &session.range(0, 3, 2)).unwrap();
    let rows = session.sql("select * from orders order by id").unwrap().collect().unwrap();
    assert_eq!(rows, df!("id" => [0i64, 1, 2]).unwrap());
    // Steps of a dataset made of SQL are steps like others.
    let sum = session.sql("select id from orders").unwrap().agg([col("id").sum()]).collect().unwrap();
    assert_eq!(sum, df!("id" => [3i64]).unwrap());
}

#[test]
fn a_table_that_is_not_there_is_named_with_those_that_are() {
    let session = session();
    assert_says(session.sql("select * from order").unwrap_err(), &["order"]);
    assert_says(session.sql("select * from nowhere").unwrap_err(), &["nowhere", "orders, people"]);
    let empty = Session::embedded(1).unwrap();
    assert_says(empty.sql("select * from orders").unwrap_err(), &["orders", "register"]);
}

#[test]
fn what_is_no_sql_is_refused_with_the_place() {
    let session = session();
    assert_says(session.sql("give me rows").unwrap_err(), &["sql", "give"]);
    assert_says(session.sql("select from where").unwrap_err(), &["sql"]);
    assert_says(session.sql("").unwrap_err(), &["sql"]);
}

#[test]
fn a_misspelt_column_is_told_with_the_step_when_it_is_written() {
    let session = session();
    let orders = session.sql("select * from orders").unwrap();
    assert_says(session.sql("select prise from orders").unwrap_err(), &["prise", "price"]);
    let steps: [(&str, Dataset); 9] = [
        ("filter", orders.filter(col("prise").gt(lit(1)))),
        ("select", orders.select([col("prise")])),
        ("with_columns", orders.with_columns([col("prise").sum().alias("x")])),
        ("group_by", orders.group_by([col("person")]).agg([col("prise").sum()])),
        ("sort", orders.sort([col("prise")])),
        ("query", orders.query(|lf| lf.filter(col("prise").gt(lit(1))))),
        ("top_k", orders.top_k(1, [col("prise")])),
        ("drop", orders.drop(["prise"])),
        ("unpivot", orders.unpivot(["prise"], ["person"])),
    ];
    for (step, dataset) in steps {
        // Told by the schema already, so before anything runs.
        assert_says(dataset.schema().unwrap_err(), &[step, "prise", "price"]);
        assert_says(dataset.select([col("person")]).collect().unwrap_err(), &[step, "prise"]);
    }
    let frame = df!("price" => [1]).unwrap().lazy().select([col("prise")]);
    assert_says(session.lazy(frame).unwrap_err(), &["lazy", "prise"]);
}

#[test]
fn a_type_that_does_not_fit_and_a_name_twice_are_told_when_written() {
    let session = session();
    let people = session.sql("select * from people").unwrap();
    assert_says(people.filter(col("name")).schema().unwrap_err(), &["filter", "Boolean", "String"]);
    assert_says(people.select([col("id"), col("id")]).schema().unwrap_err(), &["select", "id"]);
    assert_says(people.rename([("id", "name")]).schema().unwrap_err(), &["rename", "name"]);
    assert_says(people.with_row_index("id").schema().unwrap_err(), &["with_row_index", "id"]);
}

#[test]
fn a_dataset_of_another_session_cannot_be_registered() {
    let other = Session::embedded(1).unwrap();
    let error = session().register("numbers", &other.range(0, 3, 1)).unwrap_err();
    assert_says(error, &["another session", "frame()"]);
}
