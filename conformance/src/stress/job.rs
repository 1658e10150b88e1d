//! What is handed to the process that uses the device, and what it says: one JSON value in a line.

use serde::{Deserialize, Serialize};

/// A line of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub file: String,
    pub line: u32,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Subject {
    /// A kernel of the catalogue, in CUDA C++.
    Catalogue { kernel: String, variant: String, shape: String },
    /// A user's own.
    File { module: String, launch: String },
}

/// Runs of one launch with one kind of disturbance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    pub subject: Subject,
    pub seed: u64,
    pub fused: bool,
    pub runs: u32,
    /// Places where workgroups are held up; none where there are none.
    pub delays: Vec<Place>,
    /// Longest delay at each, in nanoseconds.
    pub nanoseconds: u32,
    /// Whether other work is on the device.
    pub company: bool,
}

/// What the process says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The device is open: what it is, and how many delays there are.
    Ready { device: String, delays: usize },
    /// Why nothing can run.
    Unavailable(String),
    /// What is wrong with the launch.
    Refused(String),
    /// One run ended, and its outputs were right or not.
    Run(Option<Wrong>),
    /// A run failed, and took the device with it.
    Fault(String),
}

/// Outputs that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrong {
    pub buffer: String,
    /// The first wrong element.
    pub element: u64,
    /// Wrong bytes of that buffer.
    pub bytes: u64,
}
