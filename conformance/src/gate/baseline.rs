//! The file of accepted findings: read with places for errors, and written so that comments and order stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use gridproof_report::model::Accepted;
use gridproof_simulator::finding::Rule;
use toml_edit::{ArrayOfTables, Document, DocumentMut, Item, Table, value};

use crate::input;

use super::{Checked, Observed};

/// What a new file begins with.
const HEADING: &str = "\
# Findings of gridproof that are accepted, each for a reason. Give the file as `--baseline FILE`. A finding that is not here
# fails; an entry without a reason is an error. Take an entry out when its finding is mended.

";

/// Longest file in bytes.
const LONGEST: u64 = 16 << 20;

const KEYS: [&str; 6] = ["fingerprint", "rule", "kernel", "launch", "about", "reason"];

/// A baseline that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The file is wrong.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, with the key.
        reason: String,
    },
}

/// Whether reasons may still be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Every entry has one, and the file is there.
    Complete,
    /// The file is about to be added to. What has no reason yet is not accepted.
    Unfinished,
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// See [`gridproof_report::fingerprint`].
    pub fingerprint: String,
    /// Code of the rule.
    pub rule: String,
    /// Kernel and variant, or module and entry point.
    pub kernel: String,
    /// The launch it was found in; any of the kernel where there is none.
    pub launch: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// Its line in the file.
    pub line: usize,
}

/// Accepted findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The file.
    pub path: PathBuf,
    /// Its entries.
    pub entries: Vec<Entry>,
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// No such file (but for [`Reading::Unfinished`]), no TOML, a key that is missing, unknown or no text, an entry given twice,
    /// and with [`Reading::Complete`] an entry without a reason.
    pub fn read(path: &Path, reading: Reading) -> Result<Self, GateError> {
        let text = match input::text(path, LONGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && reading == Reading::Unfinished => String::new(),
            Err(error) => return Err(cannot(path, &error)),
        };
        let starts = text.match_indices('\n').map(|(end, _)| end + 1).collect();
        let entries = Text { path, text: &text, starts, reading }.entries()?;
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The reasons by fingerprint.
    pub fn accepted(&self) -> Accepted {
        let filled = self.entries.iter().filter(|entry| !entry.reason.is_empty());
        filled.map(|entry| (entry.fingerprint.clone(), entry.reason.clone())).collect()
    }

    /// Entries whose launch was checked, and whose finding was not there.
    pub fn vanished(&self, observed: &[Observed], checked: &[Checked]) -> Vec<&Entry> {
        let found: BTreeSet<&str> = observed.iter().map(|one| one.fingerprint.as_str()).collect();
        let was_checked = |entry: &Entry| {
            let same = |launch: &str| entry.launch.as_deref().is_none_or(|known| known == launch);
            checked.iter().any(|(kernel, launch)| *kernel == entry.kernel && same(launch))
        };
        let gone = |entry: &&Entry| !found.contains(entry.fingerprint.as_str()) && was_checked(entry);
        self.entries.iter().filter(gone).collect()
    }
}

struct Text<'a> {
    path: &'a Path,
    text: &'a str,
    /// Where the lines from the second on begin.
    starts: Vec<usize>,
    reading: Reading,
}

