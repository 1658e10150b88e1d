//! An open CUDA device, and a launch on it.

use std::path::Path;
use std::rc::Rc;

use gridproof_launch::{Buffer, BufferId, Contents, Dispatch, Fill, Launch, Source};

use super::company::{self, Company};
use super::context::Context;
use super::driver::{Driver, Refusal};
use super::graph::{Graph, Node};
use super::memory::{Allocation, Staging};
use super::module::{Image, Kernel, LoadedModule};
use super::parameters::{self, Parameter};
use super::{CudaFingerprint, CudaSummary, CudaUnavailable, pages, probe, summary};
use crate::contents::{device_length, fill_byte};
use crate::limits::{at_most, check_unedited, count_u64};
use crate::nvrtc::{Cubin, Nvrtc};
use crate::{Elapsed, Limit, ReadBack, RunError, RunOptions};

/// Workgroup memory that the launch may add to a kernel's own without asking for it.
const USUAL_WORKGROUP_MEMORY: u32 = 48 << 10;

/// Device memory beside the buffers: the pages' marks, the driver's own.
pub(super) const SPARE: u64 = 64 << 20;

/// What a launch left behind on a CUDA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaOutputs {
    /// One entry for each buffer of the launch, in its order: what it holds, where it was read back. A long virtual
    /// buffer comes back as the byte it was filled with and the pages that differ.
    pub buffers: Vec<Option<Contents>>,
    /// How long it took.
    pub elapsed: Elapsed,
}

/// An NVIDIA GPU ready to run launches, one at a time. It stays in the thread that opened it.
///
/// A kernel that faults, or that does not end in time, takes the device away from the whole process: every later launch
/// is refused with [`RunError::DeviceLost`], and only another process can go on.
pub struct CudaDevice {
    summary: CudaSummary,
    pub(super) staging: Staging,
    pub(super) context: Rc<Context>,
}

/// A dispatch that passed every check that needs no device.
pub(super) struct Plan<'a> {
    position: usize,
    pub(super) dispatch: &'a Dispatch,
    workgroup: [u32; 3],
    parameters: Vec<Parameter>,
}

impl CudaDevice {
    /// Opens the device of this number, counted from 0.
    ///
    /// # Errors
    /// Why there is no such device, or why it is not supported.
    pub fn open(ordinal: u32) -> Result<Self, CudaUnavailable> {
        Self::open_with(summary::found()?, ordinal)
    }

    /// The same, with the driver's library at a path.
    ///
    /// # Errors
    /// As [`CudaDevice::open`].
    pub fn open_from(library: &Path, ordinal: u32) -> Result<Self, CudaUnavailable> {
        let driver = Driver::load(library).map_err(|why| CudaUnavailable::NoDriver { why })?;
        Self::open_with(driver, ordinal)
    }

    fn open_with(driver: Driver, ordinal: u32) -> Result<Self, CudaUnavailable> {
        let mut listed = summary::listed(&driver)?;
        let position = usize::try_from(ordinal).unwrap_or(usize::MAX);
        if position >= listed.len() {
            let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
            return Err(CudaUnavailable::NoSuchDevice { ordinal, count });
        }
        let summary = listed.swap_remove(position);
        summary.check_capability()?;
        let refused = |refusal: Refusal| CudaUnavailable::Refused { reason: refusal.to_string() };
        let context = Rc::new(Context::open(driver, ordinal).map_err(refused)?);
        let staging = Staging::new(&context).map_err(|error| CudaUnavailable::Refused { reason: error.to_string() })?;
        Ok(Self { summary, staging, context })
    }

    /// What the device says about itself.
    pub const fn summary(&self) -> &CudaSummary {
        &self.summary
    }

