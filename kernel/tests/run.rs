//! `partita run`, `partita -e` and `partita doctor` from the command line.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn partita(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run_script(directory: &Path, script: &str) -> Output {
    fs::write(directory.join("lesson.rs"), script).unwrap();
    partita(&["run", "lesson.rs"]).current_dir(directory).output().unwrap()
}

fn notebook(cells: &[(&str, &[&str])]) -> Value {
    let cells: Vec<Value> = cells
        .iter()
        .map(|(code, tags)| {
            json!({"cell_type": "code", "source": code, "metadata": {"tags": tags}, "outputs": [], "execution_count": null})
        })
        .collect();
    json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": {"language": "rust"}}, "cells": cells})
}

/// Runs a notebook and returns the program's result and the notebook that it wrote.
fn run_notebook(directory: &Path, notebook: &Value) -> (Output, Value) {
    fs::write(directory.join("in.ipynb"), notebook.to_string()).unwrap();
    let output =
        partita(&["run", "in.ipynb", "--output", "out.ipynb"]).current_dir(directory).output().unwrap();
    let written =
        fs::read_to_string(directory.join("out.ipynb")).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output, serde_json::from_str(&written).unwrap())
}

#[test]
fn a_script_runs_to_its_end_and_prints_texts_and_values() {
    let directory = tempfile::tempdir().unwrap();
    let script = "#!/usr/bin/env -S partita run\nlet v = vec![1, 2];\nfn sum(v: &[i32]) -> i32 {\n    v.iter().sum()\n}\n\
        sum(&v)\nprint!(\"open\");\neprintln!(\"aside\");\nv\n    .len()\n";
    let output = run_script(directory.path(), script);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("3\nopen\n2\n", "aside\n"));
}

#[test]
fn an_error_ends_the_script_and_names_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let script = "let a = 1;\n\n// adds text\nlet b = a\n    + \"x\";\nprintln!(\"not reached\");\n";
    let output = run_script(directory.path(), script);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("lesson.rs:5:5"), "{said}");
    assert!(said.contains("partita: lesson.rs, line "), "{said}");
    assert!(!said.contains("cell ") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(stdout(&output), "");

    let script = "fn f(x: i32) -> i32 {\n    assert!(x > 1, \"too small\");\n    x\n}\n\nf(0)\n";
    let said = stderr(&run_script(directory.path(), script));
    assert!(said.contains("too small") && said.contains("lesson.rs, line 2"), "{said}");
    assert!(said.contains("partita: lesson.rs, line 6 failed"), "{said}");
}

#[test]
fn colours_are_for_terminals_unless_somebody_asks_for_them() {
    let run = |variable: &str| {
        let mut command = partita(&["-e", "let x: i32 = \"text\";"]);
        stderr(&command.env(variable, "1").output().unwrap())
    };
    assert!(!run("PARTITA_NOTHING").contains('\u{1b}'));
    assert!(run("CLICOLOR_FORCE").contains('\u{1b}'));
    assert!(!run("NO_COLOR").contains('\u{1b}'));
}

#[test]
fn code_on_the_command_line_is_cells_of_one_session_and_decides_the_exit_code() {
    let output = partita(&["-e", "let a = 6;", "-e", "-a + 48"]).output().unwrap();
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("42\n", Some(0)), "{}", stderr(&output));
    let output = partita(&["-e", "i32::from_str_radix(\"x\", 10)?;", "-e", "1"]).output().unwrap();
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("", Some(1)));
    assert!(stderr(&output).contains("invalid digit"), "{}", stderr(&output));
}

#[test]
fn an_executed_notebook_has_the_outputs_of_all_kinds() {
    let directory = tempfile::tempdir().unwrap();
    let mut source = notebook(&[
        ("let a = std::fs::read(\"in.ipynb\")?.len().min(20);", &[]),
        ("println!(\"one\\ntwo\"); eprint!(\"aside\"); a + 22", &[]),
        ("display(&Html(\"<b>bold</b>\".into()));", &[]),
        ("panic!(\"on purpose\")", &["raises-exception"]),
        ("panic!(\"not run\")", &["skip-execution"]),
        ("a", &[]),
    ]);
    let cells = source["cells"].as_array_mut().unwrap();
    cells.insert(0, json!({"cell_type": "markdown", "source": ["# Lesson"], "metadata": {}}));
    let (output, written) = run_notebook(directory.path(), &source);
    assert!(output.status.success(), "{}", stderr(&output));
    let cells = &written["cells"];
    assert_eq!(cells[0], source["cells"][0]);
    assert_eq!(cells[2]["execution_count"], 2);
    let outputs = &cells[2]["outputs"];
    let streams = outputs.as_array().unwrap();
    let stream = |name: &str| streams.iter().find(|output| output["name"] == name).unwrap()["text"].clone();
    assert_eq!((stream("stdout"), stream("stderr")), (json!(["one\n", "two\n"]), json!(["aside"])));
    let result = streams.last().unwrap();
    assert_eq!((&result["output_type"], &result["execution_count"]), (&json!("execute_result"), &json!(2)));
    assert_eq!(result["data"]["text/plain"], json!(["42"]));
    assert_eq!(cells[3]["outputs"][0]["output_type"], "display_data");
    assert_eq!(cells[3]["outputs"][0]["data"]["text/html"], json!(["<b>bold</b>"]));
    assert_eq!(cells[4]["outputs"][0]["ename"], "Panic");
    assert_eq!(cells[5]["execution_count"], Value::Null);
    assert_eq!(cells[6]["outputs"][0]["data"]["text/plain"], json!(["20"]));
    assert_eq!(stdout(&output).lines().next(), Some("one"));
}