impl Text<'_> {
    fn entries(&self) -> Result<Vec<Entry>, GateError> {
        let document = Document::parse(self.text)
            .map_err(|error| self.wrong(error.span(), format!("no TOML: {}", error.message())))?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (key, item) in document.iter() {
            let Some(tables) = item.as_array_of_tables().filter(|_| key == "accepted") else {
                return Err(self.wrong(item.span(), format!("`{key}`: expected [[accepted]] tables and nothing else")));
            };
            for table in tables {
                let entry = self.entry(table)?;
                if let Some(first) = known.insert(entry.fingerprint.clone(), entry.line) {
                    let Entry { fingerprint, .. } = &entry;
                    let reason = format!("fingerprint = \"{fingerprint}\": already in line {first}");
                    return Err(self.wrong(table.span(), reason));
                }
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn entry(&self, table: &Table) -> Result<Entry, GateError> {
        if let Some((key, item)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(self.wrong(item.span(), format!("unknown key `{key}`: expected {}", KEYS.join(", "))));
        }
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(item) => {
                let text = item.as_str().map(|text| Some(text.trim().to_owned()));
                text.ok_or_else(|| self.wrong(item.span(), format!("`{key}`: expected a text")))
            }
        };
        let needed = |key: &str| {
            let missing = || self.wrong(table.span(), format!("`{key}` is missing"));
            text(key)?.ok_or_else(missing)
        };
        let rule = needed("rule")?;
        if Rule::ALL.iter().all(|known| known.code() != rule) {
            let at = table.get("rule").and_then(Item::span);
            return Err(self.wrong(at, format!("rule = \"{rule}\": no such rule, `gridproof explain` lists them")));
        }
        let entry = Entry {
            fingerprint: needed("fingerprint")?,
            rule,
            kernel: needed("kernel")?,
            launch: text("launch")?,
            reason: needed("reason")?,
            line: self.line(table.span()),
        };
        if entry.reason.is_empty() && self.reading == Reading::Complete {
            let at = table.get("reason").and_then(Item::span);
            let Entry { fingerprint, rule, kernel, .. } = entry;
            let said = format!("reason = \"\": say why {rule} of {kernel} ({fingerprint}) is accepted");
            return Err(self.wrong(at, said));
        }
        Ok(entry)
    }

    fn wrong(&self, at: Option<Range<usize>>, reason: String) -> GateError {
        GateError::Line { path: self.path.display().to_string(), line: self.line(at), reason }
    }

    fn line(&self, at: Option<Range<usize>>) -> usize {
        let place = at.map_or(0, |at| at.start);
        self.starts.partition_point(|start| *start <= place) + 1
    }
}

/// Adds findings to a file, each with an empty reason, and leaves everything else in it as it is. What is there already is
/// not added again. Gives how many were added.
///
/// # Errors
/// A file that is no baseline, or that cannot be written.
pub fn add(path: &Path, observed: &[Observed]) -> Result<usize, GateError> {
    let known = Baseline::read(path, Reading::Unfinished)?;
    let known: BTreeSet<&str> = known.entries.iter().map(|entry| entry.fingerprint.as_str()).collect();
    let new: Vec<&Observed> = observed.iter().filter(|one| !known.contains(one.fingerprint.as_str())).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let text = match input::text(path, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => HEADING.to_owned(),
        Err(error) => return Err(cannot(path, &error)),
    };
    // Read above, so this is TOML.
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| GateError::File {
        path: path.display().to_string(),
        reason: error.message().to_owned(),
    })?;
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let tables = document.entry("accepted").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(tables) = tables.as_array_of_tables_mut() else {
        return Err(GateError::Line {
            path: path.display().to_string(),
            line: 1,
            reason: "`accepted`: expected [[accepted]] tables and nothing else".to_owned(),
        });
    };
    for (position, one) in new.iter().enumerate() {
        let mut table = Table::new();
        for (key, text) in KEYS.iter().zip([&one.fingerprint, &one.rule, &one.kernel, &one.launch, &one.about, ""]) {
            table.insert(key, value(text));
        }
        // Comments at the end of the file stay before what is added.
        let before = if position == 0 { trailing.clone() } else { String::new() };
        let gap = if tables.is_empty() && before.ends_with("\n\n") { "" } else { "\n" };
        table.decor_mut().set_prefix(format!("{before}{gap}"));
        tables.push(table);
    }
    document.set_trailing("");
    replace(path, document.to_string().as_bytes()).map_err(|error| cannot(path, &error))?;
    Ok(new.len())
}

