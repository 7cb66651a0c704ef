//! `partita doctor` checks everything that Partita uses and says what to do about the rest. A probe
//! examines one thing (`cells`: what cells need to run; `jupyter`; `environment`: what is optional) and
//! returns [`Check`]s. Each probe has a time limit, because what it examines may hang. `process` runs
//! other programs within a limit.

mod cells;
mod environment;
mod jupyter;
mod process;

use std::{fmt::Write, io, thread};

use serde::Serialize;

/// The result for one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The thing examined.
    pub name: &'static str,
    /// Its state.
    pub state: State,
    /// The finding, in one line.
    pub found: String,
    /// What to do about it, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The state of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Cells run, but something optional is missing.
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

/// Runs all probes at once and returns the results in a fixed order.
pub fn examine() -> Vec<Check> {
    let probes: [fn() -> Vec<Check>; 9] = [
        cells::toolchain,
        cells::linker,
        cells::warm_build,
        jupyter::jupyter,
        environment::pictures,
        environment::docker,
        environment::spark,
        environment::disk,
        environment::memory,
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

/// Runs all probes and prints the results. Returns whether cells can run.
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

/// One line per check with names aligned, and advice below those that need action.
fn render(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let mark = match check.state {
            State::Good => "\x1b[32m✓\x1b[0m",
            State::Missing => "\x1b[33m!\x1b[0m",
            State::Broken => "\x1b[31m✗\x1b[0m",
        };
        // Writing to a string cannot fail.
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
