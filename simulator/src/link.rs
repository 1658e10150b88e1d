//! A program bound to a launch: every name resolved to a buffer, every limit a number, ready to run.

use std::time::Instant;

use gridproof_launch::{Argument, Buffer, BufferId, ByteRange, Contents, DType, Dispatch, Launch, Target, Value};

use crate::analysis;
use crate::cast::{at, narrow, wide};
use crate::coverage::Lens;
use crate::ir::{Access, AccessKind, Base, Binding, Limit, Program, REGION_SHIFT, Space};
use crate::machine::exact;
use crate::memory::Image;
use crate::outcome::{Config, SimulateError};
use crate::prove::Variables;

/// A binding of the program and the bytes it stands for.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Index into the worker's images.
    pub buffer: usize,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Whether races on the buffer are possible in this dispatch: some instruction may write it.
    pub contested: bool,
    /// Storage or uniform memory.
    pub space: Space,
    /// Where the program finds its first byte, if it finds it by address.
    pub address: u64,
}

/// See the file's head.
#[derive(Debug)]
pub struct Linked {
    /// The program.
    pub program: Program,
    /// Position of the dispatch in the launch.
    pub dispatch: u32,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
    /// Bindings, parallel to `program.bindings`.
    pub bindings: Vec<Bound>,
    /// The binding behind each region of the address space.
    pub regions: Vec<Option<usize>>,
    /// For each instruction, whether its result is compared with exact arithmetic.
    pub followed: Vec<bool>,
    /// Rows that can reach an address.
    pub address_registers: Vec<bool>,
    /// Rows that only carry what was loaded to where it is stored; empty where there are none.
    pub relays: Vec<bool>,
    /// For each access and check, the limit in elements.
    pub limits: Vec<Vec<u64>>,
    /// Granule of each image's shadow, as a power of two of bytes.
    pub granule_shifts: Vec<u32>,
    /// Granule of workgroup memory's shadow.
    pub workgroup_granule_shift: u32,
    /// Whether invocations of one subgroup may wait for each other by spinning: the language lets them advance
    /// independently, and there are atomics to spin on.
    pub fair: bool,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Subgroups of a workgroup.
    pub subgroups: u32,
    /// Invocations per subgroup.
    pub lanes: u32,
    /// Whether barriers of a part of a subgroup or workgroup order accesses.
    pub partial_order: bool,
    /// Whether subgroups keep clocks for a history: where atomics may order accesses. Exploration asks for them always.
    pub clocks: bool,
    /// Whether an atomic comes after what the value it reads was written with. Only who asks what that order is worth
    /// says no.
    pub atomics_order: bool,
    /// For each image, the ranges that the launch lets race.
    pub may_race: Vec<Vec<ByteRange>>,
    /// Bytes of workgroup memory, dynamic part included.
    pub workgroup_bytes: u32,
    /// How to simulate.
    pub config: Config,
    /// Instructions that one workgroup may execute, counted per invocation.
    pub instruction_limit: u64,
    /// When the time budget ends.
    pub deadline: Instant,
    /// Where what the program comes across is counted, if anybody wants to know.
    pub lens: Option<Lens>,
}

impl Linked {
    /// Workgroups of the grid.
    pub fn workgroups(&self) -> u32 {
        self.grid.iter().fold(1_u32, |product, &extent| product.saturating_mul(extent))
    }

    /// Position of a workgroup in the grid.
    pub const fn position(&self, workgroup: u32) -> [u32; 3] {
        let [x, y, _] = self.grid;
        let (x, y) = (if x == 0 { 1 } else { x }, if y == 0 { 1 } else { y });
        [workgroup % x, workgroup / x % y, workgroup / x / y]
    }

    /// Position of an invocation in its workgroup.
    pub const fn local(&self, invocation: u32) -> [u32; 3] {
        let [x, y, _] = self.program.workgroup_size;
        [invocation % x, invocation / x % y, invocation / x / y]
    }
}

/// Checks the configuration.
///
/// # Errors
/// [`SimulateError::Config`] with the field, its value and the limit.
pub fn check_config(config: &Config) -> Result<(), SimulateError> {
    let lanes = config.subgroup_size;
    if !lanes.is_power_of_two() || !(4..=128).contains(&lanes) {
        return Err(SimulateError::Config {
            name: "subgroup_size",
            value: lanes.to_string(),
            limit: "must be a power of two from 4 to 128",
        });
    }
    Ok(())
}

