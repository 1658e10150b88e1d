//! Folders of findings: the input's bytes, what is wrong with it, and files for a person.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::describe;
use super::files::{as_toml, format_error, from_toml, names, read, refused, synchronise, unfinished, write_through};
use super::store::StoreError;
use crate::input::{Scope, decode};

/// A failure with the input that shows it. Kept as `finding.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The property that does not hold.
    pub property: String,
    /// What it is about.
    pub subject: String,
    /// What happened.
    pub message: String,
    /// Milliseconds from the start of the client to the finding.
    pub after_milliseconds: u64,
    /// What was drawn from, which the bytes of the input need.
    pub scope: Scope,
}

impl Record {
    /// What makes two findings one.
    pub fn signature(&self) -> String {
        format!("{} {}", self.property, self.subject)
    }
}

/// The file with what is wrong.
pub const RECORD: &str = "finding.toml";
/// The file with the input's bytes.
pub const INPUT: &str = "input";

/// What is in the folder of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Names of folders with what they say, in order.
    pub read: Vec<(String, Record)>,
    /// Why others cannot be read, each with its place.
    pub unreadable: Vec<String>,
}

/// Writes a finding: as a folder that appears as a whole. One that is there stays as it is.
///
/// # Errors
/// What the system refuses.
pub(super) fn write_finding(folder: &Path, bytes: &[u8], record: &Record) -> Result<(), StoreError> {
    if folder.exists() {
        return Ok(());
    }
    let part = unfinished(folder);
    let written = write_files(&part, bytes, record).and_then(|()| match fs::rename(&part, folder) {
        Ok(()) => Ok(()),
        // Somebody else was faster: the same contents are there.
        Err(_) if folder.exists() => fs::remove_dir_all(&part).map_err(|reason| refused(&part, reason)),
        Err(reason) => Err(refused(folder, reason)),
    });
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed either changes nothing.
        drop(fs::remove_dir_all(&part));
    }
    written?;
    folder.parent().map_or(Ok(()), synchronise)
}

fn write_files(folder: &Path, bytes: &[u8], record: &Record) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(|reason| refused(folder, reason))?;
    let write = |name: &str, bytes: &[u8]| write_through(&folder.join(name), bytes);
    write(INPUT, bytes)?;
    write(RECORD, as_toml(&folder.join(RECORD), record)?.as_bytes())?;
    for (name, text) in describe::files(&decode(bytes, &record.scope), record) {
        write(name, text.as_bytes())?;
    }
    synchronise(folder)
}

/// Reads a finding's folder: the input's bytes and what is said of it.
///
/// # Errors
/// A folder that is no finding.
pub fn read_finding(folder: &Path) -> Result<(Vec<u8>, Record), StoreError> {
    let bytes = read(&folder.join(INPUT))?;
    Ok((bytes, read_record(folder)?))
}

fn read_record(folder: &Path) -> Result<Record, StoreError> {
    let path = folder.join(RECORD);
    let record: Record = from_toml(&path)?;
    record.scope.validate().map_err(|error| format_error(&path, error))?;
    Ok(record)
}

/// What is said of all findings in a folder. One that is being written is none yet; one that cannot be read, whoever left
/// it so, hides no other.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn read_all(folder: &Path) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    for name in names(folder)? {
        match read_record(&folder.join(&name)) {
            Ok(record) => findings.read.push((name, record)),
            Err(error) => findings.unreadable.push(error.to_string()),
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_finding_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            property: "model".to_owned(),
            subject: "a".to_owned(),
            message: "x[0] is 1".to_owned(),
            after_milliseconds: 0,
            scope: Scope::default(),
        };
        let written = AtomicBool::new(false);
        let looked = std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let mut looked = 0;
                while !written.load(Ordering::Relaxed) {
                    for name in names(folder.path()).unwrap() {
                        assert!(folder.path().join(&name).join("README.md").exists(), "{name} is not whole");
                        looked += 1;
                    }
                }
                looked
            });
            for number in 0..40_u8 {
                write_finding(&folder.path().join(format!("model-{number}")), &[number], &record).unwrap();
            }
            written.store(true, Ordering::Relaxed);
            looking.join().unwrap()
        });
        assert!(looked > 0, "nobody looked");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 40, "unfinished folders are left");
    }
}
