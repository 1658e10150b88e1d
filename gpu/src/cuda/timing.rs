//! How long a launch takes while the second-level cache is cold, and how fast the device copies.
//!
//! The buffers of a launch are there several times over. A CUDA graph goes through the launch once for each copy, so
//! that what one launch touched has left the cache before the next one with the same copy comes. Graphs are submitted
//! one after the other without waiting, with an event between each two: what a sample measures is the device's own time,
//! with the gaps between the kernels, and not how fast the host submits.
//!
//! Kernels that update buffers in place find in each copy what they left there the last time.

use std::time::Duration;

use gridproof_launch::Launch;

use super::CudaDevice;
use super::device::SPARE;
use super::graph::{Graph, Node};
use super::memory::{Allocation, Event};
use crate::RunError;
use crate::contents::device_length;
use crate::limits::count_u64;
use crate::nvrtc::Cubin;

/// How many times the cache's bytes a round over all copies touches at least.
const CACHES: u64 = 4;

/// What the second-level cache has at most where the driver does not say.
const CACHE: u64 = 128 << 20;

/// Copies of the buffers at least, and at most.
const COPIES: (u64, u64) = (2, 4096);

/// Kernels of a graph at most, unless the copies alone have more.
const NODES: usize = 1 << 14;

/// How long a graph shall take, so that what lies between two graphs does not count.
const LONG: Duration = Duration::from_millis(1);

/// Runs before anything is measured.
const WARM_UP: usize = 2;

/// Every copy of a buffer begins at a multiple of so many bytes, as every allocation does.
const ALIGNMENT: u64 = 256;

/// Bytes of noise from which the source of a copy is filled.
const NOISE: u64 = 1 << 20;

/// How to time a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimingOptions {
    /// Bytes of its buffers that one launch touches.
    pub footprint: u64,
    /// How many graphs are measured.
    pub samples: u32,
    /// Longest wait for each transfer, for a graph that warms up, and for all that are measured.
    pub timeout: Duration,
}

/// How long a launch took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// Microseconds of one launch, for each graph in the order of their runs: its time by the number of its launches.
    pub samples: Vec<f64>,
    /// How many times the buffers were there.
    pub copies: u64,
    /// Launches of a graph.
    pub launches: u64,
    /// Whether what all copies' launches touch is 4 times the cache; not where memory is too small for so many copies.
    pub is_cold: bool,
    /// What its kernels take, each once, in the order of the dispatches.
    pub resources: Vec<Resources>,
}

/// What a kernel takes of a multiprocessor, as the driver says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The entry point.
    pub entry: String,
    /// Registers of an invocation, 32 bits each.
    pub registers: u32,
    /// Bytes of workgroup memory, with what the launch asks for.
    pub workgroup_bytes: u32,
    /// Bytes of an invocation's own memory: spilled registers, and arrays that registers do not hold.
    pub private_bytes: u32,
}

/// How long copies from device memory to device memory took.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyTiming {
    /// Bytes that were copied: each is read once and written once.
    pub length: u64,
    /// Microseconds of each copy.
    pub samples: Vec<f64>,
}

impl Resources {
    fn of(entry: &str, node: &Node) -> Self {
        Self {
            entry: entry.to_owned(),
            registers: node.kernel.registers,
            workgroup_bytes: node.kernel.workgroup_bytes.saturating_add(node.dynamic_bytes),
            private_bytes: node.kernel.private_bytes,
        }
    }
}

impl Timing {
    /// Microseconds of one launch in the median sample.
    pub fn median(&self) -> f64 {
        median(&self.samples)
    }
}

impl CopyTiming {
    /// Bytes read and written per microsecond in the median sample, which are millions a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub fn bytes_per_microsecond(&self) -> f64 {
        2.0 * self.length as f64 / median(&self.samples)
    }
}

/// The middle one, or the mean of the middle two; not a number where there is none.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

