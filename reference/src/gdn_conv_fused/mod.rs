//! What `gdn_conv_fused` must compute: one token of many requests, from the projections to the output: a causal
//! convolution over four tokens with SiLU, the gated delta rule on its channels, and both states brought up to date.
//!
//! Source: intel/llm-scaler pull request 356. Heads have 128 elements, data are f16, arithmetic is f32. The channels of
//! the convolution are q of all key heads, then k of all key heads, then v of all value heads: `dim` = 2 H 128 + HV 128.
//! For every request:
//!
//! ```text
//! y     = silu((((s0 w0 + s1 w1) + s2 w2) + x w3) + bias)       every channel; s the three tokens before, oldest first
//! s0    <- s1 ;  s1 <- s2 ;  s2 <- x
//! z_out = z
//! ```
//!
//! and for every value head, with q and k of key head `hv / (HV / H)` and v, all of y:
//!
//! ```text
//! g     = -e^a_log * softplus(a + dt_bias) ;  alpha = e^g ;  beta = 1 / (1 + e^-b)
//! q^    = q * (rsqrt(sum q^2 + 1e-6) / sqrt(128)) ;  k^ = k * rsqrt(sum k^2 + 1e-6)
//! S    <- alpha * S                                             [V, K]
//! d     = (v - S k^) * beta
//! S    <- S + d (outer) k^
//! o     = S q^
//! ```
//!
//! Both states of a request lie in the slot that its index names. A request with a negative index has none: its output
//! rows become zeros, its z is copied.

pub mod error;
pub mod model;
pub mod oracle;
pub mod outputs;
pub mod problem;
pub mod shape;
pub mod tolerance;

#[cfg(test)]
mod golden;
mod indices;
mod request;
mod rows;
mod seeded;

pub use error::ProblemError;
pub use oracle::{L2Norm, Oracle};
pub use outputs::Outputs;
pub use problem::{Inputs, POOL_FILL, Problem};
pub use shape::{Layout, Shape, Sizes};

#[cfg(test)]
mod tests;
