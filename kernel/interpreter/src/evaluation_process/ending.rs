use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

use partita_bridge::{LAST_WORDS_FILE, LastWords};

/// What is known about a process that ended unexpectedly.
pub(super) struct Traces<'a> {
    /// The exit status.
    pub(super) status: ExitStatus,
    /// What the process left in its directory.
    pub(super) last_words: Option<LastWords>,
    /// The end of its standard error.
    pub(super) stderr: &'a str,
    /// Whether the system has meanwhile killed a process because memory ran out.
    pub(super) out_of_memory: bool,
}

/// Reads what the process left in its directory.
pub(super) fn last_words(directory: &Path) -> Option<LastWords> {
    // A file that is missing or cut off is ignored.
    LastWords::read(&fs::read_to_string(directory.join(LAST_WORDS_FILE)).ok()?)
}

/// How the process ended. The text follows "the evaluation process".
pub(super) fn describe(traces: &Traces<'_>) -> String {
    let status = traces.status;
    let panic = match &traces.last_words {
        Some(LastWords::Panic { place, message }) => Some(format!("at {place}: {message}")),
        _ => None,
    };
    match (status.signal(), status.code()) {
        (Some(libc::SIGSEGV | libc::SIGBUS), _) => match &traces.last_words {
            Some(LastWords::StackOverflow) => {
                "ran out of stack (SIGSEGV): a function calls itself without end or too deeply, or a value on the \
                 stack is too large"
                    .into()
            }
            Some(LastWords::BadAddress(address)) => format!(
                "used memory that is not its own, at address {address} (SIGSEGV): `unsafe` code or a C library \
                 that the cell calls is wrong"
            ),
            // A thread that a cell started has no room left to report the overflow itself.
            _ => "ran out of stack in a thread that the cell started (SIGSEGV): a function calls itself without \
                  end or too deeply"
                .into(),
        },
        (Some(libc::SIGABRT), _) => match (failed_allocation(traces.stderr), panic) {
            (Some(bytes), _) => format!(
                "ran out of memory (SIGABRT): the cell asked for {bytes} bytes at once and the system had none"
            ),
            (None, Some(panic)) => {
                format!("aborted (SIGABRT), because a panic could not unwind; the panic was {panic}")
            }
            (None, None) => "aborted (SIGABRT): the cell or a library that it calls requested this".into(),
        },
        (Some(libc::SIGKILL), _) if traces.out_of_memory => {
            "was killed by the system because memory ran out (SIGKILL); work on fewer rows or columns at a time".into()
        }
        (Some(libc::SIGKILL), _) => "was killed from outside (SIGKILL); Partita did not do it, and the system does \
                                     not say that memory ran out"
            .into(),
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}: the cell called `std::process::exit({code})`"),
        (None, None) => "ended".into(),
    }
}

/// The number in `memory allocation of 123 bytes failed`, which Rust's allocator prints before it aborts.
fn failed_allocation(stderr: &str) -> Option<&str> {
    // Take the first: writing the backtrace may fail for the same reason.
    let (_, rest) = stderr.split_once("memory allocation of ")?;
    let (bytes, _) = rest.split_once(" bytes failed")?;
    (!bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit())).then_some(bytes)
}

/// How often the system has killed a process because memory ran out: on this machine and in this control
/// group. `None` if the system does not count.
pub(super) fn out_of_memory_kills() -> Option<u64> {
    let machine = fs::read_to_string("/proc/vmstat").ok().and_then(|text| counter(&text, "oom_kill"));
    let group = own_group().and_then(|text| counter(&text, "oom_kill"));
    match (machine, group) {
        (None, None) => None,
        (machine, group) => Some(machine.unwrap_or(0).saturating_add(group.unwrap_or(0))),
    }
}

/// The memory events of this process's control group, in version 1 or 2 of the interface.
fn own_group() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1)?, parts.next()?);
        let file = match controllers {
            "" => format!("/sys/fs/cgroup{path}/memory.events"),
            "memory" => format!("/sys/fs/cgroup/memory{path}/memory.oom_control"),
            _ => return None,
        };
        fs::read_to_string(file).ok()
    })
}

fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed_by(signal: i32) -> Traces<'static> {
        Traces { status: ExitStatus::from_raw(signal), last_words: None, stderr: "", out_of_memory: false }
    }

    #[test]
    fn a_kill_for_want_of_memory_is_told_from_another() {
        let mut traces = killed_by(libc::SIGKILL);
        assert!(describe(&traces).contains("from outside"));
        traces.out_of_memory = true;
        assert!(describe(&traces).contains("memory ran out"));
    }

    #[test]
    fn kills_are_counted_in_the_systems_words() {
        assert_eq!(counter("low 0\noom 2\noom_kill 3\noom_group_kill 9\n", "oom_kill"), Some(3));
        assert_eq!(counter("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "oom_kill"), Some(1));
        assert_eq!(counter("nothing", "oom_kill"), None);
    }

    #[test]
    fn a_failed_allocation_is_read_from_the_allocators_words() {
        let twice =
            "memory allocation of 12 bytes failed\nstack backtrace:\nmemory allocation of 5 bytes failed\n";
        assert_eq!(failed_allocation(twice), Some("12"));
        assert_eq!(failed_allocation("memory allocation of all bytes failed"), None);
    }
}
