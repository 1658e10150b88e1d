//! The journal of a run: one JSON line for each finished cell, so that a run which was killed goes on where it was.
//!
//! What decides a cell's result is the program (case files, kernel sources, models and comparisons are all inside it) and
//! what lies outside of it: the adapter and its driver, the CUDA device, the compiler. The first line names the program by the
//! SHA-256 of its file; a journal of another program is refused. Each further line names what its leg ran on; a result
//! from another environment is not taken over. Only cells that agreed are written down: what was skipped or disagreed runs
//! again, for what was missing, lost or late may be there now.
//!
//! A line is written at once and as a whole, so a process that is killed loses at most the line that it was writing: a last
//! line without its end is cut off. That a machine loses power is not provided for.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use gridproof_report::matrix::{CellReport, CellResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input;

/// Version of the format.
const VERSION: u32 = 1;
/// Longest journal in bytes; a line takes some hundreds.
const LONGEST: u64 = 256 << 20;

/// A journal that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The file, or the file of this program, cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Another process has it open.
    #[error("{path}: another run is writing this journal")]
    InUse {
        /// The file.
        path: String,
    },
    /// It was written by another program.
    #[error(
        "{path}: a journal of another build of gridproof, whose results may differ from this one's: \
         delete it, or name another file"
    )]
    OtherBuild {
        /// The file.
        path: String,
    },
    /// It is no journal, or damaged elsewhere than at its end.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    gridproof_journal: u32,
    build: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    environment: String,
    cell: CellReport,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Results by cell, each with what it ran on.
    known: BTreeMap<String, (String, CellReport)>,
    failed: Option<JournalError>,
}

impl Journal {
    /// Opens a journal, or begins one where there is no file, for the program that runs.
    ///
    /// # Errors
    /// A file that is no journal of this program, or that cannot be read and written.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::of_build(path, &build()?)
    }

    /// The same for the program with a certain hash.
    fn of_build(path: &Path, build: &str) -> Result<Self, JournalError> {
        let failed = |error: std::io::Error| cannot(path, &error);
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        match input::regular(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = options.open(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse { path: path.display().to_string() },
            TryLockError::Error(error) => cannot(path, &error),
        })?;
        let mut bytes = Vec::new();
        let length = (&mut file).take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if length as u64 > LONGEST {
            let reason = format!("has more than {LONGEST} bytes, which is the limit");
            return Err(JournalError::File { path: path.display().to_string(), reason });
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole == 0 && !torn_header(&bytes) {
            let reason = "not a journal of gridproof".to_owned();
            return Err(JournalError::Line { path: path.display().to_string(), line: 1, reason });
        }
        let known = read(path, build, &bytes[..whole])?;
        let mut journal = Self { path: path.to_owned(), file, known, failed: None };
        if whole < bytes.len() {
            journal.file.set_len(whole as u64).map_err(failed)?;
        }
        if whole == 0 {
            journal.write(&Header { gridproof_journal: VERSION, build: build.to_owned() })?;
        }
        Ok(journal)
    }

    /// The result of a cell that an earlier run had in the same environment.
    pub fn take(&self, cell: &str, environment: &str) -> Option<CellReport> {
        self.known.get(cell).filter(|(known, _)| known == environment).map(|(_, report)| report.clone())
    }

    /// Writes down a result. A failure is kept for [`Journal::finish`]: the run itself is worth finishing.
    pub fn add(&mut self, environment: &str, report: &CellReport) {
        if report.result != CellResult::Agreed || self.failed.is_some() {
            return;
        }
        let line = Line { environment: environment.to_owned(), cell: report.clone() };
        self.failed = self.write(&line).err();
    }

    /// The first failure to write.
    ///
    /// # Errors
    /// That failure.
    pub fn finish(mut self) -> Result<(), JournalError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let text = serde_json::to_string(line)
            .map_err(|error| JournalError::File { path: self.path.display().to_string(), reason: error.to_string() })?;
        self.file.write_all(format!("{text}\n").as_bytes()).map_err(|error| cannot(&self.path, &error))
    }
}

impl Drop for Journal {
    /// Gives the lock back at once: a process that another thread is starting just now has the file open, too, until it
    /// runs its program, and would keep it locked. What the system says is nobody's business any more.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// What identifies the program that runs: SHA-256 of its file, as hexadecimal digits.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn build() -> Result<String, JournalError> {
    let program = std::env::current_exe().map_err(|error| cannot(Path::new("this program"), &error))?;
    let bytes = fs::read(&program).map_err(|error| cannot(&program, &error))?;
    Ok(hexadecimal(&Sha256::digest(bytes)))
}

