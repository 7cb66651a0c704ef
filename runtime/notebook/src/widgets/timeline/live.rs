use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::jobs::{Jobs, SessionJob};
use super::text::text;
use super::{archive, clock, picture};
use crate::comm::CommError;
use crate::widgets::model::{self, Model, State, state};
use crate::widgets::{Viewer, modules};
use partita::display::{DisplayHandle, MimeBundle, display_bundle, fresh_id};
use partita_events::Event;
use partita_events::fold::Workers;

/// A job that ends sooner shows nothing: a picture that only flashes up is of no use.
const JOB_SHOWN_AFTER: Duration = Duration::from_millis(100);
/// Many jobs, each shorter than that, are shown once they have taken this long together.
const JOBS_SHOWN_AFTER: Duration = Duration::from_millis(500);

/// The timeline of some jobs: below a cell, or among an interaction's outputs.
pub(crate) struct Timeline {
    viewer: Viewer,
    /// A reference to itself, for the callbacks that answer the front end.
    this: Weak<Timeline>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    jobs: Jobs,
    /// The number of messages sent, which is the number of the next one.
    number: u64,
    /// No more jobs will start here.
    closed: bool,
    /// When its first job was reported.
    since: Option<Instant>,
    shown: Shown,
    /// Whether the final state was sent since the last event.
    kept: bool,
}

#[derive(Default)]
enum Shown {
    #[default]
    NotYet,
    /// The widget, and the output that it is in.
    Live { model: Model, output: Option<DisplayHandle> },
    /// Only a picture.
    Still(DisplayHandle),
    /// It cannot be shown.
    Never,
}

impl Timeline {
    pub fn new(viewer: Viewer) -> Arc<Self> {
        Arc::new_cyclic(|this| Self { viewer, this: this.clone(), inside: Mutex::default() })
    }

    /// A timeline among other widgets. It exists from the start and shows the jobs of one run after
    /// another.
    ///
    /// # Errors
    /// When there is no front end to show it in.
    pub fn embedded() -> Result<Arc<Self>, CommError> {
        let timeline = Self::new(Viewer::Page);
        let inside = &mut *timeline.inside.lock();
        let model = timeline.open(inside, false)?;
        inside.shown = Shown::Live { model, output: None };
        Ok(timeline.clone())
    }

    /// How other widgets refer to it.
    pub fn reference(&self) -> Option<String> {
        match &self.inside.lock().shown {
            Shown::Live { model, .. } => Some(model.reference()),
            _ => None,
        }
    }

    /// Another run begins; the state of the last one is dropped.
    pub fn restart(&self) {
        let inside = &mut *self.inside.lock();
        inside.jobs = Jobs::default();
        (inside.closed, inside.kept, inside.since) = (false, false, None);
        inside.number += 1;
        let state = inside.state();
        if let Shown::Live { model, .. } = &inside.shown {
            // A page that has gone asks for it when it is back.
            let _ = model.send(state);
        }
    }

    /// Its final output; empty if there is nothing to show.
    pub fn snapshot(&self) -> MimeBundle {
        let inside = self.inside.lock();
        if inside.is_due() { inside.snapshot(true) } else { MimeBundle::default() }
    }

    /// Takes the next events of a session's jobs that it shows. `workers` are the session's.
    pub fn receive(&self, session: u64, workers: Arc<Workers>, events: &[&Event]) {
        let inside = &mut *self.inside.lock();
        inside.jobs.receive(session, workers, events);
        inside.since.get_or_insert_with(Instant::now);
        inside.kept = false;
        inside.send_changes();
    }

    /// Shows it if it is due. Returns whether it may become due without further events.
    pub fn show_if_due(&self) -> bool {
        let inside = &mut *self.inside.lock();
        if !matches!(inside.shown, Shown::NotYet) {
            return false;
        }
        if self.viewer == Viewer::Page && inside.is_due() {
            self.show(inside);
            return false;
        }
        inside.jobs.is_running()
    }

    /// The cell has ended: no more jobs start here, although jobs of its threads may go on.
    pub fn close(&self) {
        let inside = &mut *self.inside.lock();
        inside.closed = true;
        self.finish(inside);
    }

    /// When everything has ended, puts the final output beside the widget.
    pub fn finish_if_closed(&self) {
        let inside = &mut *self.inside.lock();
        if inside.closed {
            self.finish(inside);
        }
    }

