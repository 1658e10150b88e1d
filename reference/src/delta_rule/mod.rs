//! The gated delta rule: what the families that compute it have in common.
//!
//! For one token and one value head, with the state S `[V, K]`:
//!
//! ```text
//! x     = a + dt_bias
//! g     = -e^a_log * (x > 20 ? x : ln(1 + e^x))
//! alpha = e^g ;  beta = 1 / (1 + e^-b)
//! q^    = q * rsqrt(sum q^2 + 1e-6) / sqrt(128) ;  k^ = k * rsqrt(sum k^2 + 1e-6)
//! S    <- alpha * S
//! d     = (v - S k^) * beta
//! S    <- S + d (outer) k^
//! o     = S q^
//! ```
//!
//! Source: Yang, Kautz and Hatamizadeh, "Gated delta networks", 2024. Where the numbers come from, in which order sums
//! are added, and how states are stored is the business of each family.

pub mod oracle;

pub(crate) mod bounded;
pub(crate) mod butterfly;
pub(crate) mod preparation;
pub(crate) mod token_bounds;

#[cfg(test)]
pub(crate) mod golden;

/// Elements of a key and of a value head: K = V.
pub const HEAD: u32 = 128;

/// `HEAD`, as the length of arrays.
pub(crate) const ELEMENTS: usize = HEAD as usize;
