//! What `gdn_decode` must compute: the gated delta rule for 1 to 8 tokens of many requests, whose states lie in a pool.
//!
//! Source: flashinfer pull requests 3147, 3145 and 3230. For every request, value head and token, with key head
//! `hv / (HV / H)`:
//!
//! ```text
//! x     = a + dt_bias
//! g     = -e^a_log * (x > 20 ? x : ln(1 + e^x))
//! alpha = e^g ;  beta = 1 / (1 + e^-b)
//! q^    = q * rsqrt(sum q^2 + 1e-6) / sqrt(128) ;  k^ = k * rsqrt(sum k^2 + 1e-6)
//! S    <- alpha * S                     [V, K], f32 over all tokens of a call
//! d     = (v - S k^) * beta
//! S    <- S + d (outer) k^
//! o     = S q^
//! ```
//!
//! A request reads its state from one slot of the pool and writes the last one to another or the same.

pub mod error;
pub mod model;
pub mod oracle;
pub mod path;
pub mod problem;
pub mod shape;
pub mod tolerance;

#[cfg(test)]
mod golden;
mod indices;
mod job;
mod lanes;
mod layout;
#[cfg(test)]
mod plain;
mod preparation;
mod seeded;
mod vectors;

pub use error::{Index, ProblemError};
pub use model::Outputs;
pub use oracle::{L2Norm, Oracle};
pub use path::Path;
pub use problem::{Inputs, POOL_FILL, Problem};
pub use shape::{Shape, Sizes, StateType};

#[cfg(test)]
mod tests;
