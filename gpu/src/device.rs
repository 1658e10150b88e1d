//! An open adapter that was found to count loops right.

use std::sync::Mutex;

use gridproof_launch::Launch;
use naga::valid::Capabilities;

use crate::adapter::select;
use crate::faults::{Faults, scoped};
use crate::probe::{LoopCount, count_loops, fingerprint, refuse_miscounted_loops};
use crate::{
    AdapterSummary, Api, Features, Fingerprint, Memory, Outputs, RunError, RunOptions, Selector, Unavailable,
    capabilities,
};

/// A GPU (or a CPU that plays one) ready to run launches. It may be shared between threads: modules are
/// translated side by side, launches run one at a time, so that no timing contains another's work.
pub struct Device {
    pub(crate) adapter: AdapterSummary,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: wgpu::Limits,
    pub(crate) subgroup_sizes: (u32, u32),
    pub(crate) faults: Faults,
    pub(crate) loops: Vec<LoopCount>,
    /// Held by the launch that is on the device.
    pub(crate) turn: Mutex<()>,
}

impl Device {
    /// Opens the adapter that `selector` means, with every feature that kernels can use and with the
    /// adapter's own limits, and makes it count loops.
    ///
    /// # Errors
    /// Why there is no such device, or why it is not to be trusted.
    pub fn open(selector: &Selector) -> Result<Self, Unavailable> {
        let (adapter, summary) = select(selector)?;
        let mut device = Self::request(&adapter, summary)?;
        device.loops = count_loops(&device).map_err(|source| Unavailable::ProbeFailed {
            adapter: Box::new(device.adapter.clone()),
            source: Box::new(source),
        })?;
        refuse_miscounted_loops(&device.adapter, &device.loops)?;
        Ok(device)
    }

    fn request(adapter: &wgpu::Adapter, summary: AdapterSummary) -> Result<Self, Unavailable> {
        let features = adapter.features() & capabilities::wanted();
        let limits = adapter.limits();
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("gridproof"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|error| Unavailable::Refused { adapter: Box::new(summary.clone()), reason: error.to_string() })?;
        let faults = Faults::watch(&device);
        let downlevel = adapter.get_downlevel_capabilities().flags;
        let info = adapter.get_info();
        Ok(Self {
            adapter: summary,
            device,
            queue,
            capabilities: wgpu_naga_bridge::features_to_naga_capabilities(features, downlevel),
            limits,
            subgroup_sizes: (info.subgroup_min_size, info.subgroup_max_size),
            faults,
            loops: Vec::new(),
            turn: Mutex::new(()),
        })
    }

    /// Does `work` and returns its result, or the error that wgpu raised meanwhile.
    pub(crate) fn scoped<T>(&self, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
        scoped(&self.device, &self.faults, work)
    }

    /// What the adapter says about itself.
    pub fn adapter(&self) -> &AdapterSummary {
        &self.adapter
    }

    /// What kernels can use.
    pub fn features(&self) -> Features {
        Features::new(self.device.features())
    }

    /// How much fits.
    pub fn memory(&self) -> Memory {
        Memory::new(&self.limits)
    }

    /// Whether exact mode exists here; the reason where it does not.
    ///
    /// # Errors
    /// [`RunError::ExactUnavailable`].
    pub fn check_exact(&self) -> Result<(), RunError> {
        let refuse = |reason| Err(RunError::ExactUnavailable { adapter: self.adapter.name.clone(), reason });
        if self.adapter.api != Api::Vulkan {
            return refuse("only Vulkan takes the decorated SPIR-V");
        }
        if !self.device.features().contains(wgpu::Features::PASSTHROUGH_SHADERS) {
            return refuse("its driver does not take SPIR-V unchanged");
        }
        Ok(())
    }

    /// Runs the dispatches of `launch` in order and reads its buffers back.
    ///
    /// # Errors
    /// What is wrong with the launch, what the device lacks, or how it failed.
    pub fn run(&self, launch: &Launch, options: &RunOptions) -> Result<Outputs, RunError> {
        crate::run::run(self, launch, options)
    }

    /// Measures what the adapter's arithmetic does. Takes about a second on a CPU driver.
    ///
    /// # Errors
    /// When one of the kernels that measure it does not run.
    pub fn probe(&self) -> Result<Fingerprint, RunError> {
        fingerprint(self)
    }
}
