use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::plain;

const PAGE: &str = include_str!("../../../../assets/page.html");
pub(super) const LOGIN: &str = include_str!("../../../../assets/login.html");

macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, include_str!(concat!("../../../../assets/", $name)))),*]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const ASSETS: &[(&str, &str, &str)] = assets! {
    "page.js": SCRIPT,
    "page.css": STYLE,
    "timeline.js": SCRIPT,
    "timeline.css": STYLE,
    "controls.js": SCRIPT,
    "elements.js": SCRIPT,
    "figures.js": SCRIPT,
    "model.js": SCRIPT,
    "painter.js": SCRIPT,
    "pens.js": SCRIPT,
    "picture.js": SCRIPT,
    "svg_export.js": SCRIPT,
    "table.js": SCRIPT,
    "texts.js": SCRIPT,
    "theme.js": SCRIPT,
    "tooltip.js": SCRIPT,
    "wire.js": SCRIPT,
    "logo-svg.svg": "image/svg+xml",
};

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(of, ..)| *of == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => plain(StatusCode::NOT_FOUND, "No such file.\n"),
    }
}