impl CudaDevice {
    /// Times the dispatches of `launch`, which are given as to [`CudaDevice::run`]. Nothing is read back.
    ///
    /// # Errors
    /// As [`CudaDevice::run`]; when there is nothing to dispatch, or no memory for two copies of the buffers.
    pub fn time(
        &self,
        launch: &Launch,
        machine_code: &[Option<Cubin>],
        options: &TimingOptions,
    ) -> Result<Timing, RunError> {
        self.context.check_alive()?;
        launch.validate()?;
        let plans = self.plans(launch)?;
        if plans.is_empty() {
            return Err(RunError::Unsupported("a launch without workgroups takes no time".to_owned()));
        }
        self.check_memory(launch)?;
        let limit = options.timeout;
        let allocate = |buffer| Allocation::of_buffer(&self.context, &self.staging, buffer, limit);
        let first = launch.buffers.iter().map(allocate).collect::<Result<Vec<_>, _>>()?;
        let (copies, is_cold) = self.copies(launch, options.footprint)?;
        let buffers = first.iter().map(|first| Copies::of(self, first, copies)).collect::<Result<Vec<_>, _>>()?;
        let modules = self.load(launch, machine_code)?;
        let mut nodes: Vec<Node> = Vec::new();
        let mut resources: Vec<Resources> = Vec::new();
        for copy in 0..copies {
            for plan in &plans {
                let address = |id: gridproof_launch::BufferId| {
                    first.get(id.0).zip(buffers.get(id.0)).map_or(0, |(first, others)| others.address(first, copy))
                };
                let node = self.node(plan, launch, &modules, address)?;
                let of_kernel = Resources::of(&plan.dispatch.entry, &node);
                if !resources.contains(&of_kernel) {
                    resources.push(of_kernel);
                }
                nodes.push(node);
            }
        }
        let mut graph = Graph::new(&self.context, &nodes)?;
        let mut took = Duration::ZERO;
        for _ in 0..WARM_UP {
            let elapsed = graph.run(limit)?;
            took = elapsed.gpu.unwrap_or(elapsed.wall);
        }
        let rounds = rounds(took, nodes.len());
        if rounds > 1 {
            graph = Graph::new(&self.context, (0..rounds).flat_map(|_| &nodes))?;
        }
        let launches = copies.saturating_mul(count_u64(rounds));
        let samples = self.samples(options.samples, limit, || graph.launch())?;
        #[expect(clippy::cast_precision_loss, reason = "there are few launches")]
        let samples = samples.into_iter().map(|microseconds| microseconds / launches as f64).collect();
        Ok(Timing { samples, copies, launches, is_cold, resources })
    }

    /// Times copies of `length` bytes, at least 4, from one place of device memory to another. The bytes are noise, as
    /// zeros may cost less.
    ///
    /// # Errors
    /// When there is too little memory, or the device is lost.
    pub fn time_copy(&self, length: u64, samples: u32, timeout: Duration) -> Result<CopyTiming, RunError> {
        self.context.check_alive()?;
        let length = device_length(length);
        let wanted = length.saturating_mul(2).saturating_add(SPARE);
        let (free, _) = self.context.memory()?;
        if wanted > free {
            return Err(RunError::TooLittleMemory { wanted, free });
        }
        let (source, target) = (Allocation::new(&self.context, length)?, Allocation::new(&self.context, length)?);
        let mut filled = length.min(NOISE);
        self.staging.upload(&source, 0, &noise(filled), timeout)?;
        while filled < length {
            let part = filled.min(length - filled);
            source.copy((0, part), &source, filled)?;
            filled += part;
        }
        let samples = self.samples(samples, timeout, || source.copy((0, length), &target, 0))?;
        Ok(CopyTiming { length, samples })
    }

