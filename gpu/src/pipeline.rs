//! A dispatch made ready: checked, compiled in the mode asked for, its buffers bound.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gridproof_launch::{Dispatch, Launch};
use naga::valid::{ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess, back::spv};

use crate::bindings::{self, Binding, Content, Space};
use crate::contents::device_length;
use crate::limits::check_dispatch;
use crate::memory::Memory;
use crate::shader::{Shader, chain};
use crate::spirv::forbid_contraction;
use crate::{Device, Exactness, RunError, zeroes};

/// A dispatch that passed every check, and its module in the form that the device takes.
pub(crate) struct Plan<'a> {
    dispatch: &'a Dispatch,
    bindings: Vec<Binding>,
    code: Code,
}

enum Code {
    /// SPIR-V that the driver gets unchanged.
    Exact(Vec<u32>),
    /// What wgpu compiles in its own way, with the overrides' values.
    Ordinary(Box<naga::Module>, Vec<(String, f64)>),
}

/// A dispatch ready to be recorded.
pub(crate) struct Ready {
    pub(crate) pipeline: wgpu::ComputePipeline,
    /// Bind groups with their numbers.
    pub(crate) groups: Vec<(u32, wgpu::BindGroup)>,
    pub(crate) grid: [u32; 3],
}

impl<'a> Plan<'a> {
    /// Checks a dispatch against its module and the device, and translates the module.
    pub(crate) fn new(
        device: &Device,
        position: usize,
        launch: &'a Launch,
        shaders: &[Shader],
        exactness: Exactness,
    ) -> Result<Self, RunError> {
        let dispatch = &launch.dispatches[position];
        let shader = &shaders[dispatch.module.0];
        let entry = shader.entry(position, dispatch)?;
        let constants = shader.constants(position, dispatch)?;
        let bindings = bindings::resolve(position, shader, entry, dispatch)?;
        let (module, info) = shader.resolve(position, dispatch, &constants)?;
        check_dispatch(position, dispatch, (&module, &info), &bindings, &device.limits)?;
        let code = match exactness {
            Exactness::Exact => Code::Exact(translate(device, (module, info), dispatch, &bindings)?),
            Exactness::Ordinary => Code::Ordinary(Box::new(declare_access(&shader.module, &bindings)), constants),
        };
        Ok(Self { dispatch, bindings, code })
    }

    /// Compiles the dispatch and binds its buffers.
    pub(crate) fn build(self, device: &Device, memory: Memory<'_>, buffers: &[wgpu::Buffer]) -> Ready {
        let layouts = self.layouts(&device.device);
        let groups = self.groups(memory, &layouts, buffers);
        let pipeline = self.pipeline(&device.device, &layouts);
        Ready { pipeline, groups, grid: self.dispatch.grid }
    }

    fn layouts(&self, device: &wgpu::Device) -> BTreeMap<u32, wgpu::BindGroupLayout> {
        let mut entries: BTreeMap<u32, Vec<wgpu::BindGroupLayoutEntry>> = BTreeMap::new();
        for binding in &self.bindings {
            entries.entry(binding.slot.group).or_default().push(layout_entry(binding));
        }
        let create =
            |entries: &[_]| device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries });
        entries.into_iter().map(|(group, entries)| (group, create(&entries))).collect()
    }

    fn groups(
        &self,
        memory: Memory<'_>,
        layouts: &BTreeMap<u32, wgpu::BindGroupLayout>,
        buffers: &[wgpu::Buffer],
    ) -> Vec<(u32, wgpu::BindGroup)> {
        let block = |binding: &Binding| match &binding.content {
            Content::Scalar(bytes) => Some(memory.create_block(&binding.variable, bytes)),
            Content::Buffer { .. } => None,
        };
        let blocks: Vec<_> = self.bindings.iter().map(block).collect();
        let bound: Vec<_> = self.bindings.iter().zip(&blocks).collect();
        let bind = |(&group, layout)| {
            let entries: Vec<_> = bound
                .iter()
                .filter(|(binding, _)| binding.slot.group == group)
                .map(|(binding, block)| group_entry(binding, block.as_ref(), buffers))
                .collect();
            let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
            (group, memory.device.create_bind_group(&descriptor))
        };
        layouts.iter().map(bind).collect()
    }

    fn pipeline(&self, device: &wgpu::Device, layouts: &BTreeMap<u32, wgpu::BindGroupLayout>) -> wgpu::ComputePipeline {
        let count = layouts.last_key_value().map_or(0, |(&last, _)| last + 1);
        let in_order: Vec<_> = (0..count).map(|group| layouts.get(&group)).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &in_order,
            immediate_size: 0,
        });
        let (module, constants) = self.module(device);
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&self.dispatch.entry),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(&self.dispatch.entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        })
    }

    fn module(&self, device: &wgpu::Device) -> (wgpu::ShaderModule, Vec<(&str, f64)>) {
        match &self.code {
            Code::Exact(words) => (pass_through(device, &self.dispatch.entry, words), Vec::new()),
            Code::Ordinary(module, constants) => {
                let source = wgpu::ShaderSource::Naga(Cow::Owned(module.as_ref().clone()));
                let made = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
                (made, constants.iter().map(|(key, value)| (key.as_str(), *value)).collect())
            }
        }
    }
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.space {
        Space::Uniform => wgpu::BufferBindingType::Uniform,
        Space::Storage { read_only } => wgpu::BufferBindingType::Storage { read_only },
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding.slot.binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

fn group_entry<'a>(
    binding: &Binding,
    block: Option<&'a wgpu::Buffer>,
    buffers: &'a [wgpu::Buffer],
) -> wgpu::BindGroupEntry<'a> {
    let resource = match (&binding.content, block) {
        (Content::Buffer { buffer, range }, _) => wgpu::BufferBinding {
            buffer: &buffers[buffer.0],
            offset: range.start,
            size: wgpu::BufferSize::new(device_length(range.length())),
        },
        (Content::Scalar(_), Some(block)) => block.as_entire_buffer_binding(),
        (Content::Scalar(_), None) => unreachable!("a block was created for every scalar"),
    };
    wgpu::BindGroupEntry { binding: binding.slot.binding, resource: wgpu::BindingResource::Buffer(resource) }
}

