//! Months of TLC's real trips, fetched from where TLC publishes them. A month is returned whole or not at
//! all. `transfer` fetches a file over HTTP and resumes where it stopped, `part` is the incomplete file,
//! `whole` checks whether a file is complete. [`read`](super::read()) interprets the rows.

mod part;
mod transfer;
mod whole;

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::ExponentialBuilder;

use super::TaxiError;
use crate::cancel;

/// The address of TLC's files.
const TLC: &str = "https://d37ci6vzurychx.cloudfront.net/trip-data";
/// Environment variable with the address of another server for the same files.
const ADDRESS_VARIABLE: &str = "PARTITA_TAXI_URL";
/// Environment variable with the directory for months.
const DIRECTORY_VARIABLE: &str = "PARTITA_TAXI_DIR";
/// Environment variable with the directories that a pool's workers may read; months go into the first.
const DATA_VARIABLE: &str = "PARTITA_DATA_DIR";
/// How often a process that waits for another process's download checks whether it is done.
const LOOK: Duration = Duration::from_millis(200);

/// Where months come from and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// The address before `yellow_tripdata_2019-03.parquet`. By default the value of `PARTITA_TAXI_URL`, or
    /// TLC's own address.
    pub address: String,
    /// The directory for months, created if needed. By default the value of `PARTITA_TAXI_DIR`; or `taxi` in
    /// `PARTITA_DATA_DIR`, which a pool's workers read; or `partita/taxi` in the user's cache directory.
    pub directory: PathBuf,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let data = || Some(Path::new(set(DATA_VARIABLE)?.split(':').next()?).join("taxi"));
        let cache = || dirs::cache_dir().unwrap_or_else(env::temp_dir).join("partita/taxi");
        Self {
            address: set(ADDRESS_VARIABLE).unwrap_or_else(|| TLC.to_owned()),
            directory: set(DIRECTORY_VARIABLE).map(PathBuf::from).or_else(data).unwrap_or_else(cache),
        }
    }
}

/// Fetches the yellow taxi trips of a month, such as `2019-03`, from TLC, once; later calls use the file on
/// this machine. Returns the path of the Parquet file for
/// [`Session::read_trips`](crate::Session::read_trips).
///
/// A month is about 100 MB with about eight million trips (a third of that since 2020). If the connection
/// breaks or the cell is interrupted, the partial download is kept, and the next call resumes there. A file
/// is returned only if it has the announced size and every row of it can be read.
///
/// ```no_run
/// use partita::prelude::*;
/// let session = Session::new()?;
/// let trips = session.read_trips(taxi::download("2019-03")?)?.clean();
/// println!("{}", trips.count()?);
/// # Ok::<(), PartitaError>(())
/// ```
///
/// # Errors
/// When there is no such month, the network fails, the disk is full, or the server's data is not a month of
/// trips.
pub fn download(month: &str) -> Result<PathBuf, TaxiError> {
    download_with(month, &DownloadOptions::default())
}

/// Like [`download`], with options.
///
/// # Errors
/// As [`download`].
pub fn download_with(month: &str, options: &DownloadOptions) -> Result<PathBuf, TaxiError> {
    // About ten seconds in all; the waits start again whenever data has arrived.
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(5)
        .with_jitter();
    fetch(month, options, &waits)
}

/// Retries after each of the waits.
pub(super) fn fetch(
    month: &str,
    options: &DownloadOptions,
    waits: &ExponentialBuilder,
) -> Result<PathBuf, TaxiError> {
    if !is_month(month) {
        return Err(TaxiError::Month { month: month.to_owned() });
    }
    let name = format!("yellow_tripdata_{month}.parquet");
    let (directory, file) = (&options.directory, options.directory.join(&name));
    let is_there = || file.exists() && whole::footer(&file).is_ok();
    if is_there() {
        return Ok(file);
    }
    fs::create_dir_all(directory).map_err(TaxiError::io("make", directory))?;
    let lock = directory.join(format!(".{name}.lock"));
    let _alone = alone(&lock, &file)?;
    // Another process may have fetched it meanwhile.
    if !is_there() {
        let address = format!("{}/{name}", options.address.trim_end_matches('/'));
        transfer::fetch(&address, month, &file, waits)?;
    }
    Ok(file)
}

/// A month such as `2019-03`, from 2009, when the records begin; nothing that could be a path.
fn is_month(text: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((year, month)) = text.split_once('-') else { return false };
    digits(year, 4) && digits(month, 2) && year >= "2009" && ("01"..="12").contains(&month)
}

/// Waits until no other process on this machine fetches the file. None starts to until the returned lock is
/// dropped.
fn alone(lock: &Path, file: &Path) -> Result<File, TaxiError> {
    let io = |error| TaxiError::io("lock", lock)(error);
    let opened = File::options().create(true).truncate(false).write(true).open(lock).map_err(io)?;
    let token = cancel::current();
    loop {
        match opened.try_lock() {
            Ok(()) => return Ok(opened),
            Err(TryLockError::WouldBlock) if token.is_cancelled() => {
                return Err(TaxiError::Interrupted { file: file.to_owned(), bytes: 0 });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_month;

    #[test]
    fn months_are_a_year_and_two_digits_and_never_a_path() {
        assert!(is_month("2009-01") && is_month("2019-03") && is_month("2031-12"));
        for wrong in
            ["", "2019", "2019-3", "2019-13", "2019-00", "19-03", "2008-12", "2019-03/..", "../2019-03"]
        {
            assert!(!is_month(wrong), "{wrong}");
        }
    }
}
