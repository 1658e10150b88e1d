//! How a GPU may run a launch: front ends, machine, scheduler, detectors.
//!
//! [`prove`] decides whether a launch is free of data races and other faults; [`run`] runs it under one
//! schedule [`Schedule`]. The crate knows no kernel of this project, prints nothing and
//! touches no file.
#![forbid(unsafe_code)]

pub mod finding;
pub mod frontend;
pub mod ir;
pub mod memory;
pub mod outcome;
pub mod schedule;

pub use finding::Finding;
pub use outcome::{Approximation, Budget, Config, Detectors, Exhausted, Outcome, SimulateError, Stats, Unsupported};
pub use schedule::Schedule;
