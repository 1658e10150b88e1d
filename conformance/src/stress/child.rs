//! The process that uses the device: a kernel that faults takes it away from this process alone.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use gridproof_gpu::cuda::{Company, CudaDevice};
use gridproof_gpu::{ReadBack, RunOptions};
use gridproof_launch::{Arithmetic, Buffer, Contents, Language, Launch, Source};
use gridproof_simulator::Config;
use gridproof_simulator::explore::explore;
use gridproof_simulator::memory::Image;

use super::delays::delayed;
use super::job::{Answer, Job, Subject, Wrong};
use crate::check::{CheckError, CheckOptions, within_check};
use crate::compare::{self, Expected, Mismatch};
use crate::cuda::{self, Built};
use crate::family::{Making, family};
use crate::launch_file::{self, Limits};

/// The hidden argument; the device's number follows.
pub const ARGUMENT: &str = "cuda-stress";

/// Longest wait for the kernels of a launch, and for each transfer.
const LIMIT: Duration = Duration::from_secs(60);

/// How long other work holds its places at most.
const COMPANY_NANOSECONDS: u32 = 200_000;

/// Runs the job on standard input and says what each run left.
///
/// # Errors
/// A job that cannot be read, or an answer that cannot be written.
pub fn serve(ordinal: u32, mut input: impl Read, mut output: impl Write) -> Result<(), String> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let job: Job = serde_json::from_str(&text).map_err(|error| format!("no job: {error}"))?;
    let mut say = |answer: &Answer| {
        let mut line = serde_json::to_vec(answer).map_err(|error| error.to_string())?;
        line.push(b'\n');
        output.write_all(&line).and_then(|()| output.flush()).map_err(|error| error.to_string())
    };
    let device = match CudaDevice::open(ordinal) {
        Ok(device) => device,
        Err(reason) => return say(&Answer::Unavailable(reason.to_string())),
    };
    let prepared = match Prepared::new(&job, &device) {
        Ok(prepared) => prepared,
        Err(reason) => return say(&Answer::Refused(reason)),
    };
    say(&Answer::Ready { device: device.summary().to_string(), delays: prepared.delays })?;
    let options = RunOptions { read_back: ReadBack::Outputs, timeout: LIMIT, ..RunOptions::default() };
    let company = job.company.then(|| Company {
        workgroups: device.summary().multiprocessors.saturating_mul(4),
        invocations: 512,
        nanoseconds: COMPANY_NANOSECONDS,
    });
    for _ in 0..job.runs {
        match device.run_beside(&prepared.built.launch, &prepared.built.machine_code, &options, company) {
            Ok(outputs) => say(&Answer::Run(prepared.wrong(outputs.buffers)?))?,
            Err(error) if error.is_loss() => return say(&Answer::Fault(error.to_string())),
            Err(error) => return say(&Answer::Refused(error.to_string())),
        }
    }
    Ok(())
}

/// A launch with what it should leave.
struct Prepared {
    /// With the buffers as a device starts with them.
    launch: Launch,
    built: Built<'static>,
    should: Should,
    delays: usize,
}

/// What the outputs should be.
enum Should {
    /// By the model.
    Model(Vec<Expected>),
    /// By the race-free reading, of which there are several where atomics decide: one image a buffer, where it is an
    /// output.
    Readings(Vec<Vec<Option<Image>>>),
}

impl Prepared {
    fn new(job: &Job, device: &CudaDevice) -> Result<Self, String> {
        let (launch, should) = subject(job).map_err(|error| error.to_string())?;
        let built = cuda::built(&launch, &device.summary().architecture()).map_err(|error| error.to_string())?;
        let (mut runs, mut machine_code) = (built.launch.into_owned(), built.machine_code);
        let mut delays = 0;
        for (module, machine_code) in runs.modules.iter_mut().zip(&mut machine_code) {
            if let (Source::Ptx(text), false) = (&module.source, job.delays.is_empty()) {
                let (text, inserted) = delayed(text, &module.name, &job.delays, job.nanoseconds);
                module.source = Source::Ptx(text.into());
                delays += inserted;
                // The machine code is that of the text without delays.
                *machine_code = None;
            }
        }
        let built = Built { launch: std::borrow::Cow::Owned(runs), machine_code };
        Ok(Self { launch: compare::poisoned(&launch), built, should, delays })
    }

