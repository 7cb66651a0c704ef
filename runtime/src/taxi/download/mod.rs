//! Months of TLC's real trips, fetched from where TLC publishes them: a month comes whole or not at all.
//! `transfer` brings a file over HTTP and goes on where it stopped, `part` is the file while it is not
//! whole yet, `whole` tells whether it is. What the rows mean is [`read`](super::read())'s matter.

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

/// Where TLC publishes its files.
const TLC: &str = "https://d37ci6vzurychx.cloudfront.net/trip-data";
/// Names another place with the same files.
const ADDRESS_VARIABLE: &str = "PARTITA_TAXI_URL";
/// Names the directory months are kept in.
const DIRECTORY_VARIABLE: &str = "PARTITA_TAXI_DIR";
/// What a pool's workers may read; the first of the directories is as good a place as any for them.
const DATA_VARIABLE: &str = "PARTITA_DATA_DIR";
/// How often somebody who waits for another process's download looks whether it is done.
const LOOK: Duration = Duration::from_millis(200);

/// Where months come from and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// The address in front of `yellow_tripdata_2019-03.parquet`. By default what `PARTITA_TAXI_URL` says,
    /// or TLC's own.
    pub address: String,
    /// The directory months are kept in, made if need be. By default what `PARTITA_TAXI_DIR` says; or `taxi` in
    /// `PARTITA_DATA_DIR`, which a pool's workers read; or `partita/taxi` in the person's cache directory.
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

/// The yellow taxi trips of a month, such as `2019-03`, as TLC publishes them: fetched once, then read
/// from this machine. Gives the Parquet file's path, for [`Session::read_trips`](crate::Session::read_trips).
///
/// A month is about 100 MB of some eight million trips (a third of that since 2020). What was fetched is
/// kept when the connection breaks or the cell is interrupted, and the next call goes on from there. A file
/// is only given out when it has the size that was announced and every row of it can be read.
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
/// When there is no such month, the network is gone, the disk is full, or what comes is not a month of
/// trips.
pub fn download(month: &str) -> Result<PathBuf, TaxiError> {
    download_with(month, &DownloadOptions::default())
}

/// Like [`download`], from and to where the options say.
///
/// # Errors
/// As [`download`].
pub fn download_with(month: &str, options: &DownloadOptions) -> Result<PathBuf, TaxiError> {
    // Some ten seconds in all, and from the beginning whenever something has come.
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(5)
        .with_jitter();
    fetch(month, options, &waits)
}

/// Tries again after the waits, as many times as there are.
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

/// `2019-03`: from 2009, when the records begin, and nothing that could be a path.
fn is_month(text: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((year, month)) = text.split_once('-') else { return false };
    digits(year, 4) && digits(month, 2) && year >= "2009" && ("01"..="12").contains(&month)
}

/// Waits until no other process of this machine fetches the file; until what is returned is dropped, none
/// begins to.
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
