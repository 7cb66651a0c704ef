//! Runs a closure again whenever a control is moved, on a thread of its own, so also while no cell runs.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use partita::cancel::{Interrupted, Run};
use partita::display::html::{as_html, escape};
use partita::display::{Answer, DisplayHandle, MimeBundle, display_bundle};
use partita_bridge::Stream;
use serde_json::{Value, json};

use super::control::{Controls, Part, model_traits};
use super::model::{self, Model, State, state};
use super::timeline::{self, Timeline};
use crate::capture::{Captured, capture};
use crate::comm::CommError;
use crate::events;

/// How long a control must rest before the closure runs, so that dragging does not run it at each step.
const STILL: Duration = Duration::from_millis(120);
/// The minimum time between two updates of the page during a run.
const SHOWN_EVERY: Duration = Duration::from_millis(250);
/// How many interactions stay active; the oldest are ended.
const KEPT: usize = 64;
/// The maximum bytes of one run's outputs that are sent to the page.
const MAX_OUTPUT: usize = 32 << 20;
/// The maximum bytes of those that are kept in the notebook beside the controls.
const MAX_STILL: usize = 2 << 20;
/// Closures are compiled without optimisation, so they need much stack.
const STACK_BYTES: usize = 64 << 20;

/// The interactions that still react, oldest first. Process-wide because they outlive the cell that starts them,
/// and their number is limited for all cells together.
static INTERACTIONS: Mutex<VecDeque<Arc<Turn>>> = Mutex::new(VecDeque::new());

