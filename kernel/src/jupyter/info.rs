use jupyter_protocol::{CodeMirrorMode, HelpLink, KernelInfoReply, LanguageInfo, ReplyStatus};

/// The protocol version this kernel speaks.
pub const PROTOCOL_VERSION: &str = "5.4";

/// Who we are, as `kernel_info_request` asks.
pub fn kernel_info() -> KernelInfoReply {
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