/// Whether this is nothing, or the beginning of a first line that was not finished.
fn torn_header(bytes: &[u8]) -> bool {
    let begin = b"{\"gridproof_journal\":";
    bytes.starts_with(begin) || begin.starts_with(bytes)
}

fn read(path: &Path, build: &str, bytes: &[u8]) -> Result<BTreeMap<String, (String, CellReport)>, JournalError> {
    let wrong = |line: usize, reason: String| JournalError::Line { path: path.display().to_string(), line, reason };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "not a journal of gridproof: not UTF-8".to_owned()))?;
    let mut lines = text.lines().zip(1..);
    if let Some((first, number)) = lines.next() {
        let header: Header = serde_json::from_str(first)
            .map_err(|error| wrong(number, format!("not a journal of gridproof: {error}")))?;
        if header.gridproof_journal != VERSION || header.build != build {
            return Err(JournalError::OtherBuild { path: path.display().to_string() });
        }
    }
    let mut known = BTreeMap::new();
    for (line, number) in lines {
        let Line { environment, cell } =
            serde_json::from_str(line).map_err(|error| wrong(number, error.to_string()))?;
        known.insert(cell.name.clone(), (environment, cell));
    }
    Ok(known)
}

fn cannot(path: &Path, error: &std::io::Error) -> JournalError {
    JournalError::File { path: path.display().to_string(), reason: error.to_string() }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(name: &str, result: CellResult) -> CellReport {
        CellReport {
            name: name.to_owned(),
            kernel: "k".to_owned(),
            variant: "v".to_owned(),
            case: "n=1/fused".to_owned(),
            leg: "oracle".to_owned(),
            file: "f.toml".to_owned(),
            result,
            seconds: 0.5,
            findings: Vec::new(),
        }
    }

    /// A journal with an agreement, a disagreement and a skip.
    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::of_build(&path, "b").unwrap();
        journal.add("cpu", &cell("one", CellResult::Agreed));
        journal.add("cpu", &cell("two", CellResult::Disagreed("x[1] is 2".to_owned())));
        journal.add("cpu", &cell("three", CellResult::Skipped("no device".to_owned())));
        journal.finish().unwrap();
        (folder, path)
    }

    #[test]
    fn agreements_are_taken_over_and_nothing_else_is() {
        let (_folder, path) = written();
        let journal = Journal::of_build(&path, "b").unwrap();
        assert_eq!(journal.take("one", "cpu"), Some(cell("one", CellResult::Agreed)));
        assert_eq!(journal.take("two", "cpu"), None);
        assert_eq!(journal.take("three", "cpu"), None);
        assert_eq!(journal.take("one", "another driver"), None);
    }

    #[test]
    fn a_line_that_was_not_finished_is_cut_off_wherever_it_ends() {
        let (_folder, path) = written();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let mut journal = Journal::of_build(&path, "b").unwrap_or_else(|error| panic!("{length}: {error}"));
            journal.add("cpu", &cell("four", CellResult::Agreed));
            drop(journal);
            let lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
            let journal = Journal::of_build(&path, "b").unwrap_or_else(|error| panic!("{length}: {error}"));
            assert!(journal.take("four", "cpu").is_some(), "{length}");
            assert_eq!(journal.take("one", "cpu").is_some(), lines >= 2, "{length}");
        }
    }

    #[test]
    fn a_closed_journal_is_free_though_a_process_has_inherited_it() {
        let (_folder, path) = written();
        let journal = Journal::of_build(&path, "b").unwrap();
        let inherited = journal.file.try_clone().unwrap();
        drop(journal);
        assert!(Journal::of_build(&path, "b").is_ok());
        drop(inherited);
    }

    #[test]
    fn a_journal_of_another_build_and_other_files_are_refused() {
        let (_folder, path) = written();
        assert!(matches!(Journal::of_build(&path, "c"), Err(JournalError::OtherBuild { .. })));
        let open = Journal::of_build(&path, "b").unwrap();
        assert!(matches!(Journal::of_build(&path, "b"), Err(JournalError::InUse { .. })));
        drop(open);
        let text = fs::read_to_string(&path).unwrap();
        let damaged = text.replacen("\"leg\":\"oracle\"", "\"leg\":", 1);
        for (content, line) in [("a file of the user\n", 1), ("a file without a line", 1), (damaged.as_str(), 2)] {
            fs::write(&path, content).unwrap();
            let error = Journal::of_build(&path, "b").unwrap_err();
            assert!(matches!(error, JournalError::Line { line: at, .. } if at == line), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "the file is left alone");
        }
    }
}
