//! Device memory: allocations, and transfers through pinned memory of the host.
//!
//! Two pinned halves take turns: while the device copies one, the host fills or empties the other. What a virtual
//! buffer is filled with never crosses the bus, and neither do the pages of a long one that still hold it at the end
//! ([`super::pages`]).

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use cudarc::driver::sys;
use gridproof_launch::{Buffer, Contents};

use super::context::Context;
use crate::RunError;
use crate::contents::{bytes, device_length, fill_byte, windows};
use crate::limits::count_u64;

/// Bytes of one pinned half.
const HALF: usize = 16 << 20;

/// A stretch of device memory.
pub(super) struct Allocation {
    context: Rc<Context>,
    at: sys::CUdeviceptr,
    length: u64,
}

impl Allocation {
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn new(context: &Rc<Context>, length: u64) -> Result<Self, RunError> {
        let mut at = 0;
        // SAFETY: see `driver`; the pointer is to an integer, and the context is current.
        let status = unsafe { (context.driver.memory_allocate)(&raw mut at, host_length(length)?) };
        context.check("cuMemAlloc", status)?;
        Ok(Self { context: context.clone(), at, length })
    }

    /// A buffer's memory, with its initial contents on their way.
    pub(super) fn of_buffer(
        context: &Rc<Context>,
        staging: &Staging,
        buffer: &Buffer,
        limit: Duration,
    ) -> Result<Self, RunError> {
        let allocation = Self::new(context, device_length(buffer.length))?;
        if let Contents::Virtual { fill, .. } = &buffer.contents {
            allocation.fill(fill_byte(*fill))?;
        }
        for (start, end) in windows(buffer) {
            staging.upload(&allocation, start, &bytes(buffer, start, end), limit)?;
        }
        Ok(allocation)
    }

    pub(super) const fn address(&self) -> u64 {
        self.at
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Fills it with one byte, when the stream comes to it.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn fill(&self, byte: u8) -> Result<(), RunError> {
        let length = host_length(self.length)?;
        // SAFETY: see `driver`; the stretch is this allocation.
        let status = unsafe { (self.context.driver.fill)(self.at, byte, length, self.context.stream()) };
        self.context.check("cuMemsetD8Async", status)
    }

    /// Copies `length` bytes from `start` on to another place, when the stream comes to it.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn copy(&self, (start, length): (u64, u64), to: &Self, at: u64) -> Result<(), RunError> {
        let length = host_length(length)?;
        let (source, target) = (self.part(start, length)?, to.part(at, length)?);
        // SAFETY: see `driver`; `part` found both stretches inside their allocations.
        let status = unsafe { (self.context.driver.copy)(target, source, length, self.context.stream()) };
        self.context.check("cuMemcpyDtoDAsync", status)
    }

    /// The address of `length` bytes from `start` on.
    fn part(&self, start: u64, length: usize) -> Result<sys::CUdeviceptr, RunError> {
        match start.checked_add(count_u64(length)) {
            Some(end) if end <= self.length => Ok(self.at + start),
            _ => Err(RunError::Internal(format!("{length} bytes at {start} lie outside {} bytes", self.length))),
        }
    }
}

impl Drop for Allocation {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn drop(&mut self) {
        if !self.context.is_lost() {
            // SAFETY: see `driver`; the memory was allocated here and is freed once. The call waits for the stream.
            unsafe { (self.context.driver.memory_free)(self.at) };
        }
    }
}

fn host_length(length: u64) -> Result<usize, RunError> {
    usize::try_from(length).map_err(|_| RunError::OutOfMemory(format!("{length} bytes")))
}

/// An event of a stream.
pub(super) struct Event {
    context: Rc<Context>,
    raw: sys::CUevent,
}

impl Event {
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn new(context: &Rc<Context>) -> Result<Self, RunError> {
        let mut raw = ptr::null_mut();
        // SAFETY: see `driver`; the pointer is to a handle, and the context is current.
        let status = unsafe { (context.driver.event_create)(&raw mut raw, 0) };
        context.check("cuEventCreate", status)?;
        Ok(Self { context: context.clone(), raw })
    }

    /// Takes place when the stream comes to it.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn record(&self) -> Result<(), RunError> {
        // SAFETY: see `driver`; both live here.
        let status = unsafe { (self.context.driver.event_record)(self.raw, self.context.stream()) };
        self.context.check("cuEventRecord", status)
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn wait(&self, limit: Duration) -> Result<(), RunError> {
        let query = self.context.driver.event_query;
        // SAFETY: see `driver`; the event lives here.
        self.context.wait_for("cuEventQuery", limit, || unsafe { query(self.raw) })
    }

