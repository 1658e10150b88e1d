//! The conformance matrix as data, and its forms: human text, JSON (which is read back to merge shards), JUnit, SARIF
//! and a page.

mod human;
mod json;
mod junit;
mod page;
mod sarif;

use std::time::Duration;

use gridproof_simulator::Finding;
use gridproof_simulator::finding::Rule;
use gridproof_simulator::ir::{SourceFile, Span};
use serde::{Deserialize, Serialize};

pub use human::page as human;
pub use json::{ReadError, read, write as json};
pub use junit::render as junit;
pub use page::page;
pub use sarif::render as sarif;

use crate::fingerprint::{fingerprint, of_texts};
use crate::model::Accepted;
use crate::source;
use crate::text::number;
use crate::words::{severity, words};

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", content = "reason", rename_all = "lowercase")]
pub enum CellResult {
    /// Everything agreed.
    Agreed,
    /// Something did not, and what.
    Disagreed(String),
    /// The leg cannot run this case, and why. Never a pass.
    Skipped(String),
}

impl From<Result<(), String>> for CellResult {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Disagreed, |()| Self::Agreed)
    }
}

/// One cell's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellReport {
    /// `kernel/variant/shape/profile/leg`.
    pub name: String,
    /// Kernel of the catalogue.
    pub kernel: String,
    /// Its variant.
    pub variant: String,
    /// The rest of what makes the case: shape, profile and seed.
    pub case: String,
    /// The leg.
    pub leg: String,
    /// The case file, as a path in the sources of gridproof.
    pub file: String,
    /// What came of it.
    #[serde(flatten)]
    pub result: CellResult,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// What the simulator found in the launch.
    pub findings: Vec<Found>,
}

/// A finding of the simulator in a cell, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// See [`fingerprint`].
    pub fingerprint: String,
    /// Code of the rule.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: String,
    /// Whether the catalogue demands it: a wrong variant that is found out.
    pub demanded: bool,
    /// What it says.
    pub title: String,
    /// What else it says.
    pub notes: Vec<String>,
    /// How to mend it.
    pub help: String,
    /// The places in the source, the first access first.
    pub places: Vec<Place>,
    /// A schedule that shows a race, in steps; empty where there is none.
    #[serde(default)]
    pub steps: Vec<String>,
}

/// A place in a source file, with what happens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File name.
    pub file: String,
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, counted from 1; 0 when unknown.
    pub column: u32,
    /// Column behind the last character, where the text is at hand.
    pub end_column: Option<u32>,
    /// What happens there.
    pub text: String,
}

impl Found {
    /// Whether it is a race that makes a launch wrong.
    pub fn is_race(&self) -> bool {
        let races = [Rule::CrossWorkgroupRace, Rule::WorkgroupRace].map(Rule::code);
        self.severity == "error" && races.contains(&self.rule.as_str())
    }

    /// A finding in a kernel as [`crate::fingerprint::kernel`] names it.
    pub fn new(kernel: &str, finding: &Finding, files: &[SourceFile], demanded: bool) -> Self {
        let said = words(finding, files, None);
        Self {
            fingerprint: fingerprint(kernel, finding, files),
            rule: finding.rule.code().to_owned(),
            severity: severity(finding.severity).to_owned(),
            demanded,
            places: said.labels.into_iter().map(|label| Place::new(label.span, label.text, files)).collect(),
            title: said.title,
            notes: said.notes,
            help: said.help,
            steps: said.steps,
        }
    }
}

impl Place {
    fn new(span: Span, text: String, files: &[SourceFile]) -> Self {
        let file = source::file(span, files);
        let source = file.and_then(|file| file.text.as_deref());
        let quoted = source.and_then(|source| source::range(span, source).and_then(|range| source.get(range)));
        let length = quoted.and_then(|quoted| u32::try_from(quoted.chars().count()).ok());
        Self {
            file: file.map_or_else(String::new, |file| file.name.clone()),
            line: span.line,
            column: span.column,
            end_column: length.and_then(|length| span.column.max(1).checked_add(length)),
            text,
        }
    }
}

impl CellReport {
    /// What identifies a disagreement from one run to the next: the cell, the findings that nobody demands, and the words of
    /// the reason, whatever its numbers are. Another kind of failure of the same cell is another disagreement.
    pub fn fingerprint(&self) -> String {
        let mut found: Vec<&str> =
            self.findings.iter().filter(|found| !found.demanded).map(|found| found.fingerprint.as_str()).collect();
        found.sort_unstable();
        let reason = match &self.result {
            CellResult::Disagreed(reason) => words_of(reason),
            CellResult::Agreed | CellResult::Skipped(_) => String::new(),
        };
        of_texts([Rule::LegsDisagree.code(), &self.name, &reason].into_iter().chain(found))
    }

