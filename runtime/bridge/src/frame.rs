use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// The largest body of one message. Both sides refuse larger ones: a display of this size would stall every
/// front end.
pub const MAX_FRAME_BYTES: u32 = 64 << 20;

/// An error of a frame.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The socket failed or was closed.
    #[error("bridge socket: {0}")]
    Io(#[from] io::Error),
    /// The body is larger than [`MAX_FRAME_BYTES`].
    #[error("bridge message of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLarge(u64),
    /// The body is not a message of the expected type.
    #[error("bridge message cannot be decoded: {0}")]
    Codec(#[from] postcard::Error),
}

/// Writes one length-prefixed message and flushes.
///
/// # Errors
/// When the message is over [`MAX_FRAME_BYTES`] or the socket fails.
pub fn write_frame<T: Serialize>(writer: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let body = postcard::to_stdvec(message)?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or(FrameError::TooLarge(body.len() as u64))?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(&body)?;
    writer.flush()?;
    Ok(())
}

/// Reads one message; `None` when the peer closed between two messages.
///
/// # Errors
/// When the stream ends inside a message, or the message is too large or malformed.
pub fn read_frame<T: DeserializeOwned>(reader: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0u8; 4];
    match reader.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge(length.into()));
    }
    // The buffer grows with the data that arrives, so that a large announced length alone costs nothing.
    let mut body = Vec::new();
    reader.take(length.into()).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(postcard::from_bytes(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FromEvaluation, Stream};

    #[test]
    fn messages_come_back_as_sent_and_a_closed_peer_is_no_error() {
        let sent = FromEvaluation::Text { stream: Stream::Stderr, text: "a\nb".into() };
        let mut wire = Vec::new();
        write_frame(&mut wire, &sent).unwrap();
        let mut reader = wire.as_slice();
        assert_eq!(read_frame::<FromEvaluation>(&mut reader).unwrap(), Some(sent));
        assert_eq!(read_frame::<FromEvaluation>(&mut reader).unwrap(), None);
    }

    #[test]
    fn an_oversized_length_is_refused_before_it_is_allocated() {
        let wire = u32::MAX.to_le_bytes();
        let error = read_frame::<FromEvaluation>(&mut wire.as_slice()).unwrap_err();
        assert!(matches!(error, FrameError::TooLarge(_)), "{error}");
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        let mut wire = 5u32.to_le_bytes().to_vec();
        wire.extend([250, 1, 2, 3, 4]);
        assert!(read_frame::<FromEvaluation>(&mut wire.as_slice()).is_err());
    }
}
