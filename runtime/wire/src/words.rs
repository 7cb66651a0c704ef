use std::error::Error;

use tonic::{Code, Status};

/// A readable reason why a call, a stream or a connection broke. The transport's own message, such as
/// "transport error", says little; the innermost cause says more. For a certificate, the remedy is added.
pub fn words(status: &Status) -> String {
    match status.code() {
        Code::Unknown | Code::Unavailable | Code::Cancelled | Code::Internal => root(status),
        _ => status.message().to_owned(),
    }
}

/// The innermost cause of a transport error, with the remedy for a certificate.
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

/// Whether a transport error says that the other side's certificate is not trusted.
pub fn is_distrust(text: &str) -> bool {
    text.starts_with("invalid peer certificate")
}