/// Writes a file under another name beside it and renames it, so that a full disk leaves what was there.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut part = path.clone().into_os_string();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let written = File::create_new(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        if let Ok(old) = fs::metadata(&path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&part, &path));
    if replaced.is_err() {
        drop(fs::remove_file(&part));
    }
    replaced
}

fn cannot(path: &Path, error: &std::io::Error) -> GateError {
    GateError::File { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Ours.\n\n[[accepted]]\nfingerprint = \"1\" # the first\nrule = \"GP0001\"\nkernel = \"k:v\"\n\
                        launch = \"n=4\"\nreason = \"benign on this device\"\n\n# The end.\n";

    fn observed(fingerprint: &str) -> Observed {
        Observed {
            fingerprint: fingerprint.to_owned(),
            rule: "GP0002".to_owned(),
            kernel: "k:v".to_owned(),
            launch: "n=4".to_owned(),
            about: "`x` at \"a.wgsl\":3".to_owned(),
        }
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.toml");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_not_there_is_added_and_everything_else_stays() {
        let (_folder, path) = file(FILE);
        assert_eq!(add(&path, &[observed("1"), observed("2"), observed("3")]), Ok(2));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(FILE), "{text}");
        let entries = Baseline::read(&path, Reading::Unfinished).unwrap().entries;
        let told: Vec<&str> = entries.iter().map(|entry| entry.fingerprint.as_str()).collect();
        assert_eq!(told, ["1", "2", "3"]);
        assert_eq!(add(&path, &[observed("3")]), Ok(0));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(text.matches("reason = \"\"").count(), 2);
    }

    #[test]
    fn a_new_file_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.toml");
        assert_eq!(add(&path, &[observed("1")]), Ok(1));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# Findings of gridproof") && text.contains("\n\n[[accepted]]\n"), "{text}");
        assert_eq!(Baseline::read(&path, Reading::Unfinished).unwrap().accepted(), Accepted::new());
    }

    #[test]
    fn only_what_was_checked_can_vanish() {
        let (_folder, path) = file(FILE);
        let baseline = Baseline::read(&path, Reading::Complete).unwrap();
        let gone = |observed: &[Observed], kernel: &str, launch: &str| {
            baseline.vanished(observed, &[(kernel.to_owned(), launch.to_owned())]).len()
        };
        assert_eq!(gone(&[], "k:v", "n=4"), 1);
        assert_eq!(gone(&[observed("1")], "k:v", "n=4"), 0);
        assert_eq!((gone(&[], "k:v", "n=5"), gone(&[], "k:w", "n=4")), (0, 0));
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        let said = |text: &str| {
            let (_folder, path) = file(text);
            let error = Baseline::read(&path, Reading::Complete).unwrap_err().to_string();
            error.split_once("baseline.toml").map(|(_, rest)| rest.to_owned()).unwrap()
        };
        assert!(
            said(&FILE.replace("benign on this device", "  ")).starts_with(":8: reason = \"\": say why GP0001 of k:v")
        );
        assert!(said(&FILE.replace("launch", "lunch")).starts_with(":7: unknown key `lunch`"));
        assert!(said(&FILE.replace("\"GP0001\"", "\"GP9\"")).starts_with(":5: rule = \"GP9\": no such rule"));
        assert!(said(&FILE.replace("\"k:v\"", "3")).starts_with(":6: `kernel`: expected a text"));
        assert!(said(&FILE.replace("kernel = \"k:v\"\n", "")).starts_with(":3: `kernel` is missing"));
        assert!(said(&format!("{FILE}\n{FILE}")).starts_with(":14: fingerprint = \"1\": already in line 3"));
        assert!(said("accepted = 3").starts_with(":1: `accepted`: expected [[accepted]]"));
        assert!(said("[[accepted]\n").starts_with(":1: no TOML"));
        assert!(Baseline::read(Path::new("nowhere.toml"), Reading::Complete).is_err());
    }
}
