//! The kernels themselves, their variants, and the dispatchers that choose a launch for a problem.
//!
//! One WGSL source per kernel in `wgsl/`, and its CUDA C++ twin in `cuda/`; a wrong variant is the same source under
//! a named `override` or macro, so that the difference is the bug. A dispatcher is a pure function from a problem to a
//! [`Launch`](gridproof_launch::Launch) or a typed refusal. The [`catalogue`] says what must be found in
//! each variant; it is read by the gate, never by a detector.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod conv1d_qkv_split;
pub mod gdn_chunked;
pub mod gdn_conv_fused;
pub mod gdn_decode;
pub mod limits;
pub mod resadd_norm_gemv_int4;
pub mod variant;

mod assembly;
mod buffers;
mod expected;
mod shape_text;

/// The arithmetic that every WGSL kernel is built on; appended to the kernel's own text.
pub const NUMERICS_WGSL: &str = include_str!("../wgsl/numerics.wgsl");

/// The same in CUDA C++: the text of [`NUMERICS_CUDA_NAME`], which every CUDA kernel includes.
pub const NUMERICS_CUDA: &str = include_str!("../cuda/numerics.cuh");

/// The name by which CUDA kernels include [`NUMERICS_CUDA`].
pub const NUMERICS_CUDA_NAME: &str = "numerics.cuh";
