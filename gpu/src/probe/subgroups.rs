//! How many invocations run together.

use std::collections::BTreeSet;

use gridproof_launch::{DType, Dispatch, Launch, Module, Source};

use super::kernel::{bind, buffer, words};
use crate::{Device, RunError, RunOptions};

/// Subgroup sizes, in invocations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subgroups {
    /// The smallest that the driver admits to.
    pub least: u32,
    /// The largest.
    pub most: u32,
    /// Sizes that a workgroup of 128 was told; `None` where kernels cannot ask.
    pub told: Option<BTreeSet<u32>>,
    /// How many invocations answered together there.
    pub answered: Option<BTreeSet<u32>>,
}

impl Subgroups {
    pub(super) fn observe(device: &Device) -> Result<Self, RunError> {
        let (least, most) = device.subgroup_sizes;
        if !device.device.features().contains(wgpu::Features::SUBGROUP) {
            return Ok(Self { least, most, told: None, answered: None });
        }
        let mut launch = Launch::default();
        let text = include_str!("../../wgsl/subgroups.wgsl");
        let module = launch.add_module(Module::new("subgroups.wgsl", Source::Wgsl(text.into())));
        let mut dispatch = Dispatch::new(module, "observe", [1, 1, 1]);
        bind(&mut launch, &mut dispatch, buffer("told", DType::U32, &[0; 128])?.as_output());
        bind(&mut launch, &mut dispatch, buffer("answered", DType::U32, &[0; 128])?.as_output());
        launch.dispatches.push(dispatch);
        let outputs = device.run(&launch, &RunOptions::ordinary())?;
        let mut seen = outputs.buffers.iter().flatten().map(|bytes| words(bytes).into_iter().collect());
        Ok(Self { least, most, told: seen.next(), answered: seen.next() })
    }
}
