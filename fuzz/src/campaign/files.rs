//! Files of a campaign: written as a whole or not at all, and read within a limit.
//!
//! What is being written has a name that begins with a dot and is no file of the campaign yet; it is synchronised and
//! renamed. What is read may have been put there by anybody: only regular files are opened, of bounded length.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gridproof_conformance::input;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::StoreError;

/// Bytes of any file of a campaign. Inputs are at most a mebibyte, which is what the engine lets them grow to.
const LONGEST_FILE: u64 = 16 << 20;

/// Keeps the names of unfinished files of one process apart.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// The name under which a file or folder is written. Other machines may have a process of the same number.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{number}", super::run::process()))
}

/// Writes a file that is there as a whole, or not at all.
///
/// # Errors
/// What the system refuses.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = unfinished(path);
    let written =
        write_through(&part, bytes).and_then(|()| fs::rename(&part, path).map_err(|reason| refused(path, reason)));
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed either changes nothing.
        drop(fs::remove_file(&part));
    }
    written?;
    path.parent().map_or(Ok(()), synchronise)
}

/// Writes a file under its own name: for folders that are renamed as a whole.
///
/// # Errors
/// What the system refuses.
pub(super) fn write_through(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|reason| refused(path, reason))
}

/// Makes the names in a folder last.
///
/// # Errors
/// A full disk.
pub(super) fn synchronise(folder: &Path) -> Result<(), StoreError> {
    // Where a folder cannot be opened as a file, the system has no need of this.
    let Ok(file) = File::open(folder) else { return Ok(()) };
    match file.sync_all() {
        Err(reason) if reason.kind() == io::ErrorKind::StorageFull => Err(refused(folder, reason)),
        _ => Ok(()),
    }
}

/// Names in a folder, in order, without what is being written.
///
/// # Errors
/// A folder that cannot be read.
pub(super) fn names(folder: &Path) -> Result<BTreeSet<String>, StoreError> {
    let failed = |reason| refused(folder, reason);
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name);
        }
    }
    Ok(found)
}

/// The bytes of a file.
///
/// # Errors
/// What is no regular file, or longer than 16 MiB; what the system refuses.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    input::bytes(path, LONGEST_FILE).map_err(|reason| refused(path, reason))
}

/// Words that are kept in a file.
///
/// # Errors
/// What cannot be said in TOML.
pub(super) fn as_toml(path: &Path, value: &impl Serialize) -> Result<String, StoreError> {
    toml::to_string(value).map_err(|error| format_error(path, error))
}

/// What [`as_toml`] wrote.
///
/// # Errors
/// As [`read`], and what is no such TOML.
pub(super) fn from_toml<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let text = input::text(path, LONGEST_FILE).map_err(|reason| refused(path, reason))?;
    toml::from_str(&text).map_err(|error| format_error(path, error.message().replace('\n', " ")))
}

/// The system's refusal, with the place.
pub(super) fn refused(path: &Path, reason: io::Error) -> StoreError {
    StoreError::System { path: path.to_owned(), reason }
}

/// Contents that are not what they should be, with the place.
pub(super) fn format_error(path: &Path, reason: impl ToString) -> StoreError {
    StoreError::Format { path: path.to_owned(), reason: reason.to_string() }
}