/// Links one dispatch. Scalar arguments become read-only images appended to `images`, and so do the variables that the
/// module defines: with the contents in `variables`, where an earlier dispatch left some.
///
/// # Errors
/// [`SimulateError::Interface`] when program and arguments do not fit together.
pub fn link(
    launch: &Launch,
    position: usize,
    program: Program,
    config: &Config,
    images: &mut Vec<Image>,
    variables: &Variables,
    deadline: Instant,
) -> Result<Linked, SimulateError> {
    let dispatch = &launch.dispatches[position];
    let refuse =
        |message: String| SimulateError::Interface { dispatch: position, entry: program.entry.clone(), message };
    refuse_unknown_arguments(dispatch, &program).map_err(refuse)?;
    let mut bindings = Vec::new();
    for binding in &program.bindings {
        let (buffer, range) = match &binding.own {
            Some((length, contents)) => match variables.get(&(dispatch.module.0, binding.name.clone())) {
                Some(image) if binding.writable => {
                    images.push(image.clone());
                    (images.len() - 1, ByteRange::new(0, *length))
                }
                _ => own_image(binding, *length, contents.clone(), images),
            },
            None => {
                let argument = argument_for(dispatch, binding)
                    .ok_or_else(|| refuse(format!("no argument for `{}`{}", binding.name, slot_text(binding))))?;
                place(argument, binding, images)
            }
        };
        if range.length() < binding.minimum_length {
            return Err(refuse(format!(
                "`{}` needs at least {} bytes, but is bound to {}",
                binding.name,
                binding.minimum_length,
                range.length()
            )));
        }
        bindings.push(Bound {
            buffer,
            start: range.start,
            length: range.length(),
            contested: false,
            space: binding.space,
            address: binding.address.unwrap_or(0),
        });
    }
    mark_contested(&program, &mut bindings);
    let invocations = workgroup_invocations(&program).map_err(refuse)?;
    if program.subgroup_size.is_some_and(|size| size != config.subgroup_size) {
        return Err(SimulateError::Config {
            name: "subgroup_size",
            value: config.subgroup_size.to_string(),
            limit: "PTX has warps of 32",
        });
    }
    let granule_shifts = (0..images.len()).map(|image| storage_granule(&program, &bindings, image)).collect();
    let address_registers = analysis::address_registers(&program);
    let followed = program.code.iter().map(|instr| exact::is_followed(instr, &address_registers)).collect();
    let relays = Some(analysis::relays(&program)).filter(|rows| rows.contains(&true)).unwrap_or_default();
    let workgroups = dispatch.workgroups().unwrap_or(u64::MAX).max(1);
    let workgroup_bytes = program.workgroup_bytes.saturating_add(dispatch.dynamic_workgroup_bytes);
    if workgroup_bytes > LARGEST_WORKGROUP_MEMORY {
        return Err(refuse(format!(
            "{workgroup_bytes} bytes of workgroup memory: the limit is {LARGEST_WORKGROUP_MEMORY}"
        )));
    }
    Ok(Linked {
        dispatch: narrow(position),
        grid: dispatch.grid,
        limits: limits(&program, &bindings),
        fair: !program.signs_known && analysis::has_atomics(&program),
        regions: regions(&program),
        followed,
        address_registers,
        relays,
        granule_shifts,
        workgroup_granule_shift: analysis::granule_shift(&program, |access| {
            matches!(access.address.base, Base::Workgroup | Base::Generic)
        }),
        invocations,
        subgroups: invocations.div_ceil(config.subgroup_size),
        lanes: config.subgroup_size,
        partial_order: analysis::has_partial_barriers(&program),
        clocks: config.detectors.race && analysis::orders_by_atomics(&program),
        atomics_order: true,
        may_race: may_race(launch),
        workgroup_bytes,
        config: Config { arithmetic: program.arithmetic.unwrap_or(config.arithmetic), ..*config },
        instruction_limit: (config.budget.instructions / workgroups).max(SMALLEST_SHARE),
        deadline,
        lens: None,
        bindings,
        program,
    })
}

fn may_race(launch: &Launch) -> Vec<Vec<ByteRange>> {
    launch.buffers.iter().map(|buffer| buffer.may_race.iter().map(|declared| declared.range).collect()).collect()
}

/// Workgroup memory beyond this is a mistake in any language (the largest GPU has 228 KiB).
const LARGEST_WORKGROUP_MEMORY: u32 = 1 << 20;

/// What every workgroup may execute however many there are.
const SMALLEST_SHARE: u64 = 16_000_000;

fn slot_text(binding: &Binding) -> String {
    match (binding.slot, binding.parameter) {
        (Some((group, slot)), _) => format!(" (@group({group}) @binding({slot}))"),
        (None, Some(position)) => format!(" (parameter {position})"),
        (None, None) => String::new(),
    }
}

fn matches(target: &Target, binding: &Binding) -> bool {
    match target {
        Target::Name(name) => *name == binding.name,
        Target::Slot { group, binding: slot } => binding.slot == Some((*group, *slot)),
        Target::Parameter(position) => binding.parameter == Some(*position),
    }
}

fn argument_for<'a>(dispatch: &'a Dispatch, binding: &Binding) -> Option<&'a Argument> {
    dispatch.arguments.iter().find(|argument| matches(&argument.target, binding))
}

