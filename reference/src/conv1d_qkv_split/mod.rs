//! What `conv1d_qkv_split` must compute: the short causal convolution of a prefill, with SiLU, split into q, k and v.
//!
//! Source: tokenspeed pull request 382; the convolution is vLLM's and sglang's. Sequences of any lengths lie one after
//! the other in x `[tokens, q + k + v]`. For every token t of a sequence and every channel, with the filter's `width`
//! weights w, oldest first:
//!
//! ```text
//! acc    = bias, or 0
//! acc    = acc + x[t - width + 1 + j] * w[j]        for j = 0 .. width - 1
//! output = acc / (1 + e^-acc)
//! ```
//!
//! What lies before the sequence comes from its slot of `conv_state`, which has the last `width - 1` tokens seen so far,
//! or is 0 for a sequence without an initial state. Afterwards the slot has the last `width - 1` tokens again; a
//! sequence without tokens leaves it alone.

pub mod element;
pub mod error;
pub mod model;
pub mod oracle;
pub mod outputs;
pub mod problem;
pub mod shape;
pub mod tensor;
pub mod tolerance;

mod bounded;
mod indices;
#[cfg(test)]
mod plain;
mod seeded;
mod segment;

pub use element::ElementType;
pub use error::ProblemError;
pub use oracle::Oracle;
pub use outputs::Outputs;
pub use problem::{Inputs, PADDING, Problem, STATE_FILL};
pub use shape::{Shape, Sizes};
pub use tensor::Tensor;

#[cfg(test)]
mod tests;
