//! What a CUDA device says about itself.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

use cudarc::driver::sys;

use super::driver::{Driver, Refusal};
use super::{CudaUnavailable, CudaVersion};

/// The oldest driver whose functions are all there.
const OLDEST_DRIVER: CudaVersion = CudaVersion { major: 12, minor: 0 };

/// The oldest compute capability.
const OLDEST_CAPABILITY: (u32, u32) = (8, 0);

/// Longest name of a device, in bytes.
const NAME: usize = 256;

/// A CUDA device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CudaSummary {
    /// Its number, counted from 0.
    pub ordinal: u32,
    /// Its name.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    /// The newest CUDA that the driver speaks.
    pub driver: CudaVersion,
    /// Bytes of device memory.
    pub memory: u64,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Invocations of a warp.
    pub warp_size: u32,
    /// Greatest clock of the multiprocessors, in kHz; 0 where the driver does not say.
    pub clock_khz: u32,
    /// Greatest clock of the memory, in kHz; 0 where the driver does not say.
    pub memory_clock_khz: u32,
    /// Width of the memory bus, in bits; 0 where the driver does not say.
    pub bus_bits: u32,
    /// Bytes of the second-level cache; 0 where the driver does not say.
    pub cache: u32,
    /// PCI address, as `0000:65:00.0`.
    pub pci: String,
    /// Invocations of a workgroup at most.
    pub workgroup_invocations: u32,
    /// Invocations of a workgroup at most in x, y and z.
    pub workgroup_extents: [u32; 3],
    /// Workgroups of a grid at most in x, y and z.
    pub grid_extents: [u32; 3],
    /// Bytes of workgroup memory at most, for kernels that ask for it.
    pub workgroup_memory: u32,
}

impl CudaSummary {
    /// The architecture that machine code for it is compiled for, as `sm_90`.
    pub fn architecture(&self) -> String {
        format!("sm_{}{}", self.capability.0, self.capability.1)
    }

    /// Whether its driver loads what a compiler of this version makes: machine code needs a driver of the same major
    /// version or a later one.
    ///
    /// # Errors
    /// [`CudaUnavailable::OldDriver`].
    pub fn check_compiler(&self, compiler: (u32, u32)) -> Result<(), CudaUnavailable> {
        let compiler = CudaVersion { major: compiler.0, minor: compiler.1 };
        let needed = CudaVersion { major: compiler.major, minor: 0 };
        if self.driver >= needed {
            return Ok(());
        }
        Err(CudaUnavailable::OldDriver { driver: self.driver, what: format!("code of NVRTC {compiler}"), needed })
    }

    pub(super) fn check_capability(&self) -> Result<(), CudaUnavailable> {
        if self.capability >= OLDEST_CAPABILITY {
            return Ok(());
        }
        Err(CudaUnavailable::OldDevice { name: self.name.clone(), capability: self.capability })
    }
}

impl fmt::Display for CudaSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, capability: (major, minor), driver, pci, .. } = self;
        write!(f, "{name} (CUDA, compute capability {major}.{minor}, driver for CUDA {driver}, PCI {pci})")
    }
}

/// The devices of this machine, in the driver's order. Opens none of them.
///
/// # Errors
/// Why there is none.
pub fn devices() -> Result<Vec<CudaSummary>, CudaUnavailable> {
    listed(&found()?)
}

/// The driver of this machine.
pub(super) fn found() -> Result<Driver, CudaUnavailable> {
    Driver::find().map_err(|why| CudaUnavailable::NoDriver { why })
}

pub(super) fn listed(driver: &Driver) -> Result<Vec<CudaSummary>, CudaUnavailable> {
    let refused = |refusal: Refusal| CudaUnavailable::Refused { reason: refusal.to_string() };
    let version = driver.version().map_err(refused)?;
    if version < OLDEST_DRIVER {
        let what = "gridproof".to_owned();
        return Err(CudaUnavailable::OldDriver { driver: version, what, needed: OLDEST_DRIVER });
    }
    driver.initialise().map_err(|refusal| match refusal.status {
        super::driver::status::NO_DEVICE => CudaUnavailable::NoDevice,
        _ => refused(refusal),
    })?;
    let count = count(driver).map_err(refused)?;
    if count == 0 {
        return Err(CudaUnavailable::NoDevice);
    }
    (0..count).map(|ordinal| summary(driver, version, ordinal).map_err(refused)).collect()
}

