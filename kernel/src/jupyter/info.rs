use jupyter_protocol::{
    CodeMirrorMode, HelpLink, JupyterMessage, KernelInfoReply, LanguageInfo, ReplyStatus, UnknownMessage,
};
use serde_json::{Value, json};

/// The supported version of the protocol.
pub const PROTOCOL_VERSION: &str = "5.4";

/// The answer to a `kernel_info_request`.
pub fn kernel_info_reply(request: &JupyterMessage) -> JupyterMessage {
    let mut content = serde_json::to_value(kernel_info()).unwrap_or_default();
    if let Value::Object(content) = &mut content {
        // The typed reply lacks this field. There is neither a debugger nor subshells.
        content.insert("supported_features".to_owned(), json!([]));
    }
    UnknownMessage { msg_type: "kernel_info_reply".to_owned(), content }.as_child_of(request)
}

fn kernel_info() -> KernelInfoReply {
    let version = env!("CARGO_PKG_VERSION");
    let link = |text: &str, url: &str| HelpLink { text: text.to_owned(), url: url.to_owned() };
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: PROTOCOL_VERSION.to_owned(),
        implementation: "partita".to_owned(),
        implementation_version: version.to_owned(),
        language_info: LanguageInfo {
            name: "rust".to_owned(),
            version: env!("CARGO_PKG_RUST_VERSION").to_owned(),
            mimetype: Some("text/rust".to_owned()),
            file_extension: Some(".rs".to_owned()),
            pygments_lexer: Some("rust".to_owned()),
            codemirror_mode: Some(CodeMirrorMode::Simple("rust".to_owned())),
            nbconvert_exporter: Some("script".to_owned()),
        },
        banner: format!("Partita {version}: Rust cells over partitioned data"),
        help_links: vec![
            link("Rust standard library", "https://doc.rust-lang.org/std/"),
            link("Polars for Rust", "https://docs.rs/polars/latest/polars/"),
            link("Partita", env!("CARGO_PKG_REPOSITORY")),
        ],
        debugger: false,
        error: None,
    }
}
