//! What each kernel must compute: problems, f64 oracles, bit-faithful models, numerics.
#![forbid(unsafe_code)]

pub mod conv1d_qkv_split;
pub mod delta_rule;
pub mod gdn_chunked;
pub mod gdn_conv_fused;
pub mod gdn_decode;
pub mod numerics;
pub mod q4_0;
pub mod random;
pub mod resadd_norm_gemv_int4;
