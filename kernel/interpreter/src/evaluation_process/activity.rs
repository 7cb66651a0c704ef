use std::{fs, path::Path, thread, time::Duration};

/// The name of the evaluation process's thread that runs cells.
const CELL_THREAD: &str = "cell";

/// How long the thread is observed.
const WATCHED: Duration = Duration::from_millis(200);

/// What a cell that does not return is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It computes.
    Computes,
    /// It waits while other threads of its process compute.
    WaitsForOthers,
    /// It waits, and nothing computes.
    Waits,
    /// The system does not tell.
    Unknown,
}

impl Activity {
    /// Observes the process for a moment and tells what its cell does.
    pub(super) fn of(pid: i32) -> Self {
        let process = format!("/proc/{pid}");
        let Some(cell) = cell_thread(Path::new(&process)) else { return Self::Unknown };
        let times = || Some((ticks(&format!("{cell}/stat"))?, ticks(&format!("{process}/stat"))?));
        let Some(before) = times() else { return Self::Unknown };
        thread::sleep(WATCHED);
        let Some(after) = times() else { return Self::Unknown };
        Self::judge(after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))
    }

    /// Judges by the processor time of the cell's thread and of the whole process, in ticks of 10 ms. A
    /// single tick may come from anything.
    fn judge(cell: u64, process: u64) -> Self {
        match (cell, process.saturating_sub(cell)) {
            (cell, others) if cell > 1 && cell >= others => Self::Computes,
            (_, others) if others > 1 => Self::WaitsForOthers,
            (0, 0) => Self::Waits,
            _ => Self::Unknown,
        }
    }
}

fn cell_thread(process: &Path) -> Option<String> {
    fs::read_dir(process.join("task")).ok()?.find_map(|entry| {
        let thread = entry.ok()?.path();
        let name = fs::read_to_string(thread.join("comm")).ok()?;
        (name.trim_end() == CELL_THREAD).then(|| thread.display().to_string())
    })
}

/// Processor time used, from a `stat` file: the fields `utime` and `stime`. The name before them may
/// contain anything and ends with the last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let text = fs::read_to_string(stat).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_computes_is_told_from_one_that_waits() {
        assert_eq!(Activity::judge(20, 20), Activity::Computes);
        assert_eq!(Activity::judge(0, 30), Activity::WaitsForOthers);
        assert_eq!(Activity::judge(0, 0), Activity::Waits);
        assert_eq!(Activity::judge(1, 1), Activity::Unknown);
    }
}