    /// Free and total bytes of device memory.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn memory(&self) -> Result<(u64, u64), RunError> {
        self.context.check_alive()?;
        self.context.memory()
    }

    /// Runs the dispatches of `launch` in order, as one CUDA graph, and reads its buffers back.
    ///
    /// Modules are PTX. `machine_code` may hold, at a module's position, the machine code that NVRTC made of it in the
    /// same compilation, which then runs; where there is none, the driver compiles the text. `options` says nothing new
    /// about float arithmetic here: PTX itself says how each operation rounds.
    ///
    /// # Errors
    /// What is wrong with the launch, what the device lacks, or how it failed.
    pub fn run(
        &self,
        launch: &Launch,
        machine_code: &[Option<Cubin>],
        options: &RunOptions,
    ) -> Result<CudaOutputs, RunError> {
        self.run_beside(launch, machine_code, options, None)
    }

    /// The same while other work is on the device, which changes who runs when, and nothing else.
    ///
    /// # Errors
    /// As [`CudaDevice::run`].
    pub fn run_beside(
        &self,
        launch: &Launch,
        machine_code: &[Option<Cubin>],
        options: &RunOptions,
        company: Option<Company>,
    ) -> Result<CudaOutputs, RunError> {
        self.context.check_alive()?;
        launch.validate()?;
        let plans = self.plans(launch)?;
        self.check_memory(launch)?;
        let limit = options.timeout;
        let allocate = |buffer| Allocation::of_buffer(&self.context, &self.staging, buffer, limit);
        let buffers = launch.buffers.iter().map(allocate).collect::<Result<Vec<_>, _>>()?;
        let elapsed = {
            let modules = self.load(launch, machine_code)?;
            let address = |id: BufferId| buffers.get(id.0).map_or(0, Allocation::address);
            let nodes =
                plans.iter().map(|plan| self.node(plan, launch, &modules, address)).collect::<Result<Vec<_>, _>>()?;
            let other = company.map(|company| company::node(&self.context, company)).transpose()?;
            Graph::beside(&self.context, &nodes, other.as_ref().map(|(_, node)| node))?.run(limit)?
        };
        let all = options.read_back == ReadBack::All || !launch.buffers.iter().any(|buffer| buffer.output);
        let read = |(buffer, allocation): (&Buffer, &Allocation)| {
            (all || buffer.output).then(|| self.read(buffer, allocation, options)).transpose()
        };
        let buffers = launch.buffers.iter().zip(&buffers).map(read).collect::<Result<_, _>>()?;
        Ok(CudaOutputs { buffers, elapsed })
    }

    /// Measures what the device's arithmetic does with code that this compiler makes.
    ///
    /// # Errors
    /// When the driver is too old for the compiler, or a kernel that measures does not run.
    pub fn probe(&self, compiler: &Nvrtc) -> Result<CudaFingerprint, CudaUnavailable> {
        probe::fingerprint(self, compiler)
    }

    /// The dispatches with anything to run.
    pub(super) fn plans<'a>(&self, launch: &'a Launch) -> Result<Vec<Plan<'a>>, RunError> {
        let dispatches = launch.dispatches.iter().enumerate();
        let plans = dispatches.map(|(position, dispatch)| self.plan(position, dispatch, launch));
        Ok(plans.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|plan| !plan.dispatch.grid.contains(&0)).collect())
    }

    fn plan<'a>(&self, position: usize, dispatch: &'a Dispatch, launch: &Launch) -> Result<Plan<'a>, RunError> {
        let place = || format!("dispatch {position} (`{}`)", dispatch.entry);
        let module = &launch.modules[dispatch.module.0];
        check_unedited(module)?;
        let Source::Ptx(text) = &module.source else {
            let language = module.source.language();
            return Err(RunError::Unsupported(format!("a CUDA device runs PTX, and `{}` is {language}", module.name)));
        };
        let unread = |problem| RunError::Unsupported(format!("{} of `{}`: {problem}", place(), module.name));
        let Some(parameters) = parameters::signature(text, &dispatch.entry).map_err(unread)? else {
            return Err(RunError::UnknownEntry {
                dispatch: position,
                module: module.name.clone(),
                entry: dispatch.entry.clone(),
                available: parameters::entry_names(text),
            });
        };
        if !dispatch.constants.is_empty() {
            let problem = "PTX has no constants: they are macros of CUDA C++".to_owned();
            return Err(RunError::Constants { dispatch: position, module: module.name.clone(), problem });
        }
        let Some(workgroup) = dispatch.workgroup else {
            return Err(RunError::Unsupported(format!("{}: the launch gives no workgroup size", place())));
        };
        let extents = dispatch.grid.into_iter().zip(self.summary.grid_extents);
        for (extent, most) in extents {
            at_most(Limit::GridExtent, extent.into(), most, place)?;
        }
        for (extent, most) in workgroup.into_iter().zip(self.summary.workgroup_extents) {
            at_most(Limit::WorkgroupExtent, extent.into(), most, place)?;
        }
        // Arguments are looked at before anything is allocated.
        parameters::bytes(position, dispatch, &parameters, |_| 0)?;
        Ok(Plan { position, dispatch, workgroup, parameters })
    }

    pub(super) fn check_memory(&self, launch: &Launch) -> Result<(), RunError> {
        let lengths = launch.buffers.iter().map(|buffer| device_length(buffer.length));
        let wanted = lengths.fold(SPARE, u64::saturating_add);
        let (free, _) = self.context.memory()?;
        if wanted > free { Err(RunError::TooLittleMemory { wanted, free }) } else { Ok(()) }
    }

    /// The modules that dispatches use.
    pub(super) fn load(
        &self,
        launch: &Launch,
        machine_code: &[Option<Cubin>],
    ) -> Result<Vec<Option<LoadedModule>>, RunError> {
        let load = |(position, module): (usize, &gridproof_launch::Module)| {
            let used = launch.dispatches.iter().any(|dispatch| dispatch.module.0 == position);
            let image = match (machine_code.get(position), &module.source) {
                (Some(Some(cubin)), _) => Image::Cubin(cubin),
                (_, Source::Ptx(text)) => Image::Ptx(text),
                _ => return Ok(None),
            };
            used.then(|| LoadedModule::load(&self.context, &module.name, image)).transpose()
        };
        launch.modules.iter().enumerate().map(load).collect()
    }

    pub(super) fn node(
        &self,
        plan: &Plan<'_>,
        launch: &Launch,
        modules: &[Option<LoadedModule>],
        address: impl Fn(BufferId) -> u64,
    ) -> Result<Node, RunError> {
        let Plan { position, dispatch, workgroup, parameters } = plan;
        let module = modules.get(dispatch.module.0).and_then(Option::as_ref);
        let kernel = module.map(|module| module.kernel(&dispatch.entry)).transpose()?.flatten();
        let Some((module, kernel)) = module.zip(kernel) else {
            return Err(RunError::UnknownEntry {
                dispatch: *position,
                module: launch.modules[dispatch.module.0].name.clone(),
                entry: dispatch.entry.clone(),
                available: Vec::new(),
            });
        };
        self.check_kernel(plan, kernel)?;
        let dynamic_bytes = dispatch.dynamic_workgroup_bytes;
        if dynamic_bytes.saturating_add(kernel.workgroup_bytes) > USUAL_WORKGROUP_MEMORY {
            module.allow(kernel, dynamic_bytes)?;
        }
        let parameters = parameters::bytes(*position, dispatch, parameters, address)?;
        Ok(Node { kernel, grid: dispatch.grid, workgroup: *workgroup, dynamic_bytes, parameters })
    }

    fn check_kernel(&self, plan: &Plan<'_>, kernel: Kernel) -> Result<(), RunError> {
        let place = || format!("dispatch {} (`{}`)", plan.position, plan.dispatch.entry);
        let invocations = plan.workgroup.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent.into()));
        let most = kernel.invocations.min(self.summary.workgroup_invocations);
        at_most(Limit::WorkgroupInvocations, invocations, most, place)?;
        let memory = u64::from(kernel.workgroup_bytes) + u64::from(plan.dispatch.dynamic_workgroup_bytes);
        at_most(Limit::WorkgroupMemory, memory, self.summary.workgroup_memory, place)
    }

    fn read(&self, buffer: &Buffer, allocation: &Allocation, options: &RunOptions) -> Result<Contents, RunError> {
        match &buffer.contents {
            Contents::Virtual { fill, .. } if buffer.length >= pages::LONG => {
                let filled = (buffer.length, fill_byte(*fill));
                pages::read(&self.context, &self.staging, allocation, filled, options.timeout)
            }
            _ => {
                let bytes = self.staging.download(allocation, (0, buffer.length), options.timeout)?;
                debug_assert_eq!(count_u64(bytes.len()), buffer.length);
                Ok(Contents::Dense(bytes.into()))
            }
        }
    }
}

/// The bytes of what came back, however it came back.
pub(super) fn bytes(contents: &Contents) -> Option<&[u8]> {
    match contents {
        Contents::Dense(bytes) => Some(bytes),
        Contents::Virtual { fill: Fill::Byte(_) | Fill::Uninitialised, .. } => None,
    }
}
