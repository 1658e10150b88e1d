//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

#[path = "../support/launched.rs"]
mod launched;

use gridproof_kernels::gdn_conv_fused::{Options, Reduction, Variant, expectation, launch, parse_shape};
use gridproof_launch::Launch;
use gridproof_reference::gdn_conv_fused::{Outputs, Problem, model};
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::{Config, Outcome};
use launched::{Patch, Stretch, differences, outputs_as_demanded, proved, touch};

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
        touch(&mut launch, &[]);
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
        outputs_as_demanded(&expectation(&self.problem, self.variant), &self.differences(&outcome))?;
        Ok(outcome)
    }

    /// As [`Case::check`], without a look at the outputs.
    pub fn check_findings(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        // All workgroups of a request write the same z.
        let copies_z = |finding: &Finding| finding.benign && is_copy_of_z(finding);
        let outcome =
            proved(&compile(&self.launch)?, &self.config, &expectation(&self.problem, self.variant), copies_z)?;
        let found = rules(&outcome);
        let copied = outcome.findings.iter().any(copies_z);
        let shared = found.contains(&("GP0001", "z_out".to_owned())) || self.problem.shape().hv() > 1;
        if shared && !copied && !found.iter().any(|(_, place)| place == "z_out") {
            return Err("z is copied by every head, and nothing says so".to_owned());
        }
        Ok(outcome)
    }

    /// The buffers that are not what they were with the model's outputs put in, as far as these are specified: what
    /// requests with one slot leave there is not.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        differences(&self.launch, outcome, (self.patches(&self.model()), self.unspecified()), &[])
    }

    fn patches(&self, model: &Outputs) -> Vec<Patch> {
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
    fn unspecified(&self) -> Vec<Stretch> {
        let shape = self.problem.shape();
        let pools = [("conv_state", shape.conv_slot_bytes()), ("ssm_state", shape.ssm_slot_bytes())];
        let shared = self.problem.unspecified_slots().into_iter();
        shared.flat_map(|slot| pools.map(|(name, of_slot)| (name, slot * of_slot, of_slot))).collect()
    }
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