/// The module with each bound storage buffer declared as it is bound: see `bindings::share_access`.
fn declare_access(module: &naga::Module, bindings: &[Binding]) -> naga::Module {
    let mut module = module.clone();
    for binding in bindings {
        if let Space::Storage { read_only } = binding.space {
            let write = if read_only { StorageAccess::empty() } else { StorageAccess::STORE };
            let space = AddressSpace::Storage { access: StorageAccess::LOAD | write };
            module.global_variables.get_mut(binding.handle).space = space;
        }
    }
    module
}

/// Exact SPIR-V of one entry point. `module` has no overrides left.
fn translate(
    device: &Device,
    (module, info): (Cow<'_, naga::Module>, Cow<'_, ModuleInfo>),
    dispatch: &Dispatch,
    bindings: &[Binding],
) -> Result<Vec<u32>, RunError> {
    device.check_exact()?;
    let (module, info) = with_zeroes(device, (module, info), dispatch)?;
    let options = spirv_options(bindings);
    let entry = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: dispatch.entry.clone() };
    let words = spv::write_vec(&module, &info, &options, Some(&entry))
        .map_err(|error| RunError::Unsupported(format!("`{}` as SPIR-V: {error}", dispatch.entry)))?;
    forbid_contraction(&words).map_err(|error| RunError::Internal(error.to_string()))
}

/// The module with the zeroing of workgroup memory in its text.
fn with_zeroes<'a>(
    device: &Device,
    (mut module, info): (Cow<'a, naga::Module>, Cow<'a, ModuleInfo>),
    dispatch: &Dispatch,
) -> Result<(Cow<'a, naga::Module>, Cow<'a, ModuleInfo>), RunError> {
    let compute = |entry: &naga::EntryPoint| entry.stage == naga::ShaderStage::Compute && entry.name == dispatch.entry;
    let entry = module.entry_points.iter().position(compute);
    if !entry.is_some_and(|entry| zeroes::write_out(&mut module, &info, entry)) {
        return Ok((module, info));
    }
    let info = Validator::new(ValidationFlags::all(), device.capabilities)
        .validate(&module)
        .map_err(|error| RunError::Internal(format!("zeroes of workgroup memory: {}", chain(error.as_inner()))))?;
    Ok((module, Cow::Owned(info)))
}

/// What wgpu itself asks of naga, but for SPIR-V 1.3, which every Vulkan 1.1 driver takes, and for bounds
/// checks written out instead of left to optional features of the driver. Workgroup memory is zeroed in the text.
fn spirv_options(bindings: &[Binding]) -> spv::Options<'static> {
    let restrict = naga::proc::BoundsCheckPolicy::Restrict;
    spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        fake_missing_bindings: false,
        binding_map: binding_map(bindings),
        bounds_check_policies: naga::proc::BoundsCheckPolicies {
            index: restrict,
            buffer: restrict,
            image_load: restrict,
            binding_array: restrict,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: true,
        emit_int_div_checks: true,
        ..spv::Options::default()
    }
}

/// wgpu numbers the bindings of a Vulkan descriptor set from 0 without gaps, in ascending order, and so
/// must the words that it does not look into.
fn binding_map(bindings: &[Binding]) -> spv::BindingMap {
    let mut next = BTreeMap::new();
    let number = |binding: &Binding| {
        let next = next.entry(binding.slot.group).or_insert(0);
        let info = spv::BindingInfo { descriptor_set: binding.slot.group, binding: *next, binding_array_size: None };
        *next += 1;
        (binding.slot, info)
    };
    bindings.iter().map(number).collect()
}

fn pass_through(device: &wgpu::Device, entry: &str, words: &[u32]) -> wgpu::ShaderModule {
    let entry_points = [wgpu::PassthroughShaderEntryPoint { name: entry.into(), workgroup_size: (0, 0, 0) }];
    let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
        label: None,
        entry_points: Cow::Borrowed(&entry_points),
        spirv: Some(Cow::Borrowed(words)),
        ..Default::default()
    };
    #[expect(unsafe_code, reason = "wgpu takes SPIR-V unchanged only through an unsafe function")]
    // SAFETY: the words were written by naga from a module that its validator accepted for this device's
    // features, with bounds checks and loop bounding as `spirv_options` says and zeroed workgroup memory, and
    // `forbid_contraction` only added `NoContraction` decorations. `check_dispatch` held the workgroup
    // against the device's limits, and `binding_map` numbers the bindings as the pipeline's layout does.
    unsafe {
        device.create_shader_module_passthrough(descriptor)
    }
}
