//! `partita doctor`: says what of everything Partita uses is there, and what to do about the rest. A
//! probe looks at one thing (`cells`: what running cells needs; `jupyter`; `around`: what is good to
//! have) and gives [`Check`]s; each has bounded time, because what it looks at may hang. `process` runs
//! other programs within a limit.

mod around;
mod cells;
mod jupyter;
mod process;

use std::{fmt::Write, io, thread};

use serde::Serialize;

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in one line.
    pub found: String,
    /// What to do, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Cells run, but something that is good to have is not there.
    Missing,
    /// Cells cannot run.
    Broken,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Good, found: found.into(), advice: None }
    }

    fn missing(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Missing, found: found.into(), advice: Some(advice.into()) }
    }

    fn broken(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Broken, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Looks at everything, all at once, and gives the findings in a fixed order.
pub fn examine() -> Vec<Check> {
    let probes: [fn() -> Vec<Check>; 9] = [
        cells::toolchain,
        cells::linker,
        cells::warm_build,
        jupyter::jupyter,
        around::pictures,
        around::docker,
        around::spark,
        around::disk,
        around::memory,
    ];
    thread::scope(|scope| {
        let running: Vec<_> = probes.into_iter().map(|probe| scope.spawn(probe)).collect();
        running.into_iter().flat_map(|probe| probe.join().unwrap_or_default()).collect()
    })
}

/// Whether cells can run.
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.state != State::Broken)
}

/// Looks at everything and prints the findings; returns whether cells can run.
///
/// # Errors
/// When nothing can be printed.
pub fn run(json: bool) -> io::Result<bool> {
    let checks = examine();
    let well = is_well(&checks);
    let text = if json {
        serde_json::to_string_pretty(&serde_json::json!({"well": well, "checks": checks}))? + "\n"
    } else {
        render(&checks)
    };
    io::Write::write_all(&mut anstream::stdout(), text.as_bytes())?;
    Ok(well)
}

/// One line for each, names aligned, and what to do below those that want something done.
fn render(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let mark = match check.state {
            State::Good => "\x1b[32m✓\x1b[0m",
            State::Missing => "\x1b[33m!\x1b[0m",
            State::Broken => "\x1b[31m✗\x1b[0m",
        };
        // A string takes what is written to it.
        let _ = writeln!(text, "{mark} {:width$}  {}", check.name, check.found);
        if let Some(advice) = &check.advice {
            let _ = writeln!(text, "  {:width$}  → {advice}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_its_finding_and_only_broken_things_count() {
        let mut checks = vec![Check::good("cells", "run"), Check::missing("docker", "none", "install it")];
        assert!(is_well(&checks));
        let text = render(&checks);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "✓ cells   run\n! docker  none\n          → install it\n"
        );
        checks.push(Check::broken("linker", "none", "install one"));
        assert!(!is_well(&checks));
    }
}
