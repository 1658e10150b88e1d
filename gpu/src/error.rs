//! Why a device cannot be opened, and why a run failed: typed, grouped by whose fault it is.

use std::fmt;
use std::time::Duration;

use gridproof_launch::{LaunchError, Target};

use crate::probe::LoopForm;
use crate::{AdapterSummary, Selector};

/// Why there is no device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unavailable {
    /// The machine has no Vulkan loader at all.
    #[error(
        "no Vulkan loader on this machine (libvulkan.so.1 or vulkan-1.dll): install it and a driver (libvulkan1 and mesa-vulkan-drivers 25 or later on Debian)"
    )]
    NoLoader,
    /// A loader, but no driver offers an adapter.
    #[error(
        "no adapter: the Vulkan loader is there, but no driver offers one; install one (a CPU driver will do: mesa-vulkan-drivers 25 or later)"
    )]
    NoAdapter,
    /// Adapters, but none that was asked for.
    #[error("no adapter matches `{selector}`; there are: {}", found.join(", "))]
    NoMatch {
        /// What was asked for.
        selector: Selector,
        /// The names of the adapters there are.
        found: Vec<String>,
    },
    /// The driver would not open the adapter.
    #[error("{adapter} cannot be opened: {reason}")]
    Refused {
        /// The adapter.
        adapter: Box<AdapterSummary>,
        /// The driver's reason.
        reason: String,
    },
    /// The driver runs loops a wrong number of times, so that nothing it computes can be trusted.
    #[error(transparent)]
    MiscountsLoops(Box<LoopMiscount>),
    /// The kernels that test the driver did not run.
    #[error("{adapter} cannot run the kernels that test it: {source}")]
    ProbeFailed {
        /// The adapter.
        adapter: Box<AdapterSummary>,
        /// What went wrong.
        source: Box<RunError>,
    },
}

/// A loop that ran a wrong number of times.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopMiscount {
    /// The adapter whose driver did it.
    pub adapter: AdapterSummary,
    /// Which loop.
    pub form: LoopForm,
    /// Iterations it should have made.
    pub expected: u32,
    /// Iterations it made.
    pub observed: u32,
}

impl fmt::Display for LoopMiscount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { adapter, form, expected, observed } = self;
        write!(f, "{adapter} is refused: {form} of {expected} iterations ran {observed} times")?;
        if adapter.is_lavapipe() {
            f.write_str(
                "; this lavapipe is too old: install mesa-vulkan-drivers 25 or later \
                 (on Debian 12 from bookworm-backports: `.ci/lavapipe` does it)",
            )
        } else {
            f.write_str("; install a newer driver")
        }
    }
}

impl std::error::Error for LoopMiscount {}

