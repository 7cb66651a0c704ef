//! Widgets: outputs of a notebook's page that keep changing. These are the live timeline under every cell
//! that runs a job, and controls ([`slider()`], [`dropdown()`], [`toggle()`], [`button()`]) that run a
//! closure again when they are moved ([`interact()`]). They speak Jupyter's widget protocol over
//! [`comm`](crate::comm), with models of ipywidgets and anywidget, and work while no cell runs. Nothing
//! below knows of them; `evaluation` calls them when a cell begins or ends and passes them the events of
//! its jobs.

mod control;
mod interact;
mod model;
mod modules;
pub(crate) mod timeline;

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use partita_bridge::Viewer;

pub use partita::display::Answer;

pub use self::control::{
    Button, Control, Controls, Dropdown, Number, Slider, Toggle, button, dropdown, slider, toggle,
};
pub use self::interact::interact;
pub use self::timeline::{set_timeline, timeline_is_on};

/// The environment variable that turns off the timelines under cells: `PARTITA_TIMELINE=off`.
const TIMELINE: &str = "PARTITA_TIMELINE";

/// Answers front ends from now on.
pub(crate) fn serve() {
    if std::env::var_os(TIMELINE).is_some_and(|value| value == "off") {
        set_timeline(false);
    }
    model::answer_front_ends();
    timeline::reopen();
}

/// Whether the running or last cell is viewed in a page, where widgets work. Process-wide because a
/// control is asked how it looks without being told where.
static IN_PAGE: AtomicBool = AtomicBool::new(false);

/// A cell begins whose outputs are seen by `viewer`.
pub(crate) fn begin_cell(viewer: Viewer) {
    IN_PAGE.store(viewer == Viewer::Page, Ordering::Relaxed);
    timeline::begin_cell(viewer);
}

fn in_page() -> bool {
    IN_PAGE.load(Ordering::Relaxed)
}
