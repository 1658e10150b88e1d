//! How a GPU may run a launch: front ends, machine, scheduler, detectors.
//!
//! [`prove()`] decides whether a launch is free of data races and other faults; [`run()`] runs it under one
//! [`Policy`]. The crate knows no kernel of this project, prints nothing and touches no file.
#![forbid(unsafe_code)]
#![warn(clippy::as_conversions)]

mod analysis;
mod approximate;
mod cast;
pub mod coverage;
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

pub use coverage::{Coverage, Grain};
pub use finding::Finding;
pub use frontend::ptx::support::{PtxFamily, PtxOpcode, ptx_support};
pub use memory::Image;
pub use outcome::{
    Approximation, Budget, Config, Detectors, Exhausted, Hazards, Outcome, SimulateError, Stats, Unsupported,
};
pub use schedule::Schedule;
pub use scheduler::Policy;

use std::sync::Arc;

use gridproof_launch::Launch;

/// Decides a launch: runs every workgroup against the memory at dispatch start plus its own writes, with all
/// detectors watching, on all cores. Never needs a schedule; see ARCHITECTURE.md for why one run is enough.
///
/// # Errors
/// When the launch, its modules or the configuration are wrong, or a construct is unsupported. Findings and
/// exhausted budgets are not errors: they are in the [`Outcome`].
pub fn prove(launch: &Launch, config: &Config) -> Result<Outcome, SimulateError> {
    prove::prove(launch, config, None)
}

/// Runs a launch under one schedule, switching between workgroups only at accesses to `hazards` (from a
/// proof's [`Outcome::hazards`]) and at atomics.
///
/// # Errors
/// As [`prove()`]; and [`SimulateError::Schedule`] when a schedule to replay does not fit.
pub fn run(launch: &Launch, config: &Config, policy: &Policy, hazards: &Hazards) -> Result<Outcome, SimulateError> {
    run::run(launch, config, policy, hazards)
}

/// As [`prove()`], and counts what it comes across.
///
/// # Errors
/// As [`prove()`].
pub fn prove_covered(
    launch: &Launch,
    config: &Config,
    coverage: &Arc<Coverage>,
    grain: Grain,
) -> Result<Outcome, SimulateError> {
    prove::prove(launch, config, Some(coverage::Asked { coverage: coverage.clone(), grain }))
}

/// As [`run()`], and counts what it comes across.
///
/// # Errors
/// As [`run()`].
pub fn run_covered(
    launch: &Launch,
    config: &Config,
    (policy, hazards): (&Policy, &Hazards),
    coverage: &Arc<Coverage>,
    grain: Grain,
) -> Result<Outcome, SimulateError> {
    run::run_covered(launch, config, policy, hazards, coverage::Asked { coverage: coverage.clone(), grain })
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

/// Whether what an atomic reads decides where some kernel of the launch goes, what it touches, or which accesses
/// come before which, so that one run does not decide the launch and [`explore::explore`] is needed. The last is known
/// from a run, which is done where atomics may order something.
///
/// # Errors
/// When the launch or its modules are wrong, or a construct is unsupported.
pub fn depends_on_atomics(launch: &Launch, config: &Config) -> Result<bool, SimulateError> {
    let mut session = prove::Session::new(launch, config)?;
    let mut may_order = false;
    for position in 0..launch.dispatches.len() {
        let linked = session.linked(position)?;
        if session.note_program(&linked).first.is_some() {
            return Ok(true);
        }
        may_order |= linked.clocks;
    }
    Ok(may_order && !prove(launch, config)?.decides_every_schedule)
}