/// Why a launch did not run to its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The launch contradicts itself.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The module cannot be parsed or is not valid on this device.
    #[error(transparent)]
    Module(#[from] Box<InvalidModule>),
    /// The module has no such compute entry point.
    #[error("dispatch {dispatch}: `{module}` has no compute entry point `{entry}`; it has: {}", available.join(", "))]
    UnknownEntry {
        /// Position of the dispatch.
        dispatch: usize,
        /// The module's name.
        module: String,
        /// What was asked for.
        entry: String,
        /// What there is.
        available: Vec<String>,
    },
    /// An override that does not exist, has no value, or does not fit its type.
    #[error("dispatch {dispatch}: constants of `{module}`: {problem}")]
    Constants {
        /// Position of the dispatch.
        dispatch: usize,
        /// The module's name.
        module: String,
        /// What is wrong.
        problem: String,
    },
    /// An argument for something that the module does not have.
    #[error("dispatch {dispatch}: nothing in `{module}` is called {target}; it has: {}", available.join(", "))]
    UnknownTarget {
        /// Position of the dispatch.
        dispatch: usize,
        /// The module's name.
        module: String,
        /// Where the argument was to go.
        target: Target,
        /// The module's bindings.
        available: Vec<String>,
    },
    /// A binding that the entry point uses and the launch does not give.
    #[error("dispatch {dispatch}: `{entry}` uses {variable}, but no argument is given for it")]
    MissingArgument {
        /// Position of the dispatch.
        dispatch: usize,
        /// The entry point.
        entry: String,
        /// The variable with its group and binding.
        variable: String,
    },
    /// Two arguments name the same binding, one by name and one by slot.
    #[error("dispatch {dispatch}: two arguments go to {variable}")]
    DuplicateArgument {
        /// Position of the dispatch.
        dispatch: usize,
        /// The variable with its group and binding.
        variable: String,
    },
    /// An argument of a size that its variable cannot have.
    #[error("dispatch {dispatch}: {variable} takes {expected} bytes, but {given} are given")]
    ArgumentSize {
        /// Position of the dispatch.
        dispatch: usize,
        /// The variable with its group and binding.
        variable: String,
        /// Bytes it takes.
        expected: String,
        /// Bytes given.
        given: u64,
    },
    /// The launch asks for more than the device has.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// Something that this device, or wgpu, cannot run at all.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Exact mode was asked for where it does not exist.
    #[error("exact mode is not available on {adapter}: {reason}")]
    ExactUnavailable {
        /// The adapter.
        adapter: String,
        /// Why not.
        reason: &'static str,
    },
    /// wgpu's validation refused what was asked; its own words.
    #[error("wgpu refused the launch: {0}")]
    Validation(String),
    /// The device has not enough memory.
    #[error("out of device memory: {0}")]
    OutOfMemory(String),
    /// The device's free memory is less than the buffers of the launch take.
    #[error("out of device memory: the launch needs {wanted} bytes, {free} are free")]
    TooLittleMemory {
        /// Bytes that the launch needs.
        wanted: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A kernel did what the device forbids: an illegal address, a misaligned one, a failed assertion. What the
    /// process had on the device is lost.
    #[error("the kernel faulted: {reason}; the process has lost its device")]
    Fault {
        /// The driver's words.
        reason: String,
    },
    /// The driver failed inside.
    #[error("the driver failed: {0}")]
    Internal(String),
    /// The device is gone.
    #[error("the device was lost: {0}")]
    DeviceLost(String),
    /// The device did not finish in time.
    #[error("the device did not finish within {} s", after.as_secs_f64())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
}

impl RunError {
    /// Whether the device is gone for this process, so that nothing else will run on it.
    pub const fn is_loss(&self) -> bool {
        matches!(self, Self::Fault { .. } | Self::DeviceLost(_) | Self::TimedOut { .. })
    }
}

/// A module that cannot be parsed, or is not valid on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidModule {
    /// The module's name.
    pub module: String,
    /// Line and column, both from 1, where known.
    pub at: Option<(u32, u32)>,
    /// What is wrong, in one line.
    pub message: String,
    /// naga's own report, with the source line, where there is one.
    pub rendered: Option<String>,
}

impl fmt::Display for InvalidModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.module)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for InvalidModule {}

/// One of the device's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Bytes of one buffer.
    BufferSize,
    /// Bytes visible through one storage binding.
    StorageBindingSize,
    /// Bytes visible through one uniform binding.
    UniformBindingSize,
    /// Multiple of bytes at which a storage binding may start.
    StorageOffsetAlignment,
    /// Multiple of bytes at which a uniform binding may start.
    UniformOffsetAlignment,
    /// Storage buffers used by one entry point.
    StorageBuffers,
    /// Uniform buffers used by one entry point.
    UniformBuffers,
    /// Number of bind groups: one more than the highest group.
    BindGroups,
    /// Highest binding number inside a group, plus one.
    BindingNumber,
    /// Workgroups in one dimension of the grid.
    GridExtent,
    /// Invocations in one dimension of the workgroup.
    WorkgroupExtent,
    /// Invocations of one workgroup.
    WorkgroupInvocations,
    /// Bytes of workgroup memory.
    WorkgroupMemory,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferSize => "bytes in one buffer",
            Self::StorageBindingSize => "bytes in one storage binding",
            Self::UniformBindingSize => "bytes in one uniform binding",
            Self::StorageOffsetAlignment => "bytes of alignment of a storage binding's start",
            Self::UniformOffsetAlignment => "bytes of alignment of a uniform binding's start",
            Self::StorageBuffers => "storage buffers in one entry point",
            Self::UniformBuffers => "uniform buffers in one entry point",
            Self::BindGroups => "bind groups",
            Self::BindingNumber => "bindings in one group",
            Self::GridExtent => "workgroups in one dimension",
            Self::WorkgroupExtent => "invocations in one dimension of a workgroup",
            Self::WorkgroupInvocations => "invocations in one workgroup",
            Self::WorkgroupMemory => "bytes of workgroup memory",
        })
    }
}

/// A launch that asks for more than the device has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {value} asked for, the device's limit is {limit} {what}")]
pub struct LimitExceeded {
    /// Which limit.
    pub what: Limit,
    /// What the launch asks for.
    pub value: u64,
    /// What the device has.
    pub limit: u64,
    /// Where: the buffer, or the dispatch and its entry point or variable.
    pub place: String,
}
