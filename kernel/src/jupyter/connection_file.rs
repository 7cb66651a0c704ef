use std::io;
use std::path::{Path, PathBuf};

use jupyter_protocol::ConnectionInfo;
use thiserror::Error;

/// The only signature scheme of the protocol's reference implementation.
const SIGNATURE_SCHEME: &str = "hmac-sha256";

/// Why a connection file cannot be used.
#[derive(Debug, Error)]
pub enum ConnectionFileError {
    /// It cannot be read.
    #[error(
        "connection file {path} cannot be read: {reason}; Jupyter writes one for each kernel it starts \
         and passes its path as `partita kernel -f FILE`", path = path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It is not JSON, or something is missing.
    #[error(
        "connection file {path} is malformed: {reason}; it must be a JSON object with `ip`, `transport`, \
         `key`, `signature_scheme` and the five ports, as Jupyter writes it: start the kernel from \
         Jupyter again to get a fresh one", path = path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: serde_json::Error,
    },
    /// It asks for signatures that this kernel cannot make.
    #[error(
        "connection file {path} asks for the signature scheme `{scheme}`; only `{SIGNATURE_SCHEME}` is \
         supported: set `signature_scheme` of Jupyter's session to it", path = path.display()
    )]
    SignatureScheme {
        /// The file.
        path: PathBuf,
        /// The requested scheme.
        scheme: String,
    },
}

/// Reads and checks a connection file.
pub fn read(path: &Path) -> Result<ConnectionInfo, ConnectionFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|reason| ConnectionFileError::Unreadable { path: path.to_owned(), reason })?;
    let info: ConnectionInfo = serde_json::from_str(&text)
        .map_err(|reason| ConnectionFileError::Malformed { path: path.to_owned(), reason })?;
    // Without a key nothing is signed, so the scheme does not matter.
    if !info.key.is_empty() && info.signature_scheme != SIGNATURE_SCHEME {
        return Err(ConnectionFileError::SignatureScheme {
            path: path.to_owned(),
            scheme: info.signature_scheme,
        });
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2,
        "stdin_port": 3, "control_port": 4, "hb_port": 5, "key": "k", "signature_scheme": "hmac-sha256"}"#;

    fn read_text(text: &str) -> Result<ConnectionInfo, ConnectionFileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kernel-1.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_file_without_kernel_name_is_accepted() {
        assert_eq!(read_text(GOOD).unwrap().shell_url(), "tcp://127.0.0.1:1");
    }

    #[test]
    fn a_missing_port_is_named_together_with_file_and_remedy() {
        let message = read_text(&GOOD.replace("hb_port", "other")).unwrap_err().to_string();
        for part in ["kernel-1.json", "hb_port", "start the kernel from"] {
            assert!(message.contains(part), "{part} not in: {message}");
        }
    }

    #[test]
    fn a_port_beyond_16_bits_is_refused() {
        assert!(read_text(&GOOD.replace(r#"_port": 1"#, r#"_port": 70000"#)).is_err());
    }

    #[test]
    fn an_unknown_signature_scheme_is_named() {
        let message = read_text(&GOOD.replace("sha256", "md5")).unwrap_err().to_string();
        assert!(message.contains("hmac-md5"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = read(Path::new("/nowhere/kernel.json")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/kernel.json"), "{message}");
    }
}
