//! Campaigns: clients that try inputs, one process each, sharing a directory.
//!
//! A client is `LibAFL` in process: its state, corpus, mutators and map feedback, and an executor that calls the oracles.
//! Clients know nothing of each other but the directory, which is also what several machines share and what is left of a
//! campaign that was killed: there is one way to share findings and not two. `LibAFL`'s own message passing (LLMP) would be
//! a second, needs shared memory and a broker that must not die, and spares a few file reads a minute.

mod client;
mod describe;
mod files;
mod finding;
mod guard;
mod memory;
mod minimize;
mod mutator;
mod parent;
mod replay;
mod run;
pub mod status;
mod store;

pub use client::{ARGUMENT, serve};
pub use finding::{Findings, INPUT, RECORD, Record, read_finding};
pub use guard::try_within;
pub use memory::limit_memory;
pub use minimize::{Minimized, minimize};
pub use parent::{CampaignError, Ended, RunOptions, run};
pub use replay::{Replayed, replay, replay_bytes};
pub use status::{Status, Tally};
pub use store::{Settings, Store, StoreError, hash, settings};