    fn finish(&self, inside: &mut Inside) {
        if inside.kept || inside.jobs.is_running() || inside.since.is_none() {
            return;
        }
        if matches!(inside.shown, Shown::NotYet) && inside.is_due() && self.viewer == Viewer::Page {
            self.show(inside);
        }
        inside.kept = true;
        inside.send_changes();
        match &inside.shown {
            Shown::NotYet if self.viewer == Viewer::Document && inside.is_due() => {
                inside.shown = Shown::Still(display_bundle(inside.bundle()));
            }
            Shown::Live { output: Some(output), model } => {
                output.update_bundle(inside.bundle());
                let id = model.id().to_owned();
                if inside.jobs.attempts() <= archive::MOST_ATTEMPTS {
                    archive::keep(&id, || inside.state());
                }
            }
            Shown::Still(output) => output.update_bundle(inside.bundle()),
            _ => {}
        }
    }

    fn show(&self, inside: &mut Inside) {
        let Ok(model) = self.open(inside, true) else {
            inside.shown = Shown::Never;
            return;
        };
        let view = inside.bundle_of(&model, false);
        inside.shown = Shown::Live { model, output: Some(display_bundle(view)) };
    }

    fn open(&self, inside: &mut Inside, folds: bool) -> Result<Model, CommError> {
        let mut traits = modules::timeline_traits()?;
        traits.insert("folds".into(), folds.into());
        traits.insert("state".into(), inside.state());
        let this = self.this.clone();
        let now = move || this.upgrade().map(|timeline| timeline.state()).unwrap_or_default();
        let model = Model::open(traits, Some(Box::new(now)))?;
        let this = self.this.clone();
        model.on_custom(move |asked| {
            if let Some(timeline) = this.upgrade() {
                timeline.answer(&asked);
            }
        });
        super::keep(self.this.upgrade(), &model);
        Ok(model)
    }

    /// Sends the complete state to a page that has missed something.
    fn answer(&self, asked: &Value) {
        let inside = &mut *self.inside.lock();
        let state = match asked["received"].as_u64() {
            Some(number) if number == inside.number => inside.message(true, None),
            _ => inside.state(),
        };
        if let Shown::Live { model, .. } = &inside.shown {
            // A front end that has gone needs no answer.
            let _ = model.send(state);
        }
    }

    /// The traits that a new front end asks for.
    fn state(&self) -> State {
        state(json!({"state": self.inside.lock().state()}))
    }
}

impl Inside {
    fn is_due(&self) -> bool {
        let wall = |of: &SessionJob| match of.job.has_ended() {
            true => of.job.wall(),
            false => clock::now(of.session).saturating_sub(of.job.submitted).max(of.job.wall()),
        };
        let mut together = Duration::ZERO;
        self.jobs.iter().map(wall).any(|wall| {
            together += wall;
            wall >= JOB_SHOWN_AFTER || together >= JOBS_SHOWN_AFTER
        })
    }

    /// The message with everything, for a page that has nothing.
    fn state(&mut self) -> Value {
        let jobs = self.jobs.whole(clock::now);
        self.message(true, Some(jobs))
    }

    /// Sends what the page was not sent yet.
    fn send_changes(&mut self) {
        let Shown::Live { model, .. } = &self.shown else { return };
        self.number += 1;
        let jobs = self.jobs.changes(clock::now);
        // A page that has gone misses it, and asks for the state when it is back.
        let _ = model.send(self.message(false, Some(jobs)));
    }

    fn message(&self, whole: bool, changes: Option<Vec<Value>>) -> Value {
        let mut message = json!({"number": self.number, "whole": whole, "ended": self.kept});
        if let Some(changes) = changes {
            message["changes"] = changes.into();
            message["together"] = self.jobs.together().into();
        }
        message
    }

    /// The final output: the widget if there is one, a picture, and a few lines of text.
    fn bundle(&self) -> MimeBundle {
        match &self.shown {
            Shown::Live { model, .. } => self.bundle_of(model, true),
            _ => self.snapshot(true),
        }
    }

    fn bundle_of(&self, model: &Model, picture: bool) -> MimeBundle {
        self.snapshot(picture).with(model::VIEW, model::view(model.id()))
    }

    fn snapshot(&self, picture: bool) -> MimeBundle {
        let bundle = MimeBundle::text(text(&self.jobs));
        match picture.then(|| picture::svg(&self.jobs, &fresh_id())).flatten() {
            Some(svg) => bundle.with("image/svg+xml", svg),
            None => bundle,
        }
    }
}
