//! NVIDIA GPUs through the CUDA driver: launches of PTX, run as machine code.
//!
//! [`devices`] lists them, [`CudaDevice::open`] opens one, [`CudaDevice::run`] runs a [`Launch`](gridproof_launch::Launch)
//! on it. The driver's library is looked for when it is first wanted; a machine without one, or with an old one, is told
//! by [`CudaUnavailable`].
//!
//! What runs is what the simulator simulates: PTX, and beside it the machine code that NVRTC made of that very text for
//! the device's architecture, with no option that touches arithmetic. PTX itself says how each operation rounds and
//! which are fused, so both arithmetic profiles run on every device.
//!
//! What is not caught: a kernel that writes outside its buffers, but inside memory of the process. Only what the device
//! itself notices is a fault.

mod company;
mod context;
mod device;
mod driver;
mod graph;
mod memory;
mod module;
mod pages;
mod parameters;
mod probe;
mod summary;
mod timing;
mod unavailable;

pub use company::Company;
pub use device::{CudaDevice, CudaOutputs};
pub use probe::CudaFingerprint;
pub use summary::{CudaSummary, devices};
pub use timing::{CopyTiming, Resources, Timing, TimingOptions};
pub use unavailable::{CudaUnavailable, CudaVersion};