    /// How many copies of the buffers there shall be, and whether they keep the cache cold. The first copy is there.
    fn copies(&self, launch: &Launch, footprint: u64) -> Result<(u64, bool), RunError> {
        let cache = if self.summary().cache == 0 { CACHE } else { u64::from(self.summary().cache) };
        let set = launch.buffers.iter().fold(0, |sum: u64, buffer| sum.saturating_add(stride(buffer.length)));
        let (free, _) = self.context.memory()?;
        let more = free.saturating_sub(SPARE) / set.max(1);
        if more == 0 {
            return Err(RunError::TooLittleMemory { wanted: set.saturating_add(SPARE), free });
        }
        let touched = footprint.clamp(1, set.max(1));
        let wanted = (CACHES * cache).div_ceil(touched).max(COPIES.0);
        let copies = wanted.min(COPIES.1).min(more.saturating_add(1));
        Ok((copies, copies == wanted))
    }

    /// Microseconds of each of `count` submissions, after one more.
    fn samples(
        &self,
        count: u32,
        limit: Duration,
        submit: impl Fn() -> Result<(), RunError>,
    ) -> Result<Vec<f64>, RunError> {
        let events = (0..=count).map(|_| Event::new(&self.context)).collect::<Result<Vec<_>, _>>()?;
        for event in &events {
            submit()?;
            event.record()?;
        }
        self.context.wait(limit)?;
        let times = events.windows(2).map(|pair| {
            let elapsed = pair[0].until(&pair[1])?;
            let elapsed = elapsed.ok_or_else(|| RunError::Internal("an event ended before it began".to_owned()))?;
            Ok(elapsed.as_secs_f64() * 1e6)
        });
        times.collect()
    }
}

/// A buffer's copies but the first, one after the other.
struct Copies {
    others: Allocation,
    stride: u64,
}

impl Copies {
    fn of(device: &CudaDevice, first: &Allocation, copies: u64) -> Result<Self, RunError> {
        let stride = stride(first.length());
        let others = Allocation::new(&device.context, stride.saturating_mul(copies - 1))?;
        for copy in 0..copies - 1 {
            first.copy((0, first.length()), &others, copy * stride)?;
        }
        Ok(Self { others, stride })
    }

    /// The address of a copy; 0 is the first one.
    fn address(&self, first: &Allocation, copy: u64) -> u64 {
        match copy.checked_sub(1) {
            None => first.address(),
            Some(other) => self.others.address() + other * self.stride,
        }
    }
}

/// Bytes from one copy of a buffer to the next.
fn stride(length: u64) -> u64 {
    device_length(length).checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX)
}

/// How often a graph goes over all copies.
fn rounds(took: Duration, nodes: usize) -> usize {
    let wanted = LONG.as_nanos().div_ceil(took.as_nanos().max(1));
    usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, (NODES / nodes.max(1)).max(1))
}

/// Bytes without a pattern, by a linear congruential generator (Knuth's MMIX).
fn noise(length: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let words = (0..length.div_ceil(4)).flat_map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The high half: the low bits of such a generator repeat soon.
        (state >> 32).to_le_bytes().into_iter().take(4)
    });
    words.take(usize::try_from(length).unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[9.0, 1.0, 5.0, 4.0]), 4.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn short_graphs_go_round_more_often() {
        let micros = Duration::from_micros;
        assert_eq!([1000, 999, 100].map(|took| rounds(micros(took), 8)), [1, 2, 10]);
        // No more than so many kernels, but every copy has its turn.
        assert_eq!(rounds(micros(1), 1 << 12), 4);
        assert_eq!(rounds(micros(1), 1 << 20), 1);
        assert_eq!(rounds(Duration::ZERO, 1), 1 << 14);
    }

    #[test]
    fn noise_has_no_pattern() {
        let bytes = noise(1 << 12);
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(bytes.len(), 1 << 12);
        assert!((15_000..18_000).contains(&ones), "{ones}");
        assert_eq!(noise(5).len(), 5);
    }
}
