//! The worker's side: a process that opens one device and runs cells one after the other.

use std::io::{BufRead, Write};
use std::time::Duration;

use gridproof_gpu::cuda::{CudaDevice, CudaFingerprint};
use gridproof_gpu::nvrtc::Cubin;
use gridproof_gpu::{ReadBack, RunError, RunOptions};
use gridproof_launch::{Contents, Language, Launch};

use super::super::cell::{compared, incomparable, made};
use super::protocol::{Answer, CellText, Ready, Reply, Request};
use crate::cuda;
use gridproof_report::matrix::CellResult;

/// The hidden argument; the device's number follows.
pub const ARGUMENT: &str = "cuda-cells";

/// Longest wait for the kernels of a launch, and for each transfer.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// What a worker needs of its device.
pub(super) trait Machine {
    /// What it is, and the profiles in which it may be compared.
    fn ready(&self) -> Ready;
    /// The architecture to compile for.
    fn architecture(&self) -> String;
    /// Runs a launch of PTX; the contents of its outputs.
    fn run(&self, launch: &Launch, machine_code: &[Option<Cubin>]) -> Result<Vec<Option<Contents>>, RunError>;
}

/// Serves the matrix that started this process: opens a device, then runs cells until the input ends.
///
/// # Errors
/// A request that cannot be read, or an answer that cannot be written.
pub fn serve(ordinal: u32, input: impl BufRead, output: impl Write) -> Result<(), String> {
    serve_with(|| Opened::open(ordinal), input, output)
}

pub(super) fn serve_with<M: Machine>(
    open: impl FnOnce() -> Result<M, String>,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<(), String> {
    let mut say = |answer: &Answer| {
        let mut line = serde_json::to_vec(answer).map_err(|error| error.to_string())?;
        line.push(b'\n');
        output.write_all(&line).and_then(|()| output.flush()).map_err(|error| error.to_string())
    };
    let machine = match open() {
        Ok(machine) => machine,
        Err(reason) => return say(&Answer::Unavailable(reason)),
    };
    say(&Answer::Ready(machine.ready()))?;
    let mut requests = input.lines().map(|line| {
        let line = line.map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("`{line}` is no request: {error}"))
    });
    while let Some(request) = requests.next().transpose()? {
        let Request::Cell(cell) = request else { return Err("a turn was given that nobody asked for".to_owned()) };
        let reply = run(&machine, &cell, &mut |step| match step {
            Step::Ask => {
                say(&Answer::Turn)?;
                match requests.next().transpose()? {
                    Some(Request::Go) => Ok(()),
                    other => Err(format!("waiting for the device, and was told {other:?}")),
                }
            }
            Step::Free => say(&Answer::Ran),
        })?;
        say(&Answer::Done(reply))?;
    }
    Ok(())
}

/// What a cell does about the device.
enum Step {
    Ask,
    Free,
}

fn run(
    machine: &impl Machine,
    cell: &CellText,
    step: &mut dyn FnMut(Step) -> Result<(), String>,
) -> Result<Reply, String> {
    let done = |result| Ok(Reply::new(result, false));
    let case = match cell.case() {
        Ok(case) => case,
        Err(reason) => return done(CellResult::Disagreed(reason)),
    };
    let instance = match made(&case, case.arithmetic, 32, Language::Cuda) {
        Ok(instance) => instance,
        Err(reason) => return done(CellResult::Disagreed(reason)),
    };
    if let Some(reason) = incomparable(&instance.expectation) {
        return done(CellResult::Skipped(reason.to_owned()));
    }
    let built = match cuda::built(&instance.launch, &machine.architecture()) {
        Ok(built) => built,
        Err(error) => return done(CellResult::Disagreed(error.to_string())),
    };
    step(Step::Ask)?;
    let ran = machine.run(&built.launch, &built.machine_code);
    // A lost device is in use until this process is gone.
    if !ran.as_ref().is_err_and(RunError::is_loss) {
        step(Step::Free)?;
    }
    match ran {
        Ok(contents) => done(compared(&instance, contents)),
        Err(error @ (RunError::Limit(_) | RunError::TooLittleMemory { .. } | RunError::OutOfMemory(_))) => {
            done(CellResult::Skipped(error.to_string()))
        }
        Err(error) => Ok(Reply::new(CellResult::Disagreed(error.to_string()), error.is_loss())),
    }
}

/// A real device.
struct Opened {
    device: CudaDevice,
    fingerprint: CudaFingerprint,
}

impl Opened {
    fn open(ordinal: u32) -> Result<Self, String> {
        let compiler = cuda::compiler().map_err(ToString::to_string)?;
        let device = CudaDevice::open(ordinal).map_err(|reason| reason.to_string())?;
        let fingerprint = device.probe(compiler).map_err(|reason| reason.to_string())?;
        if fingerprint.profiles().is_empty() {
            return Err(format!("{}: its arithmetic can be compared in no profile", device.summary()));
        }
        Ok(Self { device, fingerprint })
    }
}

impl Machine for Opened {
    fn ready(&self) -> Ready {
        Ready {
            device: format!("{}, code of NVRTC {}", self.device.summary(), self.fingerprint.compiler),
            profiles: self.fingerprint.profiles().iter().map(ToString::to_string).collect(),
        }
    }

    fn architecture(&self) -> String {
        self.device.summary().architecture()
    }

    fn run(&self, launch: &Launch, machine_code: &[Option<Cubin>]) -> Result<Vec<Option<Contents>>, RunError> {
        let options = RunOptions { read_back: ReadBack::Outputs, timeout: LIMIT, ..RunOptions::default() };
        self.device.run(launch, machine_code, &options).map(|outputs| outputs.buffers)
    }
}
