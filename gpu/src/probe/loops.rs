//! Does the driver run a loop as often as it should?
//!
//! Mesa's lavapipe 22.3 leaves a loop after 65,535 iterations of an invocation and says nothing, so that
//! kernels compute wrong numbers. A device that does this is refused.

use std::fmt;

use gridproof_launch::{Argument, DType, Dispatch, Launch, Module, Source, Target, Value};

use super::kernel::{bind, buffer, words};
use crate::{AdapterSummary, Device, LoopMiscount, RunError, RunOptions, Unavailable};

/// Iterations of one loop.
const PLAIN: u32 = 70_000;
/// Iterations of two nested loops: 70,000 in all.
const NESTED: [u32; 2] = [280, 250];

/// A shape of loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoopForm {
    /// One loop.
    Plain,
    /// Two nested loops.
    Nested,
}

impl fmt::Display for LoopForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a loop",
            Self::Nested => "a nest of two loops",
        })
    }
}

/// How often a loop ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopCount {
    /// The shape of the loop.
    pub form: LoopForm,
    /// Iterations it should make.
    pub expected: u32,
    /// Iterations it made.
    pub observed: u32,
}

impl LoopCount {
    /// Whether the loop ran as often as it should.
    pub const fn is_right(&self) -> bool {
        self.expected == self.observed
    }
}

/// Refuses an adapter that ran one of the loops a wrong number of times.
///
/// # Errors
/// [`Unavailable::MiscountsLoops`] with the first of them.
pub fn refuse_miscounted_loops(adapter: &AdapterSummary, counts: &[LoopCount]) -> Result<(), Unavailable> {
    match counts.iter().find(|count| !count.is_right()) {
        None => Ok(()),
        Some(&LoopCount { form, expected, observed }) => {
            let adapter = adapter.clone();
            Err(Unavailable::MiscountsLoops(Box::new(LoopMiscount { adapter, form, expected, observed })))
        }
    }
}

/// Makes the device count both loops. In ordinary mode, which every device has.
pub(crate) fn count_loops(device: &Device) -> Result<Vec<LoopCount>, RunError> {
    let text = include_str!("../../wgsl/loops.wgsl");
    let launch = loops_launch(Module::new("loops.wgsl", Source::Wgsl(text.into())))?;
    let outputs = device.run(&launch, &RunOptions::ordinary())?;
    Ok(loop_counts(&outputs.buffers.into_iter().flatten().next().unwrap_or_default()))
}

/// Both loops of a module: `iterations`, `ones` and `counted`.
pub(crate) fn loops_launch(module: Module) -> Result<Launch, RunError> {
    let mut launch = Launch::default();
    let module = launch.add_module(module);
    let mut plain = Dispatch::new(module, "plain", [1, 1, 1]);
    let iterations = [PLAIN, NESTED[0], NESTED[1]].into_iter().flat_map(u32::to_le_bytes).collect();
    let target = Target::Name("iterations".into());
    plain.arguments.push(Argument { target, value: Value::Scalar(iterations) });
    bind(&mut launch, &mut plain, buffer("ones", DType::U32, &[1, 1])?);
    bind(&mut launch, &mut plain, buffer("counted", DType::U32, &[0, 0])?.as_output());
    let nested = Dispatch { entry: "nested".into(), ..plain.clone() };
    launch.dispatches = vec![plain, nested];
    Ok(launch)
}

/// What the bytes of `counted` say.
pub(crate) fn loop_counts(counted: &[u8]) -> Vec<LoopCount> {
    let expected = [(LoopForm::Plain, PLAIN), (LoopForm::Nested, NESTED[0] * NESTED[1])];
    let count = |((form, expected), observed)| LoopCount { form, expected, observed };
    expected.into_iter().zip(words(counted)).map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdapterKind, Api};

    fn lavapipe(version: &str) -> AdapterSummary {
        AdapterSummary {
            name: "llvmpipe (LLVM 15.0.6, 256 bits)".into(),
            driver: "llvmpipe".into(),
            driver_version: version.into(),
            api: Api::Vulkan,
            kind: AdapterKind::Cpu,
            vendor: 0x10005,
            device: 0,
        }
    }

    #[test]
    fn a_driver_that_cuts_loops_is_refused_with_both_counts_and_the_remedy() {
        let cut = LoopCount { form: LoopForm::Plain, expected: 70_000, observed: 65_535 };
        let whole = LoopCount { form: LoopForm::Nested, expected: 70_000, observed: 70_000 };
        let refused = refuse_miscounted_loops(&lavapipe("Mesa 22.3.6 (LLVM 15.0.6)"), &[whole, cut]);
        let message = refused.err().map(|reason| reason.to_string()).unwrap_or_default();
        assert_eq!(
            message,
            "llvmpipe (LLVM 15.0.6, 256 bits) (Vulkan, CPU, llvmpipe, Mesa 22.3.6 (LLVM 15.0.6)) is refused: a loop of \
             70000 iterations ran 65535 times; this lavapipe is too old: install mesa-vulkan-drivers 25 or later \
             (on Debian 12 from bookworm-backports: `.ci/lavapipe` does it)"
        );
    }

    #[test]
    fn a_driver_that_counts_right_is_accepted_whatever_its_name() {
        let whole = LoopCount { form: LoopForm::Plain, expected: 70_000, observed: 70_000 };
        assert_eq!(refuse_miscounted_loops(&lavapipe("Mesa 22.3.6"), &[whole]), Ok(()));
    }
}