    /// The first buffer that is not as in a reading. Bytes that the launch lets race may be anything.
    fn differs(&self, images: &[Option<Image>], reading: &[Option<Image>]) -> Option<Wrong> {
        let mut pairs = self.launch.buffers.iter().zip(images).zip(reading);
        pairs.find_map(|((buffer, left), should)| {
            let (left, mut should) = (left.as_ref()?, should.clone()?);
            for declared in &buffer.may_race {
                let length = declared.range.end.min(buffer.length).saturating_sub(declared.range.start);
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                left.read(declared.range.start, &mut bytes);
                should.overwrite(declared.range.start, &bytes);
            }
            let (bytes, first) = left.difference(&should);
            let element = first? * 8 / u64::from(buffer.dtype.bits()).max(8);
            Some(Wrong { buffer: buffer.name.clone(), element, bytes })
        })
    }

    /// Whether outputs are wrong; the buffer with the first wrong element of them.
    fn wrong(&self, contents: Vec<Option<Contents>>) -> Result<Option<Wrong>, String> {
        let image = |(contents, buffer): (Option<Contents>, &Buffer)| {
            contents.map(|contents| Image::new(&Buffer { contents, ..buffer.clone() }))
        };
        let images: Vec<Option<Image>> = contents.into_iter().zip(&self.launch.buffers).map(image).collect();
        match &self.should {
            Should::Model(model) => {
                let found = |position: usize| images.get(position).and_then(Option::as_ref);
                match compare::outputs(&self.launch, model, found) {
                    Ok(()) => Ok(None),
                    Err(compare::Wrong::Element(mismatch)) => {
                        let Mismatch { name, element, differing_bytes: bytes, .. } = *mismatch;
                        Ok(Some(Wrong { buffer: name, element, bytes }))
                    }
                    Err(compare::Wrong::Outputs(reason)) => Err(reason),
                }
            }
            Should::Readings(readings) => {
                let found: Vec<Option<Wrong>> = readings.iter().map(|reading| self.differs(&images, reading)).collect();
                Ok(if found.iter().any(Option::is_none) { None } else { found.into_iter().flatten().next() })
            }
        }
    }
}

/// The race-free outputs of a user's launch.
///
/// # Errors
/// Why they are not known.
fn readings(launch: &Launch, config: &Config) -> Result<Vec<Vec<Image>>, CheckError> {
    let unknown = |reason: &str| CheckError::Device { reason: format!("what is right is not known: {reason}") };
    if gridproof_simulator::uses_atomics(launch)? {
        let check = CheckOptions { config: *config, ..CheckOptions::default() };
        let exploration = explore(launch, config, &within_check().options(&check))?;
        if !exploration.is_complete() {
            return Err(unknown("atomics may decide, and not every order of them was explored"));
        }
        return Ok(exploration.outputs.into_iter().map(|output| output.buffers).collect());
    }
    let proof = gridproof_simulator::prove(launch, config)?;
    match proof.exhausted {
        Some(exhausted) => Err(unknown(&format!("the simulation ran out of {}", exhausted.budget))),
        None => Ok(vec![proof.buffers]),
    }
}

/// The launch, and what its outputs should be.
fn subject(job: &Job) -> Result<(Launch, Should), CheckError> {
    let arithmetic = if job.fused { Arithmetic::FUSED } else { Arithmetic::SEPARATE };
    match &job.subject {
        Subject::Catalogue { kernel, variant, shape } => {
            let making = Making { data_seed: job.seed, arithmetic, subgroup_size: 32, language: Language::Cuda };
            let refused = |reason| CheckError::Refused { kernel: kernel.clone(), variant: variant.clone(), reason };
            let found = family(kernel).ok_or_else(|| refused("there is no such kernel".to_owned()))?;
            let instance = found.instance(variant, shape, &making).map_err(refused)?;
            let model = instance.reference.model();
            Ok((instance.launch, Should::Model(model)))
        }
        Subject::File { module, launch } => {
            let config = Config { arithmetic, ..Config::default() };
            let limits = Limits { memory: config.budget.memory, seed: job.seed };
            let mut launch = launch_file::read(Some(Path::new(module)), Path::new(launch), &limits)?.launch;
            if !launch.buffers.iter().any(|buffer| buffer.output) {
                launch.buffers.iter_mut().for_each(|buffer| buffer.output = true);
            }
            let poisoned = compare::poisoned(&launch);
            let readings = readings(&*cuda::compiled(&poisoned)?, &config)?.into_iter().map(|images| {
                let outputs = launch.buffers.iter().zip(images);
                outputs.map(|(buffer, image)| buffer.output.then_some(image)).collect()
            });
            let readings = readings.collect();
            Ok((launch, Should::Readings(readings)))
        }
    }
}
