//! What each kernel must compute: problems, f64 oracles, bit-faithful models, numerics.
pub mod numerics;
