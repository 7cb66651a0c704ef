//! The front end's half of a timeline: the modules in `assets/`, which one hidden model holds for all
//! timelines of this process, and the part that each timeline carries itself.

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::model::{Model, State, state};
use crate::comm::CommError;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../assets/", $name)))),*]
    };
}

/// In order: a module imports only earlier ones.
const MODULES: &[(&str, &str)] = modules![
    "figures.js",
    "wire.js",
    "model.js",
    "pens.js",
    "picture.js",
    "elements.js",
    "table.js",
    "texts.js",
    "tooltip.js",
    "theme.js",
    "painter.js",
    "controls.js",
    "svg_export.js",
    "timeline.js",
    "widget.js",
];
const STYLE: &str = include_str!("../../../../assets/timeline.css");
const LOADER: &str = include_str!("../../../../assets/loader.js");

/// The model with the modules. Process-wide so that they are sent to the page once.
static LIBRARY: Mutex<Option<Model>> = Mutex::new(None);

/// The traits with which anywidget shows a timeline. The first call opens the model with the modules.
///
/// # Errors
/// When there is no front end in which to open a model.
pub(super) fn timeline_traits() -> Result<State, CommError> {
    let loader = LOADER.replace("%LIBRARY%", library()?.id());
    Ok(state(json!({
        "_model_module": "anywidget",
        "_model_name": "AnyModel",
        // Any version before 1.0: the features used here exist since 0.9.
        "_model_module_version": "0",
        "_view_module": "anywidget",
        "_view_name": "AnyView",
        "_view_module_version": "0",
        "_view_count": null,
        "_dom_classes": [],
        "_anywidget_id": "partita.Timeline",
        "_esm": loader,
        "layout": null,
    })))
}

fn library() -> Result<Model, CommError> {
    let mut library = LIBRARY.lock();
    if let Some(model) = &*library {
        return Ok(model.clone());
    }
    let modules: Vec<Value> = MODULES.iter().map(|(name, text)| json!([name, text])).collect();
    let model = Model::open(
        state(json!({
            "_model_module": "@jupyter-widgets/base",
            "_model_name": "WidgetModel",
            "_model_module_version": "2.0.0",
            "_view_module": "@jupyter-widgets/base",
            "_view_name": null,
            "_view_module_version": "2.0.0",
            "_view_count": null,
            "modules": modules,
            "style": STYLE,
        })),
        None,
    )?;
    *library = Some(model.clone());
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a module imports, as the loader sees it.
    fn imports(text: &str) -> Vec<&str> {
        text.match_indices(" from \"./")
            .filter_map(|(at, start)| text[at + start.len()..].split('"').next())
            .collect()
    }

    #[test]
    fn every_module_imports_only_those_that_are_loaded_before_it() {
        let mut loaded: Vec<&str> = Vec::new();
        for (name, text) in MODULES {
            for import in imports(text) {
                assert!(loaded.contains(&import), "{name} imports {import}, which is not loaded yet");
            }
            // The loader supports no other form of import.
            let known = imports(text).len();
            let lines = text.lines().filter(|line| line.starts_with("import ")).count();
            assert_eq!(known, lines, "an import in {name} is not of the form the loader knows");
            loaded.push(name);
        }
        assert_eq!(loaded.last(), Some(&"widget.js"), "the loader calls what this one exports");
    }

    #[test]
    fn what_each_timeline_carries_is_small() {
        assert!(LOADER.contains("%LIBRARY%"));
        assert!(LOADER.len() < 3_000, "{} bytes", LOADER.len());
    }
}
