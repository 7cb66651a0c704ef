//! The rows of one map task for one reduce partition: in memory or on disk, and as Arrow IPC streams.

use std::io::{self, Cursor, Read, Seek, Write};
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::*;

use crate::memory::SpillFile;

/// Whether rows are compressed when they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not compressed: for transports that are faster than a core compresses.
    Plain,
    /// Compressed with LZ4: for disks and slow networks.
    Lz4,
}

/// The rows, or some of them, that one map task has left for one reduce partition.
#[derive(Clone)]
pub enum Block {
    /// In memory.
    Memory(DataFrame),
    /// An Arrow IPC stream in a file.
    Disk { file: Arc<SpillFile>, place: Place },
}

/// The position of a block in a spill file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub range: Range<u64>,
    pub rows: usize,
    /// Its size in memory after reading.
    pub bytes: usize,
}

impl Block {
    /// Its size in memory, or what it would be.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Memory(frame) => frame.estimated_size(),
            Self::Disk { place, .. } => place.bytes,
        }
    }

    /// Its rows.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn read(self) -> PolarsResult<DataFrame> {
        match self {
            Self::Memory(frame) => Ok(frame),
            Self::Disk { file, place } => read_stream(Cursor::new(file.read(&place.range)?)),
        }
    }

    /// Writes its rows as an Arrow IPC stream. A block on disk is copied as it is.
    ///
    /// # Errors
    /// When its file cannot be read, or `to` cannot be written.
    pub fn write(&self, packing: Packing, to: &mut impl Write) -> PolarsResult<()> {
        match self {
            Self::Memory(frame) => write_stream(frame, packing, to),
            Self::Disk { file, place } => Ok(file.copy(&place.range, to)?),
        }
    }
}

/// Writes a frame as an Arrow IPC stream.
///
/// # Errors
/// When `to` cannot be written.
pub fn write_stream(frame: &DataFrame, packing: Packing, to: &mut impl Write) -> PolarsResult<()> {
    let compression = match packing {
        Packing::Plain => None,
        Packing::Lz4 => Some(IpcCompression::LZ4),
    };
    IpcStreamWriter::new(to)
        .with_compression(compression)
        .with_compat_level(CompatLevel::newest())
        .finish(&mut frame.clone())
}

/// Reads one Arrow IPC stream, and nothing after it.
///
/// # Errors
/// When it cannot be read or is not such a stream.
pub fn read_stream(from: impl Read + Seek) -> PolarsResult<DataFrame> {
    IpcStreamReader::new(from).set_rechunk(false).finish()
}

/// Writes one map task's blocks for one reduce partition: their number, then each as an Arrow IPC stream.
///
/// # Errors
/// When a block cannot be read, or `to` cannot be written.
pub fn write_blocks(blocks: &[Block], packing: Packing, to: &mut impl Write) -> PolarsResult<()> {
    let count = u32::try_from(blocks.len()).map_err(io::Error::other)?;
    to.write_all(&count.to_le_bytes())?;
    blocks.iter().try_for_each(|block| block.write(packing, to))
}

/// Reads what [`write_blocks`] has written.
///
/// # Errors
/// When it cannot be read or is something else.
pub fn read_blocks(from: &mut (impl Read + Seek)) -> PolarsResult<Vec<DataFrame>> {
    let mut count = [0; 4];
    from.read_exact(&mut count)?;
    (0..u32::from_le_bytes(count)).map(|_| read_stream(&mut *from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of every kind, as slices of larger ones.
    fn frame() -> DataFrame {
        let long = |i: i64| format!("a string that is not kept inline {i}");
        df!(
            "i" => (0..1000i64).collect::<Vec<_>>(),
            "f" => (0..1000).map(|i| (i % 3 > 0).then_some(i as f64)).collect::<Vec<_>>(),
            "s" => (0..1000).map(|i| (i % 5 > 0).then(|| long(i))).collect::<Vec<_>>(),
            "b" => (0..1000).map(|i| i % 2 == 0).collect::<Vec<_>>()
        )
        .unwrap()
        .lazy()
        .with_columns([
            col("s").cast(DataType::from_categories(Categories::global())).alias("c"),
            col("i").cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("t"),
            concat_list([col("i"), col("i") + lit(1)]).unwrap().alias("l"),
            as_struct(vec![col("i"), col("s")]).alias("st"),
            lit(NULL).alias("n"),
        ])
        .collect()
        .unwrap()
    }

    #[test]
    fn streams_one_after_another_come_back_apart_and_exact() {
        let all = frame();
        let blocks: Vec<DataFrame> = vec![all.slice(17, 100), all.slice(0, 0), all.slice(500, 333)];
        for packing in [Packing::Plain, Packing::Lz4] {
            let mut bytes = Vec::new();
            let many: Vec<Block> = blocks.iter().cloned().map(Block::Memory).collect();
            write_blocks(&many, packing, &mut bytes).unwrap();
            write_blocks(&[], packing, &mut bytes).unwrap();
            write_blocks(&[Block::Memory(all.slice(1, 1))], packing, &mut bytes).unwrap();
            let mut from = Cursor::new(bytes);
            let back = read_blocks(&mut from).unwrap();
            assert_eq!(back.len(), 3);
            for (back, block) in back.iter().zip(&blocks) {
                assert!(back.equals_missing(block), "{back} {block}");
                assert_eq!(back.schema(), block.schema());
            }
            assert!(read_blocks(&mut from).unwrap().is_empty());
            assert!(read_blocks(&mut from).unwrap()[0].equals_missing(&all.slice(1, 1)));
        }
    }

    #[test]
    fn a_slice_takes_its_own_bytes_along_and_no_others() {
        let all = frame().select(["s"]).unwrap();
        let size = |frame: &DataFrame| {
            let mut bytes = Vec::new();
            write_stream(frame, Packing::Plain, &mut bytes).unwrap();
            bytes.len()
        };
        assert!(
            size(&all.slice(500, 10)) < size(&all) / 4,
            "{} of {}",
            size(&all.slice(500, 10)),
            size(&all)
        );
    }

    #[test]
    fn a_stream_cut_short_is_an_error() {
        let mut bytes = Vec::new();
        write_blocks(&[Block::Memory(frame())], Packing::Lz4, &mut bytes).unwrap();
        for length in [2, 4, 100, bytes.len() / 2] {
            assert!(read_blocks(&mut Cursor::new(&bytes[..length])).is_err(), "{length}");
        }
    }
}
