//! One subgroup executing a program: registers, control flow, memory accesses.
//!
//! `step` says what happened; only the driver ([`crate::drive`]) decides who runs next, and the detectors
//! only watch.

pub mod access;
pub mod atomics;
pub mod clock;
pub mod collective;
pub mod environment;
pub mod exact;
pub mod known;
pub mod order;
mod ordered;
pub mod pending;
mod quick;
pub mod registers;
mod relay;
mod remember;
mod rendezvous;
pub mod semantics;
pub mod subgroup;
mod transfer;
mod warp;
