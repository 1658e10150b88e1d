//! What a launch leaves behind, and what its kernels hand to each other.

/// What a launch writes. Equal means equal bits.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// `[tokens, HV, 128]`
    pub output: Vec<f32>,
    /// `[sequences, 3, dim]`
    pub conv_state: Vec<f32>,
    /// `[sequences, HV, V, K]`
    pub state: Vec<f32>,
}

impl PartialEq for Outputs {
    fn eq(&self, other: &Self) -> bool {
        same_bits(&self.output, &other.output)
            && same_bits(&self.conv_state, &other.conv_state)
            && same_bits(&self.state, &other.state)
    }
}

impl Eq for Outputs {}

/// The tensors between the kernels: no outputs, but they show where an error came from. Where a chain of kernels does not
/// write a tensor it is empty. Equal means equal bits.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// `[tokens, HV, 128]` the normed query, not scaled.
    pub q_hat: Vec<f32>,
    /// `[tokens, HV, 128]` the normed key.
    pub k_hat: Vec<f32>,
    /// `[tokens, HV, 128]` the value.
    pub v_act: Vec<f32>,
    /// `[tokens, HV]` how much of the difference is written.
    pub beta: Vec<f32>,
    /// `[tokens, HV]` logarithm of the state's decay.
    pub log_alpha: Vec<f32>,
    /// `[tokens, HV]` sum of the logarithms from the chunk's first token on. Chunked only.
    pub gamma: Vec<f32>,
    /// `[tokens, HV, 128]` keys, each without what the ones before it in the chunk have of it. Chunked only.
    pub w: Vec<f32>,
    /// `[tokens, HV, 128]` values that go with `w`. Chunked only.
    pub u: Vec<f32>,
    /// `[tokens, HV, C]` what of token r of the chunk goes into the output of a token. Chunked only. A launch writes
    /// elements up to the token's own; the others are zeros here.
    pub attention: Vec<f32>,
    /// `[tokens, HV, 128]` what each token adds to the state along its key. Chunked only.
    pub residual: Vec<f32>,
    /// `[tokens, HV, 128]` the output before norm and gate.
    pub core: Vec<f32>,
}

impl Scratch {
    /// All tensors with the names of their buffers, in the order of the kernels' bindings.
    pub fn tensors(&self) -> [(&'static str, &[f32]); 11] {
        [
            ("q_hat", &self.q_hat),
            ("k_hat", &self.k_hat),
            ("v_act", &self.v_act),
            ("beta", &self.beta),
            ("log_alpha", &self.log_alpha),
            ("gamma", &self.gamma),
            ("w", &self.w),
            ("u", &self.u),
            ("attention", &self.attention),
            ("residual", &self.residual),
            ("core", &self.core),
        ]
    }
}

impl PartialEq for Scratch {
    fn eq(&self, other: &Self) -> bool {
        self.tensors().into_iter().zip(other.tensors()).all(|((_, ours), (_, theirs))| same_bits(ours, theirs))
    }
}

impl Eq for Scratch {}

fn same_bits(ours: &[f32], theirs: &[f32]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| ours.to_bits() == theirs.to_bits())
}
