//! What each barrier and guard of a kernel is good for: the results of leaving out one at a time.

mod human;

use std::time::Duration;

use gridproof_launch::Site;
use gridproof_simulator::ir::{SourceFile, Span};
use gridproof_simulator::{Exhausted, Finding};

pub use human::render;

/// Everything that was mutated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MutationReport {
    /// Kernels, in the order they were asked for.
    pub kernels: Vec<Kernel>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// One kernel, with the launches that its mutants were run on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kernel {
    /// How the command line names it.
    pub name: String,
    /// The launches, the cheapest first: shape or file, and subgroup size.
    pub launches: Vec<String>,
    /// Whether some launch was explored, as one run does not decide it.
    pub explored: bool,
    /// Launches that no mutant was run on.
    pub left_out: Vec<LeftOut>,
    /// Why nothing was left out of this kernel, where that is so.
    pub skipped: Option<String>,
    /// What the spans of mutants point into.
    pub files: Vec<SourceFile>,
    /// In the order of the source.
    pub mutants: Vec<Mutant>,
    /// What leaving out several redundant barriers at once gave, where there are several.
    pub together: Option<Together>,
}

/// A launch that no mutant was run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The launch, as in [`Kernel::launches`].
    pub launch: String,
    /// Why.
    pub reason: String,
    /// Whether the kernel is wrong there as it is.
    pub wrong: bool,
}

/// The kernel without one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutant {
    /// What is left out.
    pub site: Site,
    /// The same place, for quoting.
    pub span: Span,
    /// Entry points that have it.
    pub entries: Vec<String>,
    /// What came of it.
    pub fate: Fate,
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It was noticed: what was left out is needed.
    Needed {
        /// By which launch: a position in [`Kernel::launches`].
        launch: usize,
        /// How.
        evidence: Box<Evidence>,
    },
    /// All launches are clean without it, and their outputs the same.
    Redundant,
    /// The same, but no launch tried ever came to the barrier, or had the guard leave anything out.
    Idle,
    /// Nothing was found, but not everything was seen.
    Undecided {
        /// By which launch.
        launch: usize,
        /// Why.
        reason: String,
    },
}

impl Fate {
    /// The word in reports and JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Needed { .. } => "needed",
            Self::Redundant => "redundant",
            Self::Idle => "idle",
            Self::Undecided { .. } => "undecided",
        }
    }
}

/// How a mutant was noticed.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// A detector found something that is not there with it.
    Finding {
        /// The most serious.
        finding: Box<Finding>,
        /// Others.
        others: usize,
        /// What its spans point into.
        files: Vec<SourceFile>,
    },
    /// The outputs are not the same.
    Outputs {
        /// Bytes that differ.
        differing_bytes: u64,
    },
    /// It does not come to an end where the kernel does.
    Endless {
        /// The budget, several times what the kernel takes.
        exhausted: Exhausted,
    },
}

/// Several redundant barriers left out at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// Positions in [`Kernel::mutants`] of barriers that can all be left out.
    pub without: Vec<usize>,
    /// Positions of those of which each is redundant alone, but not with these.
    pub not_with_these: Vec<usize>,
}

impl Kernel {
    /// Mutants that were noticed.
    pub fn noticed(&self) -> usize {
        self.mutants.iter().filter(|mutant| matches!(mutant.fate, Fate::Needed { .. })).count()
    }

    /// Whether the kernel is wrong as it is, on some launch.
    pub fn is_wrong(&self) -> bool {
        self.left_out.iter().any(|one| one.wrong)
    }

    /// Whether every mutant was decided.
    pub fn is_decided(&self) -> bool {
        self.mutants.iter().all(|mutant| !matches!(mutant.fate, Fate::Undecided { .. }))
    }
}
