//! What a check may be told.

use gridproof_launch::Language;
use gridproof_simulator::Config;

use super::error::CheckError;

/// Which scheduler assumption the caller asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScheduleChoice {
    /// None: only whether the launch is right in any order.
    Any,
    /// Workgroups start in index order.
    InOrder,
    /// Lock-step waves.
    Lockstep,
}

/// How to check. One plain struct, so that a report can print all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// Workgroups that are resident together when schedules of a racy launch are tried.
    pub slots: u32,
    /// The assumption asked about; `None` tries all.
    pub schedule: Option<ScheduleChoice>,
    /// Seed of the schedules that are drawn at random.
    pub seed: u64,
    /// Seed of the input data.
    pub data_seed: u64,
    /// Which source of a kernel of the catalogue is checked.
    pub language: Language,
    /// How to simulate.
    pub config: Config,
    /// In-order schedules to try on a racy launch.
    pub schedules: u64,
    /// Whether to search the smallest launch that fails: at which a racy launch's outputs go wrong.
    pub search_threshold: bool,
    /// Over which shape key of a catalogue kernel (its position), or which axis of a user's grid; otherwise over the
    /// first key, or the longest axis. Where it is given, faults are searched for, too.
    pub threshold_key: Option<usize>,
    /// Whether to run the failing schedules of a catalogue kernel to their end and measure how far the outputs are
    /// from the f64 oracle.
    pub output_errors: bool,
    /// Whether to record what each turn of the findings' schedules did, for pages and traces.
    pub timelines: bool,
}

impl CheckOptions {
    /// Resident workgroups where nobody says otherwise.
    pub const DEFAULT_SLOTS: u32 = 512;
    /// In-order schedules where nobody says otherwise.
    pub const DEFAULT_SCHEDULES: u64 = 8;

    pub(crate) fn validate(&self) -> Result<(), CheckError> {
        if self.slots == 0 {
            return Err(CheckError::Option { name: "slots", value: "0".to_owned(), limit: "at least one is needed" });
        }
        if self.schedules == 0 {
            let limit = "at least one is needed: an assumption that was not tried cannot be reported";
            return Err(CheckError::Option { name: "schedules", value: "0".to_owned(), limit });
        }
        Ok(())
    }
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            slots: Self::DEFAULT_SLOTS,
            schedule: None,
            seed: 0,
            data_seed: 0,
            language: Language::default(),
            config: Config::default(),
            schedules: Self::DEFAULT_SCHEDULES,
            search_threshold: false,
            threshold_key: None,
            output_errors: false,
            timelines: false,
        }
    }
}
