//! A long day in one kernel: many cells, many restarts, and nothing accumulates. It is alone in its file
//! because it counts what this process has open.

#![cfg(target_os = "linux")]

mod support;

use std::{fs, path::PathBuf};

use partita_interpreter::Outcome;
use partita_kernel::evaluators::EvaluatorKind;
use support::Notebook;

/// The number of rounds, unless the environment sets another length: `PARTITA_SOAK=40,3`.
const CELLS_AND_RESTARTS: (usize, usize) = (200, 20);

/// Memory that a cell may leave behind: its shared object stays loaded, because values and threads may
/// hold code of it.
const KIB_A_CELL: u64 = 1024;

#[derive(Debug)]
struct Held {
    descriptors: usize,
    processes: usize,
    threads: usize,
    files: usize,
    kib: u64,
}

/// What the kernel, which is this process, has open.
fn held() -> Held {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    Held {
        descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        processes: evaluation_processes().len(),
        threads: fs::read_dir("/proc/self/task").unwrap().count(),
        files: files(&session()),
        kib: field(&status, "VmRSS:"),
    }
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Its evaluation processes. A spare compiler is a child too, but may or may not exist at the moment.
fn evaluation_processes() -> Vec<String> {
    let lists = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path().join("children"));
    let text: String = lists.filter_map(|list| fs::read_to_string(list).ok()).collect::<Vec<_>>().join(" ");
    let is_evaluation = |child: &&str| {
        fs::read_to_string(format!("/proc/{child}/cmdline"))
            .is_ok_and(|line| line.contains("evaluation-process"))
    };
    text.split_whitespace().filter(is_evaluation).map(str::to_owned).collect()
}

/// The directory of the only session.
fn session() -> PathBuf {
    let own = fs::read_dir("/proc/self/fd").unwrap().flatten().find_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.ends_with("session.lock").then(|| target.parent().unwrap().to_path_buf())
    });
    own.expect("the session's lock is open")
}

fn files(directory: &std::path::Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

fn child_kib() -> u64 {
    let processes = evaluation_processes();
    let [child] = &processes[..] else { panic!("one evaluation process, not {processes:?}") };
    field(&fs::read_to_string(format!("/proc/{child}/status")).unwrap(), "VmRSS:")
}

fn length() -> (usize, usize) {
    let Ok(asked) = std::env::var("PARTITA_SOAK") else { return CELLS_AND_RESTARTS };
    let (cells, restarts) = asked.split_once(',').expect("CELLS,RESTARTS");
    (cells.parse().unwrap(), restarts.parse().unwrap())
}

fn restart(notebook: &Notebook) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(notebook.interpreter.restart()).unwrap();
}

#[test]
fn many_cells_and_restarts_leave_nothing_behind() {
    let (cells, restarts) = length();
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    let kinds = [
        "let n = 1;",
        "n + 1",
        "println!(\"{n}\");",
        "fn twice(x: i32) -> i32 { x * 2 }",
        "twice(n)",
        "let n = n + 1;",
        "unknown(n)",
        "panic!(\"on purpose\")",
        "Err::<(), _>(\"on purpose\")?;",
        "std::thread::spawn(|| 1).join().is_ok()",
    ];
    // The first round opens what stays open.
    kinds.iter().for_each(|code| drop(notebook.run(code)));
    let before = held();
    let child_before = child_kib();
    (0..cells).for_each(|cell| drop(notebook.run(kinds[cell % kinds.len()])));
    let after = held();
    let grown = child_kib().saturating_sub(child_before);
    println!("{before:?}\n{after:?}\nthe evaluation process grew by {} KiB a cell", grown / cells as u64);
    assert_eq!(after.processes, 1);
    // The pipes and files of a spare compiler come and go.
    assert!(after.descriptors <= before.descriptors + 4, "{before:?} {after:?}");
    assert!(after.files <= before.files + 4, "{before:?} {after:?}");
    assert!(after.threads <= before.threads + 1, "{before:?} {after:?}");
    assert!(grown < KIB_A_CELL * cells as u64, "the evaluation process grew by {grown} KiB");
    assert!(after.kib < before.kib + (64 << 10), "the kernel grew: {before:?} {after:?}");

    let first = session();
    for _ in 0..restarts {
        restart(&notebook);
        let Outcome::Finished(Some(_)) = notebook.run("1 + 1").outcome else { panic!("it does not run") };
    }
    let last = held();
    assert!(!first.exists(), "{} is left", first.display());
    assert_eq!(last.processes, 1);
    assert!(last.descriptors <= before.descriptors + 4, "{before:?} {last:?}");
    assert!(last.threads <= before.threads + 1, "{before:?} {last:?}");
    assert!(last.kib < before.kib + (64 << 10), "the kernel grew: {before:?} {last:?}");
}