/// Shows controls, and below them the output of `run`, which is called with their values: now, and again
/// whenever one of them is moved, even while no cell runs. A move cancels the job started by the previous
/// one. The result of `run` is shown like a cell's value, and so are its displays and prints, its error
/// or panic, and the timeline of its jobs.
///
/// The closure outlives the cell, so it must own what it uses: clone a session or dataset for it. Without
/// a page (in a terminal, in a program, in a notebook run by a program) it runs once, with the initial
/// values of the controls.
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
/// use partita::prelude::*;
/// use partita::widgets::{interact, slider};
/// let session = Session::embedded(2)?;
/// interact(slider("partitions", 1..=16).at(4), move |n| {
///     session.range(0, 10_000, n).group_by([col("id") % lit(7)]).agg([len()]).collect()
/// });
/// # Ok::<(), PartitaError>(())
/// ```
pub fn interact<C, R>(controls: C, mut run: impl FnMut(C::Values) -> R + Send + 'static)
where
    C: Controls,
    R: Answer,
{
    let call = move |controls: &C| {
        let answer = run(controls.values());
        match answer.failure() {
            Some(failure) => Err(failure),
            None => Ok(answer.bundle()),
        }
    };
    if super::in_page() {
        match Panel::open(&controls.parts()) {
            Ok(panel) => return live(panel, controls, call),
            Err(error) => eprintln!("the controls cannot be shown ({error}); this runs once"),
        }
    }
    once(&controls, call);
}

/// Runs it once, where nobody can move a control, and says so.
fn once<C: Controls>(controls: &C, mut call: impl FnMut(&C) -> Result<MimeBundle, String>) {
    let set: Vec<String> = controls.parts().iter().map(|part| part.describe()).collect();
    display_bundle(MimeBundle::text(format!(
        "{} (runs once; in a notebook's page the controls can be moved)",
        set.join(", ")
    )));
    match call(controls) {
        Ok(bundle) => drop(display_bundle(bundle)),
        Err(failure) => drop(display_bundle(MimeBundle::text(format!("Error: {failure}")))),
    }
}

/// What the page shows of an interaction: the controls, a timeline, and the outputs.
struct Panel {
    all: Model,
    outputs: Model,
    timeline: Arc<Timeline>,
}

impl Panel {
    fn open(parts: &[&dyn Part]) -> Result<Self, CommError> {
        let mut children = Vec::new();
        for part in parts {
            children.push(part.open()?.reference);
        }
        let timeline = Timeline::embedded()?;
        children.extend(timeline.reference());
        let mut traits = model_traits("@jupyter-widgets/output", "OutputModel", Some("OutputView"));
        traits.extend(state(json!({
            "_model_module_version": "1.0.0",
            "_view_module_version": "1.0.0",
            "msg_id": "",
            "outputs": [],
        })));
        let outputs = Model::open(traits, None)?;
        children.push(outputs.reference());
        let mut traits = model_traits("@jupyter-widgets/controls", "VBoxModel", Some("VBoxView"));
        traits.extend(state(json!({"box_style": "", "children": children})));
        Ok(Self { all: Model::open(traits, None)?, outputs, timeline })
    }

    fn show(&self, outputs: &[Captured], failure: Option<&str>) {
        // A page that has gone asks for the state when it is back.
        let _ = self.outputs.update(outputs_state(outputs, failure));
    }

    /// The outputs as a notebook keeps them, for viewers without controls.
    fn snapshot(&self, set: &str, outputs: &[Captured], failure: Option<&str>) -> MimeBundle {
        let mut html = format!("<p><code>{}</code></p>", escape(set));
        let mut text = set.to_owned();
        for output in outputs {
            match output {
                Captured::Text(_, printed) => {
                    html.push_str(&as_html(&MimeBundle::text(printed.as_str())));
                    text.push_str(&format!("\n{}", printed.trim_end()));
                }
                Captured::Display(_, bundle) => {
                    html.push_str(&format!("<div>{}</div>", as_html(bundle)));
                    text.extend(bundle.get("text/plain").map(|plain| format!("\n{plain}")));
                }
            }
        }
        if let Some(failure) = failure {
            html.push_str(&as_html(&MimeBundle::text(failure)));
            text.push_str(&format!("\n{failure}"));
        }
        let timeline = self.timeline.snapshot();
        if !timeline.is_empty() {
            html.push_str(&format!("<div>{}</div>", as_html(&timeline)));
        }
        let bundle = if html.len() > MAX_STILL {
            MimeBundle::text(format!("{set}\n(its outputs are too large to keep beside the controls)"))
        } else {
            MimeBundle::text(text).with("text/html", html)
        };
        self.on(bundle)
    }

    fn on(&self, bundle: MimeBundle) -> MimeBundle {
        bundle.with(model::VIEW, model::view(self.all.id()))
    }
}

fn outputs_state(outputs: &[Captured], failure: Option<&str>) -> State {
    let mut room = MAX_OUTPUT;
    let mut told = Vec::new();
    for output in outputs {
        let (bytes, output) = match output {
            Captured::Text(stream, text) => {
                let name = match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                };
                (text.len(), json!({"output_type": "stream", "name": name, "text": text}))
            }
            Captured::Display(_, bundle) => {
                let bytes = bundle.data.values().map(String::len).sum();
                (bytes, json!({"output_type": "display_data", "data": data(bundle), "metadata": {}}))
            }
        };
        if bytes > room {
            let text = "the rest is too large to show\n";
            told.push(json!({"output_type": "stream", "name": "stderr", "text": text}));
            break;
        }
        room -= bytes;
        told.push(output);
    }
    if let Some(failure) = failure {
        let lines: Vec<String> = failure.lines().map(|line| format!("\u{1b}[31m{line}\u{1b}[0m")).collect();
        told.push(json!({"output_type": "error", "ename": "Error", "evalue": failure, "traceback": lines}));
    }
    state(json!({"outputs": told}))
}

/// A bundle in the form of an output: JSON types as JSON, everything else as text.
fn data(bundle: &MimeBundle) -> Value {
    let entries = bundle.data.iter().map(|(mime, text)| {
        let parsed = mime.ends_with("json").then(|| serde_json::from_str(text).ok()).flatten();
        (mime.clone(), parsed.unwrap_or_else(|| Value::from(text.as_str())))
    });
    Value::Object(entries.collect())
}

/// Schedules the runs: a move makes the next run due, and cancels the one that is running.
#[derive(Default)]
struct Turn {
    inside: Mutex<Due>,
    changed: Condvar,
}

#[derive(Default)]
struct Due {
    /// When a control was last moved, if no run has started since.
    moved: Option<Instant>,
    running: Option<Run>,
    ended: bool,
}

impl Turn {
    fn moved(&self) {
        let mut due = self.inside.lock();
        due.moved = Some(Instant::now());
        if let Some(running) = due.running.take() {
            running.cancel();
        }
        drop(due);
        self.changed.notify_all();
    }

    fn end(&self) {
        let mut due = self.inside.lock();
        due.ended = true;
        if let Some(running) = due.running.take() {
            running.cancel();
        }
        drop(due);
        self.changed.notify_all();
    }

