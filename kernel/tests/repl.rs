//! The terminal REPL as a person sees it: in a real terminal (tmux), and at the end of a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Generous, because the first cell may wait for the compiler on a busy machine. Only a failing test
/// waits this long.
const DEADLINE: Duration = Duration::from_secs(300);

/// The REPL in a tmux of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(data_home: &Path) -> Self {
        Self::start_with(data_home, "", (100, 50))
    }

    /// With additional environment variables, and with this many columns and rows.
    fn start_with(data_home: &Path, environment: &str, (columns, rows): (u16, u16)) -> Self {
        let socket = format!("partita-{}-{}", std::process::id(), data_home.file_name().unwrap().display());
        let terminal = Self { socket };
        let program = format!(
            "exec env -u NO_COLOR XDG_DATA_HOME='{0}' TMPDIR='{0}' {environment} '{1}'",
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
            &columns.to_string(),
            "-y",
            &rows.to_string(),
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

    /// Types a line and presses Enter.
    fn line(&self, text: &str) {
        self.text(text);
        self.keys(&["Enter"]);
    }

    /// The screen, including what has scrolled off.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-", "-t", "repl"])
    }

    /// The current screen, with colours.
    fn coloured(&self) -> String {
        // tmux may state that the background is the default, or leave it out.
        self.tmux(&["capture-pane", "-e", "-p", "-t", "repl"]).replace("\x1b[49m", "")
    }

    /// From now on, also writes the program's raw output to a file.
    fn record(&self, file: &Path) {
        self.tmux(&["pipe-pane", "-t", "repl", &format!("cat > '{}'", file.display())]);
    }

    /// Pastes text as a terminal does, marked as pasted if the program has asked for that.
    fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", text]);
        self.tmux(&["paste-buffer", "-p", "-t", "repl"]);
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

    // A cell stays open until its brackets are closed.
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

    // Ctrl-C discards what was typed; the session goes on with its variables.
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
fn a_cell_of_many_lines_is_indented_coloured_pasted_and_found_again() {
    let data_home = tempfile::Builder::new().prefix("edit-").tempdir().unwrap();
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.line("fn half(n: f64) -> f64 {");
    // Coloured although the bracket is open.
    terminal.wait_until("coloured keyword", || terminal.coloured().contains("\x1b[35mfn"));
    terminal.line("n / 2.0");
    terminal.text("}");
    terminal.wait_for("f64 {\n    n / 2.0\n}");
    terminal.keys(&["Enter"]);
    terminal.wait_for("[2] >>");

    terminal.paste("let pasted = [\n    half(3.0),\n\n    half(5.0),\n];\npasted.iter().sum::<f64>()");
    terminal.wait_for("sum::<f64>()");
    terminal.keys(&["Enter"]);
    terminal.wait_for("[3] >>");
    terminal.wait_for("\n4.0\n");

    // Ctrl-R finds the first cell with all its lines.
    terminal.keys(&["C-r"]);
    terminal.text("half(n");
    terminal.wait_for("(reverse-i-search)`half(n'");
    terminal.keys(&["C-e"]);
    terminal.wait_for("[3] >> fn half(n: f64) -> f64 {\n    n / 2.0\n}");
    terminal.keys(&["C-c"]);

    // A variable and then a command are completed from their first letters.
    terminal.text("past");
    terminal.keys(&["Tab"]);
    terminal.text("[0]");
    terminal.wait_for(">> pasted[0]");
    terminal.keys(&["Enter"]);
    terminal.wait_for("\n1.5\n");
    terminal.text(":worke");
    terminal.keys(&["Tab"]);
    terminal.wait_for(">> :workers");
}

/// A job whose tasks wait until the file exists and print a line each.
fn waiting_job(gate: &Path) -> String {
    format!(
        "Session::embedded(2)?.range(0, 800, 8).with_columns([col(\"id\").map(|column| {{ \
         println!(\"a {{}}\", \"task\"); \
         while !std::path::Path::new({gate:?}).exists() {{ \
         std::thread::sleep(std::time::Duration::from_millis(5)) }} \
         Ok(column) }}, |_, field| Ok(field.clone()))]).collect()?.height()"
    )
}

#[test]
fn a_job_is_shown_while_it_runs_and_leaves_one_line() {
    for size in [(100, 50), (40, 20)] {
        let data_home = tempfile::Builder::new().prefix("live-").tempdir().unwrap();
        let gate = data_home.path().join("gate");
        let terminal = Terminal::start_with(data_home.path(), "", size);
        terminal.wait_for("[1] >>");
        terminal.line(&waiting_job(&gate));
        terminal.wait_until("picture of the running job below the printed text", || {
            let screen = terminal.screen();
            let text = screen.rfind("a task");
            let job = screen.rfind("job 0 collect");
            let lane = screen.rfind("slot 1 ▶ stage 0");
            text.is_some() && text < job && job < lane && screen.contains("0/8") && screen.contains('▶')
        });
        std::fs::write(&gate, "").unwrap();
        terminal.wait_for("[2] >>");
        let screen = terminal.screen();
        assert_eq!(screen.matches("a task").count(), 8, "{screen}");
        assert!(screen.contains("✓ job 0 collect: 1 stage, 8 tasks"), "{screen}");
        assert!(screen.contains("\n800\n"), "{screen}");
        assert!(!screen.contains("slot 1 ▶"), "{screen}");
    }
}

#[test]
fn an_interrupted_job_is_marked_and_its_session_goes_on() {
    let data_home = tempfile::Builder::new().prefix("cancelled-").tempdir().unwrap();
    let gate = data_home.path().join("gate");
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.cell(1, "let kept = 41;");
    terminal.line(&waiting_job(&gate));
    terminal.wait_for("slot 1 ▶ stage 0");
    terminal.keys(&["C-c"]);
    terminal.wait_for("[3] >>");
    terminal.wait_for("■ job 0 collect: cancelled");
    std::fs::write(&gate, "").unwrap();
    terminal.cell(3, "kept + 1");
    terminal.wait_for("\n42\n");
}

const PLOT: &str = r#"plot::bar(&df!["a" => ["x", "y"], "b" => [1, 2]]?, "a", "b")"#;

#[test]
fn a_plot_is_drawn_in_blocks_where_the_terminal_shows_no_pictures() {
    let data_home = tempfile::Builder::new().prefix("blocks-").tempdir().unwrap();
    let terminal = Terminal::start_with(data_home.path(), "COLORTERM=truecolor", (80, 40));
    terminal.wait_for("[1] >>");
    terminal.cell(1, PLOT);
    let screen = terminal.screen();
    assert!(screen.contains("plot saved to"), "{screen}");
    let blocks = terminal.coloured();
    assert!(blocks.contains('▀') && blocks.matches("48;2;").count() > 100, "{blocks}");
}

#[test]
fn a_plot_is_sent_by_the_protocol_asked_for() {
    for (name, begin) in [("sixel", "\x1bP0;1;0q\"1;1;"), ("kitty", "\x1bPtmux;\x1b\x1b_Ga=T,f=100")] {
        let data_home = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let terminal = Terminal::start_with(data_home.path(), &format!("PARTITA_PICTURES={name}"), (100, 50));
        terminal.wait_for("[1] >>");
        let record = data_home.path().join("record");
        terminal.record(&record);
        terminal.cell(1, PLOT);
        terminal.wait_until("picture in the program's output", || {
            std::fs::read(&record).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(begin))
        });
    }
}

