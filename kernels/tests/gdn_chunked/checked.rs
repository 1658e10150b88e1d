//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs as Demanded, Verdict};
use gridproof_kernels::gdn_chunked::{Options, Variant, expectation, launch, parse_shape};
use gridproof_launch::{Arithmetic, Buffer, Denormals, Launch};
use gridproof_reference::gdn_chunked::{Outputs, Problem, Scratch, model};
use gridproof_simulator::finding::{Finding, Severity};
use gridproof_simulator::{Config, Image, Outcome, prove};

/// A launch, and what it is of.
pub struct Case {
    pub problem: Problem,
    pub variant: Variant,
    pub options: Options,
    pub launch: Launch,
    pub config: Config,
}

impl Case {
    /// The launch that `--shape` and the variant ask for.
    pub fn new(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let request = parse_shape(text, variant).map_err(|error| error.to_string())?;
        let problem = request.problem(7);
        let launch = launch(&problem, variant, options).map_err(|error| error.to_string())?;
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, launch, config })
    }

    /// What the model says.
    pub fn model(&self) -> (Outputs, Scratch) {
        model::run_with_scratch(&self.problem, self.variant.path(), self.options.arithmetic)
    }

    /// Proves the launch, and compares findings and buffers with what is demanded.
    pub fn check(&self) -> Result<Outcome, String> {
        let outcome = prove(&self.launch, &self.config).map_err(|error| error.to_string())?;
        let demanded = expectation(&self.problem, self.variant);
        let found = rules(&outcome);
        let wanted: BTreeSet<_> =
            demanded.findings.iter().map(|finding| (finding.rule, finding.place.to_owned())).collect();
        if found != wanted {
            return Err(format!("found {found:?}, demanded {wanted:?}"));
        }
        let verdict = if found.is_empty() { Verdict::RaceFree } else { Verdict::Racy };
        if verdict != demanded.verdict {
            return Err(format!("the verdict is {}, demanded {}", verdict.name(), demanded.verdict.name()));
        }
        if let Some(finding) = outcome.findings.iter().find(|finding| !counts(finding)) {
            return Err(format!("a warning that nobody declared: {finding:?}"));
        }
        if outcome.exhausted.is_some() || outcome.findings_dropped > 0 || !outcome.decides_every_schedule {
            return Err("the proof is incomplete".to_owned());
        }
        let wrong = self.differences(&outcome);
        match demanded.outputs {
            Demanded::NotStated => Ok(outcome),
            Demanded::Right if wrong.is_empty() => Ok(outcome),
            Demanded::Right => Err(format!("not as the model says: {}", wrong.join("; "))),
            Demanded::Wrong => Err("no variant is wrong in every order".to_owned()),
        }
    }

    /// The buffers that are not what they were with the model's tensors put in, outputs and what the kernels hand to each
    /// other.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let (outputs, scratch) = self.model();
        let compare = |(buffer, image): (&Buffer, &Image)| {
            let mut expected = Image::new(buffer);
            self.put(&mut expected, &buffer.name, &outputs, &scratch);
            let (count, first) = expected.difference(image);
            first.map(|first| format!("`{}`: {count} bytes differ, the first at {first}", buffer.name))
        };
        self.launch.buffers.iter().zip(&outcome.buffers).filter_map(compare).collect()
    }

    /// Puts what the model says into a buffer, as far as a launch writes it.
    fn put(&self, image: &mut Image, name: &str, outputs: &Outputs, scratch: &Scratch) {
        let shape = self.problem.shape();
        if name == "attention" {
            let (heads, columns) = (shape.hv() as usize, shape.c() as usize);
            for chunk in shape.chunks() {
                for (written, token) in (1..).zip(chunk.tokens) {
                    for row in token as usize * heads..(token as usize + 1) * heads {
                        let numbers = &scratch.attention[row * columns..][..written];
                        image.overwrite((row * columns * 4) as u64, &bytes(numbers));
                    }
                }
            }
            return;
        }
        let results = [("output", &outputs.output), ("conv_state", &outputs.conv_state), ("state", &outputs.state)];
        let results = results.into_iter().map(|(result, numbers)| (result, &numbers[..]));
        for (_, numbers) in results.chain(scratch.tensors()).filter(|(tensor, _)| *tensor == name) {
            image.overwrite(0, &bytes(numbers));
        }
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Rules and places of what makes the launch wrong.
pub fn rules(outcome: &Outcome) -> BTreeSet<(&'static str, String)> {
    let wrong = outcome.findings.iter().filter(|finding| counts(finding));
    wrong.map(|finding| (finding.rule.code(), finding.first.buffer.clone())).collect()
}

fn counts(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !finding.benign && finding.declared.is_none()
}

/// The four arithmetic profiles.
pub const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED },
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::SEPARATE },
];

/// Sizes of subgroups, from the narrowest that four lanes of a row fit in to the whole workgroup.
pub const SUBGROUPS: [u32; 6] = [4, 8, 16, 32, 64, 128];