    /// Waits until a run is due; `None` if there will be no more.
    fn next(&self) -> Option<Run> {
        let mut due = self.inside.lock();
        loop {
            if due.ended {
                return None;
            }
            match due.moved.map(|moved| STILL.saturating_sub(moved.elapsed())) {
                Some(Duration::ZERO) => {
                    due.moved = None;
                    return Some(due.running.insert(Run::default()).clone());
                }
                Some(left) => drop(self.changed.wait_for(&mut due, left)),
                None => self.changed.wait(&mut due),
            }
        }
    }
}

/// Shows the controls, runs the closure once before this returns, and then whenever a control is moved.
fn live<C: Controls>(
    panel: Panel,
    controls: C,
    mut call: impl FnMut(&C) -> Result<MimeBundle, String> + Send + 'static,
) {
    let turn = Arc::new(Turn::default());
    for part in controls.parts() {
        let turn = Arc::downgrade(&turn);
        part.knob().when_changed(Arc::new(move || {
            if let Some(turn) = turn.upgrade() {
                turn.moved();
            }
        }));
    }
    let set = values_text(&controls);
    let shown = display_bundle(panel.on(MimeBundle::text(set)));
    let (first, done) = mpsc::channel();
    let thread = {
        let turn = turn.clone();
        let run = move || {
            let run = turn.first();
            let ended = run_once(&panel, &controls, &mut call, &run);
            save_snapshot(&shown, &panel, &controls, &ended);
            // The cell may have been interrupted and have stopped waiting.
            let _ = first.send(());
            while let Some(run) = turn.next() {
                run_once(&panel, &controls, &mut call, &run);
            }
            panel.all.close();
            panel.outputs.close();
        };
        thread::Builder::new().name("interact".into()).stack_size(STACK_BYTES).spawn(run)
    };
    if thread.is_err() {
        eprintln!("cannot run the controls' closure: the system provides no more threads");
        return;
    }
    keep(turn);
    // An error means that the thread has ended.
    let _ = done.recv();
}

impl Turn {
    fn first(&self) -> Run {
        self.inside.lock().running.insert(Run::default()).clone()
    }
}

/// How a run ended: what it has shown, and its error if it failed. `None` means that another run is
/// wanted.
type Ended = Option<(Vec<Captured>, Option<String>)>;

fn run_once<C: Controls>(
    panel: &Panel,
    controls: &C,
    call: &mut (impl FnMut(&C) -> Result<MimeBundle, String> + Send),
    run: &Run,
) -> Ended {
    panel.timeline.restart();
    let mut shown = Instant::now();
    let (outputs, running) = (panel.outputs.clone(), run.clone());
    let on_the_way = move |captured: &[Captured]| {
        if shown.elapsed() >= SHOWN_EVERY && !running.is_cancelled() {
            shown = Instant::now();
            let _ = outputs.update(outputs_state(captured, None));
        }
    };
    let work = || run.within(|| timeline::within(&panel.timeline, || call(controls)));
    let (ended, mut outputs) = capture(on_the_way, || catch_unwind(AssertUnwindSafe(work)));
    events::flush();
    if run.is_cancelled() {
        return None;
    }
    panel.timeline.close();
    let failure = match ended {
        Ok(Ok(bundle)) => {
            if !bundle.is_empty() {
                outputs.push(Captured::Display(String::new(), bundle));
            }
            None
        }
        Ok(Err(failure)) => Some(failure),
        Err(panic) => Some(panic_message(panic)),
    };
    panel.show(&outputs, failure.as_deref());
    Some((outputs, failure))
}

/// A panic's message. The hook has printed its position.
fn panic_message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<Interrupted>() {
        Ok(interrupted) => interrupted.0,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => format!("panicked: {text}"),
            None => match panic.downcast_ref::<String>() {
                Some(text) => format!("panicked: {text}"),
                None => "panicked".into(),
            },
        },
    }
}

fn save_snapshot<C: Controls>(shown: &DisplayHandle, panel: &Panel, controls: &C, ended: &Ended) {
    if let Some((outputs, failure)) = ended {
        shown.update_bundle(panel.snapshot(&values_text(controls), outputs, failure.as_deref()));
    }
}

fn values_text<C: Controls>(controls: &C) -> String {
    let set: Vec<String> = controls.parts().iter().map(|part| part.describe()).collect();
    set.join(", ")
}

fn keep(turn: Arc<Turn>) {
    let oldest = {
        let mut interactions = INTERACTIONS.lock();
        interactions.push_back(turn);
        if interactions.len() > KEPT { interactions.pop_front() } else { None }
    };
    if let Some(oldest) = oldest {
        oldest.end();
    }
}