#[test]
fn a_cell_asks_for_a_line_and_a_password_is_not_shown() {
    let data_home = tempfile::Builder::new().prefix("ask-").tempdir().unwrap();
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.line("let name = input(\"Your name: \")?;");
    terminal.wait_for("\nYour name:");
    terminal.line("Ada");
    terminal.wait_for("[2] >>");
    terminal.line("let secret = password(\"Secret: \")?;");
    terminal.wait_for("\nSecret:");
    terminal.line("opensesame");
    terminal.wait_for("[3] >>");
    assert!(terminal.screen().contains("Secret: **********"), "{}", terminal.screen());
    assert!(!terminal.screen().contains("opensesame"), "{}", terminal.screen());
    terminal.cell(3, "(name, secret.len())");
    terminal.wait_for("(\"Ada\", 10)");
    // Without an answer the cell fails, but the session goes on.
    terminal.line("input(\"More: \")?;");
    terminal.wait_for("\nMore:");
    terminal.keys(&["C-d"]);
    terminal.wait_for("[5] >>");
    terminal.wait_for("Ctrl-D");
}

#[test]
fn a_script_on_a_pipe_has_nobody_to_ask() {
    let output = piped("input(\"Your name: \")?;\n", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("standard input is the script itself"), "{stderr}");
}

