//! Do they agree? Legs, cases, verdicts, the matrix, the gate.
//!
//! The only reader of launch files, case files and tensors. Everything here returns data; nothing prints.
#![forbid(unsafe_code)]

pub mod bench;
pub mod check;
pub mod compare;
pub mod cuda;
pub mod expected;
pub mod explore;
pub mod family;
pub mod gate;
pub mod input;
pub mod launch_file;
pub mod litmus;
pub mod main_job;
pub mod matrix;
pub mod mutate;
mod progress;
#[cfg(all(test, unix))]
mod script;
mod side_by_side;
pub mod stress;

pub use progress::Progress;
