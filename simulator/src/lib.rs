//! How a GPU may run a launch: front ends, machine, scheduler, detectors.
//!
//! [`prove()`] decides whether a launch is free of data races and other faults; [`run()`] runs it under one
//! [`Policy`]. The crate knows no kernel of this project, prints nothing and touches no file.
#![forbid(unsafe_code)]
#![warn(clippy::as_conversions)]

mod analysis;
mod approximate;
mod cast;
mod disassembly;
mod drive;
mod explain;
pub mod explore;
pub mod finding;
pub mod frontend;
pub mod ir;
pub mod ladder;
mod link;
mod machine;
pub mod memory;
pub mod mutation;
pub mod outcome;
mod pointees;
mod prove;
mod recorder;
mod run;
pub mod schedule;
pub mod scheduler;
pub mod timeline;

pub use finding::Finding;
pub use frontend::ptx::support::{PtxFamily, PtxOpcode, ptx_support};
pub use memory::Image;
pub use outcome::{
    Approximation, Budget, Config, Detectors, Exhausted, Hazards, Outcome, SimulateError, Stats, Unsupported,
};
pub use schedule::Schedule;
pub use scheduler::Policy;

use gridproof_launch::Launch;

/// Decides a launch: runs every workgroup against the memory at dispatch start plus its own writes, with all
/// detectors watching, on all cores. Never needs a schedule; see ARCHITECTURE.md for why one run is enough.
///
/// # Errors
/// When the launch, its modules or the configuration are wrong, or a construct is unsupported. Findings and
/// exhausted budgets are not errors: they are in the [`Outcome`].
pub fn prove(launch: &Launch, config: &Config) -> Result<Outcome, SimulateError> {
    prove::prove(launch, config)
}

/// Runs a launch under one schedule, switching between workgroups only at accesses to `hazards` (from a
/// proof's [`Outcome::hazards`]) and at atomics.
///
/// # Errors
/// As [`prove()`]; and [`SimulateError::Schedule`] when a schedule to replay does not fit.
pub fn run(launch: &Launch, config: &Config, policy: &Policy, hazards: &Hazards) -> Result<Outcome, SimulateError> {
    run::run(launch, config, policy, hazards)
}

/// Whether some kernel of the launch has atomics on storage, so that its outputs may depend on their order.
///
/// # Errors
/// When the launch or its modules are wrong, or a construct is unsupported.
pub fn uses_atomics(launch: &Launch) -> Result<bool, SimulateError> {
    launch.validate()?;
    for dispatch in &launch.dispatches {
        if analysis::has_storage_atomics(&frontend::lower(launch, dispatch)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what an atomic on storage returns decides where some kernel of the launch goes or what it touches, so that one
/// run does not decide the launch and [`explore::explore`] is needed.
///
/// # Errors
/// When the launch or its modules are wrong, or a construct is unsupported.
pub fn depends_on_atomics(launch: &Launch) -> Result<bool, SimulateError> {
    launch.validate()?;
    for dispatch in &launch.dispatches {
        let program = frontend::lower(launch, dispatch)?;
        if analysis::has_storage_atomics(&program) && analysis::atomic_dependence(&program).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
