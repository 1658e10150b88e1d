//! A launch: buffers, modules, and dispatches that run one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Buffer, ByteRange, LaunchError, Module};

/// Position of a buffer in [`Launch::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// Position of a module in [`Launch::modules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub usize);

/// Where an argument goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The WGSL variable or PTX parameter of this name.
    Name(String),
    /// `@group(group) @binding(binding)`.
    Slot {
        /// Bind group.
        group: u32,
        /// Binding inside the group.
        binding: u32,
    },
    /// The kernel parameter at this position, counted from 0.
    Parameter(u32),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Slot { group, binding } => write!(f, "@group({group}) @binding({binding})"),
            Self::Parameter(position) => write!(f, "parameter {position}"),
        }
    }
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes `range` of a buffer: a binding's visible window, or a pointer to `range.start`.
    Buffer {
        /// The buffer.
        buffer: BufferId,
        /// The bytes the kernel may touch through this argument.
        range: ByteRange,
    },
    /// A scalar parameter or a small uniform block, little-endian.
    Scalar(Vec<u8>),
}

/// One argument of a dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Where it goes.
    pub target: Target,
    /// What it is.
    pub value: Value,
}

impl Argument {
    /// A whole buffer, bound to the variable or parameter called `name`.
    pub fn buffer(name: impl Into<String>, id: BufferId, buffer: &Buffer) -> Self {
        Self { target: Target::Name(name.into()), value: Value::Buffer { buffer: id, range: buffer.range() } }
    }
}

/// A constant that specialises a module: a WGSL override or a CUDA `-D` macro.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constant {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl Constant {
    /// The value as WGSL's pipeline constants pass it: a 64-bit float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Bool(value) => f64::from(u8::from(value)),
            #[expect(clippy::cast_precision_loss, reason = "override values are specified as f64")]
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => fmt::Debug::fmt(value, f),
        }
    }
}

/// One grid of workgroups running one entry point.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The module.
    pub module: ModuleId,
    /// Name of the entry point in it.
    pub entry: String,
    /// Number of workgroups in x, y, z.
    pub grid: [u32; 3],
    /// Invocations of one workgroup in x, y, z: given for PTX and CUDA, `None` where the module says it.
    pub workgroup: Option<[u32; 3]>,
    /// Bytes of workgroup memory added by the launch (CUDA's dynamic shared memory).
    pub dynamic_workgroup_bytes: u32,
    /// Buffers and scalars.
    pub arguments: Vec<Argument>,
    /// WGSL overrides by name (or by `@id` number), CUDA macros by name.
    pub constants: BTreeMap<String, Constant>,
}

impl Dispatch {
    /// A dispatch with no arguments and no constants yet.
    pub fn new(module: ModuleId, entry: impl Into<String>, grid: [u32; 3]) -> Self {
        Self {
            module,
            entry: entry.into(),
            grid,
            workgroup: None,
            dynamic_workgroup_bytes: 0,
            arguments: Vec::new(),
            constants: BTreeMap::new(),
        }
    }

    /// Number of workgroups; `None` on overflow.
    pub fn workgroups(&self) -> Option<u64> {
        self.grid.iter().try_fold(1_u64, |product, &extent| product.checked_mul(u64::from(extent)))
    }
}

/// Everything that runs: dispatches in order over shared buffers. The end of a dispatch orders all its
/// accesses before those of the next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launch {
    /// Modules that dispatches refer to.
    pub modules: Vec<Module>,
    /// Device memory.
    pub buffers: Vec<Buffer>,
    /// What runs, in order.
    pub dispatches: Vec<Dispatch>,
}

impl Launch {
    /// Adds a module and names it.
    pub fn add_module(&mut self, module: Module) -> ModuleId {
        self.modules.push(module);
        ModuleId(self.modules.len() - 1)
    }

    /// Adds a buffer and names it.
    pub fn add_buffer(&mut self, buffer: Buffer) -> BufferId {
        self.buffers.push(buffer);
        BufferId(self.buffers.len() - 1)
    }

    /// The buffer that reports call `name`.
    pub fn buffer_named(&self, name: &str) -> Option<(BufferId, &Buffer)> {
        self.buffers
            .iter()
            .enumerate()
            .find(|(_, buffer)| buffer.name == name)
            .map(|(id, buffer)| (BufferId(id), buffer))
    }

    /// Checks everything that can be checked without reading the modules.
    ///
    /// # Errors
    /// The first thing wrong, with the value, the limit and the place.
    pub fn validate(&self) -> Result<(), LaunchError> {
        self.buffers.iter().try_for_each(Buffer::validate)?;
        self.dispatches
            .iter()
            .enumerate()
            .try_for_each(|(position, dispatch)| self.validate_dispatch(position, dispatch))
    }

    fn validate_dispatch(&self, position: usize, dispatch: &Dispatch) -> Result<(), LaunchError> {
        if dispatch.module.0 >= self.modules.len() {
            return Err(LaunchError::UnknownModule {
                dispatch: position,
                module: dispatch.module,
                modules: self.modules.len(),
            });
        }
        let refuse = |what, size, problem| LaunchError::Size { dispatch: position, what, size, problem };
        match dispatch.workgroups() {
            None => return Err(refuse("grid", dispatch.grid, "has more than 2^64 workgroups")),
            Some(count) if count >= u64::from(u32::MAX) => {
                return Err(refuse("grid", dispatch.grid, "has 2^32 - 1 workgroups or more"));
            }
            Some(_) => {}
        }
        if let Some(size) = dispatch.workgroup {
            let count = size.iter().fold(1_u64, |product, &extent| product.saturating_mul(u64::from(extent)));
            if count == 0 {
                return Err(refuse("workgroup", size, "is empty"));
            }
            if count > 1024 {
                return Err(refuse("workgroup", size, "has more than 1,024 invocations"));
            }
        }
        let mut seen = BTreeSet::new();
        for argument in &dispatch.arguments {
            self.validate_argument(position, argument)?;
            if !seen.insert(&argument.target) {
                return Err(LaunchError::DuplicateArgument {
                    dispatch: position,
                    argument: argument.target.to_string(),
                });
            }
        }
        Ok(())
    }

    fn validate_argument(&self, dispatch: usize, argument: &Argument) -> Result<(), LaunchError> {
        let Value::Buffer { buffer: id, range } = argument.value else { return Ok(()) };
        let name = argument.target.to_string();
        let Some(buffer) = self.buffers.get(id.0) else {
            return Err(LaunchError::UnknownBuffer {
                dispatch,
                argument: name,
                buffer: id,
                buffers: self.buffers.len(),
            });
        };
        if range.start > range.end || range.end > buffer.length {
            return Err(LaunchError::ArgumentRange {
                dispatch,
                argument: name,
                buffer: buffer.name.clone(),
                range,
                length: buffer.length,
            });
        }
        Ok(())
    }
}
