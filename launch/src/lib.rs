//! What a kernel launch is: tensors, modules, buffers, dispatches, constants.
//!
//! These types are shared by everything that can run a launch (the simulator, a wgpu device, a CUDA
//! device) and by everything that can make one (the kernels' dispatchers, a user's launch file).
//! Nothing here runs, prints, reads a file or knows a file format.
//!
//! Nothing is shaped after one language: addresses are byte offsets in 64 bits, a workgroup size may
//! come from the module (WGSL) or from the launch (PTX), an argument is found by name, by binding
//! slot or by parameter position, and may be a buffer range or scalar bytes.
#![forbid(unsafe_code)]

mod arithmetic;
mod buffer;
mod dispatch;
mod dtype;
mod edit;
mod error;
mod language;
mod module;
mod tensor;

pub use arithmetic::{Arithmetic, Denormals, MultiplyAdd};
pub use buffer::{Buffer, ByteRange, Contents, Fill, MayRace};
pub use dispatch::{Argument, BufferId, Constant, Dispatch, Launch, ModuleId, Target, Value};
pub use dtype::DType;
pub use edit::{Change, Construct, Edit, Site};
pub use error::LaunchError;
pub use language::Language;
pub use module::{Module, Source};
pub use tensor::Tensor;