    /// The kernel and its variant, as baselines name them.
    pub fn subject(&self) -> String {
        format!("{}:{}", self.kernel, self.variant)
    }
}

/// A sentence without its numbers.
fn words_of(reason: &str) -> String {
    let separators = |character: char| !character.is_alphanumeric() && !matches!(character, '_' | '.' | '-' | '+');
    let is_word = |word: &&str| !word.contains(|character: char| character.is_ascii_digit()) && !word.is_empty();
    reason.split(separators).filter(is_word).collect::<Vec<_>>().join(" ")
}

/// Of which whole a share is: what shares that are merged must have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of the program.
    pub build: String,
    /// Cells of all shares together.
    pub cells: usize,
    /// A hash of their names, in their order.
    pub names: String,
}

/// The hash of cells' names that [`Origin`] has.
pub fn hash_of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    of_texts(names)
}

/// All cells' results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixReport {
    /// The cells, in the order of the suite.
    pub cells: Vec<CellReport>,
    /// Legs that are devices, with what each of them is.
    pub devices: Vec<(String, String)>,
    /// What was selected, in words.
    pub selection: String,
    /// Which share of it, as `slice:1/4`.
    pub partition: Option<String>,
    /// The whole that this is a share of.
    pub origin: Option<Origin>,
    /// Shares that were not there when shares were merged.
    pub missing: Vec<String>,
    /// Cells whose results come from the journal of an earlier run.
    pub resumed: usize,
    /// Why the journal of this run could not be written to the end.
    pub unsaved: Option<String>,
    /// What a baseline accepts: reasons by fingerprint.
    pub accepted: Accepted,
    /// Wall-clock time of all.
    pub elapsed: Duration,
}

/// How many cells came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everything agreed.
    pub agreed: usize,
    /// Something did not, and nobody accepts it.
    pub disagreed: usize,
    /// Something did not, and a baseline accepts it.
    pub accepted: usize,
    /// Did not run.
    pub skipped: usize,
}

impl Counts {
    /// Those of some cells of a report.
    fn of<'a>(report: &MatrixReport, cells: impl IntoIterator<Item = &'a CellReport>) -> Self {
        let mut counts = Self::default();
        for cell in cells {
            *match &cell.result {
                CellResult::Agreed => &mut counts.agreed,
                CellResult::Disagreed(_) if report.acceptance(cell).is_some() => &mut counts.accepted,
                CellResult::Disagreed(_) => &mut counts.disagreed,
                CellResult::Skipped(_) => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    /// The counts in words; what a baseline accepts only where there is some.
    fn words(self) -> String {
        let [agreed, disagreed, accepted, skipped] =
            [self.agreed, self.disagreed, self.accepted, self.skipped].map(|count| number(count as u64));
        let accepted = if self.accepted > 0 { format!("{accepted} accepted, ") } else { String::new() };
        format!("{agreed} agreed, {disagreed} disagreed, {accepted}{skipped} skipped")
    }
}

impl MatrixReport {
    /// How many cells came to what.
    pub fn counts(&self) -> Counts {
        Counts::of(self, &self.cells)
    }

    /// Why a cell that disagrees is accepted, where it is.
    pub fn acceptance(&self, cell: &CellReport) -> Option<&str> {
        match &cell.result {
            CellResult::Disagreed(_) if !self.accepted.is_empty() => {
                self.accepted.get(&cell.fingerprint()).map(String::as_str)
            }
            _ => None,
        }
    }

    /// Every distinct finding, with the cells that have it.
    pub fn findings(&self) -> Vec<(&Found, Vec<&CellReport>)> {
        let mut order: Vec<(&Found, Vec<&CellReport>)> = Vec::new();
        let mut known = std::collections::BTreeMap::new();
        for cell in &self.cells {
            for found in &cell.findings {
                let position = *known.entry((&found.fingerprint, found.demanded)).or_insert_with(|| {
                    order.push((found, Vec::new()));
                    order.len() - 1
                });
                if order[position].1.last().is_none_or(|last| last.name != cell.name) {
                    order[position].1.push(cell);
                }
            }
        }
        order
    }
}
