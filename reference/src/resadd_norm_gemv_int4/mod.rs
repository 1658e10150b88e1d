//! What `resadd_norm_gemv_int4` must compute: residual add, RMSNorm and an int4 GEMV for one token.
//!
//! Source: intel/llm-scaler pull request 399. fp16 tensors, f32 arithmetic:
//!
//! ```text
//! added      = hidden + residual            unrounded where the kernel is fused
//! residual   <- fp16(added)
//! inverse    = 1 / sqrt(sum(added^2) / k + 1e-6)
//! normed     = (added * inverse) * norm_weight
//! normed_out <- fp16(normed)
//! output[n]  <- fp16(sum over k of normed[k] * weight[n, k])
//! ```

pub mod model;
pub mod oracle;
pub mod problem;
pub mod tolerance;

pub use model::{Outputs, Path};
pub use oracle::Oracle;
pub use problem::{Inputs, Problem, ProblemError, Shape, UnquantisedWeights};
