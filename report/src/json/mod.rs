//! The machine-readable report, version 1: written by [`check`] and [`verdicts`], read back by [`read_replay`].
//!
//! The format is public. `report/schema/check-v1.json` describes every key; keys may be added within version
//! 1, and none is renamed or removed. For the same check the bytes are the same, but for `stats.seconds`.

mod bench;
mod mutation;
mod read;
mod write;

pub use bench::bench;
pub use mutation::mutation;
pub use read::{ReadError, read_finding, read_replay};
pub use write::{check, replay, verdicts};

/// The version of the format.
pub const VERSION: u64 = 1;
