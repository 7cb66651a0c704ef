use crate::served::{Served, recorded};

#[test]
fn every_file_the_page_asks_for_is_there() {
    let served = Served::new(&recorded(), None, None);
    let mut wanted = vec!["/".to_owned(), "/login".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        if path != "/login" {
            let (status, text) = served.get(&path);
            assert_eq!(status, 200, "{path}");
            for quoted in text.split('"').filter(|part| !part.contains(char::is_whitespace)) {
                let found = match quoted.strip_prefix("./") {
                    Some(module) if path.ends_with(".js") => format!("/assets/{module}"),
                    _ if quoted.starts_with("/assets/") => quoted.to_owned(),
                    _ => continue,
                };
                if !seen.contains(&found) {
                    seen.push(found.clone());
                    wanted.push(found);
                }
            }
        }
    }
    for module in [
        "page.js",
        "timeline.js",
        "model.js",
        "figures.js",
        "picture.js",
        "pens.js",
        "svg_export.js",
        "elements.js",
        "timeline.css",
    ] {
        assert!(seen.contains(&format!("/assets/{module}")), "{module} is among {seen:?}");
    }
}
