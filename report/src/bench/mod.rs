//! How fast a device runs launches, beside the time that their bytes take to cross its memory bus.

mod human;
mod page;

use std::time::Duration;

pub use human::render;
pub use page::page;

/// Everything that was timed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BenchReport {
    /// Where.
    pub machine: Machine,
    /// Launches, in the order they were timed.
    pub rows: Vec<Row>,
    /// Wall-clock time, with the making of data.
    pub elapsed: Duration,
}

/// The device, what runs on it, and how fast it copies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The leg, as `cuda:0`.
    pub leg: String,
    /// The device's name, capability and address.
    pub device: String,
    /// The version of the driver, where the system says it.
    pub driver: Option<String>,
    /// The newest CUDA that the driver speaks.
    pub cuda: String,
    /// The compiler and its version.
    pub compiler: String,
    /// The arithmetic profile of the kernels.
    pub arithmetic: String,
    /// Greatest clock of the multiprocessors, in kHz; 0 where the driver does not say.
    pub clock_khz: u32,
    /// Greatest clock of the memory, in kHz; 0 where the driver does not say.
    pub memory_clock_khz: u32,
    /// Width of the memory bus, in bits; 0 where the driver does not say.
    pub bus_bits: u32,
    /// Bytes of the second-level cache; 0 where the driver does not say.
    pub cache: u64,
    /// Bytes of the copies that the floor is taken from.
    pub copy_length: u64,
    /// Bytes read and written per microsecond by those copies: millions a second.
    pub copy_rate: f64,
}

impl Machine {
    /// Bytes per microsecond that the data sheet promises: two transfers a clock, over the whole bus. `None` where the
    /// driver does not say enough.
    pub fn peak_rate(&self) -> Option<f64> {
        let known = self.memory_clock_khz > 0 && self.bus_bits > 0;
        known.then(|| 2.0 * f64::from(self.memory_clock_khz) * 1e-3 * f64::from(self.bus_bits) / 8.0)
    }
}

/// One launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The kernel.
    pub kernel: String,
    /// The variant.
    pub variant: String,
    /// The shape, as `--shape` takes it.
    pub shape: String,
    /// Its times, or why there are none.
    pub measured: Result<Measured, String>,
}

/// What was measured of a launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Bytes of inputs.
    pub read: u64,
    /// Bytes of outputs.
    pub written: u64,
    /// Bytes that dispatches hand to each other, which cross the bus twice.
    pub handed_on: u64,
    /// All bytes that must cross the bus.
    pub bytes: u64,
    /// Microseconds of the launch in each sample, in the order they were taken.
    pub samples: Vec<f64>,
    /// Microseconds in the median sample.
    pub microseconds: f64,
    /// How many times the buffers were there.
    pub copies: u64,
    /// Launches of one graph.
    pub launches: u64,
    /// Whether the copies together were large enough to keep the cache cold.
    pub is_cold: bool,
    /// What its kernels take, each once, in the order of the dispatches.
    pub resources: Vec<Resources>,
}

/// What a kernel takes of a multiprocessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The entry point.
    pub entry: String,
    /// Registers of an invocation, 32 bits each.
    pub registers: u32,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Bytes of an invocation's own memory: spilled registers, and arrays that registers do not hold.
    pub private_bytes: u32,
}

impl Measured {
    /// Bytes per microsecond.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / self.microseconds
    }

    /// The part of its time that its bytes alone take at the rate of copies: 1 is the floor itself.
    pub fn share(&self, machine: &Machine) -> f64 {
        self.rate() / machine.copy_rate
    }

    /// The distance of the slowest from the fastest sample, by the median.
    pub fn spread(&self) -> f64 {
        let least = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.samples.iter().copied().fold(0.0, f64::max);
        (most - least).max(0.0) / self.microseconds
    }
}