#[test]
fn without_colours_there_is_no_colour_anywhere() {
    for environment in ["NO_COLOR=1", "TERM=dumb"] {
        let data_home = tempfile::Builder::new().prefix("plain-").tempdir().unwrap();
        let terminal = Terminal::start_with(data_home.path(), environment, (100, 50));
        terminal.wait_for("[1] >>");
        terminal.cell(1, "let x: i32 = \"text\";");
        terminal.wait_for("mismatched types");
        let shown = terminal.coloured();
        assert!(!shown.contains("\x1b["), "{environment}: {shown}");
    }
}

#[test]
fn a_job_in_a_script_on_a_pipe_leaves_no_trace_on_the_output() {
    let script = "\
let slow = col(\"id\").map(|c| { std::thread::sleep(std::time::Duration::from_millis(150)); Ok(c) }, \
|_, f| Ok(f.clone()));
Session::embedded(2)?.range(0, 10, 2).with_columns([slow]).collect()?.height()
";
    let output = piped(script, &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((String::from_utf8_lossy(&output.stdout), stderr), ("10\n".into(), "".into()));
}

#[test]
fn ctrl_c_ends_a_cell_that_does_not_end() {
    let data_home = tempfile::Builder::new().prefix("interrupt-").tempdir().unwrap();
    let terminal = Terminal::start(data_home.path());
    terminal.wait_for("[1] >>");
    terminal.line("println!(\"be{}\", \"gun\"); loop { std::hint::black_box(()); }");
    terminal.wait_for("begun");
    terminal.keys(&["C-c"]);
    // The first interrupt cancels the running job, but there is none; a second ends the process.
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
std::fs::read_dir(std::env::var(\"PARTITA_SPILL\")?)?.flatten().filter(|entry| entry.path().is_dir()).count()
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

/// What sessions have left in a temporary directory.
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

#[cfg(feature = "evcxr")]
#[test]
fn a_script_on_a_pipe_runs_the_same_with_evcxr() {
    runs_a_script(&["--evaluator", "evcxr"]);
}

#[test]
fn commands_on_a_pipe_are_answered_and_quit_ends_the_script() {
    let script = "\
let trips = df![\"zone\" => [\"a\", \"b\"]]?;
:vars
%%sql few
SELECT zone
FROM trips
WHERE zone = 'b';
few.height()
:quit
not reached
";
    let output = piped(script, &[]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    for piece in ["trips  DataFrame", "shape: (1, 1)", "\n1\n"] {
        assert!(stdout.contains(piece), "{piece:?} is missing in\n{stdout}");
    }
    let output = piped(":vasr\n", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("did you mean `:vars`?"), "{stderr}");
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
    // Under cargo, the environment would decide before the file does.
    command.current_dir(&directory).env_remove("RUSTUP_TOOLCHAIN");
    let output = piped_to(&mut command, "40 + 2\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("42"), "{said}");
}
