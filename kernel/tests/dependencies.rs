//! `:dep`: crates added by cells. No test needs the network: crates are written for the test, or are in
//! cargo's cache because Partita itself is built from them.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::json;

/// A directory for the crates and built crates of one test.
struct Workshop(tempfile::TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a crate; `extra` is appended to its manifest.
    fn write_crate(&self, name: &str, extra: &str, source: &str) -> PathBuf {
        let directory = self.path().join(name);
        fs::create_dir_all(directory.join("src")).unwrap();
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.3.1\"\nedition = \"2024\"\n{extra}");
        fs::write(directory.join("Cargo.toml"), manifest).unwrap();
        fs::write(directory.join("src/lib.rs"), source).unwrap();
        directory
    }

    fn start(&self, script: &str, name: &str) -> Child {
        fs::write(self.path().join(name), script).unwrap();
        Command::new(env!("CARGO_BIN_EXE_partita"))
            .args(["run", name])
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, script: &str) -> Output {
        self.start(script, "script.rs").wait_with_output().unwrap()
    }

    /// Runs the script and returns what it printed.
    fn prints(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A notebook, because a cell may fail and the next one still runs.
fn notebook(cells: &[&str]) -> String {
    let cells: Vec<_> = cells
        .iter()
        .map(|code| {
            let metadata = json!({"tags": ["raises-exception"]});
            json!({"cell_type": "code", "source": code, "metadata": metadata, "outputs": []})
        })
        .collect();
    json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}).to_string()
}

const COUNTER: &str = "\
use std::sync::atomic::{AtomicU32, Ordering};
static COUNT: AtomicU32 = AtomicU32::new(0);
pub fn count() -> u32 { COUNT.fetch_add(1, Ordering::Relaxed) + 1 }
#[derive(Debug, Clone)]
pub struct Point { pub x: i32 }
";

#[test]
fn a_crate_in_a_directory_has_one_instance_and_its_values_are_kept() {
    let workshop = Workshop::new();
    workshop.write_crate("mine", "", COUNTER);
    workshop.write_crate(
        "my-macros",
        "[lib]\nproc-macro = true\n",
        "#[proc_macro]\npub fn seven(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"7\".parse().unwrap() }\n",
    );
    let script = "\
:dep mine = { path = \"mine\" }
use mine::{Point, count};
let points = vec![Point { x: 5 }];
count();
count()
points[0].clone()
:dep my-macros = { path = \"my-macros\" }
my_macros::seven!() + points.len() as i32
:dep
:dep polars
df!(\"a\" => [1, 2])?.height()
";
    let expected = "2\nPoint { x: 5 }\n8\nmine 0.3.1\nmy-macros 0.3.1\n2\n";
    assert_eq!(workshop.prints(script), expected);
    // It comes from the cache, and the source may have changed since.
    workshop.write_crate("mine", "", &COUNTER.replace("+ 1", "+ 100"));
    assert_eq!(workshop.prints(":dep mine = { path = \"mine\" }\nmine::count()\n"), "100\n");
}

#[test]
fn crates_that_partita_uses_too_are_built_from_cargos_cache_with_derives() {
    let workshop = Workshop::new();
    let script = "\
:dep serde = { version = \"1\", features = [\"derive\"] }
:dep serde_json = \"1\"
#[derive(serde::Serialize, serde::Deserialize, Debug)]
struct Point { x: i32 }
let text = serde_json::to_string(&Point { x: 4 })?;
text
serde_json::from_str::<Point>(&text)?.x
let value = serde_json::json!({\"a\": 1});
value[\"a\"].clone()
";
    assert_eq!(workshop.prints(script), "\"{\\\"x\\\":4}\"\n4\nNumber(1)\n");
    let again = workshop.run(script);
    assert!(again.status.success());
    assert!(!said(&again).contains("Compiling"), "it was built before: {}", said(&again));
}

#[test]
fn what_cannot_be_had_says_why_and_the_session_keeps_what_it_had() {
    let workshop = Workshop::new();
    workshop.write_crate("mine", "", COUNTER);
    workshop.write_crate("broken", "", "pub fn f() -> u32 { \"text\" }\n");
    let cells = [
        ":dep mine = { path = \"mine\" }\nlet n = mine::count();",
        ":dep broken = { path = \"broken\" }",
        ":dep none = { path = \"nowhere\" }",
        ":dep no-such-crate-was-ever-published = \"7\"",
        ":dep mine 3",
        "n + mine::count()",
    ];
    let output = workshop.start(&notebook(&cells), "failing.ipynb").wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3\n", "{}", said(&output));
    for piece in [
        "mismatched types",
        "there is no Cargo.toml",
        "no-such-crate-was-ever-published",
        "`mine 3` is not a dependency",
    ] {
        assert!(said(&output).contains(piece), "{piece}: {}", said(&output));
    }
}

#[test]
fn a_crate_that_changes_under_a_session_is_not_taken_for_the_old_one() {
    let workshop = Workshop::new();
    workshop.write_crate("mine", "", COUNTER);
    let cells = [
        ":dep mine = { path = \"mine\" }\nlet point = mine::Point { x: 1 };",
        "let file = \"mine/src/lib.rs\"; let text = std::fs::read_to_string(file)?;\
         std::fs::write(file, text.replace(\"pub x: i32\", \"pub more: [u64; 99], pub x: i32\"))?;",
        ":dep mine = { path = \"mine\" }",
        "point.x + 1",
    ];
    let output = workshop.start(&notebook(&cells), "changing.ipynb").wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n", "{}", said(&output));
    assert!(said(&output).contains("`mine` has changed since this session loaded it"), "{}", said(&output));
}

#[test]
fn two_sessions_that_build_the_same_crates_at_once_both_get_them() {
    let workshop = Workshop::new();
    workshop.write_crate("mine", "", COUNTER);
    let script = ":dep mine = { path = \"mine\" }\nmine::count()\n";
    let both = ["a.rs", "b.rs"].map(|name| workshop.start(script, name));
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{}", said(&output));
    }
}

#[test]
fn an_interrupt_stops_the_build_and_keeps_the_variables() {
    let workshop = Workshop::new();
    let slow = workshop.write_crate("slow", "", "");
    fs::write(
        slow.join("build.rs"),
        "fn main() { std::fs::write(\"begun\", \"\").unwrap(); loop { std::thread::park(); } }\n",
    )
    .unwrap();
    let cells = ["let kept = 41;", ":dep slow = { path = \"slow\" }", "kept + 1"];
    let mut child = workshop.start(&notebook(&cells), "slow.ipynb");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Compiling slow") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before the build began");
    }
    let sent = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n", "{rest}");
    assert!(rest.contains("Interrupted"), "{rest}");
}