#[test]
fn a_notebook_that_fails_is_written_up_to_the_failure_and_loses_old_outputs() {
    let directory = tempfile::tempdir().unwrap();
    let mut source = notebook(&[("1", &[]), ("no_such_name", &[]), ("3", &[])]);
    source["cells"][2]["outputs"] = json!([{"output_type": "stream", "name": "stdout", "text": "old"}]);
    let (output, written) = run_notebook(directory.path(), &source);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("in.ipynb, cell 2 failed"), "{}", stderr(&output));
    assert_eq!(written["cells"][0]["outputs"][0]["data"]["text/plain"], json!(["1"]));
    assert_eq!(written["cells"][1]["outputs"][0]["ename"], "CompileError");
    assert_eq!(
        (&written["cells"][2]["outputs"], &written["cells"][2]["execution_count"]),
        (&json!([]), &Value::Null)
    );
}

#[test]
fn what_cannot_be_run_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let mut python = notebook(&[]);
    python["metadata"]["kernelspec"]["language"] = json!("python");
    fs::write(directory.path().join("other.ipynb"), python.to_string()).unwrap();
    fs::write(directory.path().join("data.csv"), "1").unwrap();
    fs::write(directory.path().join("a.rs"), "1").unwrap();
    for (arguments, why) in [
        (&["run", "other.ipynb"][..], "python notebook"),
        (&["run", "data.csv"], "neither a script"),
        (&["run", "a.rs", "--output", "a.ipynb"], "only a notebook"),
        (&["run", "none.rs"], "cannot read none.rs"),
        (&["rum", "a.rs"], "run"),
    ] {
        let output = partita(arguments).current_dir(&directory).output().unwrap();
        assert!(
            !output.status.success() && stderr(&output).contains(why),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

fn doctor(path: &Path, jupyter: &Path) -> (bool, Value) {
    let mut command = partita(&["doctor", "--json"]);
    command.env("PATH", path).env("JUPYTER_PATH", jupyter.join("share/jupyter"));
    // Cargo's home is searched as well.
    command.env("CARGO_HOME", path);
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX", "SPARK_HOME"] {
        command.env_remove(variable);
    }
    let output = command.env("JUPYTER_DATA_DIR", jupyter.join("none")).output().unwrap();
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(found["well"].as_bool(), Some(output.status.success()));
    (output.status.success(), found["checks"].clone())
}

fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {checks}"))
}

#[test]
fn the_doctor_finds_what_cells_need_and_only_remarks_on_the_rest() {
    let path = tempfile::tempdir().unwrap();
    for program in ["rustc", "cc", "ld", "as"] {
        let paths = std::env::var_os("PATH").unwrap();
        let mut found =
            std::env::split_paths(&paths).map(|directory| directory.join(program)).filter(|it| it.is_file());
        std::os::unix::fs::symlink(found.next().unwrap(), path.path().join(program)).unwrap();
    }
    let prefix = tempfile::tempdir().unwrap();
    let (well, checks) = doctor(path.path(), prefix.path());
    assert!(well, "{checks}");
    for name in ["toolchain", "linker", "warm build", "a cell"] {
        assert_eq!(check(&checks, name)["state"], "good", "{checks}");
    }
    for (name, advice) in
        [("docker", "docs.docker.com"), ("spark", "pyspark"), ("kernelspec", "partita install")]
    {
        let check = check(&checks, name);
        assert_eq!(check["state"], "missing", "{checks}");
        assert!(check["advice"].as_str().unwrap().contains(advice), "{checks}");
    }
    let installed = partita(&["install", "--prefix"]).arg(prefix.path()).output().unwrap();
    assert!(installed.status.success());
    let (_, checks) = doctor(path.path(), prefix.path());
    let kernelspec = check(&checks, "kernelspec");
    assert_eq!(kernelspec["state"], "good", "{checks}");
    assert!(kernelspec["found"].as_str().unwrap().contains("kernel -f {connection_file}"), "{checks}");
}

#[test]
fn the_doctor_fails_without_a_toolchain_and_says_where_to_get_one() {
    let empty = tempfile::tempdir().unwrap();
    let (well, checks) = doctor(empty.path(), empty.path());
    assert!(!well);
    let toolchain = check(&checks, "toolchain");
    assert_eq!(toolchain["state"], "broken");
    assert!(toolchain["advice"].as_str().unwrap().contains("rustup"), "{checks}");
    assert_eq!(check(&checks, "linker")["state"], "broken");
}
