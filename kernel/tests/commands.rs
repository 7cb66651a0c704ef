//! Commands in a real interpreter: what each answers, and that no failure costs the session anything.

mod support;

use partita_bridge::Stream;
use partita_interpreter::{Outcome, Output};
use partita_kernel::evaluators::EvaluatorKind;
use support::{Done, Notebook, plain};

/// A session with one variable of each kind that holds rows, and one that does not.
fn notebook() -> Notebook {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    finish(&mut notebook, r#"let trips = df!["zone" => ["a", "b", "a"], "fare" => [1.5, 2.0, 3.0]]?;"#);
    finish(&mut notebook, r#"let dear = trips.clone().lazy().filter(col("fare").gt(lit(1.75)));"#);
    finish(
        &mut notebook,
        r#"let session = Session::embedded(2)?;
           let twice = session.frame(trips.clone(), 2).select([col("zone"), col("fare") * lit(2.0)]);
           let number = 7usize;"#,
    );
    notebook
}

fn finish(notebook: &mut Notebook, code: &str) -> Done {
    let done = notebook.run(code);
    if let Outcome::Failed(error) = &done.outcome {
        panic!("`{code}` failed:\n{}", error.traceback.join("\n"));
    }
    done
}

/// The answer to a cell, as text.
fn text(notebook: &mut Notebook, code: &str) -> String {
    representation(&finish(notebook, code), "text/plain")
}

fn representation(done: &Done, mime: &str) -> String {
    match &done.outcome {
        Outcome::Finished(Some(bundle)) => bundle.get(mime).unwrap_or_default().to_owned(),
        other => panic!("no value: {other:?}"),
    }
}

fn error(notebook: &mut Notebook, code: &str) -> String {
    let error = notebook.run(code).error().clone();
    format!("{}\n{}", error.message, error.traceback.join("\n"))
}

#[track_caller]
fn has(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is missing in\n{text}");
    }
}

/// The line that begins with `name`, split into columns.
fn row(table: &str, name: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no row {name} in\n{table}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn help_lists_every_command_and_explains_one() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let done = finish(&mut notebook, ":help");
    let names: Vec<String> = partita_interpreter::commands::names().map(|name| format!(":{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    has(&representation(&done, "text/plain"), &names);
    has(&representation(&done, "text/html"), &["<table>", ":vars"]);
    has(&text(&mut notebook, ":help reset"), &[":reset", "drops all", "also: `:clear`"]);
    has(&error(&mut notebook, ":help jbos"), &["did you mean", "jobs"]);
}

#[test]
fn variables_are_listed_with_their_types() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    assert_eq!(text(&mut notebook, ":vars"), "no variables yet");
    finish(&mut notebook, "let words = vec![String::from(\"a\")]; let n = 1u8;");
    let done = finish(&mut notebook, ":vars");
    let table = representation(&done, "text/plain");
    assert_eq!(row(&table, "words")[..2], ["words", "Vec<String>"]);
    assert_eq!(row(&table, "n  ")[..2], ["n", "u8"]);
    has(&representation(&done, "text/html"), &["Vec&lt;String&gt;"]);
    has(&error(&mut notebook, ":vars words"), &["takes no argument", "words"]);
}

#[test]
fn types_and_docs_of_variables_are_said_and_a_question_mark_asks_for_them() {
    let mut notebook = notebook();
    assert_eq!(text(&mut notebook, ":type trips"), "DataFrame");
    for question in [":doc trips", "?trips", "trips?"] {
        has(&text(&mut notebook, question), &["trips", "DataFrame"]);
    }
    has(&error(&mut notebook, ":doc no_such_name"), &["no_such_name"]);
    has(&error(&mut notebook, ":type"), &[":type EXPRESSION"]);
    // If a variable's type has `?`, `?` stays Rust's.
    finish(&mut notebook, "let perhaps: Result<i32, String> = Ok(41);");
    assert_eq!(text(&mut notebook, "perhaps?"), "41");
}

#[test]
fn sql_reads_data_frames_lazy_frames_and_datasets_together() {
    let mut notebook = notebook();
    let done =
        finish(&mut notebook, ":sql SELECT zone, SUM(fare) AS total FROM trips GROUP BY zone ORDER BY zone");
    has(&representation(&done, "text/plain"), &["shape: (2, 2)", "total", "4.5", "2.0"]);
    has(&representation(&done, "text/html"), &["<table", "4.5"]);
    let joined = "%%sql\nSELECT d.fare, w.fare AS doubled\nFROM dear d\nJOIN trips t ON t.fare = d.fare\n\
                  JOIN twice w ON w.zone = d.zone\nWHERE t.zone = 'b'";
    has(&text(&mut notebook, joined), &["shape: (1, 2)", "2.0", "4.0"]);
    // The dataset was collected by a job, the others without one.
    let jobs = text(&mut notebook, ":jobs");
    assert_eq!(row(&jobs, "0")[1], "collect");
    assert!(!jobs.lines().any(|line| line.trim_start().starts_with('1')), "{jobs}");
    has(&text(&mut notebook, ":sql SHOW TABLES"), &["dear", "trips", "twice"]);
}

#[test]
fn the_result_of_a_query_can_be_kept_in_a_variable() {
    let mut notebook = notebook();
    has(&text(&mut notebook, ":sql few = SELECT * FROM trips LIMIT 2"), &["shape: (2, 2)"]);
    assert_eq!(text(&mut notebook, "few.height() + trips.height()"), "5");
    has(&text(&mut notebook, "%%sql few\nSELECT * FROM few LIMIT 1"), &["shape: (1, 2)"]);
    assert_eq!(text(&mut notebook, "few.height()"), "1");
    assert_eq!(row(&text(&mut notebook, ":vars"), "few")[1], "DataFrame");
    // A variable of another type is replaced, as by `let`.
    finish(&mut notebook, ":sql number << SELECT zone FROM few");
    assert_eq!(text(&mut notebook, "number.width()"), "1");
    has(&error(&mut notebook, ":sql fn = SELECT * FROM few"), &["`fn`", "variable"]);
}

#[test]
fn a_query_that_is_wrong_says_what_is_and_runs_no_job() {
    let mut notebook = notebook();
    has(
        &error(&mut notebook, ":sql SELECT * FROM trip"),
        &["no variable `trip`", "`trips`?", "`twice` (Dataset)"],
    );
    has(&error(&mut notebook, ":sql SELECT * FROM number"), &["`number` is not a DataFrame"]);
    has(&error(&mut notebook, ":sql SELEC zone FROM trips"), &["SELEC"]);
    has(&error(&mut notebook, ":sql SELECT speed FROM twice"), &["speed"]);
    has(&error(&mut notebook, ":sql"), &["query is missing"]);
    has(&text(&mut notebook, ":jobs"), &["no job has run yet"]);
    assert_eq!(text(&mut notebook, "trips.height() + number"), "10");
}

#[test]
fn a_plan_is_explained_and_not_run() {
    let mut notebook = notebook();
    has(&text(&mut notebook, ":explain dear"), &["FILTER", "fare"]);
    has(&text(&mut notebook, ":explain twice"), &["stage 0", "2 partitions"]);
    has(&error(&mut notebook, ":explain trips"), &["DataFrame", "no plan"]);
    has(&error(&mut notebook, ":explain twize"), &["did you mean `twice`?"]);
    has(&text(&mut notebook, ":jobs"), &["no job has run yet"]);
}

#[test]
fn jobs_of_all_sessions_are_listed_and_one_is_shown_whole() {
    let mut notebook = notebook();
    finish(&mut notebook, "twice.count()?; twice.collect()?;");
    let jobs = text(&mut notebook, ":jobs");
    assert_eq!(row(&jobs, "0")[1..5], ["count", "1", "2", "3"]);
    assert_eq!(row(&jobs, "1").last().unwrap(), "done");
    has(&text(&mut notebook, ":jobs 1"), &["job 1 (collect): done", "stage 0"]);
    finish(&mut notebook, "let other = Session::embedded(1)?; other.range(0, 10, 3).collect()?;");
    let jobs = text(&mut notebook, ":jobs");
    has(&jobs, &["session"]);
    assert_eq!(row(&jobs, "2")[..5], ["2", "0", "collect", "1", "3"]);
    // Both sessions have a job 0; the latest is meant.
    has(&text(&mut notebook, ":jobs 0"), &["3 tasks on 1 slot"]);
    has(&error(&mut notebook, ":jobs 9"), &["no job 9"]);
    has(&error(&mut notebook, ":jobs last"), &["`last`"]);
}

#[test]
fn workers_show_their_slots_and_what_they_keep() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    has(&text(&mut notebook, ":workers"), &["no session yet"]);
    finish(
        &mut notebook,
        "let s = Session::embedded(3)?; let kept = s.range(0, 1000, 4).cache(); kept.count()?;",
    );
    let workers = row(&text(&mut notebook, ":workers"), "1");
    assert_eq!(workers[..7], ["1", "this process", "3", "0", "1", "4", "0"]);
    finish(&mut notebook, "drop((kept, s));");
    has(&text(&mut notebook, ":workers"), &["no session yet"]);
}

#[test]
fn time_runs_the_code_and_says_how_long_it_took() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    for (code, value) in [(":time let a = 20; a + 1", "21"), ("%%time\nlet b = a;\na + b", "40")] {
        let done = finish(&mut notebook, code);
        assert_eq!(representation(&done, "text/plain"), value);
        has(&done.text(Stream::Stdout), &["wall ", "CPU "]);
    }
    let failed = notebook.run("%%time\nlet c: i32 = \"x\";");
    has(&plain(&failed.error().traceback.join("\n")), &["cell 3:2:14"]);
    has(&error(&mut notebook, ":time"), &[":time CODE"]);
}