fn refuse_unknown_arguments(dispatch: &Dispatch, program: &Program) -> Result<(), String> {
    for argument in &dispatch.arguments {
        let known = program.bindings.iter().any(|binding| matches(&argument.target, binding));
        if !known && matches!(argument.value, Value::Scalar(_)) {
            return Err(format!("the entry point uses nothing called {}", argument.target));
        }
    }
    Ok(())
}

fn place(argument: &Argument, binding: &Binding, images: &mut Vec<Image>) -> (usize, ByteRange) {
    match &argument.value {
        Value::Buffer { buffer: BufferId(id), range } => (*id, *range),
        Value::Scalar(bytes) => own_image(binding, wide(bytes.len()), Contents::Dense(bytes.clone().into()), images),
    }
}

/// An image for bytes that no buffer of the launch holds.
fn own_image(binding: &Binding, length: u64, contents: Contents, images: &mut Vec<Image>) -> (usize, ByteRange) {
    let buffer = Buffer {
        name: binding.name.clone(),
        dtype: DType::U8,
        shape: vec![length],
        length,
        contents,
        may_race: Vec::new(),
        output: false,
    };
    images.push(Image::new(&buffer));
    (images.len() - 1, buffer.range())
}

/// Regions of the address space by number; the first of several bindings that share one answers for all.
fn regions(program: &Program) -> Vec<Option<usize>> {
    let mut regions: Vec<Option<usize>> = Vec::new();
    for (at, binding) in program.bindings.iter().enumerate() {
        let Some(region) = binding.address.and_then(|address| usize::try_from(address >> REGION_SHIFT).ok()) else {
            continue;
        };
        if regions.len() <= region {
            regions.resize(region + 1, None);
        }
        regions[region].get_or_insert(at);
    }
    regions
}

/// A buffer is contested when any instruction of the program may write it, through whichever binding.
fn mark_contested(program: &Program, bindings: &mut [Bound]) {
    let written = |id: usize| {
        program.tables.accesses.iter().any(|access| {
            let stores = !matches!(access.kind, AccessKind::Load);
            stores
                && match access.address.base {
                    Base::Binding(binding) => at(binding.0) == id,
                    Base::Absolute | Base::Generic => {
                        program.bindings[id].writable && reaches(access, &program.bindings, id)
                    }
                    Base::Workgroup | Base::Private => false,
                }
        })
    };
    let buffers: Vec<usize> = (0..bindings.len()).filter(|&id| written(id)).map(|id| bindings[id].buffer).collect();
    for bound in bindings {
        bound.contested = buffers.contains(&bound.buffer);
    }
}

/// Whether an access by address can touch a binding, under whichever name.
fn reaches(access: &Access, bindings: &[Binding], id: usize) -> bool {
    let region =
        |id: usize| bindings.get(id).and_then(|binding| binding.address).map(|address| address >> REGION_SHIFT);
    access.reaches.as_ref().is_none_or(|list| list.iter().any(|known| region(at(known.0)) == region(id)))
}

fn storage_granule(program: &Program, bindings: &[Bound], image: usize) -> u32 {
    let shift = analysis::granule_shift(program, |access| match access.address.base {
        Base::Binding(id) => bindings.get(at(id.0)).is_some_and(|bound| bound.buffer == image),
        Base::Absolute | Base::Generic => {
            (0..bindings.len()).any(|id| bindings[id].buffer == image && reaches(access, &program.bindings, id))
        }
        _ => false,
    });
    let aligned =
        bindings.iter().filter(|bound| bound.buffer == image).all(|bound| bound.start.trailing_zeros() >= shift);
    if aligned { shift } else { 0 }
}

fn workgroup_invocations(program: &Program) -> Result<u32, String> {
    let size = program.workgroup_size;
    let count = size.iter().fold(1_u64, |product, &extent| product.saturating_mul(u64::from(extent)));
    match u32::try_from(count) {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err(format!("workgroup size {size:?} has {count} invocations: the limit is 1 to 1,024")),
    }
}

fn limits(program: &Program, bindings: &[Bound]) -> Vec<Vec<u64>> {
    let limit = |limit: &Limit| match *limit {
        Limit::Elements(elements) => u64::from(elements),
        Limit::RuntimeArray { binding, first, stride } => array_length(&bindings[at(binding.0)], first, stride),
    };
    program
        .tables
        .accesses
        .iter()
        .map(|access| access.checks.iter().map(|check| limit(&check.limit)).collect())
        .collect()
}

/// Elements of a runtime-sized array that starts `first` bytes into a binding.
pub fn array_length(bound: &Bound, first: u32, stride: u32) -> u64 {
    bound.length.saturating_sub(u64::from(first)) / u64::from(stride.max(1))
}
