use std::{fmt, str::FromStr, time::Duration};

use partita_events::figures::duration;
use thiserror::Error;

/// A person's settings for running cells. They survive a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether each cell is followed by a line that says where its time went.
    pub timing: bool,
    /// How cells are optimised.
    pub optimisation: Optimisation,
}

/// How much effort the compiler spends on a cell's speed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Optimisation {
    /// Optimise cells that have loops of their own; the others start sooner.
    #[default]
    Auto,
    /// This level, 0 to 3, for every cell.
    Level(u8),
}

/// A level that the compiler does not have.
#[derive(Debug, Error)]
#[error("unknown optimisation level `{0}`; choose auto, 0, 1, 2 or 3")]
pub struct UnknownOptimisation(String);

impl FromStr for Optimisation {
    type Err = UnknownOptimisation;

    fn from_str(text: &str) -> Result<Self, UnknownOptimisation> {
        match text {
            "auto" => Ok(Self::Auto),
            "0" | "1" | "2" | "3" => Ok(Self::Level(text.as_bytes()[0] - b'0')),
            other => Err(UnknownOptimisation(other.to_owned())),
        }
    }
}

impl fmt::Display for Optimisation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Level(level) => write!(formatter, "{level}"),
        }
    }
}

/// A phase of a cell's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Splitting the cell and generating a crate around it.
    Split,
    /// Compilations that failed: because of what the cell moves or cannot keep, or because the cell is
    /// wrong.
    Probe,
    /// The compiler, until the cell is known to be valid.
    Check,
    /// The compiler, from there to machine code.
    Codegen,
    /// The linker.
    Link,
    /// Loading the shared object into the evaluation process.
    Load,
    /// The cell's own code.
    Run,
    /// Turning the value into what is shown.
    Display,
    /// The rest: messages, bookkeeping.
    Rest,
}

impl Phase {
    /// The name that `:timing` prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Probe => "probe",
            Self::Check => "rustc check",
            Self::Codegen => "rustc codegen",
            Self::Link => "link",
            Self::Load => "load",
            Self::Run => "run",
            Self::Display => "display",
            Self::Rest => "rest",
        }
    }
}

/// Where a cell's time went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the arrival of the cell to its outcome.
    pub total: Duration,
    /// The phases, in order, without those that took no time.
    pub phases: Vec<(Phase, Duration)>,
    /// The optimisation level, if Partita called the compiler.
    pub level: Option<u8>,
}

impl Timing {
    /// Adds time to a phase.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        match self.phases.iter_mut().find(|(known, _)| *known == phase) {
            Some((_, sum)) => *sum += time,
            None => self.phases.push((phase, time)),
        }
    }

    /// The time of a phase.
    pub fn of(&self, phase: Phase) -> Duration {
        self.phases.iter().find(|(known, _)| *known == phase).map_or(Duration::ZERO, |(_, time)| *time)
    }

    /// Sets the total; time that belongs to no phase becomes [`Phase::Rest`].
    pub fn close(&mut self, total: Duration) {
        self.total = total;
        let known: Duration = self.phases.iter().map(|(_, time)| *time).sum();
        self.add(Phase::Rest, total.saturating_sub(known));
    }
}

/// One line: `172 ms: split 1.0 ms, rustc check 60.1 ms, rustc codegen 64.3 ms, link 31.0 ms, load 2.1 ms, run
/// 9.4 ms, display 900 µs; opt 0`.
impl fmt::Display for Timing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", duration(self.total))?;
        let mut separator = ": ";
        for (phase, time) in &self.phases {
            write!(formatter, "{separator}{} {}", phase.name(), duration(*time))?;
            separator = ", ";
        }
        match self.level {
            Some(level) => write!(formatter, "; opt {level}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timing_is_one_line_whose_phases_add_up() {
        let mut timing = Timing { level: Some(0), ..Timing::default() };
        timing.add(Phase::Check, Duration::from_millis(100));
        timing.add(Phase::Check, Duration::from_millis(24));
        timing.add(Phase::Run, Duration::from_micros(400));
        timing.close(Duration::from_millis(130));
        assert_eq!(timing.to_string(), "130 ms: rustc check 124 ms, run 400 µs, rest 5.6 ms; opt 0");
    }

    #[test]
    fn an_optimisation_is_written_as_it_is_read() {
        for text in ["auto", "0", "2"] {
            assert_eq!(text.parse::<Optimisation>().unwrap().to_string(), text);
        }
        assert!("fast".parse::<Optimisation>().unwrap_err().to_string().contains("auto, 0, 1, 2 or 3"));
    }
}
