//! What must hold of an input, whatever it is.
//!
//! An oracle gives a [`Trial`]: the input was refused by those who validate it, or all held, or something failed. What it
//! comes across is counted in a [`Coverage`], which a fuzz engine may compare; to the oracle it is nothing.

mod catalogue;
mod kernel;
mod litmus;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gridproof_simulator::{Budget, Config, Coverage};
use serde::{Deserialize, Serialize};

use crate::input::Input;

/// What must hold. The names are public: folders of findings begin with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Property {
    /// A launch that is right gives the bits of the model.
    Model,
    /// The verdict and its findings are the expected ones, no more and no less.
    Verdict,
    /// A race-free launch gives the same bits under a schedule that was drawn.
    Schedule,
    /// Findings and outputs do not depend on the number of threads.
    Threads,
    /// The same kernel gives the same bits in two languages.
    Languages,
    /// Two engines that explore schedules say the same.
    Engines,
    /// What was read, printed and read again is the same.
    RoundTrip,
    /// Nothing panics.
    Panic,
    /// Nothing aborts the process.
    Abort,
    /// Everything ends in time.
    Slow,
    /// Nothing that is valid by construction is refused.
    Refused,
}

impl Property {
    /// All, with their names.
    pub const ALL: [(Self, &str); 11] = [
        (Self::Model, "model"),
        (Self::Verdict, "verdict"),
        (Self::Schedule, "schedule"),
        (Self::Threads, "threads"),
        (Self::Languages, "languages"),
        (Self::Engines, "engines"),
        (Self::RoundTrip, "round-trip"),
        (Self::Panic, "panic"),
        (Self::Abort, "abort"),
        (Self::Slow, "slow"),
        (Self::Refused, "refused"),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(property, _)| *property == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What does not hold.
    pub property: Property,
    /// What it is about, without numbers: failures with the same subject count as one finding.
    pub subject: String,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// What makes two failures one finding.
    pub fn signature(&self) -> String {
        format!("{} {}", self.property, self.subject)
    }
}

/// What came of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trial {
    /// All that was looked at holds.
    Holds,
    /// The input was refused, as it should be, with an error.
    Rejected,
    /// It could not be tried here: a compiler or a program is missing, or a budget ran out.
    Skipped(Cow<'static, str>),
    /// Something does not hold.
    Fails(Failure),
}

/// What the oracles need besides the input.
#[derive(Clone, Debug, Default)]
pub struct Bench {
    /// Where features are counted.
    pub coverage: Arc<Coverage>,
    /// `gridproof` itself, for children that run loom; without it loom is not asked.
    pub executable: Option<PathBuf>,
    /// A folder for files that readers of files are given; without it they are not tried.
    pub scratch: Option<PathBuf>,
}

/// Invocation-instructions of one launch.
const INSTRUCTIONS: u64 = 1 << 28;
/// Bytes of one launch.
const MEMORY: u64 = 1 << 30;

impl Bench {
    /// Tries an input. Panics of what is tried are not caught here.
    pub fn try_input(&self, input: &Input) -> Trial {
        let trial = match input {
            Input::Catalogue(launch) => catalogue::check(self, launch),
            Input::Kernel(kernel) => kernel::check(self, kernel),
            Input::Litmus(litmus) => litmus::check(self, litmus),
            Input::Text(text) => text::check(self, text),
        };
        match trial {
            Ok(()) => Trial::Holds,
            Err(other) => other,
        }
    }

    /// How everything is simulated.
    fn config(&self) -> Config {
        let budget = Budget { instructions: INSTRUCTIONS, memory: MEMORY, time: Duration::from_secs(20) };
        Config { budget, threads: 1, ..Config::default() }
    }

    /// Counts a feature that no line of a kernel shows: a verdict, a finding.
    fn mark(&self, feature: impl std::hash::Hash) {
        use std::hash::{DefaultHasher, Hasher};
        let mut hasher = DefaultHasher::new();
        feature.hash(&mut hasher);
        self.coverage.mark(hasher.finish());
    }
}

/// Why an input could not be tried, as an error.
fn skipped(why: &'static str) -> Trial {
    Trial::Skipped(Cow::Borrowed(why))
}

/// A failure as an error, so that `?` ends an oracle.
fn fails(property: Property, subject: impl Into<String>, message: impl Into<String>) -> Trial {
    Trial::Fails(Failure { property, subject: subject.into(), message: message.into() })
}
