//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

#[path = "../comparison/launched.rs"]
mod launched;

use std::collections::BTreeMap;

use gridproof_kernels::conv1d_qkv_split::{Options, Variant, expectation, launch, parse_shape};
use gridproof_launch::Launch;
use gridproof_reference::conv1d_qkv_split::model;
use gridproof_reference::conv1d_qkv_split::{Outputs, Problem, Tensor};
use gridproof_simulator::{Config, Outcome};
use launched::{Patch, Stretch, differences, outputs_as_demanded, proved, touch};

pub use launched::{PROFILES, rules};

/// Buffers between two dispatches.
const SCRATCH: [&str; 1] = ["staging"];

/// A launch, and what it is of.
pub struct Case {
    pub problem: Problem,
    pub variant: Variant,
    pub options: Options,
    /// Made so that every write to an output shows.
    pub launch: Launch,
    pub config: Config,
}

impl Case {
    /// The launch that `--shape` and the variant ask for.
    pub fn new(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let request = parse_shape(text, variant).map_err(|error| error.to_string())?;
        let problem = request.problem(7).map_err(|error| error.to_string())?;
        Self::of(problem, variant, options, subgroup_size)
    }

    /// The launch of a problem.
    pub fn of(problem: Problem, variant: Variant, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let mut launch = launch(&problem, variant, options).map_err(|error| error.to_string())?;
        touch(&mut launch, &SCRATCH);
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, launch, config })
    }

    /// Proves the launch as `compile` makes it, and compares findings and outputs with what is demanded.
    pub fn check(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        let outcome = self.check_findings(compile)?;
        outputs_as_demanded(
            &expectation(&self.problem, self.variant, self.options.language),
            &self.differences(&outcome),
        )?;
        Ok(outcome)
    }

    /// As [`Case::check`], without a look at the outputs.
    pub fn check_findings(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        proved(
            &compile(&self.launch)?,
            &self.config,
            &expectation(&self.problem, self.variant, self.options.language),
            |_| false,
        )
    }

    /// The buffers that are not what they were with the model's outputs put in, as far as these are specified.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        differences(
            &self.launch,
            outcome,
            (self.patches(&model::run(&self.problem, self.options.arithmetic)), self.unspecified()),
            &SCRATCH,
        )
    }

    /// The rows of the sequences that are not padded, and the states that are left.
    fn patches(&self, model: &Outputs) -> Vec<Patch> {
        let shape = self.problem.shape();
        let states = model.states.iter().map(|(slot, bytes)| ("conv_state", slot * shape.state_bytes(), bytes.clone()));
        let mut patches: Vec<_> = states.collect();
        for tensor in Tensor::ALL {
            let row = shape.channels(tensor).len() * 2;
            for rows in self.problem.computed().map(|sequence| shape.rows(sequence)) {
                let (start, end) = (rows.start as usize * row, rows.end as usize * row);
                patches.push((tensor.name(), start as u64, model.tensor(tensor)[start..end].to_vec()));
            }
        }
        patches
    }

    /// What has no right value: slots that several sequences write. Buffer, offset and length in bytes.
    fn unspecified(&self) -> Vec<Stretch> {
        let shape = self.problem.shape();
        let mut writers: BTreeMap<u64, u32> = BTreeMap::new();
        for sequence in self.problem.computed().filter(|&sequence| shape.length(sequence) > 0) {
            *writers.entry(self.problem.slot(sequence).unwrap_or_default()).or_default() += 1;
        }
        let shared = writers.into_iter().filter(|&(slot, writers)| writers > 1 && slot < shape.slots());
        shared.map(|(slot, _)| ("conv_state", slot * shape.state_bytes(), shape.state_bytes())).collect()
    }
}

/// Sizes and sequences at which both languages must have the model's bits, with every width, type and bias.
const SEQUENCES: [&str; 9] = [
    // Every length by itself, and with others around it.
    "q=6,k=10,v=8,lens=0+1+2+3+7+8+9",
    "q=6,k=10,v=8,lens=9+8+7+3+2+1+0,init=0",
    "q=128,k=128,v=256,lens=1+256,init=1+0",
    "q=2,k=2,v=2,lens=1,slot=7",
    "q=2,k=4,v=250,lens=2",
    "q=100,k=30,v=200,lens=3,init=0",
    // Padded sequences, with tokens and without, and a padded row.
    "q=6,k=10,v=8,lens=9+3+0+8+2,slot=-1+4+-1+0+-1,init=1+0+1+1+0,stride=32",
    "q=254,k=4,v=62,lens=5+17+1,slot=-1+2+1,stride=322",
    // Blocks that belong to one tensor each.
    "q=256,k=256,v=264,lens=2+9+16,init=0+1+1",
];

/// Small shapes that every kernel and language must have the model's bits at.
pub fn cases() -> Vec<(Variant, String)> {
    let mut cases = Vec::new();
    for (number, sequences) in SEQUENCES.iter().enumerate() {
        for width in 2..=4 {
            for dtype in ["bf16", "f16"] {
                for bias in 0..=1 {
                    let text = format!("{sequences},width={width},dtype={dtype},bias={bias}");
                    let others = [Variant::Sequential, Variant::Auto];
                    cases.push((Variant::Fused, text.clone()));
                    cases.push((others[(number + width + bias) % 2], text));
                }
            }
        }
    }
    cases.push((Variant::FusedBlockRouted, "q=256,k=256,v=264,lens=2+9+16,init=0+1+1".to_owned()));
    cases
}
