//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_kernels::catalogue::{Outputs as Demanded, Verdict};
use gridproof_kernels::conv1d_qkv_split::{Options, Variant, expectation, launch, parse_shape};
use gridproof_launch::{Arithmetic, Buffer, Contents, Denormals, Fill, Launch};
use gridproof_reference::conv1d_qkv_split::model;
use gridproof_reference::conv1d_qkv_split::{Outputs, Problem, Tensor};
use gridproof_simulator::finding::{Finding, Severity};
use gridproof_simulator::{Config, Image, Outcome, prove};

/// What nobody has written yet, in the outputs that start uninitialised: a byte that no result is made of alone.
const UNTOUCHED: u8 = 0xa5;

/// A launch, and what it is of.
pub struct Case {
    pub problem: Problem,
    pub variant: Variant,
    pub options: Options,
    /// With [`UNTOUCHED`] bytes in the place of uninitialised outputs, so that every write shows.
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
        for buffer in launch.buffers.iter_mut().filter(|buffer| buffer.output) {
            if let Contents::Virtual { fill: fill @ Fill::Uninitialised, .. } = &mut buffer.contents {
                *fill = Fill::Byte(UNTOUCHED);
            }
        }
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, launch, config })
    }

    /// Proves the launch as `compile` makes it, and compares findings and outputs with what is demanded.
    pub fn check(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        let outcome = self.check_findings(compile)?;
        let wrong = self.differences(&outcome);
        match (expectation(&self.problem, self.variant).outputs, wrong.is_empty()) {
            (Demanded::Right, true) | (Demanded::Wrong, false) | (Demanded::NotStated, _) => Ok(outcome),
            (Demanded::Right, false) => Err(format!("not as the model says: {}", wrong.join("; "))),
            (Demanded::Wrong, true) => Err("as the model says, where it should not be".to_owned()),
        }
    }

    /// As [`Case::check`], without a look at the outputs.
    pub fn check_findings(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        let outcome = prove(&compile(&self.launch)?, &self.config).map_err(|error| error.to_string())?;
        let demanded = expectation(&self.problem, self.variant);
        let found = rules(&outcome);
        let wanted: BTreeSet<_> =
            demanded.findings.iter().map(|finding| (finding.rule, finding.place.to_owned())).collect();
        if found != wanted {
            return Err(format!("found {found:?}, demanded {wanted:?}"));
        }
        let racy = found.iter().any(|(rule, _)| matches!(*rule, "GP0001" | "GP0002"));
        let verdict = match (found.is_empty(), racy) {
            (true, _) => Verdict::RaceFree,
            (false, true) => Verdict::Racy,
            (false, false) => Verdict::Faulty,
        };
        if verdict != demanded.verdict {
            return Err(format!("the verdict is {}, demanded {}", verdict.name(), demanded.verdict.name()));
        }
        // A write that happens to leave what was there is a benign part of a race: fine beside the race itself.
        let explained = |finding: &Finding| {
            let site = (finding.rule.code(), finding.first.buffer.clone());
            counts(finding) || (finding.benign && wanted.contains(&site))
        };
        if let Some(finding) = outcome.findings.iter().find(|finding| !explained(finding)) {
            return Err(format!("a warning that nobody declared: {finding:?}"));
        }
        if outcome.exhausted.is_some() || outcome.findings_dropped > 0 || !outcome.decides_every_schedule {
            return Err("the proof is incomplete".to_owned());
        }
        Ok(outcome)
    }

    /// The buffers that are not what they were with the model's outputs put in, as far as these are specified.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut patches = self.patches(&model::run(&self.problem, self.options.arithmetic));
        for (buffer, offset, length) in self.unspecified() {
            let id = self.launch.buffers.iter().position(|other| other.name == buffer).unwrap_or_default();
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            outcome.buffers[id].read(offset, &mut bytes);
            patches.push((buffer, offset, bytes));
        }
        let compare = |(buffer, image): (&Buffer, &Image)| {
            let mut buffer = buffer.clone();
            for (_, offset, bytes) in patches.iter().filter(|(name, ..)| *name == buffer.name) {
                put(&mut buffer.contents, *offset, bytes);
            }
            let (count, first) = Image::new(&buffer).difference(image);
            first.map(|first| format!("`{}`: {count} bytes differ, the first at {first}", buffer.name))
        };
        let buffers = self.launch.buffers.iter().zip(&outcome.buffers);
        // What is left in the staging buffer is nobody's business.
        buffers.filter(|(buffer, _)| buffer.name != "staging").filter_map(compare).collect()
    }

    /// The rows of the sequences that are not padded, and the states that are left.
    fn patches(&self, model: &Outputs) -> Vec<(&'static str, u64, Vec<u8>)> {
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
    fn unspecified(&self) -> Vec<(&'static str, u64, u64)> {
        let shape = self.problem.shape();
        let mut writers: BTreeMap<u64, u32> = BTreeMap::new();
        for sequence in self.problem.computed().filter(|&sequence| shape.length(sequence) > 0) {
            *writers.entry(self.problem.slot(sequence).unwrap_or_default()).or_default() += 1;
        }
        let shared = writers.into_iter().filter(|&(slot, writers)| writers > 1 && slot < shape.slots());
        shared.map(|(slot, _)| ("conv_state", slot * shape.state_bytes(), shape.state_bytes())).collect()
    }
}

/// Puts bytes into initial contents. Where there are patches, one at this offset is replaced.
fn put(contents: &mut Contents, offset: u64, bytes: &[u8]) {
    match contents {
        Contents::Dense(dense) => {
            let mut changed = dense.to_vec();
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            changed[start..start + bytes.len()].copy_from_slice(bytes);
            *dense = changed.into();
        }
        Contents::Virtual { patches, .. } => {
            patches.insert(offset, bytes.into());
        }
    }
}

/// Rules and places of what makes the launch wrong.
pub fn rules(outcome: &Outcome) -> BTreeSet<(&'static str, String)> {
    let wrong = outcome.findings.iter().filter(|finding| counts(finding));
    wrong.map(|finding| (finding.rule.code(), finding.first.buffer.clone())).collect()
}

fn counts(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !finding.benign && finding.declared.is_none()
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

/// The four arithmetic profiles, fused and separate in turns.
pub const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED },
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::SEPARATE },
];
