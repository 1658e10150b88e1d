//! What `gdn_chunked` must compute: the gated delta rule over whole sequences, in chunks of tokens, from the projections
//! to the output: a causal convolution over four tokens with SiLU, the recurrence, RMSNorm and a SiLU gate.
//!
//! Source: ohdearquant/lattice pull request 190, after Yang, Wang, Zhang, Shen and Kim, "Parallelizing linear transformers
//! with the delta rule over sequence length", 2024. Everything is f32, heads have 128 elements. The channels of the
//! convolution are q of all key heads, then k of all key heads, then v of all value heads: `dim` = 2 H 128 + HV 128. For
//! every token of a sequence:
//!
//! ```text
//! y         = silu(x3 w0 + x2 w1 + x1 w2 + x w3)       every channel; x1, x2, x3 the three tokens before
//! log alpha = -e^a_log * softplus(w_alpha . hidden + dt_bias) ;  beta = 1 / (1 + e^-(w_beta . hidden))
//! q^, k^    = y * rsqrt(sum y^2 + 1e-6), for q and k of key head `hv / (HV / H)`
//! S        <- alpha * S                                 [V, K]
//! d         = (v - S k^) * beta
//! S        <- S + d (outer) k^
//! o         = S q^ / sqrt(128)
//! output    = o * rsqrt(sum o^2 / 128 + 1e-6) * norm_weight * silu(z)
//! ```
//!
//! The recurrence of the tokens j of a chunk at once, with gamma_j the sum of log alpha up to j:
//!
//! ```text
//! w_j = beta_j k_j - sum_{r<j} beta_j (k_j . k_r) w_r
//! u_j = beta_j v_j - sum_{r<j} beta_j e^(gamma_j - gamma_r) (k_j . k_r) u_r
//! R_j = u_j - e^gamma_j (S w_j)
//! o_j = (e^gamma_j (S q_j) + sum_{r<=j} e^(gamma_j - gamma_r) (q_j . k_r) R_r) / sqrt(128)
//! S  <- e^gamma_last S + sum_j e^(gamma_last - gamma_j) R_j (outer) k_j
//! ```

pub mod bounds;
pub mod error;
pub mod model;
pub mod oracle;
pub mod outputs;
pub mod path;
pub mod problem;
pub mod shape;
pub mod tolerance;

mod lanes;
mod materialize;
mod rows;
mod seeded;
mod segments;
mod sequence;
mod solve;

pub use bounds::{Bound, Bounds};
pub use error::ProblemError;
pub use oracle::{L2Norm, Oracle};
pub use outputs::{Outputs, Scratch};
pub use path::Path;
pub use problem::{Decay, Inputs, Problem, StateKind};
pub use shape::{Chunk, HEAD, Shape, Sizes};