#[test]
fn timing_and_optimisation_are_set_and_said() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    assert_eq!(text(&mut notebook, ":timing"), "timing is off");
    assert_eq!(text(&mut notebook, ":timing on"), "timing is on");
    has(&finish(&mut notebook, "1 + 1").text(Stream::Stdout), &["s: ", "rustc check "]);
    text(&mut notebook, ":timing off");
    assert_eq!(finish(&mut notebook, "1 + 1").text(Stream::Stdout), "");
    assert_eq!(text(&mut notebook, ":opt 2"), "optimisation is 2");
    assert_eq!(text(&mut notebook, ":opt"), "optimisation is 2");
    has(&error(&mut notebook, ":opt fast"), &["fast", "auto"]);
    has(&error(&mut notebook, ":timing maybe"), &["`on` or `off`"]);
}

#[test]
fn the_environment_names_versions_and_the_evaluation_process() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let table = text(&mut notebook, ":env");
    assert_eq!(row(&table, "partita"), ["partita", env!("CARGO_PKG_VERSION")]);
    assert!(row(&table, "polars")[1].starts_with("0."), "{table}");
    assert!(row(&table, "memory")[1].contains("MB of "), "{table}");
    has(&table, &["compiler", "library", "direct"]);
}

#[test]
fn reset_forgets_everything_and_says_what() {
    let mut notebook = notebook();
    finish(&mut notebook, "fn twofold(x: i32) -> i32 { 2 * x }");
    has(&text(&mut notebook, ":reset"), &["5 variables", "`trips`", "1 item (`twofold`)"]);
    assert_eq!(text(&mut notebook, ":vars"), "no variables yet");
    has(&error(&mut notebook, "trips"), &["cannot find value `trips`"]);
    has(&error(&mut notebook, "twofold(1)"), &["cannot find function `twofold`"]);
    has(&text(&mut notebook, ":reset"), &["nothing to forget"]);
    assert_eq!(text(&mut notebook, "20 + 1"), "21");
}

