use std::{env, fs, num::NonZeroUsize, process, thread};

use partita::session;
use partita_bridge::Table;
use partita_events::figures::bytes;

use super::Answer;

/// The versions, cores and memory of this process.
pub(super) fn list() -> Answer {
    let mut table = Table::new(["evaluation process", ""]);
    table.row(["polars", polars::VERSION]);
    table.row(["built by", partita::RUSTC_VERSION]);
    table.row(["process", &process::id().to_string()]);
    if let Ok(directory) = env::current_dir() {
        table.row(["directory", &directory.display().to_string()]);
    }
    table.row(["cores", &thread::available_parallelism().map_or(1, NonZeroUsize::get).to_string()]);
    table.row(["memory", &memory()]);
    for session in session::live() {
        let (slots, after) = (session.slots(), session.shuffle_partitions());
        table.row([
            format!("session {}", session.number()),
            format!("{slots} slots, {after} partitions after a shuffle"),
        ]);
    }
    Ok(Some(table.bundle("")))
}

/// The memory that the process uses, and the limit of the machine or of its control group.
fn memory() -> String {
    let used = kilobytes("/proc/self/status", "VmRSS:");
    let machine = kilobytes("/proc/meminfo", "MemTotal:");
    let group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let limit: Option<u64> = group.into_iter().chain(machine).min();
    match (used, limit) {
        (Some(used), Some(limit)) => format!("{} of {}", bytes(used), bytes(limit)),
        (Some(used), None) => bytes(used),
        _ => "not known on this system".to_owned(),
    }
}

/// The value of `name` in one of the kernel's files, in bytes.
fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let figure = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(figure.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}
