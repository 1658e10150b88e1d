//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs as Demanded, Verdict};
use gridproof_kernels::gdn_conv_fused::{Options, Reduction, Variant, expectation, launch, parse_shape};
use gridproof_launch::{Arithmetic, Contents, Denormals, Fill, Launch};
use gridproof_reference::gdn_conv_fused::{Outputs, Problem, model};
use gridproof_simulator::finding::{Finding, Rule, Severity};
use gridproof_simulator::{Config, Image, Outcome, prove};

/// What nobody has written yet, in the buffers that start uninitialised: a byte that no result is made of alone.
const UNTOUCHED: u8 = 0xa5;

/// A launch, and what it is of.
pub struct Case {
    pub problem: Problem,
    pub variant: Variant,
    pub options: Options,
    /// With [`UNTOUCHED`] bytes in the place of uninitialised ones, so that every write shows.
    pub launch: Launch,
    pub config: Config,
}

impl Case {
    /// The launch that `--shape` and the variant ask for, with pools of 4 slots where the text does not say. Subgroups of
    /// less than 8 invocations take the reduction through workgroup memory.
    pub fn new(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let text = if text.contains("pool=") { text.to_owned() } else { format!("{text},pool=4") };
        let request = parse_shape(&text, variant).map_err(|error| error.to_string())?;
        let problem = request.problem(7).map_err(|error| error.to_string())?;
        Self::of(problem, variant, options, subgroup_size)
    }

    /// The launch of a problem.
    pub fn of(problem: Problem, variant: Variant, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let reduction = if subgroup_size < 8 { Reduction::Workgroup } else { options.reduction };
        let options = Options { reduction, ..options };
        let mut launch = launch(&problem, variant, options).map_err(|error| error.to_string())?;
        for buffer in &mut launch.buffers {
            if let Contents::Virtual { fill: fill @ Fill::Uninitialised, .. } = &mut buffer.contents {
                *fill = Fill::Byte(UNTOUCHED);
            }
        }
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, launch, config })
    }

    /// What the model says.
    pub fn model(&self) -> Outputs {
        model::run(&self.problem, self.options.arithmetic)
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
        // All workgroups of a request write the same z. Elsewhere, a write that happens to leave what was there is a
        // benign part of a race: fine beside the race itself.
        let explained = |finding: &Finding| {
            let site = (finding.rule.code(), finding.first.buffer.clone());
            counts(finding) || (finding.benign && (is_copy_of_z(finding) || wanted.contains(&site)))
        };
        if let Some(finding) = outcome.findings.iter().find(|finding| !explained(finding)) {
            return Err(format!("a warning that nobody declared: {finding:?}"));
        }
        let copied = outcome.findings.iter().any(|finding| finding.benign && is_copy_of_z(finding));
        let shared = wanted.contains(&("GP0001", "z_out".to_owned())) || self.problem.shape().hv() > 1;
        if shared && !copied && !found.iter().any(|(_, place)| place == "z_out") {
            return Err("z is copied by every head, and nothing says so".to_owned());
        }
        if outcome.exhausted.is_some() || outcome.findings_dropped > 0 || !outcome.decides_every_schedule {
            return Err("the proof is incomplete".to_owned());
        }
        Ok(outcome)
    }

    /// The buffers that are not what they were with the model's outputs put in, as far as these are specified: what
    /// requests with one slot leave there is not.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut patches = self.patches(&self.model());
        for (buffer, offset, length) in self.unspecified() {
            let id = self.launch.buffers.iter().position(|other| other.name == buffer).unwrap_or_default();
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            outcome.buffers[id].read(offset, &mut bytes);
            patches.push((buffer, offset, bytes));
        }
        let compare = |(buffer, image): (&gridproof_launch::Buffer, &Image)| {
            let mut buffer = buffer.clone();
            for (_, offset, bytes) in patches.iter().filter(|(name, ..)| *name == buffer.name) {
                put(&mut buffer.contents, *offset, bytes);
            }
            let (count, first) = Image::new(&buffer).difference(image);
            first.map(|first| format!("`{}`: {count} bytes differ, the first at {first}", buffer.name))
        };
        self.launch.buffers.iter().zip(&outcome.buffers).filter_map(compare).collect()
    }

    fn patches(&self, model: &Outputs) -> Vec<(&'static str, u64, Vec<u8>)> {
        let shape = self.problem.shape();
        let pools = [
            ("conv_state", shape.conv_slot_bytes(), &model.conv_states),
            ("ssm_state", shape.ssm_slot_bytes(), &model.ssm_states),
        ];
        let states = pools.into_iter().flat_map(|(name, of_slot, states)| {
            states.iter().map(move |(slot, bytes)| (name, slot * of_slot, bytes.clone()))
        });
        let rows = [("output", 0, model.output.clone()), ("z_out", 0, model.z_out.clone())];
        rows.into_iter().chain(states).collect()
    }

    /// The slots with more than one request: buffer, offset and length in bytes.
    fn unspecified(&self) -> Vec<(&'static str, u64, u64)> {
        let shape = self.problem.shape();
        let pools = [("conv_state", shape.conv_slot_bytes()), ("ssm_state", shape.ssm_slot_bytes())];
        let shared = self.problem.unspecified_slots().into_iter();
        shared.flat_map(|slot| pools.map(|(name, of_slot)| (name, slot * of_slot, of_slot))).collect()
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

fn is_copy_of_z(finding: &Finding) -> bool {
    finding.rule == Rule::CrossWorkgroupRace && finding.first.buffer == "z_out"
}

/// A shape of the catalogue as it stands there: without the pools that [`Case::new`] puts in.
pub fn of_catalogue(text: &str) -> String {
    if text.contains("pool=") { text.to_owned() } else { format!("{text},pool=auto") }
}

/// Key and value heads as in production, whole and per rank, one request or two, and odd ones.
pub const HEADS: &[(u32, u32)] = &[
    (1, 1),
    (1, 2),
    (2, 2),
    (1, 3),
    (1, 4),
    (2, 4),
    (2, 6),
    (2, 8),
    (4, 8),
    (4, 12),
    (4, 16),
    (8, 16),
    (16, 16),
    (8, 24),
    (8, 32),
    (16, 32),
    (16, 48),
    (16, 64),
];

/// Small shapes at which every language must have the model's bits.
pub fn cases() -> Vec<String> {
    let mut cases = Vec::new();
    for layout in ["sequential", "interleaved"] {
        for (h, hv) in HEADS {
            let n = if *hv <= 8 { 2 } else { 1 };
            cases.push(format!("n={n},h={h},hv={hv},layout={layout},pool=3"));
        }
        for text in [
            // The last slots, and in disorder.
            "n=2,h=2,hv=4,slot=2",
            "n=3,h=1,hv=2,slot=3+0+2",
            // No slot: all, the first, one in the middle, the last.
            "n=2,h=2,hv=4,slot=-1",
            "n=2,h=2,hv=4,slot=-5+0",
            "n=3,h=1,hv=2,slot=1+-1+2",
            "n=1,h=8,hv=16,slot=-1",
            // Many requests of one head.
            "n=33,h=1,hv=1,pool=40,slot=5",
            // Gates at which softplus formulas go wrong.
            "n=2,h=1,hv=3,gates=extreme",
            "n=1,h=2,hv=8,gates=extreme",
        ] {
            cases.push(format!("{text},layout={layout}"));
        }
    }
    cases
}

/// The four arithmetic profiles.
pub const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED },
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::SEPARATE },
];