#[test]
fn commands_stand_before_the_code_of_a_cell_and_errors_keep_their_lines() {
    let mut notebook = notebook();
    let done = finish(&mut notebook, ":vars\n// and then\n:sql SELECT zone\nFROM trips\n\nnumber + 1");
    assert_eq!(representation(&done, "text/plain"), "8");
    let displays: Vec<&str> = done
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Display { id: None, bundle } => bundle.get("text/plain"),
            _ => None,
        })
        .collect();
    let [variables, zones] = displays[..] else { panic!("{displays:?}") };
    has(variables, &["trips", "DataFrame"]);
    has(zones, &["shape: (3, 1)"]);
    let failed = notebook.run(":help\nlet x: i32 = \"x\";");
    has(&plain(&failed.error().traceback.join("\n")), &["cell 5:2:14"]);
    // What follows a failed command is not run.
    assert!(error(&mut notebook, ":nonsense\nlet never = 1;").contains(":nonsense"));
    has(&error(&mut notebook, "never"), &["cannot find value `never`"]);
}

#[test]
fn an_unknown_command_or_magic_is_answered_with_the_nearest() {
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    has(&error(&mut notebook, ":var"), &["no command `:var`", "`:vars`?"]);
    has(&error(&mut notebook, "%%sqll\nSELECT 1"), &["no command `%%sqll`", "`%%sql`?"]);
    has(&error(&mut notebook, "%matplotlib inline"), &["no command `%matplotlib`", "`:help`"]);
    assert_eq!(notebook.run(":var").error().name, "CommandError");
    has(&text(&mut notebook, ":quit"), &["front end"]);
}

#[cfg(feature = "evcxr")]
#[test]
fn with_evcxr_its_own_commands_reach_it_and_the_others_are_answered() {
    let mut notebook = Notebook::new(EvaluatorKind::Evcxr);
    finish(&mut notebook, "let words = vec![1];");
    assert_eq!(row(&text(&mut notebook, ":vars"), "words")[..2], ["words", "Vec<i32>"]);
    has(&text(&mut notebook, ":help"), &["evcxr evaluator"]);
    has(&text(&mut notebook, ":opt 1"), &["1"]);
    has(&error(&mut notebook, ":workers"), &["direct"]);
    let done = finish(&mut notebook, "%%time\nwords.len()");
    assert_eq!(representation(&done, "text/plain"), "1");
    has(&done.text(Stream::Stdout), &["wall "]);
    assert_eq!(notebook.run(":clear").outcome, Outcome::Finished(None));
    assert_eq!(text(&mut notebook, ":vars"), "no variables yet");
}
