//! The gate: which findings are new, and which has somebody accepted.
//!
//! A baseline is a TOML file of accepted findings, each with a reason. A finding that is not in it is new and fails. One
//! that is in it although the launch it was found in no longer shows it has vanished: whoever mended it should take the
//! entry out, or the same fault could come back unseen. Only errors are gated; warnings never fail.

mod baseline;
mod observed;

pub use baseline::{Baseline, Entry, GateError, Reading, add};
pub use observed::{Checked, Observed, of_check, of_matrix};
