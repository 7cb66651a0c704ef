//! Checks of optional programs, and of free disk space and memory.

use std::{
    env,
    ffi::CString,
    fs,
    io::{self, IsTerminal},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    Check,
    process::{Answer, LIMIT, ask, find},
};
use crate::repl::PictureMode;
use partita_events::figures::bytes;
use partita_interpreter::dependencies;

/// Below this, the crates of a larger `:dep` may not fit.
const LITTLE_DISK: u64 = 2 << 30;
/// Below this, compiler and data may not fit.
const LITTLE_MEMORY: u64 = 1 << 30;

/// How plots look in this terminal.
pub fn pictures() -> Vec<Check> {
    const NAME: &str = "pictures";
    let protocol = match PictureMode::detect(io::stdout().is_terminal()) {
        PictureMode::Kitty { .. } => "kitty",
        PictureMode::Iterm2 { .. } => "iTerm2",
        PictureMode::Sixel => "sixel",
        PictureMode::Blocks { .. } => {
            let advice = "for sharp plots use Jupyter, or kitty, Ghostty, WezTerm, iTerm2 or foot";
            return vec![Check::missing(NAME, "this terminal shows plots in coarse blocks", advice)];
        }
        PictureMode::Files => {
            let advice = "use a terminal or Jupyter to see plots";
            return vec![Check::missing(NAME, "this is not a terminal; plots are written to files", advice)];
        }
    };
    vec![Check::good(NAME, format!("this terminal supports the {protocol} protocol"))]
}

/// The Docker daemon and its compose plugin.
pub fn docker() -> Vec<Check> {
    const NAME: &str = "docker";
    const NEED: &str = "only clusters in containers need it: https://docs.docker.com/engine/install";
    let Some(docker) = find("docker") else {
        return vec![Check::missing(NAME, "there is no `docker` on the PATH", NEED)];
    };
    let server = match ask(&docker, &["version", "--format", "{{.Server.Version}}"], LIMIT) {
        Answer::Said(version) => version,
        Answer::Silent => {
            let seconds = LIMIT.as_secs();
            let found = format!("the daemon does not answer within {seconds} seconds");
            return vec![Check::missing(
                NAME,
                found,
                "restart it: `systemctl restart docker`, or Docker Desktop",
            )];
        }
        Answer::Failed(said) | Answer::NotStarted(said) => {
            let said = said.lines().last().unwrap_or_default().to_owned();
            let found = format!("the daemon cannot be reached: {said}");
            return vec![Check::missing(
                NAME,
                found,
                "start it: `systemctl start docker`, or Docker Desktop",
            )];
        }
    };
    vec![match ask(&docker, &["compose", "version", "--short"], LIMIT) {
        Answer::Said(compose) => Check::good(NAME, format!("daemon {server}, compose {compose}")),
        _ => Check::missing(
            NAME,
            format!("daemon {server}, but no compose plugin"),
            "install it: https://docs.docker.com/compose/install",
        ),
    }]
}

/// An Apache Spark installation.
pub fn spark() -> Vec<Check> {
    const NAME: &str = "spark";
    const NEED: &str = "only comparisons with Spark need it: Java 17 and `pip install pyspark`";
    let home = env::var_os("SPARK_HOME").map(|home| PathBuf::from(home).join("bin/spark-submit"));
    let Some(submit) = home.filter(|path| path.is_file()).or_else(|| find("spark-submit")) else {
        return vec![Check::missing(NAME, "there is no `spark-submit` on the PATH or in SPARK_HOME", NEED)];
    };
    let Some(java) = find("java") else {
        let found = format!("{} exists, but `java` is missing", submit.display());
        return vec![Check::missing(NAME, found, NEED)];
    };
    vec![match ask(&java, &["-version"], LIMIT) {
        Answer::Said(version) => {
            let version = version.lines().next().unwrap_or("java").to_owned();
            Check::good(NAME, format!("{}, {version}", submit.display()))
        }
        _ => Check::missing(NAME, format!("{} does not run", java.display()), NEED),
    }]
}

/// Disk space for the crates of `:dep`.
pub fn disk() -> Vec<Check> {
    const NAME: &str = "disk";
    let Some(cache) = dependencies::cache_root() else {
        let advice = "set XDG_CACHE_HOME or HOME";
        return vec![Check::missing(NAME, "there is no cache directory, which `:dep` needs", advice)];
    };
    let Some(free) = cache.ancestors().find_map(free_bytes) else {
        return vec![Check::missing(
            NAME,
            format!("{} cannot be read", cache.display()),
            "check its permissions",
        )];
    };
    let used = size(&cache);
    let found = format!("{} free, {} used by crates in {}", bytes(free), bytes(used), cache.display());
    if free < LITTLE_DISK {
        let advice = format!("free disk space; {} may be deleted while no kernel runs", cache.display());
        return vec![Check::missing(NAME, found, advice)];
    }
    vec![Check::good(NAME, found)]
}

/// Memory for the compiler and for data.
pub fn memory() -> Vec<Check> {
    const NAME: &str = "memory";
    let Some(available) = available_memory() else { return Vec::new() };
    let found = format!("{} available", bytes(available));
    if available < LITTLE_MEMORY {
        return vec![Check::missing(
            NAME,
            found,
            "end other programs: a cell with data may be killed by the system",
        )];
    }
    vec![Check::good(NAME, found)]
}

/// The available memory; `None` on systems other than Linux.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

fn free_bytes(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all zeros are a valid `statvfs`, and the path is a text with a terminating zero. The call
    // fills the struct in.
    let (done, found) = unsafe {
        let mut found: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &raw mut found) == 0, found)
    };
    #[allow(clippy::useless_conversion, reason = "the fields are narrower on other systems")]
    done.then(|| u64::from(found.f_bavail) * u64::from(found.f_frsize))
}

/// The size of a directory, counting each file once: sets of crates share files by hard links.
fn size(directory: &Path) -> u64 {
    let mut seen = std::collections::HashSet::new();
    let mut waiting = vec![directory.to_owned()];
    let mut total = 0;
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                waiting.push(entry.path());
            } else if seen.insert(std::os::unix::fs::MetadataExt::ino(&data)) {
                total += data.len();
            }
        }
    }
    total
}
