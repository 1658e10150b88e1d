//! Why a check could not be done. Findings, unsupported constructs and exhausted budgets are not errors.

use crate::explore::child::ChildError;
use gridproof_gpu::nvrtc::NvrtcError;
use gridproof_simulator::SimulateError;

use crate::launch_file::LaunchFileError;

/// A check that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The catalogue has no such kernel.
    #[error("unknown kernel `{name}`: the catalogue has {known}")]
    UnknownKernel {
        /// What was given.
        name: String,
        /// The kernels there are.
        known: String,
    },
    /// The kernel has no such variant.
    #[error("unknown variant `{name}` of {kernel}: expected one of {known}")]
    UnknownVariant {
        /// The kernel.
        kernel: String,
        /// What was given.
        name: String,
        /// The variants there are.
        known: String,
    },
    /// The shape cannot be posed, or the dispatcher refuses it.
    #[error("{kernel}:{variant}: {reason}")]
    Refused {
        /// The kernel.
        kernel: String,
        /// The variant.
        variant: String,
        /// The problem's or the dispatcher's words.
        reason: String,
    },
    /// A launch file, or a file it names.
    #[error(transparent)]
    LaunchFile(#[from] LaunchFileError),
    /// The second engine.
    #[error(transparent)]
    Loom(#[from] ChildError),
    /// The model does not belong to the launch: our own mistake.
    #[error("the model of this kernel does not fit its launch: {reason}")]
    Model {
        /// What does not fit.
        reason: String,
    },
    /// An option that makes no sense.
    #[error("{name} = {value}: {limit}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        limit: &'static str,
    },
    /// The launch, its modules or the configuration.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// CUDA C++ that cannot be compiled.
    #[error(transparent)]
    Cuda(#[from] NvrtcError),
    /// There is no device to run on.
    #[error("{reason}")]
    NoDevice {
        /// Why.
        reason: String,
    },
    /// A device, or the process that uses it, failed.
    #[error("{reason}")]
    Device {
        /// How.
        reason: String,
    },
    /// A case file of the suite.
    #[error("{file}: {reason}")]
    CaseFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A share of the matrix that makes no sense.
    #[error("partition {value}: {reason}")]
    Partition {
        /// What was given, or the variable that it is from.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal of a run.
    #[error(transparent)]
    Journal(#[from] crate::matrix::journal::JournalError),
    /// A selection that leaves nothing to do.
    #[error("nothing is selected by {selection}")]
    NothingSelected {
        /// The selection in the caller's words.
        selection: String,
    },
}

impl CheckError {
    /// The exit code of a program that ends with this error: 4 when nothing was selected, 3 when the compiler or the device
    /// that the launch needs is not there, else 2.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NothingSelected { .. } => 4,
            Self::Cuda(NvrtcError::NotAvailable { .. }) | Self::NoDevice { .. } => 3,
            _ => 2,
        }
    }
}
