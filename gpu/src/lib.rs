//! How real GPUs run a launch: the wgpu device, the adapter fingerprint, and the CUDA compiler.
//!
//! [`Device::open`] finds an adapter (Vulkan, Metal, DX12) and refuses, with the reason, one that cannot
//! be trusted; [`Device::run`] runs a [`Launch`](gridproof_launch::Launch) and reads its buffers back;
//! [`Device::probe`] measures what the adapter's arithmetic does, so that a caller knows which
//! [`Arithmetic`](gridproof_launch::Arithmetic) profiles it may compare bit for bit.
//!
//! *Exact* mode ([`Exactness::Exact`], Vulkan only) keeps a driver from folding or contracting float
//! arithmetic: naga writes SPIR-V, [`spirv`] decorates every arithmetic result `NoContraction`, and the
//! words are handed to the driver unchanged.
//!
//! [`cuda`] runs a launch of PTX on an NVIDIA GPU, through the CUDA driver.
//!
//! [`nvrtc`] compiles CUDA C++ to PTX and to machine code, on machines without a GPU too.
//!
//! This crate knows no simulator and no kernel, prints nothing, opens no file and never panics because
//! of a driver: a missing one is an [`Unavailable`], a failing one a [`RunError`].

mod adapter;
mod bindings;
mod capabilities;
mod contents;
pub mod cuda;
mod device;
mod error;
mod faults;
mod limits;
mod memory;
pub mod nvrtc;
mod options;
mod pipeline;
mod probe;
mod run;
mod shader;
pub mod spirv;
mod zeroes;

pub use adapter::{AdapterKind, AdapterSummary, Api, Selector, adapters};
pub use capabilities::{Features, Memory};
pub use contents::POISON;
pub use device::Device;
pub use error::{InvalidModule, Limit, LimitExceeded, LoopMiscount, RunError, Unavailable};

pub use options::{Elapsed, Exactness, Outputs, ReadBack, RunOptions};
pub use probe::{
    DenormalHandling, Exact, Fingerprint, Folding, LoopCount, LoopForm, MultiplyAddCount, Rounding, Subgroups,
    refuse_miscounted_loops,
};
