use std::{fmt, str::FromStr, time::Duration};

/// What a person has set about how cells are run. It outlives a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether each cell is followed by a line that says where its time went.
    pub timing: bool,
    /// How cells are optimised.
    pub optimisation: Optimisation,
}

/// How much work the compiler puts into a cell's speed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Optimisation {
    /// Cells with loops of their own are optimised, others answer sooner.
    #[default]
    Auto,
    /// This level for every cell: 0 or 1 or 2 or 3.
    Level(u8),
}

impl FromStr for Optimisation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "0" | "1" | "2" | "3" => Ok(Self::Level(text.as_bytes()[0] - b'0')),
            other => Err(format!("there is no optimisation `{other}`; choose auto, 0, 1, 2 or 3")),
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

/// A stretch of a cell's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The cell is taken apart and a crate written around it.
    Split,
    /// Attempts that the compiler refused: for what the cell moves or cannot keep, or for good.
    Probe,
    /// The compiler, until the cell is known to be right.
    Check,
    /// The compiler, from there to machine code.
    Codegen,
    /// The linker.
    Link,
    /// The shared object is loaded into the evaluation process.
    Load,
    /// The cell's own code.
    Run,
    /// Its value is turned into what is shown.
    Display,
    /// What is left: messages, bookkeeping.
    Rest,
}

impl Phase {
    /// As `:timing` prints it.
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
    /// From the cell's arrival to its outcome.
    pub total: Duration,
    /// Its stretches, in order; those that took no time are left out.
    pub phases: Vec<(Phase, Duration)>,
    /// The optimisation level that it ran with, if a compiler of ours compiled it.
    pub level: Option<u8>,
}

impl Timing {
    /// Adds to a phase.
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

    /// Closes the account: what no phase has taken is the rest.
    pub fn close(&mut self, total: Duration) {
        self.total = total;
        let known: Duration = self.phases.iter().map(|(_, time)| *time).sum();
        self.add(Phase::Rest, total.saturating_sub(known));
    }
}

/// One line: `0.172 s: split 1 ms, rustc check 60 ms, rustc codegen 64 ms, link 31 ms, load 2 ms, run 9 ms, display 1 ms; opt 0`.
impl fmt::Display for Timing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3} s", self.total.as_secs_f64())?;
        let mut separator = ": ";
        for (phase, time) in &self.phases {
            write!(formatter, "{separator}{} {}", phase.name(), Milliseconds(*time))?;
            separator = ", ";
        }
        match self.level {
            Some(level) => write!(formatter, "; opt {level}"),
            None => Ok(()),
        }
    }
}

/// Two digits that mean something: `0.4 ms`, `31 ms`, `1240 ms`.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_secs_f64() * 1000.0;
        let digits = usize::from(milliseconds < 9.95);
        write!(formatter, "{milliseconds:.digits$} ms")
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
        assert_eq!(timing.to_string(), "0.130 s: rustc check 124 ms, run 0.4 ms, rest 5.6 ms; opt 0");
    }

    #[test]
    fn an_optimisation_is_written_as_it_is_read() {
        for text in ["auto", "0", "2"] {
            assert_eq!(text.parse::<Optimisation>().unwrap().to_string(), text);
        }
        assert!("fast".parse::<Optimisation>().unwrap_err().contains("auto, 0, 1, 2 or 3"));
    }
}
