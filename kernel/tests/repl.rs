//! The terminal REPL as a person meets it: in a real terminal (tmux), and at the end of a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Generous, because the first cell may wait for the compiler on a busy machine. Only a failing test
/// ever waits this long.
const DEADLINE: Duration = Duration::from_secs(300);

/// The REPL in a tmux of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(data_home: &Path) -> Self {
        let socket = format!("partita-{}-{}", std::process::id(), data_home.file_name().unwrap().display());
        let terminal = Self { socket };
        let program = format!(
            "exec env XDG_DATA_HOME='{0}' TMPDIR='{0}' '{1}'",
            data_home.display(),
            env!("CARGO_BIN_EXE_partita")
        );
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "repl",
            "-x",
            "100",
            "-y",
            "50",
            &program,
        ]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("this test needs tmux, and it cannot be run: {error}"))
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "repl"], keys].concat());
    }

    fn text(&self, text: &str) {
        // A semicolon at the end would end tmux's own command.
        let text = text.strip_suffix(';').map_or(text.to_owned(), |rest| format!("{rest}\\;"));
        self.tmux(&["send-keys", "-t", "repl", "-l", &text]);
    }

    /// Types a line and ends it.
    fn line(&self, text: &str) {
        self.text(text);
        self.keys(&["Enter"]);
    }

    /// The screen, with what has scrolled off it.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-", "-t", "repl"])
    }

    fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} on the screen"), || self.screen().contains(text));
    }

    /// Runs a line as cell `number` and waits until it has ended.
    fn cell(&self, number: u32, text: &str) {
        self.line(text);
        self.wait_for(&format!("[{}] >>", number + 1));
    }

    fn wait_until(&self, what: &str, happened: impl Fn() -> bool) {
        let started = Instant::now();
        while !happened() {
            let waited = started.elapsed();
            assert!(waited < DEADLINE, "no {what} within {waited:?}; the screen:\n{}", self.screen());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn has_ended(&self) -> bool {
        !self.run(&["has-session", "-t", "repl"]).status.success()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The session may have ended, and the server with it.
        let _ = self.run(&["kill-server"]);
    }
}

#[test]
fn a_session_in_a_terminal_shows_values_tables_and_errors_and_remembers_its_lines() {
    let data_home = tempfile::Builder::new().prefix("repl-").tempdir().unwrap();
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.cell(1, "let x = 20 + 1;");
    terminal.cell(2, "x * 2");
    terminal.wait_for("\n42\n");

    // A cell goes on until its brackets are closed.
    terminal.line("fn twice(n: i64) -> i64 {");
    terminal.line("n * 2");
    terminal.cell(3, "}");
    terminal.cell(4, "twice(4000)");
    terminal.wait_for("\n8000\n");

    terminal.cell(5, r#"df!["a" => [1, 2, 3]]?"#);
    terminal.wait_for("shape: (3, 1)");
    terminal.cell(6, "let y: i32 = \"text\";");
    terminal.wait_for("mismatched types");
    terminal.cell(7, "vec![1][x as usize]");
    terminal.wait_for("index out of bounds");

    // Ctrl-C takes back what was typed, and the session goes on with its variables.
    terminal.text("unfinished(");
    terminal.wait_for("unfinished(");
    terminal.keys(&["C-c"]);
    terminal.cell(8, ":vars");
    terminal.wait_for("x     i32");
    terminal.cell(9, "x + 1000");
    terminal.wait_for("\n1021\n");

    terminal.keys(&["C-d"]);
    terminal.wait_until("end of the session", || terminal.has_ended());

    let again = Terminal::start(data_home.path());
    again.wait_for("[1] >>");
    again.keys(&["Up"]);
    again.wait_for("x + 1000");
}

#[test]
fn ctrl_c_ends_a_cell_that_does_not_end() {
    let data_home = tempfile::Builder::new().prefix("interrupt-").tempdir().unwrap();
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.line("println!(\"be{}\", \"gun\"); loop { std::hint::black_box(()); }");
    terminal.wait_for("begun");
    terminal.keys(&["C-c"]);
    // The first one asks the running job to stop, and there is none; a second ends the process.
    let second = Instant::now() + Duration::from_secs(5);
    terminal.wait_until("answer to the first interrupt", || {
        terminal.screen().contains("[2] >>") || Instant::now() > second
    });
    if !terminal.screen().contains("[2] >>") {
        terminal.keys(&["C-c"]);
    }
    terminal.wait_for("[2] >>");
    terminal.cell(2, "40 + 2");
    terminal.wait_for("\n42\n");
}

#[test]
fn a_signal_at_the_prompt_ends_the_session_and_leaves_no_files() {
    for signal in ["TERM", "HUP"] {
        let data_home = tempfile::Builder::new().prefix("signal-").tempdir().unwrap();
        let terminal = Terminal::start(data_home.path());
        terminal.wait_for("[1] >>");
        assert!(!left_in(data_home.path()).is_empty(), "a session has a directory");
        let process = terminal.tmux(&["display-message", "-p", "-t", "repl", "#{pane_pid}"]);
        send(signal, process.trim());
        terminal.wait_until("end of the session", || terminal.has_ended());
        assert_eq!(left_in(data_home.path()), Vec::<String>::new(), "after {signal}");
    }
}

#[test]
fn a_signal_during_a_cell_ends_the_session_and_leaves_no_files() {
    for signal in ["TERM", "HUP"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_partita"))
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"println!(\"begun\"); loop { std::hint::spin_loop(); }")
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "begun\n");
        send(signal, &child.id().to_string());
        assert!(!child.wait().unwrap().success());
        assert_eq!(left_in(temporary.path()), Vec::<String>::new(), "after {signal}");
    }
}