#[expect(unsafe_code, reason = "a function of a C library")]
fn count(driver: &Driver) -> Result<u32, Refusal> {
    let mut count = 0;
    // SAFETY: see `driver`; the pointer is to an integer.
    driver.check("cuDeviceGetCount", unsafe { (driver.device_count)(&raw mut count) })?;
    Ok(u32::try_from(count).unwrap_or(0))
}

/// The driver's handle of a device.
#[expect(unsafe_code, reason = "a function of a C library")]
pub(super) fn handle(driver: &Driver, ordinal: u32) -> Result<sys::CUdevice, Refusal> {
    let mut device = 0;
    let ordinal = c_int::try_from(ordinal).unwrap_or(c_int::MAX);
    // SAFETY: see `driver`; the pointer is to an integer.
    driver.check("cuDeviceGet", unsafe { (driver.device)(&raw mut device, ordinal) })?;
    Ok(device)
}

fn summary(driver: &Driver, version: CudaVersion, ordinal: u32) -> Result<CudaSummary, Refusal> {
    use sys::CUdevice_attribute_enum as Which;
    let device = handle(driver, ordinal)?;
    let value = |which: Which| attribute(driver, device, which);
    Ok(CudaSummary {
        ordinal,
        name: name(driver, device)?,
        capability: (
            value(Which::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            value(Which::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        driver: version,
        memory: memory(driver, device)?,
        multiprocessors: value(Which::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        warp_size: value(Which::CU_DEVICE_ATTRIBUTE_WARP_SIZE)?,
        clock_khz: value(Which::CU_DEVICE_ATTRIBUTE_CLOCK_RATE).unwrap_or(0),
        memory_clock_khz: value(Which::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE).unwrap_or(0),
        bus_bits: value(Which::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH).unwrap_or(0),
        cache: value(Which::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).unwrap_or(0),
        pci: pci(driver, device)?,
        workgroup_invocations: value(Which::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
        workgroup_extents: [
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X)?,
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y)?,
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z)?,
        ],
        grid_extents: [
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)?,
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)?,
            value(Which::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)?,
        ],
        workgroup_memory: value(Which::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
    })
}

#[expect(unsafe_code, reason = "a function of a C library")]
fn attribute(driver: &Driver, device: sys::CUdevice, which: sys::CUdevice_attribute_enum) -> Result<u32, Refusal> {
    let mut value = 0;
    // SAFETY: see `driver`; the pointer is to an integer, and the device was given by `cuDeviceGet`.
    let status = unsafe { (driver.device_attribute)(&raw mut value, which as u32, device) };
    driver.check("cuDeviceGetAttribute", status)?;
    Ok(u32::try_from(value).unwrap_or(0))
}

#[expect(unsafe_code, reason = "a function of a C library")]
fn memory(driver: &Driver, device: sys::CUdevice) -> Result<u64, Refusal> {
    let mut bytes = 0;
    // SAFETY: see `driver`; the pointer is to an integer, and the device was given by `cuDeviceGet`.
    driver.check("cuDeviceTotalMem", unsafe { (driver.device_memory)(&raw mut bytes, device) })?;
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn name(driver: &Driver, device: sys::CUdevice) -> Result<String, Refusal> {
    text(driver, "cuDeviceGetName", driver.device_name, device)
}

fn pci(driver: &Driver, device: sys::CUdevice) -> Result<String, Refusal> {
    text(driver, "cuDeviceGetPCIBusId", driver.device_pci, device)
}

#[expect(unsafe_code, reason = "a function of a C library")]
fn text(
    driver: &Driver,
    name: &'static str,
    function: unsafe extern "C" fn(*mut c_char, c_int, sys::CUdevice) -> u32,
    device: sys::CUdevice,
) -> Result<String, Refusal> {
    // One byte more than the function is told of, so that there is a zero at the end in any case.
    let mut bytes = [0_u8; NAME + 1];
    let length = c_int::try_from(NAME).unwrap_or(c_int::MAX);
    // SAFETY: see `driver`; the function writes at most `length` bytes.
    driver.check(name, unsafe { function(bytes.as_mut_ptr().cast(), length, device) })?;
    let text = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}
