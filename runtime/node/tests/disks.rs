//! Slow disks: workers spill and wait for them, and are neither lost nor wrong.

#![cfg(target_os = "linux")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use partita::events::Event;
use partita::prelude::*;
use support::{Pool, Setup};

/// Replaces the C library's `write`: for files of the spill directory it takes as long as a disk of this many
/// bytes per second would.
const SLOW_WRITES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

ssize_t write(int fd, const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t named = readlink(link, path, sizeof path - 1);
    if (named > 0) {
        path[named] = 0;
        if (strstr(path, "partita-spill-")) {
            double seconds = (double)length / atof(getenv("SLOW_BYTES_A_SECOND"));
            struct timespec pause = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
            nanosleep(&pause, 0);
            close(open(getenv("SLOW_MARK"), O_CREAT | O_WRONLY, 0600));
        }
    }
    return real(fd, bytes, length);
}
"#;

fn library(directory: &Path) -> PathBuf {
    let (source, library) = (directory.join("slow.c"), directory.join("slow.so"));
    std::fs::write(&source, SLOW_WRITES).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiler.status().expect("a C compiler, which Rust links with").success());
    library
}

#[test]
fn workers_on_a_slow_disk_spill_without_being_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let pool = Pool::start(Setup {
        memory: "40MB",
        // Less time than one block takes to write.
        lost_after_ms: "1000",
        environment: vec![
            ("LD_PRELOAD", text(&library(directory.path()))),
            ("SLOW_BYTES_A_SECOND", "5e6".into()),
            ("SLOW_MARK", text(&mark)),
        ],
        ..Setup::default()
    });
    let session = pool.session();
    let (sender, events) = mpsc::channel();
    session.events().listen(move |event| drop(sender.send(event.clone())));
    session.set_shuffle_partitions(16).unwrap();
    let rows = 1_500_000i64;
    // Data that does not compress well.
    let mixed = |by: i64| (col("id") * lit(by)) % lit(2_147_483_647i64);
    let sorted = session
        .range(0, rows, 16)
        .with_columns([mixed(1_103_515_245).alias("k"), mixed(48_271).alias("a")])
        // Whatever is aggregated, each partition is sorted with all its columns.
        .repartition_by(Partitioning::Range(vec![col("k"), col("id")], 16))
        .map_partitions(|lf| lf.sort(["k", "id"], SortMultipleOptions::default()));
    let sum = sorted.agg([col("id").sum(), len().cast(DataType::Int64).alias("n")]).collect().unwrap();
    assert_eq!(sum, df!("id" => [rows * (rows - 1) / 2], "n" => [rows]).unwrap());
    let report = session.last_report().unwrap();
    let spilled: u64 = report.stages.iter().map(|stage| stage.total(|metrics| metrics.spilled)).sum();
    assert!(spilled > 5_000_000 && mark.exists(), "{spilled} bytes went to the slow disk");
    let lost = events.try_iter().filter(|event| matches!(event, Event::WorkerLost { .. })).count();
    assert_eq!(lost, 0, "a worker that waits for its disk still says that it lives");
}