#[test]
fn data_that_was_cached_on_disk_goes_with_the_session() {
    let temporary = tempfile::tempdir().unwrap();
    let script = "\
let numbers = Session::embedded(1)?.range(0, 1000, 2).persist(StorageLevel::DiskOnly);
numbers.count()?
std::fs::read_dir(std::env::var(\"PARTITA_SPILL\")?)?.count()
";
    let output = piped_in(temporary.path(), script, &[]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "1000\n1\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(left_in(temporary.path()), Vec::<String>::new());
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args(["-s", signal, process]).status().unwrap();
    assert!(sent.success(), "no process {process}");
}

/// What sessions have left in a directory for temporary files.
fn left_in(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.display().to_string()).filter(|name| name.starts_with("partita-")).collect()
}

fn piped(script: &str, arguments: &[&str]) -> Output {
    piped_in(&std::env::temp_dir(), script, arguments)
}

fn piped_in(temporary: &Path, script: &str, arguments: &[&str]) -> Output {
    piped_to(Command::new(env!("CARGO_BIN_EXE_partita")).args(arguments).env("TMPDIR", temporary), script)
}

fn piped_to(command: &mut Command, script: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn runs_a_script(arguments: &[&str]) {
    let script = "\
let numbers = vec![1, 2, 3];
numbers
    .iter()
    .sum::<i32>()
print!(\"no newline\");
eprintln!(\"aside\");
struct Picture;
impl MimeDisplay for Picture {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(\"a picture\").with(\"image/svg+xml\", \"<svg/>\")
    }
}
Picture
numbers.len()
";
    let output = piped(script, arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let [sum, text, picture, saved, length] = lines[..] else { panic!("{stdout}\n{stderr}") };
    assert_eq!((sum, text, picture, length), ("6", "no newline", "a picture", "3"));
    let path = Path::new(saved.strip_prefix("plot saved to ").unwrap());
    assert!(path.ends_with("plot-1.svg"), "{saved}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "<svg/>");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert_eq!(stderr, "aside\n");
}

#[test]
fn a_script_on_a_pipe_runs_cell_by_cell() {
    runs_a_script(&[]);
}

#[test]
fn a_script_on_a_pipe_runs_the_same_with_evcxr() {
    runs_a_script(&["--evaluator", "evcxr"]);
}

#[test]
fn the_first_cell_that_fails_ends_the_script_with_its_error_on_stderr() {
    let output = piped("1 + 1\nlet n: i32 = \"x\".parse()?;\nprintln!(\"not reached\");\n", &[]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success());
    assert_eq!(stdout, "2\n");
    assert!(stderr.contains("invalid digit found in string"), "{stderr}");
    assert!(stderr.contains("cell 2 failed"), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "colours on a pipe: {stderr}");
}

#[test]
fn a_toolchain_file_beside_the_notebook_does_not_choose_the_compiler() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rust-toolchain.toml");
    std::fs::write(file, "[toolchain]\npath = \"/no/such/toolchain\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    // Under cargo it would decide before the file does.
    command.current_dir(&directory).env_remove("RUSTUP_TOOLCHAIN");
    let output = piped_to(&mut command, "40 + 2\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("42"), "{said}");
}
