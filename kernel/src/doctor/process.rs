use std::{
    env,
    io::{self, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to print its version.
pub const LIMIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What happened when a program was asked something.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its output: standard output, then standard error.
    Said(String),
    /// It failed with this output.
    Failed(String),
    /// It could not be started.
    NotStarted(String),
    /// It took too long and was killed.
    Silent,
}

/// Runs a program. At the limit, it and everything it has started are killed.
pub fn ask(program: &Path, arguments: &[&str], limit: Duration) -> Answer {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Answer::NotStarted(error.to_string()),
    };
    let until = Instant::now() + limit;
    let heard = [listen(child.stdout.take()), listen(child.stderr.take())];
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => thread::sleep(LOOK_AGAIN),
            _ => {
                // SAFETY: the group was made for this child, which is reaped only below.
                unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
                // It was just killed; its status tells nothing.
                let _ = child.wait();
                return Answer::Silent;
            }
        }
    };
    // Programs that it has left running may hold the pipes open.
    let text: Vec<String> = heard
        .iter()
        .map(|heard| heard.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_default())
        .collect();
    let text = text.concat().trim().to_owned();
    if status.success() { Answer::Said(text) } else { Answer::Failed(text) }
}

fn listen(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // A partial answer is better than none.
            let _: io::Result<usize> = stream.read_to_end(&mut bytes);
        }
        // The caller may have stopped waiting.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// Does `work` on a thread of its own. Returns `None` if it takes longer than the limit; the work then
/// continues until the program ends.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(limit).ok()
}

/// The program that a shell would run for this name.
pub fn find(program: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(program)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_and_one_that_fails_says_why() {
        let shell = Path::new("/bin/sh");
        assert_eq!(ask(shell, &["-c", "sleep 1000 & sleep 1000"], Duration::from_millis(50)), Answer::Silent);
        assert_eq!(ask(shell, &["-c", "echo why >&2; exit 3"], LIMIT), Answer::Failed("why".into()));
        assert_eq!(ask(shell, &["-c", "echo 1.2"], LIMIT), Answer::Said("1.2".into()));
        assert!(matches!(ask(Path::new("/no/such"), &[], LIMIT), Answer::NotStarted(_)));
    }

    #[test]
    fn work_that_takes_too_long_is_not_waited_for() {
        let (_keep, forever) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(10), move || forever.recv().is_ok()), None);
        assert_eq!(within(LIMIT, || 7), Some(7));
    }
}
