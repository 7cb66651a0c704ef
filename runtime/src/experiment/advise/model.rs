use crate::events::{JobReport, StageReport, TaskMetrics};

/// A lower speed-up is not worth advice.
pub(super) const WORTH: f64 = 1.2;
/// Nor is a smaller saving, in milliseconds.
const LEAST_MS: f64 = 2.0;

/// A finished job with the figures that the rules need. All times are in milliseconds.
pub(super) struct Job<'a> {
    pub report: &'a JobReport,
    pub wall: f64,
    pub slots: usize,
}

impl<'a> Job<'a> {
    pub fn of(report: &'a JobReport) -> Option<Self> {
        let done = report.finished && report.error.is_none() && report.slots > 0;
        let wall = report.wall.as_secs_f64() * 1e3;
        (done && wall > 0.0).then_some(Self { report, wall, slots: report.slots })
    }

    /// The speed-up of the job if it saved this many milliseconds; `None` if it is too small.
    pub fn expected(&self, saved: f64) -> Option<f64> {
        // No remedy removes the whole job.
        let left = (self.wall - saved).max(self.wall / 100.0);
        let expected = self.wall / left;
        (saved >= LEAST_MS && expected >= WORTH).then_some(expected)
    }

    /// The length of a stage by the model, from its measured task times.
    pub fn scheduled(&self, stage: &StageReport) -> f64 {
        makespan(&runs(stage), self.slots)
    }

    /// The stages that wrote the shuffles that a stage reads, left side first: earlier stages that wrote as
    /// many rows as this one read. `None` if this is ambiguous.
    pub fn writers(&self, stage: &StageReport) -> Option<Vec<&'a StageReport>> {
        let read = stage.total(|m| m.rows_in);
        let before = self.report.stages.iter().take_while(|other| other.stage != stage.stage);
        let writing: Vec<&StageReport> = before.filter(|s| s.total(|m| m.shuffle_out) > 0).collect();
        let wrote = |stage: &StageReport| stage.total(|m| m.rows_out);
        if joins(stage) {
            let pairs = writing.windows(2).rev();
            let mut fit = pairs.filter(|pair| wrote(pair[0]) + wrote(pair[1]) == read);
            return fit.next().map(<[_]>::to_vec);
        }
        writing.into_iter().rev().find(|other| wrote(other) == read).map(|one| vec![one])
    }
}

/// Whether a stage joins two shuffles.
pub(super) fn joins(stage: &StageReport) -> bool {
    steps(stage).any(|step| step == "join")
}

/// The steps of a stage, from its name.
pub(super) fn steps(stage: &StageReport) -> impl Iterator<Item = &str> {
    stage.name.split(" → ")
}

/// The tasks' run times, by partition.
pub(super) fn runs(stage: &StageReport) -> Vec<f64> {
    times(stage, |m| m.run.as_secs_f64())
}

/// A time of each task, by partition; `seconds` returns seconds.
pub(super) fn times(stage: &StageReport, seconds: impl Fn(&TaskMetrics) -> f64) -> Vec<f64> {
    stage.tasks.iter().map(|task| seconds(&task.metrics).max(0.0) * 1e3).collect()
}

/// How long tasks take on this many slots, each in turn on the slot that is free first.
pub(super) fn makespan(times: &[f64], slots: usize) -> f64 {
    let mut free = vec![0.0f64; slots.max(1)];
    for time in times {
        let first = free.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("at least one slot");
        *first += time;
    }
    free.into_iter().fold(0.0, f64::max)
}

/// A fraction as text, such as `80 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
