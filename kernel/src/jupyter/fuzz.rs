//! Any connection file and any message that Jupyter sends is read, or is an error.

use jupyter_zmq_client::RawMessage;
use zeromq::ZmqMessage;

use super::{connection_file, sockets};

#[test]
fn connection_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kernel-1.json");
    partita_fuzz::run("tests/corpus/connection", |bytes| {
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = connection_file::read(&path) {
            assert!(error.to_string().contains("kernel-1.json"), "{error}");
        }
    });
}

/// Frames of a message; in the corpus a byte that no JSON has stands between them.
#[test]
fn multipart_messages() {
    partita_fuzz::run("tests/corpus/multipart", |bytes| {
        let mut frames = bytes.split(|byte| *byte == b'\x1e').map(<[u8]>::to_vec);
        let mut message = ZmqMessage::from(frames.next().unwrap_or_default());
        frames.for_each(|frame| message.push_back(frame.into()));
        // Without a key there is no signature to be wrong, so that the rest is reached.
        if let Ok(raw) = RawMessage::from_multipart(message, &None) {
            drop(sockets::decode(raw));
        }
    });
}