    /// The time from this event to a later one; both have taken place.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn until(&self, later: &Self) -> Result<Option<Duration>, RunError> {
        let mut milliseconds = 0.0;
        // SAFETY: see `driver`; both events live, and the pointer is to a number.
        let status = unsafe { (self.context.driver.event_elapsed)(&raw mut milliseconds, self.raw, later.raw) };
        self.context.check("cuEventElapsedTime", status)?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) * 1e-3).ok())
    }
}

impl Drop for Event {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn drop(&mut self) {
        if !self.context.is_lost() {
            // SAFETY: see `driver`; the event was created here and is destroyed once.
            unsafe { (self.context.driver.event_destroy)(self.raw) };
        }
    }
}

/// One half of the pinned memory.
struct Half {
    bytes: *mut c_void,
    /// When the device no longer uses it.
    free: Event,
}

impl Half {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn new(context: &Rc<Context>) -> Result<Self, RunError> {
        let free = Event::new(context)?;
        let mut bytes = ptr::null_mut();
        // SAFETY: see `driver`; the pointer is to a place for an address, and the context is current.
        let status = unsafe { (context.driver.host_allocate)(&raw mut bytes, HALF, 0) };
        context.check("cuMemHostAlloc", status)?;
        Ok(Self { bytes, free })
    }
}

impl Drop for Half {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn drop(&mut self) {
        let context = &self.free.context;
        if !context.is_lost() {
            // SAFETY: see `driver`; the memory was allocated here and is freed once. A copy that still uses it is
            // waited for by the driver.
            unsafe { (context.driver.host_free)(self.bytes) };
        }
    }
}

/// The pinned memory that transfers go through.
pub(super) struct Staging {
    halves: [Half; 2],
    next: Cell<bool>,
}

impl Staging {
    pub(super) fn new(context: &Rc<Context>) -> Result<Self, RunError> {
        Ok(Self { halves: [Half::new(context)?, Half::new(context)?], next: Cell::new(false) })
    }

    fn turn(&self) -> &Half {
        let second = self.next.replace(!self.next.get());
        &self.halves[usize::from(second)]
    }

    /// Copies bytes to the device; the last of them may still be on their way.
    #[expect(unsafe_code, reason = "pinned memory, and a function of a C library")]
    pub(super) fn upload(&self, to: &Allocation, start: u64, bytes: &[u8], limit: Duration) -> Result<(), RunError> {
        let context = &to.context;
        let mut at = start;
        for piece in bytes.chunks(HALF) {
            let half = self.turn();
            half.free.wait(limit)?;
            let target = to.part(at, piece.len())?;
            // SAFETY: the half has `HALF` bytes, no fewer than the piece, and the device is done with it.
            unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), half.bytes.cast(), piece.len()) };
            // SAFETY: see `driver`; `part` found the target inside the allocation, and nobody touches the half before
            // its event has taken place.
            let status = unsafe { (context.driver.upload)(target, half.bytes, piece.len(), context.stream()) };
            context.check("cuMemcpyHtoDAsync", status)?;
            half.free.record()?;
            at += count_u64(piece.len());
        }
        Ok(())
    }

    /// The bytes `start..end` of an allocation.
    pub(super) fn download(
        &self,
        from: &Allocation,
        (start, end): (u64, u64),
        limit: Duration,
    ) -> Result<Vec<u8>, RunError> {
        let length = host_length(end.saturating_sub(start))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|error| RunError::OutOfMemory(error.to_string()))?;
        let mut arriving: Option<(&Half, usize)> = None;
        let (mut at, mut left) = (start, length);
        while left > 0 {
            let count = left.min(HALF);
            let half = self.turn();
            half.free.wait(limit)?;
            Self::fetch(half, from, at, count)?;
            if let Some((half, count)) = arriving.replace((half, count)) {
                half.free.wait(limit)?;
                Self::take(half, count, &mut bytes);
            }
            at += count_u64(count);
            left -= count;
        }
        if let Some((half, count)) = arriving {
            half.free.wait(limit)?;
            Self::take(half, count, &mut bytes);
        }
        Ok(bytes)
    }

    /// Starts a copy into a half that the device is done with.
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn fetch(half: &Half, from: &Allocation, at: u64, count: usize) -> Result<(), RunError> {
        let context = &from.context;
        let source = from.part(at, count)?;
        // SAFETY: see `driver`; `part` found the source inside the allocation, the half has `HALF` bytes, no fewer than
        // `count`, and nobody touches them before the half's event has taken place.
        let status = unsafe { (context.driver.download)(half.bytes, source, count, context.stream()) };
        context.check("cuMemcpyDtoHAsync", status)?;
        half.free.record()
    }

    /// What arrived in a half that the device is done with.
    #[expect(unsafe_code, reason = "pinned memory")]
    fn take(half: &Half, count: usize, bytes: &mut Vec<u8>) {
        // SAFETY: the half has `HALF` bytes, no fewer than `count`; the driver has written these, and is done with it.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(half.bytes.cast(), count) });
    }
}
