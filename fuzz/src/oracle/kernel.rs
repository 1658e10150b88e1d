//! Drawn kernels: two languages and the tree itself agree on every bit; clean ones are clean, planted races are found at
//! their two lines and nowhere else.

use std::collections::BTreeSet;

use gridproof_conformance::check::verdict;
use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, LaunchError, Module, Source, Tensor};
use gridproof_report::model::Verdict;
use gridproof_simulator::{Config, Grain, Outcome, Policy, prove_covered};

use super::catalogue::same_as;
use super::{Bench, Property, Trial, fails, skipped};
use crate::input::Kernel;
use crate::input::kernel::{INPUTS, Lines, OUTPUTS, Plant, meaning, ptx, wgsl};

pub(super) fn check(bench: &Bench, kernel: &Kernel) -> Result<(), Trial> {
    let wanted = meaning::outputs(kernel);
    let (wgsl, ptx) = (wgsl::text(kernel), ptx::text(kernel));
    let sources = [
        ("wgsl", Source::Wgsl(wgsl.text.into()), wgsl.race, kernel.subgroup_size),
        ("ptx", Source::Ptx(ptx.text.into()), ptx.race, 32),
    ];
    for (language, source, race, subgroup_size) in sources {
        let refused = |message: String| fails(Property::Refused, format!("{language} kernel"), message);
        let launch = launch(kernel, language, source).map_err(|error| refused(error.to_string()))?;
        let config = Config { subgroup_size, ..bench.config() };
        let proof = prove_covered(&launch, &config, &bench.coverage, Grain::Kind);
        let proof = proof.map_err(|error| refused(error.to_string()))?;
        if proof.exhausted.is_some() {
            return Err(skipped("a budget ran out"));
        }
        judge(kernel, language, race, &proof)?;
        compare(language, &wanted, &proof)?;
        if kernel.plant.is_none() {
            let (seed, slots) = kernel.schedule;
            let policy = Policy::Bounded { slots, seed };
            same_as(bench, (&policy, &format!("{language} kernel")), &launch, &config, &proof, Grain::Kind)?;
        }
    }
    Ok(())
}

/// The launch of a drawn kernel in one language.
pub(crate) fn launch(kernel: &Kernel, language: &str, source: Source) -> Result<Launch, LaunchError> {
    let mut launch = Launch::default();
    let is_ptx = matches!(source, Source::Ptx(_));
    let module = launch.add_module(Module::new(format!("kernel.{language}"), source));
    let input: Vec<u8> = kernel.input.iter().flat_map(|word| word.to_le_bytes()).collect();
    let outputs = u64::from(kernel.groups * kernel.size * OUTPUTS);
    let buffers = [
        Buffer::from_tensor(Tensor::dense("input", DType::U32, [u64::from(INPUTS)], input)?),
        Buffer::filled("output", DType::U32, [outputs], Fill::Byte(0))?.as_output(),
        Buffer::filled("meeting", DType::U32, [1], Fill::Byte(0))?,
    ];
    let mut dispatch = Dispatch::new(module, "main", [kernel.groups, 1, 1]);
    dispatch.workgroup = is_ptx.then_some([kernel.size, 1, 1]);
    for buffer in buffers {
        let id = launch.add_buffer(buffer);
        let buffer = &launch.buffers[id.0];
        dispatch.arguments.push(Argument::buffer(&buffer.name, id, buffer));
    }
    launch.dispatches.push(dispatch);
    Ok(launch)
}

fn judge(kernel: &Kernel, language: &str, race: Option<Lines>, proof: &Outcome) -> Result<(), Trial> {
    let rule = match kernel.plant {
        Some(Plant::Tile) => "GP0002",
        Some(Plant::Workgroups) => "GP0001",
        None => "nothing",
    };
    let found: BTreeSet<(&str, u32, u32)> = proof
        .findings
        .iter()
        .map(|finding| {
            let (one, other) = (finding.first.span.line, finding.second.as_ref().map_or(0, |second| second.span.line));
            (finding.rule.code(), one.min(other), one.max(other))
        })
        .collect();
    let wanted: BTreeSet<(&str, u32, u32)> = race.map(|[one, other]| (rule, one, other)).into_iter().collect();
    let said = verdict(proof);
    let right = if race.is_some() { said == Verdict::Racy } else { said == Verdict::RaceFree };
    if found == wanted && right {
        return Ok(());
    }
    let message = format!("{}, found {found:?}, planted {wanted:?}", said.word());
    Err(fails(Property::Verdict, format!("{language} kernel with {rule}"), message))
}

fn compare(language: &str, wanted: &[u32], proof: &Outcome) -> Result<(), Trial> {
    let bytes = proof.buffers.get(1).map(gridproof_simulator::Image::to_vec).unwrap_or_default();
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    if words == wanted {
        return Ok(());
    }
    let place = words.iter().zip(wanted).position(|(one, other)| one != other).unwrap_or(0);
    let value = |all: &[u32]| all.get(place).map_or_else(|| "nothing".to_owned(), |word| format!("0x{word:08x}"));
    let message = format!("output[{place}] is {}, the tree says {}", value(&words), value(wanted));
    Err(fails(Property::Languages, format!("{language} kernel"), message))
}
