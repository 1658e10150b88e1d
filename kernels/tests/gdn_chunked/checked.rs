//! One launch of the kernel: proved, compared with its expectation, and every byte with the model, outputs and what the
//! kernels hand to each other.

#[path = "../comparison/launched.rs"]
mod launched;

use gridproof_kernels::gdn_chunked::{Options, Variant, expectation, launch, parse_shape};
use gridproof_launch::Launch;
use gridproof_reference::gdn_chunked::{Outputs, Problem, Scratch, model};
use gridproof_simulator::{Config, Outcome};
use launched::{Patch, differences, outputs_as_demanded, proved, touch};

pub use launched::{PROFILES, rules};

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
        let problem = request.problem(7);
        let mut launch = launch(&problem, variant, options).map_err(|error| error.to_string())?;
        touch(&mut launch, &Scratch::default().tensors().map(|(name, _)| name));
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, launch, config })
    }

    /// What the model says.
    pub fn model(&self) -> (Outputs, Scratch) {
        model::run_with_scratch(&self.problem, self.variant.path(), self.options.arithmetic)
    }

    /// Proves the launch as `compile` makes it, and compares findings and buffers with what is demanded.
    pub fn check(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        let demanded = expectation(&self.problem, self.variant);
        let outcome = proved(&compile(&self.launch)?, &self.config, &demanded, |_| false)?;
        outputs_as_demanded(&demanded, &self.differences(&outcome))?;
        Ok(outcome)
    }

    /// The buffers that are not what they were with the model's tensors put in.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let (outputs, scratch) = self.model();
        differences(&self.launch, outcome, (self.patches(&outputs, &scratch), vec![]), &[])
    }

    /// What a launch writes.
    fn patches(&self, outputs: &Outputs, scratch: &Scratch) -> Vec<Patch> {
        let results = [("output", &outputs.output), ("conv_state", &outputs.conv_state), ("state", &outputs.state)];
        let results = results.into_iter().map(|(name, numbers)| (name, &numbers[..]));
        let handed = scratch.tensors().into_iter().filter(|(name, _)| *name != "attention");
        let whole = results.chain(handed).filter(|(_, numbers)| !numbers.is_empty());
        whole.map(|(name, numbers)| (name, 0, bytes(numbers))).chain(self.scores(&scratch.attention)).collect()
    }

    /// Of `attention`, the elements up to each token's own.
    fn scores(&self, attention: &[f32]) -> Vec<Patch> {
        let shape = self.problem.shape();
        let (heads, columns) = (shape.hv() as usize, shape.c() as usize);
        let tokens = shape.chunks().flat_map(|chunk| (1..).zip(chunk.tokens));
        let rows = tokens.flat_map(|(written, token)| {
            let first = token as usize * heads;
            (first..first + heads).map(move |row| (row * columns, written))
        });
        let written = rows.filter_map(|(at, written)| Some((at, attention.get(at..at + written)?)));
        written.map(|(at, numbers)| ("attention", (at * 4) as u64, bytes(numbers))).collect()
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Small shapes at which every language must have the model's bits. Where two heads decay strongly, the second one hardly
/// does, so that what the state knows shows in every bit.
pub const SHAPES: [&str; 16] = [
    "t=1,decay=strong",
    "t=2,decay=strong",
    "t=4,decay=strong",
    "t=31,decay=strong",
    "t=32,decay=strong",
    "t=33,decay=strong",
    "t=18,hv=3,decay=strong,c=16",
    "t=65,hv=1,c=64",
    "t=18,hv=1,state=zero,c=16",
    // Sequences of other lengths end earlier: they have no chunk where the longest one has its last.
    "t=5,seqs=2",
    "t=1+20+3+16,decay=strong,c=16",
    "t=5,h=2,hv=2",
    "t=5,h=1,hv=3",
    "t=5,h=2,hv=4",
    "t=5,h=1,hv=1",
    "t=3,hv=1,d=640",
];
