//! A device's context with one stream: everything asynchronous goes there, and is waited for with a limit.
//!
//! A kernel that faults takes the context with it, and a kernel that does not end keeps it. From then on nothing is
//! asked of the driver any more, not even to free what was allocated: the driver would answer with the same error, or
//! wait for ever. What is left goes with the process.

use std::cell::RefCell;
use std::ptr;
use std::time::{Duration, Instant};

use cudarc::driver::sys;

use super::driver::{Driver, Refusal, Status, status};
use super::summary::handle;
use crate::RunError;

/// How long a wait spins before it sleeps between two looks.
const SPIN: Duration = Duration::from_micros(200);
/// The time between two looks.
const PERIOD: Duration = Duration::from_micros(50);

pub(super) struct Context {
    pub(super) driver: Driver,
    device: sys::CUdevice,
    stream: sys::CUstream,
    /// Why nothing runs any more.
    lost: RefCell<Option<String>>,
}

impl Context {
    /// Makes the device's primary context this thread's own, with a stream.
    #[expect(unsafe_code, reason = "functions of a C library")]
    pub(super) fn open(driver: Driver, ordinal: u32) -> Result<Self, Refusal> {
        let device = handle(&driver, ordinal)?;
        let mut raw = ptr::null_mut();
        // SAFETY: see `driver`; the device was given by `cuDeviceGet`.
        driver.check("cuDevicePrimaryCtxRetain", unsafe { (driver.context_retain)(&raw mut raw, device) })?;
        let mut context = Self { driver, device, stream: ptr::null_mut(), lost: RefCell::default() };
        // SAFETY: see `driver`; the context was just retained, and is released when `context` is dropped.
        driver.check("cuCtxSetCurrent", unsafe { (driver.context_set)(raw) })?;
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: see `driver`; the context is current.
        driver.check("cuStreamCreate", unsafe { (driver.stream_create)(&raw mut context.stream, flags) })?;
        Ok(context)
    }

    pub(super) const fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// Whether nothing runs any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// # Errors
    /// [`RunError::DeviceLost`], with the reason, after a loss.
    pub(super) fn check_alive(&self) -> Result<(), RunError> {
        self.lost.borrow().clone().map_or(Ok(()), |reason| Err(RunError::DeviceLost(reason)))
    }

    /// `Ok` for success, else what the status means for a launch.
    pub(super) fn check(&self, function: &'static str, status: Status) -> Result<(), RunError> {
        self.driver.check(function, status).map_err(|refusal| self.error(refusal))
    }

    fn error(&self, refusal: Refusal) -> RunError {
        match kind(refusal.status) {
            Kind::Fault => {
                self.lose(&format!("an earlier kernel faulted: {}", refusal.words));
                RunError::Fault { reason: refusal.words }
            }
            Kind::Gone => {
                self.lose(&refusal.to_string());
                RunError::DeviceLost(refusal.to_string())
            }
            Kind::Memory => RunError::OutOfMemory(refusal.to_string()),
            Kind::Other => RunError::Internal(refusal.to_string()),
        }
    }

    fn lose(&self, reason: &str) {
        self.lost.borrow_mut().get_or_insert_with(|| reason.to_owned());
    }

    /// Waits until the stream has done everything.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn wait(&self, limit: Duration) -> Result<(), RunError> {
        // SAFETY: see `driver`; the stream lives as long as the context.
        self.wait_for("cuStreamQuery", limit, || unsafe { (self.driver.stream_query)(self.stream) })
    }

    /// Asks until the answer is not "not ready".
    pub(super) fn wait_for(
        &self,
        function: &'static str,
        limit: Duration,
        query: impl Fn() -> Status,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        loop {
            match query() {
                status::NOT_READY => {}
                status => return self.check(function, status),
            }
            let waited = started.elapsed();
            if waited >= limit {
                self.lose(&format!("an earlier launch was still running after {} s", limit.as_secs_f64()));
                return Err(RunError::TimedOut { after: limit });
            }
            if waited < SPIN { std::hint::spin_loop() } else { std::thread::sleep(PERIOD) }
        }
    }

    /// Free and total bytes of device memory.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn memory(&self) -> Result<(u64, u64), RunError> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: see `driver`; the pointers are to integers, and the context is current.
        self.check("cuMemGetInfo", unsafe { (self.driver.memory_info)(&raw mut free, &raw mut total) })?;
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok((bytes(free), bytes(total)))
    }
}

impl Drop for Context {
    #[expect(unsafe_code, reason = "functions of a C library")]
    fn drop(&mut self) {
        if self.is_lost() {
            return;
        }
        // SAFETY: see `driver`; the stream is null or was created here, the context was retained once, and every owner
        // of something in it holds it, so nothing is left in it.
        unsafe {
            if !self.stream.is_null() {
                (self.driver.stream_destroy)(self.stream);
            }
            (self.driver.context_release)(self.device);
        }
    }
}

/// What a status means for the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A kernel's own fault: the context is lost.
    Fault,
    /// The device or its context is gone, or cannot be trusted.
    Gone,
    /// Too little memory.
    Memory,
    Other,
}

const fn kind(status: Status) -> Kind {
    match status {
        status::ILLEGAL_ADDRESS
        | status::LAUNCH_TIMEOUT
        | status::ASSERT
        | status::HARDWARE_STACK_ERROR
        | status::ILLEGAL_INSTRUCTION
        | status::MISALIGNED_ADDRESS
        | status::INVALID_ADDRESS_SPACE
        | status::INVALID_PC
        | status::LAUNCH_FAILED
        | status::TENSOR_MEMORY_LEAK => Kind::Fault,
        status::DEINITIALIZED
        | status::DEVICE_UNAVAILABLE
        | status::INVALID_CONTEXT
        | status::ECC_UNCORRECTABLE
        | status::NVLINK_UNCORRECTABLE
        | status::CONTAINED
        | status::CONTEXT_IS_DESTROYED
        | status::EXTERNAL_DEVICE
        | status::UNKNOWN => Kind::Gone,
        status::OUT_OF_MEMORY => Kind::Memory,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_is_left_of_the_context() {
        assert_eq!([700, 702, 710, 716, 719].map(kind), [Kind::Fault; 5]);
        assert_eq!([214, 709, 999].map(kind), [Kind::Gone; 3]);
        // Too many registers asked for, or a module that does not load: the next launch may be right.
        assert_eq!([2, 701, 222, 1].map(kind), [Kind::Memory, Kind::Other, Kind::Other, Kind::Other]);
    }
}
