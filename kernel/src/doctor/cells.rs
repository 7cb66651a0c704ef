//! Checks of what cells need to run.

use std::{
    env,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Check,
    process::{Answer, LIMIT, ask, find, within},
};
use crate::evaluators::EvaluatorKind;
use partita_events::figures::duration;
use partita_interpreter::{Cell, Outcome, Viewer, toolchain::WarmBuild};

/// How long the first cell may take on a busy machine.
const CELL_LIMIT: Duration = Duration::from_secs(60);

const RUSTUP: &str = "install Rust from https://rustup.rs, and put `rustc` on the PATH";
const REBUILD: &str = "run `make build` in Partita's checkout";

/// The compiler itself.
pub fn toolchain() -> Vec<Check> {
    const NAME: &str = "toolchain";
    let Some(rustc) = find("rustc") else {
        return vec![Check::broken(NAME, "there is no `rustc` on the PATH", RUSTUP)];
    };
    vec![match ask(&rustc, &["--version"], LIMIT) {
        Answer::Said(version) => Check::good(NAME, version),
        Answer::Failed(said) | Answer::NotStarted(said) => {
            let said = said.lines().next().unwrap_or("it failed").to_owned();
            Check::broken(NAME, format!("`rustc` does not run: {said}"), RUSTUP)
        }
        Answer::Silent => Check::broken(NAME, "`rustc` does not answer", RUSTUP),
    }]
}

/// The linker that links each cell.
pub fn linker() -> Vec<Check> {
    const NAME: &str = "linker";
    const INSTALL: &str =
        "install a C compiler: `apt install gcc`, `dnf install gcc`, or Xcode's command line tools";
    vec![match find("cc") {
        None => Check::broken(NAME, "there is no C compiler (`cc`) on the PATH, which links cells", INSTALL),
        Some(cc) => match ask(&cc, &["--version"], LIMIT) {
            Answer::Said(version) => Check::good(NAME, version.lines().next().unwrap_or("cc").to_owned()),
            _ => Check::broken(NAME, format!("{} does not run", cc.display()), INSTALL),
        },
    }]
}

/// The library that cells are compiled against, and a first cell.
pub fn warm_build() -> Vec<Check> {
    const LIBRARY: &str = "warm build";
    const CELL: &str = "a cell";
    let located = env::current_exe().map_err(|error| error.to_string());
    let located = located.and_then(|program| WarmBuild::locate(&program).map_err(|error| error.to_string()));
    let library = match located {
        Ok(build) => Check::good(LIBRARY, build.library.display().to_string()),
        Err(why) => return vec![Check::broken(LIBRARY, why, REBUILD)],
    };
    let cell = match within(CELL_LIMIT, first_cell) {
        Some(Ok((start, cell))) => {
            let (start, cell) = (duration(start), duration(cell));
            Check::good(CELL, format!("1 + 1 is 2: evaluator started in {start}, answered in {cell}"))
        }
        Some(Err(why)) => Check::broken(CELL, why, REBUILD),
        None => {
            let seconds = CELL_LIMIT.as_secs();
            Check::broken(
                CELL,
                format!("a cell with 1 + 1 did not end within {seconds} seconds"),
                "check what else keeps this machine busy",
            )
        }
    };
    vec![library, cell]
}

fn first_cell() -> Result<(Duration, Duration), String> {
    let started = Instant::now();
    let (background, _) = mpsc::channel(1);
    let interpreter = EvaluatorKind::Direct.start(background).map_err(|error| error.to_string())?;
    let ready = started.elapsed();
    let (outputs, _) = mpsc::channel(64);
    let outcome = interpreter
        .execute_blocking(Cell { number: 1, code: "1 + 1".into(), viewer: Viewer::Terminal }, outputs);
    let answered = started.elapsed() - ready;
    interpreter.shutdown();
    match outcome {
        Outcome::Finished(Some(bundle)) if bundle.get("text/plain") == Some("2") => Ok((ready, answered)),
        Outcome::Finished(other) => Err(format!("1 + 1 returned {other:?}")),
        Outcome::Failed(error) => Err(format!("1 + 1 fails: {}", error.message)),
    }
}
