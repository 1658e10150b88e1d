//! Why there is no CUDA device.

use std::fmt;

/// A version of CUDA: of a driver, or of a compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CudaVersion {
    /// Major version.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
}

impl CudaVersion {
    /// From the number that the driver gives: 13000 for 13.0.
    pub(super) const fn from_number(number: u32) -> Self {
        Self { major: number / 1000, minor: number % 1000 / 10 }
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a CUDA device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CudaUnavailable {
    /// The machine has no CUDA driver, or one that cannot be loaded.
    #[error("no CUDA driver: {why}")]
    NoDriver {
        /// The loader's words.
        why: String,
    },
    /// The driver is older than what is asked of it.
    #[error("the CUDA driver is too old: it speaks CUDA {driver}, and {what} needs {needed} or later")]
    OldDriver {
        /// What the driver speaks.
        driver: CudaVersion,
        /// Who asks for more.
        what: String,
        /// How much.
        needed: CudaVersion,
    },
    /// A driver, but no GPU that it knows.
    #[error("no CUDA device: the driver is there, but it knows no GPU")]
    NoDevice,
    /// Fewer devices than that.
    #[error("no CUDA device {ordinal}: there are {count}, counted from 0")]
    NoSuchDevice {
        /// Which was asked for.
        ordinal: u32,
        /// How many there are.
        count: u32,
    },
    /// A GPU of a generation that is not supported.
    #[error("{name} has compute capability {}.{}: 8.0 or later is needed", capability.0, capability.1)]
    OldDevice {
        /// Its name.
        name: String,
        /// Its compute capability.
        capability: (u32, u32),
    },
    /// The driver would not do what opening a device takes.
    #[error("the CUDA driver does not open the device: {reason}")]
    Refused {
        /// The driver's words.
        reason: String,
    },
    /// The kernels that test the device did not run.
    #[error("{device} cannot run the kernels that test it: {reason}")]
    ProbeFailed {
        /// The device.
        device: String,
        /// What went wrong.
        reason: String,
    },
}
