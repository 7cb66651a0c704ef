//! The kernel may be killed without a chance to clean up. What it has started ends as well, and the next
//! kernel removes what it left in the file system.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A guard against waiting for ever, far beyond any normal duration.
const GUARD: Duration = Duration::from_secs(120);

fn repl(temporary: &Path, cells: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_partita"))
        .arg("repl")
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(cells.as_bytes()).unwrap();
    child
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < GUARD, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie only waits to be reaped by whoever inherits it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn sessions(temporary: &Path) -> usize {
    let entries = fs::read_dir(temporary).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("partita-")).count()
}

#[test]
fn a_killed_kernel_takes_its_processes_along_and_the_next_one_cleans_up() {
    let temporary = tempfile::tempdir().unwrap();
    let mut kernel = repl(
        temporary.path(),
        "let child = std::process::Command::new(\"sleep\").arg(\"1000000\").spawn()?;\n\
         println!(\"{} {}\", std::process::id(), child.id());\n\
         loop { std::hint::spin_loop() }\n",
    );
    let mut line = String::new();
    BufReader::new(kernel.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(pids.len(), 2, "{line:?}");
    kernel.kill().unwrap();
    kernel.wait().unwrap();
    wait_for("the evaluation process or its program lives on", || !pids.iter().any(|pid| runs(pid)));
    assert_eq!(sessions(temporary.path()), 1, "nobody could clean up yet");
    let mut next = repl(temporary.path(), "1 + 1\n");
    assert!(next.wait().unwrap().success());
    wait_for("the abandoned directory is still there", || sessions(temporary.path()) == 0);
}
