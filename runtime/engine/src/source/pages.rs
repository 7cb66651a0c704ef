//! Checks the pages of a column before Polars decodes them. The decoder reserves memory for as many values
//! as a page's header names, and a damaged header can name more than any machine has. A failed allocation
//! ends the process, so the header must be refused before.

use std::io::Cursor;

use polars::prelude::{PolarsResult, polars_ensure};
use polars_buffer::Buffer;
use polars_parquet::parquet::page::{CompressedPage, DataPageHeader};
use polars_parquet::parquet::read::PageReader;
use polars_parquet::read::ColumnChunkMetadata;

/// Returns an error unless the pages in `bytes` hold no more values than the footer says.
pub(super) fn check(chunk: &ColumnChunkMetadata, bytes: &Buffer<u8>) -> PolarsResult<()> {
    let mut left = chunk.num_values();
    for page in PageReader::new(Cursor::new(bytes.clone()), chunk, Vec::new(), bytes.len()) {
        let CompressedPage::Data(page) = page? else { continue };
        let (values, parts) = match page.header() {
            DataPageHeader::V1(header) => (header.num_values, [0, 0]),
            DataPageHeader::V2(header) => (header.num_values, [header.num_nulls, header.num_rows]),
        };
        polars_ensure!(
            (0..=left).contains(&i64::from(values)) && parts.iter().all(|part| (0..=values).contains(part)),
            ComputeError: "a page has {values} values where the footer has {left}: the file is damaged"
        );
        left -= i64::from(values);
    }
    Ok(())
}
