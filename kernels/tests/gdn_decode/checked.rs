//! One launch of the kernel: proved, compared with its expectation, and every byte with the model.

#[path = "../support/launched.rs"]
mod launched;

use std::collections::BTreeMap;

use gridproof_kernels::gdn_decode::{Choice, Options, Reduction, Variant, choose, expectation, launch, parse_shape};
use gridproof_launch::Launch;
use gridproof_reference::gdn_decode::model::{self, Outputs};
use gridproof_reference::gdn_decode::{Path, Problem};
use gridproof_simulator::finding::Finding;
use gridproof_simulator::{Config, Outcome};
use launched::{Patch, Stretch, differences, outputs_as_demanded, proved, touch};

pub use launched::{PROFILES, rules};

/// A launch, and what it is of.
pub struct Case {
    pub problem: Problem,
    pub variant: Variant,
    pub options: Options,
    pub choice: Choice,
    /// Made so that every write to an output shows.
    pub launch: Launch,
    pub config: Config,
}

impl Case {
    /// The launch that `--shape` and the variant ask for. Subgroups of less than 32 invocations take the reduction
    /// through workgroup memory.
    pub fn new(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let request = parse_shape(text, variant).map_err(|error| error.to_string())?;
        let problem = request.problem(7).map_err(|error| error.to_string())?;
        let options = Options { tile_v: request.tile_v, ..options };
        Self::of(problem, variant, options, subgroup_size)
    }

    /// The launch of a problem.
    pub fn of(problem: Problem, variant: Variant, options: Options, subgroup_size: u32) -> Result<Self, String> {
        let reduction = if subgroup_size < 32 { Reduction::Workgroup } else { Reduction::Subgroup };
        let options = Options { reduction, ..options };
        let choice = choose(problem.shape(), variant, options).map_err(|error| error.to_string())?;
        let mut launch = launch(&problem, variant, options).map_err(|error| error.to_string())?;
        touch(&mut launch, &[]);
        let config = Config { subgroup_size, arithmetic: options.arithmetic, ..Config::default() };
        Ok(Self { problem, variant, options, choice, launch, config })
    }

    /// What the model says.
    pub fn model(&self) -> Outputs {
        model::run(&self.problem, self.choice.path, self.options.arithmetic)
    }

    /// Proves the launch as `compile` makes it, and compares findings and outputs with what is demanded.
    pub fn check(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        let outcome = self.check_findings(compile)?;
        outputs_as_demanded(&expectation(&self.problem, self.variant, self.options), &self.differences(&outcome))?;
        Ok(outcome)
    }

    /// As [`Case::check`], without a look at the outputs.
    pub fn check_findings(&self, compile: impl Fn(&Launch) -> Result<Launch, String>) -> Result<Outcome, String> {
        proved(
            &compile(&self.launch)?,
            &self.config,
            &expectation(&self.problem, self.variant, self.options),
            |finding| self.is_null_slot(finding),
        )
    }

    /// Whether the finding is on the null slot, declared, and of a launch with requests without a slot.
    fn is_null_slot(&self, finding: &Finding) -> bool {
        let site = &finding.first;
        let inside = i128::from(self.problem.shape().slot_bytes());
        let inputs = self.problem.inputs();
        let mut indices = inputs.read_indices.iter().chain(&inputs.write_indices);
        let declared = finding.declared.as_ref().is_some_and(|reason| reason.contains("null slot"));
        declared && site.buffer == "state_pool" && site.byte_offset < inside && indices.any(|index| *index < 0)
    }

    /// The buffers that are not what they were with the model's outputs put in, as far as these are specified.
    pub fn differences(&self, outcome: &Outcome) -> Vec<String> {
        differences(&self.launch, outcome, (self.patches(&self.model()), self.unspecified()), &[])
    }

    fn patches(&self, model: &Outputs) -> Vec<Patch> {
        let shape = self.problem.shape();
        let row = u64::from(shape.steps()) * shape.slot_bytes();
        let states =
            model.states.iter().map(|(slot, bytes)| ("state_pool", slot * shape.stride_bytes(), bytes.clone()));
        let cached = model.intermediate.iter();
        let cached = cached.map(|(request, bytes)| ("intermediate_states", u64::from(*request) * row, bytes.clone()));
        let of_request = self.output_bytes();
        let rows = model.output.chunks(usize::try_from(of_request).unwrap_or(usize::MAX));
        let rows = (0..).zip(rows).map(|(request, rows)| ("output", request * of_request, rows.to_vec()));
        rows.chain(states).chain(cached).collect()
    }

