use serde::Serialize;

use super::{MimeBundle, MimeDisplay};

/// Text that the front end renders as HTML. It is not escaped: escape text that comes from data.
///
/// ```
/// use partita::display::{Html, MimeDisplay};
/// assert_eq!(Html("<b>3</b> rows".into()).mime_bundle().get("text/html"), Some("<b>3</b> rows"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html(pub String);

impl MimeDisplay for Html {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str()).with("text/html", self.0.as_str())
    }
}

/// Text that the front end renders as Markdown; a terminal shows the source.
///
/// ```
/// use partita::display::{Markdown, MimeDisplay};
/// assert_eq!(Markdown("**3** rows".into()).mime_bundle().get("text/markdown"), Some("**3** rows"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markdown(pub String);

impl MimeDisplay for Markdown {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str()).with("text/markdown", self.0.as_str())
    }
}

/// A formula in LaTeX, without the dollar signs; a terminal shows the source.
///
/// ```
/// use partita::display::{Latex, MimeDisplay};
/// assert_eq!(Latex(r"\frac{n}{p}".into()).mime_bundle().get("text/latex"), Some(r"$\displaystyle \frac{n}{p}$"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latex(pub String);

impl MimeDisplay for Latex {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str()).with("text/latex", format!("$\\displaystyle {}$", self.0))
    }
}

/// Plain text without the quotes of a `String`; ANSI colours are shown as colours.
///
/// ```
/// use partita::display::{MimeDisplay, Text};
/// assert_eq!(Text("3 rows".into()).mime_bundle().get("text/plain"), Some("3 rows"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl MimeDisplay for Text {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str())
    }
}

/// JSON, which JupyterLab shows as a tree that folds and can be searched.
///
/// ```
/// use partita::display::{Json, MimeDisplay};
/// let counts = std::collections::BTreeMap::from([("Soho", 3)]);
/// assert_eq!(Json::of(&counts)?.mime_bundle().get("application/json"), Some(r#"{"Soho":3}"#));
/// # Ok::<(), partita::display::JsonError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Json(serde_json::Value);

/// Why a value or text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("this cannot be shown as JSON")]
pub struct JsonError(#[from] serde_json::Error);

impl Json {
    /// The JSON form of a value.
    ///
    /// # Errors
    /// When the value has none, for example a map whose keys are not text.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        Ok(Self(serde_json::to_value(value)?))
    }

    /// JSON text.
    ///
    /// ```
    /// use partita::display::Json;
    /// assert!(Json::parse(r#"{"rows": [1, 2]}"#).is_ok());
    /// assert!(Json::parse("{rows}").is_err());
    /// ```
    ///
    /// # Errors
    /// When the text is not JSON; the cause says where.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Ok(Self(serde_json::from_str(text)?))
    }
}

impl MimeDisplay for Json {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(format!("{:#}", self.0)).with("application/json", self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrapper_offers_its_source_as_text() {
        let bundles = [
            Markdown("**3**".into()).mime_bundle(),
            Html("**3**".into()).mime_bundle(),
            Latex("**3**".into()).mime_bundle(),
            Text("**3**".into()).mime_bundle(),
        ];
        assert!(bundles.iter().all(|bundle| bundle.get("text/plain") == Some("**3**")));
    }

    #[test]
    fn json_reads_indented_as_text() {
        let json = Json::parse(r#"{"rows":[1]}"#).unwrap();
        assert_eq!(json.mime_bundle().get("text/plain"), Some("{\n  \"rows\": [\n    1\n  ]\n}"));
    }
}
