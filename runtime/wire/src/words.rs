use std::error::Error;

use tonic::{Code, Status};

/// Why a call, a stream or a connection broke, for people. The transport's own words, such as "transport
/// error", say little; the innermost cause does. Where that is a certificate, what to do is added.
pub fn words(status: &Status) -> String {
    match status.code() {
        Code::Unknown | Code::Unavailable | Code::Cancelled | Code::Internal => root(status),
        _ => status.message().to_owned(),
    }
}

/// The innermost cause of an error of the transport, with the remedy where it is a certificate.
pub fn root(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    if is_distrust(&text) {
        return format!(
            "{text}; set PARTITA_TLS_CA to the PEM file of the authority that signed the other side's \
             certificate, and see that the certificate is for the address that is dialled"
        );
    }
    text
}

/// Whether a transport's error says that the other side's certificate is not trusted.
pub fn is_distrust(text: &str) -> bool {
    text.starts_with("invalid peer certificate")
}
