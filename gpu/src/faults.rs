//! Errors that a device reports beside the call that caused them, turned into values.
//!
//! wgpu panics on an error that nobody catches; [`Faults::watch`] catches them all. [`scoped`] runs a
//! piece of work and returns the error that wgpu raised inside it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::RunError;

/// What a device reported outside any scope.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    lost: Option<String>,
    uncaptured: Option<RunError>,
}

impl Faults {
    /// Records everything that `device` reports from now on.
    pub(crate) fn watch(device: &wgpu::Device) -> Self {
        let faults = Self::default();
        let (lost, uncaptured) = (faults.clone(), faults.clone());
        device.set_device_lost_callback(move |reason, message| lost.lose(format!("{reason:?}: {message}")));
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.record(typed(error))));
        faults
    }

    /// The device's loss, or an error that no scope caught since the last call.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = &seen.lost {
            return Err(RunError::DeviceLost(message.clone()));
        }
        seen.uncaptured.take().map_or(Ok(()), Err)
    }

    fn lose(&self, message: String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).lost.get_or_insert(message);
    }

    fn record(&self, error: RunError) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).uncaptured.get_or_insert(error);
    }
}

/// Runs `work` and returns what it made, or the error that wgpu raised meanwhile. A lack of memory and a
/// failing driver come before the validation errors that follow from them.
pub(crate) fn scoped<T>(
    device: &wgpu::Device,
    faults: &Faults,
    work: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let result = work();
    let raised = [memory, internal, validation].map(|scope| pollster::block_on(scope.pop()));
    faults.check()?;
    match raised.into_iter().flatten().next() {
        Some(error) => Err(typed(error)),
        None => result,
    }
}

fn typed(error: wgpu::Error) -> RunError {
    match error {
        wgpu::Error::OutOfMemory { source } => RunError::OutOfMemory(source.to_string()),
        wgpu::Error::Validation { description, .. } => RunError::Validation(description),
        wgpu::Error::Internal { description, .. } => RunError::Internal(description),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_stays_and_an_uncaught_error_is_told_once() {
        let faults = Faults::default();
        faults.record(RunError::Validation("first".into()));
        faults.record(RunError::Validation("second".into()));
        assert_eq!(faults.check(), Err(RunError::Validation("first".into())));
        assert_eq!(faults.check(), Ok(()));
        faults.lose("gone".into());
        assert_eq!(faults.check(), Err(RunError::DeviceLost("gone".into())));
        assert_eq!(faults.check(), Err(RunError::DeviceLost("gone".into())));
    }
}
