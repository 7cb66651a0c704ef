//! Frames as Arrow IPC streams.

use std::io::{Cursor, Write};

use bytes::Bytes;
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Blobs, CodecError, GetBlob};

/// A frame as it is sent in a task.
#[derive(Serialize, Deserialize)]
pub(super) enum WireFrame {
    Rows(Bytes),
    /// Rows that were sent ahead under this number.
    Blob(u64),
}

/// Writes a frame as an Arrow IPC stream.
///
/// # Errors
/// When the writer fails or a type cannot be written.
pub fn write_frame(frame: &DataFrame, mut writer: impl Write) -> PolarsResult<()> {
    frame.clone().serialize_into_writer(&mut writer)
}

/// Reads a whole Arrow IPC stream.
///
/// # Errors
/// When the bytes are not such a stream.
pub fn read_frame(bytes: &[u8]) -> PolarsResult<DataFrame> {
    DataFrame::deserialize_from_reader(&mut Cursor::new(bytes))
}

pub(super) fn wire(frame: &DataFrame, blobs: &dyn Blobs) -> Result<WireFrame, CodecError> {
    if let Some(number) = blobs.put(frame)? {
        return Ok(WireFrame::Blob(number));
    }
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes).map_err(|error| CodecError::cannot_travel("a frame", error))?;
    Ok(WireFrame::Rows(bytes.into()))
}

pub(super) fn open(frame: WireFrame, blobs: &GetBlob<'_>) -> Result<DataFrame, CodecError> {
    match frame {
        WireFrame::Rows(bytes) => {
            read_frame(&bytes).map_err(|error| CodecError::malformed("a frame", error.to_string()))
        }
        WireFrame::Blob(number) => Ok(blobs(number)?),
    }
}
