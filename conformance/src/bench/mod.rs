//! How fast a CUDA device runs launches of the catalogue, beside the time that their bytes take.
//!
//! Nothing is compared here: that the outputs are right is the matrix's business. A kernel that is known to be racy may
//! be timed as well as any other.
//!
//! The device is this process's own: after a fault every further row says that it is lost.

mod select;
mod shapes;

use std::time::{Duration, Instant};

use gridproof_gpu::cuda::{CopyTiming, CudaDevice, CudaUnavailable, TimingOptions};
use gridproof_gpu::nvrtc::Nvrtc;
use gridproof_launch::{Arithmetic, Language};
use gridproof_report::bench::{BenchReport, Machine, Measured, Resources, Row};

use crate::check::CheckError;
use crate::cuda;
use crate::family::{Instance, Making};
use crate::progress::Progress;
use select::Case;
pub use select::Wanted;

/// Bytes of the copies that the floor is taken from.
const COPY: u64 = 1 << 30;

/// Graphs, and copies, that are measured.
const SAMPLES: u32 = 20;

/// Longest wait for what is measured.
const LIMIT: Duration = Duration::from_secs(120);

/// Where the system says which driver it has loaded.
const DRIVER: &str = "/proc/driver/nvidia/version";

/// How to time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BenchOptions {
    /// The device's number, counted from 0.
    pub ordinal: u32,
    /// The arithmetic profile of the kernels.
    pub arithmetic: Arithmetic,
    /// Seed of the data.
    pub data_seed: u64,
}

/// Times what is wanted on a device.
///
/// # Errors
/// An unknown name or a shape out of range, whether there is a device or not; then why there is none, or no compiler; a
/// shape that the problem or the dispatcher refuses.
pub fn bench(
    wanted: &Wanted,
    options: &BenchOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<BenchReport, CheckError> {
    let started = Instant::now();
    let cases = select::cases(wanted)?;
    let device = CudaDevice::open(options.ordinal).map_err(|why| no_device(&why))?;
    let compiler = cuda::compiler().map_err(Clone::clone)?;
    device.summary().check_compiler(compiler.version()).map_err(|why| no_device(&why))?;
    let copies =
        device.time_copy(COPY, SAMPLES, LIMIT).map_err(|error| CheckError::Device { reason: error.to_string() })?;
    let machine = machine(&device, compiler, &copies, options);
    let mut rows = Vec::new();
    for (done, case) in cases.iter().enumerate() {
        let name = format!("{}:{} {}", case.family.kernel().name, case.variant, case.shape);
        progress(Progress { done, total: cases.len(), current: &name });
        rows.push(row(case, &device, options)?);
    }
    Ok(BenchReport { machine, rows, elapsed: started.elapsed() })
}

fn no_device(why: &CudaUnavailable) -> CheckError {
    CheckError::NoDevice { reason: why.to_string() }
}

fn row(case: &Case, device: &CudaDevice, options: &BenchOptions) -> Result<Row, CheckError> {
    let making = Making {
        data_seed: options.data_seed,
        arithmetic: options.arithmetic,
        subgroup_size: device.summary().warp_size,
        language: Language::Cuda,
    };
    let (kernel, variant) = (case.family.kernel().name.to_owned(), case.variant.to_owned());
    match case.family.instance(case.variant, &case.shape, &making) {
        Ok(instance) => Ok(Row { kernel, variant, shape: case.shape.clone(), measured: measured(&instance, device) }),
        Err(reason) => Err(CheckError::Refused { kernel, variant, reason }),
    }
}

fn measured(instance: &Instance, device: &CudaDevice) -> Result<Measured, String> {
    let built = cuda::built(&instance.launch, &device.summary().architecture()).map_err(|error| error.to_string())?;
    let traffic = instance.traffic;
    let timing_options = TimingOptions { footprint: traffic.footprint(), samples: SAMPLES, timeout: LIMIT };
    let timing = device.time(&built.launch, &built.machine_code, &timing_options).map_err(|error| error.to_string())?;
    let microseconds = timing.median();
    // Also where it is not a number.
    if microseconds.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        return Err("the device's clock did not go on".to_owned());
    }
    Ok(Measured {
        read: traffic.read,
        written: traffic.written,
        handed_on: traffic.handed_on,
        bytes: traffic.bytes(),
        samples: timing.samples,
        microseconds,
        copies: timing.copies,
        launches: timing.launches,
        is_cold: timing.is_cold,
        resources: timing.resources.into_iter().map(resources).collect(),
    })
}

fn resources(kernel: gridproof_gpu::cuda::Resources) -> Resources {
    let gridproof_gpu::cuda::Resources { entry, registers, workgroup_bytes, private_bytes } = kernel;
    Resources { entry, registers, workgroup_bytes, private_bytes }
}

fn machine(device: &CudaDevice, compiler: &Nvrtc, copies: &CopyTiming, options: &BenchOptions) -> Machine {
    let summary = device.summary();
    let (major, minor) = compiler.version();
    Machine {
        leg: format!("cuda:{}", summary.ordinal),
        device: summary.to_string(),
        driver: std::fs::read_to_string(DRIVER).ok().as_deref().and_then(driver),
        cuda: summary.driver.to_string(),
        compiler: format!("NVRTC {major}.{minor}"),
        arithmetic: options.arithmetic.to_string(),
        clock_khz: summary.clock_khz,
        memory_clock_khz: summary.memory_clock_khz,
        bus_bits: summary.bus_bits,
        cache: summary.cache.into(),
        copy_length: copies.length,
        copy_rate: copies.bytes_per_microsecond(),
    }
}

/// The version in the driver's own words: the first word of numbers with points between them.
fn driver(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    line.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_driver_is_found_in_its_words() {
        let text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (a@b)  Sun Jul 1\n\
                    GCC version:  gcc version 12.2.0 (Debian)\n";
        assert_eq!(driver(text).as_deref(), Some("580.65.06"));
        let older = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n";
        assert_eq!(driver(older).as_deref(), Some("535.129.03"));
        assert_eq!(driver("GCC version:  gcc version 12.2.0\n"), None);
    }
}
