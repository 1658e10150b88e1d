//! A CUDA device as a leg. Its cells run in worker processes, because a kernel that faults takes the device away from
//! the whole process: the cell disagrees, and the next one goes to a fresh process.
//!
//! Every thread of the matrix that has a cell of this leg takes an idle worker or starts one. Workers make problems,
//! compile and compare side by side; on the device they take turns, so that memory and faults belong to one cell.

mod child;
mod protocol;
mod worker;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use gridproof_gpu::cuda::devices;

use super::case_file::Case;
pub use child::{ARGUMENT, serve};
use gridproof_report::matrix::CellResult;
use protocol::{CellText, Ready};
use worker::{NotStarted, Worker};

/// A CUDA device that cells may run on, or one that stands for their absence.
pub(super) struct CudaLeg {
    /// `cuda:0`.
    pub name: String,
    /// The device with its driver.
    pub summary: String,
    /// Its number, or why there is none.
    ordinal: Result<u32, String>,
    /// The program whose hidden argument makes a worker of it.
    executable: Result<PathBuf, String>,
    /// What the first worker said.
    ready: OnceLock<Result<Ready, NotStarted>>,
    idle: Mutex<Vec<Worker>>,
    /// Held while a worker uses the device.
    turn: Mutex<()>,
}

impl CudaLeg {
    /// Every device of the machine; one that stands for their absence where there is none. Opens none.
    pub fn all() -> Vec<Self> {
        match devices() {
            Ok(devices) => devices.iter().map(|device| Self::new(Ok(device.ordinal), device.to_string())).collect(),
            Err(reason) => vec![Self::new(Err(reason.to_string()), String::new())],
        }
    }

    fn new(ordinal: Result<u32, String>, summary: String) -> Self {
        let name = ordinal.as_ref().map_or_else(|_| "cuda:none".to_owned(), |ordinal| format!("cuda:{ordinal}"));
        let executable = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"));
        let (idle, turn) = (Mutex::default(), Mutex::default());
        Self { name, summary, ordinal, executable, ready: OnceLock::new(), idle, turn }
    }

    /// Why this device cannot be used at all, when it cannot.
    pub fn unusable(&self) -> Option<String> {
        self.ready().err().map(|not_started| match not_started {
            NotStarted::Unavailable(reason) | NotStarted::Failed(reason) => reason,
        })
    }

    /// The device and its profiles, once a cell has run.
    pub fn description(&self) -> Option<String> {
        let ready = self.ready.get()?.as_ref().ok()?;
        Some(format!("{}; profiles: {}", ready.device, ready.profiles.join(", ")))
    }

    /// Runs a case in a worker.
    pub fn run(&self, case: &Case) -> CellResult {
        match self.ready() {
            Err(not_started) => return not_started.into(),
            Ok(ready) if !ready.profiles.contains(&case.arithmetic.to_string()) => {
                return CellResult::Skipped(format!("the device does not compute in profile `{}`", case.arithmetic));
            }
            Ok(_) => {}
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = match idle.map_or_else(|| self.start().map(|(worker, _)| worker), Ok) {
            Ok(worker) => worker,
            // The device could be used before: a cell that it cannot run now is no skip.
            Err(NotStarted::Unavailable(reason) | NotStarted::Failed(reason)) => return CellResult::Disagreed(reason),
        };
        match worker.run(&CellText::new(case), &self.turn) {
            Ok(reply) => {
                if !reply.lost {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                }
                reply.result()
            }
            Err(reason) => CellResult::Disagreed(reason),
        }
    }

    /// What the device can do; the first to ask starts a worker.
    fn ready(&self) -> Result<&Ready, NotStarted> {
        let ready = self.ready.get_or_init(|| {
            let (worker, ready) = self.start()?;
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
            Ok(ready)
        });
        ready.as_ref().map_err(Clone::clone)
    }

    fn start(&self) -> Result<(Worker, Ready), NotStarted> {
        let ordinal = self.ordinal.clone().map_err(NotStarted::Unavailable)?;
        let executable = self.executable.clone().map_err(NotStarted::Failed)?;
        Worker::start(&executable, ordinal)
    }
}

impl From<NotStarted> for CellResult {
    fn from(not_started: NotStarted) -> Self {
        match not_started {
            NotStarted::Unavailable(reason) => Self::Skipped(reason),
            NotStarted::Failed(reason) => Self::Disagreed(reason),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
