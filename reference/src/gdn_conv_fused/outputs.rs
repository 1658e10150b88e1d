//! What a launch leaves behind.

use std::collections::BTreeMap;

/// What a launch writes, byte for byte; what it leaves alone is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// `[N, HV, 128]` f16; zeros for requests without a state.
    pub output: Vec<u8>,
    /// `[N, HV, 128]` f16: z of every request.
    pub z_out: Vec<u8>,
    /// By slot: `[3, dim]` f16, for the slots of requests.
    pub conv_states: BTreeMap<u64, Vec<u8>>,
    /// By slot: `[HV, V, K]` f16, for the slots of requests.
    pub ssm_states: BTreeMap<u64, Vec<u8>>,
}
