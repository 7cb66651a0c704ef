use jupyter_protocol::{Media, MediaType};
use partita_bridge::MimeBundle;
use serde_json::Value;

/// Converts a bundle to the protocol's form: JSON types as JSON, everything else as text (binary types
/// are base64 already).
pub fn media(bundle: &MimeBundle) -> Media {
    let content = bundle.data.iter().map(|(mime, text)| MediaType::Other((mime.clone(), value(mime, text))));
    Media { content: content.collect() }
}

fn value(mime: &str, text: &str) -> Value {
    let is_json = mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"));
    if is_json && let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_types_travel_as_json_and_all_others_as_text() {
        let bundle = MimeBundle::text("[1]")
            .with("image/svg+xml", "<svg/>")
            .with("image/png", "aGk=")
            .with("application/json", "[1]")
            .with("application/vnd.plotly.v1+json", r#"{"data": []}"#);
        assert_eq!(
            serde_json::to_value(media(&bundle)).unwrap(),
            json!({"text/plain": "[1]", "image/svg+xml": "<svg/>", "image/png": "aGk=",
                   "application/json": [1], "application/vnd.plotly.v1+json": {"data": []}})
        );
    }

    #[test]
    fn broken_json_is_shown_as_text_and_not_lost() {
        let bundle = MimeBundle::default().with("application/json", "{");
        assert_eq!(serde_json::to_value(media(&bundle)).unwrap(), json!({"application/json": "{"}));
    }
}