    /// Bytes of the output of one request.
    fn output_bytes(&self) -> u64 {
        let shape = self.problem.shape();
        u64::from(shape.t()) * u64::from(shape.hv()) * 256
    }

    /// What has no right value: buffer, offset and length in bytes.
    fn unspecified(&self) -> Vec<Stretch> {
        let shape = self.problem.shape();
        let tokens = u64::from(shape.t());
        let output = self.output_bytes();
        let slots = self.problem.unspecified_slots().into_iter();
        let mut all: Vec<_> =
            slots.map(|slot| ("state_pool", slot * shape.stride_bytes(), shape.slot_bytes())).collect();
        for request in self.problem.unspecified_requests().into_iter().map(u64::from) {
            all.push(("output", request * output, output));
            if shape.cache_intermediate() {
                let row = u64::from(shape.steps()) * shape.slot_bytes();
                all.push(("intermediate_states", request * row, tokens * shape.slot_bytes()));
            }
        }
        all
    }
}

/// Small shapes that every kernel and language must have the model's bits at: kernel, shape.
pub fn cases() -> Vec<(Variant, String)> {
    let mut cases: BTreeMap<String, (Variant, String)> = BTreeMap::new();
    let mut add = |variant: Variant, text: String| cases.insert(format!("{} {text}", variant.name()), (variant, text));
    for variant in [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose] {
        let (tiles, state): (&[u32], _) = match variant {
            Variant::WideVec => (Path::WideVec.tiles(), "bf16"),
            Variant::Ilp4 => (Path::Ilp4.tiles(), "bf16"),
            _ => (Path::Pretranspose.tiles(), "f32"),
        };
        let mut add = |text: String| add(variant, format!("state={state},{text}"));
        for tile in tiles {
            add(format!("b=1,h=1,hv=2,t=2,cache=1,tile={tile}"));
            add(format!("b=1,h=1,hv=1,t=1,tile={tile}"));
        }
        for t in 1..=8 {
            add(format!("b=1,h=1,hv=2,t={t},cache=1"));
        }
        for (update, cache) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            add(format!("b=2,h=2,hv=2,t=3,update={update},cache={cache},slot=5+2"));
            add(format!("b=2,h=1,hv=1,t=2,update={update},cache={cache},slot=-1+2,write=4+-1"));
        }
        for text in [
            // Grouped heads, also in groups of three.
            "b=1,h=2,hv=4,t=1",
            "b=1,h=1,hv=3,t=2",
            "b=1,h=2,hv=6,t=1",
            // Split pools, and slots in the upper half of the pool.
            "b=3,h=1,hv=2,slot=1+2+3,write=4+5+6",
            "b=2,h=1,hv=2,slot=7+4,write=7+4,cache=1",
            // Two requests that read one slot and write two.
            "b=2,h=1,hv=2,slot=3+3,write=4+5",
            // Padded slots, and more room than tokens.
            "b=2,h=1,hv=2,stride=32776,slot=3+5,write=6+1",
            "b=2,h=1,hv=2,stride=49152,slot=3+5,t=2,cache=1",
            "b=2,h=1,hv=2,t=2,steps=5,cache=1",
            "b=3,h=1,hv=1,t=1,steps=3,cache=1,update=0",
            // No slot: all, the first, the last; only to read, only to write.
            "b=2,h=1,hv=2,slot=-1,cache=1",
            "b=3,h=1,hv=1,slot=-1+2+-7,write=-1+2+-3,t=2,cache=1",
            "b=2,h=1,hv=2,slot=4+-1,write=4+-1",
            "b=2,h=1,hv=2,slot=-1+-1,write=3+4",
            "b=2,h=1,hv=2,slot=3+4,write=-1+-1",
            "b=2,h=1,hv=2,slot=3+-1,write=-1+4,stride=40960",
            // An odd number of gates.
            "b=3,h=1,hv=1,t=1",
            // Gates at which softplus formulas go wrong.
            "b=2,h=1,hv=4,t=2,gates=extreme",
        ] {
            add(text.to_owned());
        }
    }
    add(Variant::Pretranspose, "b=2,h=1,hv=2,slot=0+1".to_owned());
    add(Variant::Pretranspose, "b=2,h=1,hv=2,slot=1+0,write=0+1,check=0,update=0".to_owned());
    add(Variant::Auto, "b=1,h=1,hv=2".to_owned());
    add(Variant::Auto, "b=1,h=1,hv=2,state=f32".to_owned());
    cases.into_values().collect()
}
