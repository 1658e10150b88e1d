//! One cell: one case on one leg, and whether it agreed.

use gridproof_kernels::catalogue::Verdict;
use gridproof_launch::{Arithmetic, Buffer, DType, Language, Launch};
use gridproof_simulator::{Budget, Config, prove};

use super::adapter::Adapter;
use super::case_file::{Case, RefusedCase};
use crate::check;
use crate::cuda;
use crate::expected::verdict_mismatch;
use crate::family::{Instance, Making, NamedBytes, family};

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellResult {
    /// Everything agreed.
    Agreed,
    /// Something did not, and what.
    Disagreed(String),
    /// The leg cannot run this case, and why. Never a pass.
    Skipped(String),
}

impl From<Result<(), String>> for CellResult {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Disagreed, |()| Self::Agreed)
    }
}

/// The model against the f64 oracle.
pub(super) fn oracle(case: &Case) -> CellResult {
    let compare = || {
        let instance = instance(case, case.arithmetic, 32)?;
        let outputs = instance.reference.model();
        instance.reference.check_oracle(&outputs).map_err(|deviation| format!("the model is too far off: {deviation}"))
    };
    compare().into()
}

/// The simulator's race-free reading against the model, and its verdict against the demanded one.
pub(super) fn simulator(case: &Case, subgroup_size: u32) -> CellResult {
    simulated(case, subgroup_size, Language::Wgsl).into()
}

/// The same for the kernel in CUDA C++, whose subgroups have 32 invocations.
pub(super) fn ptx_simulator(case: &Case) -> CellResult {
    match cuda::unavailable() {
        Some(reason) => CellResult::Skipped(reason.to_string()),
        None => simulated(case, 32, Language::Cuda).into(),
    }
}

fn simulated(case: &Case, subgroup_size: u32, language: Language) -> Result<(), String> {
    let instance = made(case, case.arithmetic, subgroup_size, language)?;
    let config = Config { subgroup_size, arithmetic: case.arithmetic, threads: 1, ..Config::default() };
    let launch = cuda::compiled(&instance.launch).map_err(|error| error.to_string())?;
    let proof = prove(&launch, &config).map_err(|error| error.to_string())?;
    if let Some(exhausted) = &proof.exhausted {
        return Err(format!("the {} budget ran out", exhausted.budget));
    }
    if let Some(mismatch) = verdict_mismatch(&instance.expectation, check::verdict(&proof), &proof.findings) {
        return Err(mismatch);
    }
    let budget = Budget::default().memory;
    let bytes = |position: usize| {
        let image = &proof.buffers[position];
        (image.length() <= budget).then(|| image.to_vec())
    };
    compare_outputs(&launch, &instance.reference.model(), bytes)
}

/// A real adapter against the model, in the profile the adapter has.
pub(super) fn adapter(case: &Case, adapter: &Adapter) -> CellResult {
    let (arithmetic, subgroup_size) = match adapter.profile(case.arithmetic) {
        Ok(profile) => profile,
        Err(reason) => return CellResult::Skipped(reason),
    };
    let instance = match instance(case, arithmetic, subgroup_size) {
        Ok(instance) => instance,
        Err(reason) => return CellResult::Disagreed(reason),
    };
    if instance.expectation.verdict == Verdict::Racy {
        return CellResult::Skipped("a racy launch has no single right answer on a device".to_owned());
    }
    let compare = || {
        let mut buffers = adapter.run(&instance.launch)?;
        compare_outputs(&instance.launch, &instance.reference.model(), |position| buffers[position].take())
    };
    compare().into()
}

/// A shape that every variant must refuse with the same words.
pub(super) fn refused(case: &RefusedCase) -> CellResult {
    let refuse = || {
        let family = family(&case.kernel).ok_or_else(|| format!("unknown kernel `{}`", case.kernel))?;
        let making =
            Making { data_seed: 0, arithmetic: Arithmetic::FUSED, subgroup_size: 32, language: Language::Wgsl };
        for variant in family.kernel().variants {
            match family.instance(variant.name, &case.shape, &making) {
                Ok(_) => return Err(format!("{} accepts {}", variant.name, case.shape)),
                Err(said) if said.contains(&case.message) => {}
                Err(said) => return Err(format!("{} says `{said}`, expected `{}`", variant.name, case.message)),
            }
        }
        Ok(())
    };
    refuse().into()
}

fn instance(case: &Case, arithmetic: Arithmetic, subgroup_size: u32) -> Result<Instance, String> {
    made(case, arithmetic, subgroup_size, Language::Wgsl)
}

fn made(case: &Case, arithmetic: Arithmetic, subgroup_size: u32, language: Language) -> Result<Instance, String> {
    let family = family(&case.kernel).ok_or_else(|| format!("unknown kernel `{}`", case.kernel))?;
    let making = Making { data_seed: case.seed, arithmetic, subgroup_size, language };
    family.instance(&case.variant, &case.shape, &making)
}

/// Compares every output buffer with the model's, bit for bit.
fn compare_outputs(
    launch: &Launch,
    model: &[NamedBytes],
    mut bytes: impl FnMut(usize) -> Option<Vec<u8>>,
) -> Result<(), String> {
    let outputs: Vec<&str> = launch.buffers.iter().filter(|buffer| buffer.output).map(|buffer| &*buffer.name).collect();
    if outputs.len() != model.len() {
        return Err(format!("the launch has the outputs {}, the model {}", outputs.join(", "), model.len()));
    }
    for (name, expected) in model {
        let (id, buffer) = launch
            .buffer_named(name)
            .filter(|(_, buffer)| buffer.output)
            .ok_or_else(|| format!("no output `{name}`"))?;
        let actual = bytes(id.0).ok_or_else(|| format!("`{name}` was not read back"))?;
        compare_bytes(buffer, &actual, expected)?;
    }
    Ok(())
}

/// Compares elements as integers, so that no not-a-number and no zero of either sign is forgiven.
fn compare_bytes(buffer: &Buffer, actual: &[u8], expected: &[u8]) -> Result<(), String> {
    let name = &buffer.name;
    if actual.len() != expected.len() {
        return Err(format!("`{name}` has {} bytes, the model's has {}", actual.len(), expected.len()));
    }
    let size = usize::try_from(buffer.dtype.bits().div_ceil(8)).unwrap_or(1);
    let elements = actual.chunks(size).zip(expected.chunks(size)).enumerate();
    let mut wrong = elements.filter(|(_, (actual, expected))| actual != expected);
    let Some((element, (is, should))) = wrong.next() else { return Ok(()) };
    let unit = if buffer.dtype == DType::U4 { "byte " } else { "" };
    let others = wrong.count();
    Err(format!("{name}[{unit}{element}] is {}, the model says {}; {others} more differ", bits(is), bits(should)))
}

fn bits(element: &[u8]) -> String {
    let digits: String = element.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

#[cfg(test)]
mod tests {
    use gridproof_launch::Fill;

    use super::*;

    #[test]
    fn the_first_wrong_element_is_named_and_zeros_have_a_sign() {
        let buffer = Buffer::filled("x", DType::F16, [3], Fill::Byte(0)).unwrap();
        assert_eq!(compare_bytes(&buffer, &[0; 6], &[0; 6]), Ok(()));
        let said = compare_bytes(&buffer, &[0, 0, 0, 0x80, 1, 0], &[0; 6]).unwrap_err();
        assert_eq!(said, "x[1] is 0x8000, the model says 0x0000; 1 more differ");
        assert!(compare_bytes(&buffer, &[0; 4], &[0; 6]).is_err());
    }
}
