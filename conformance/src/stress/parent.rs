//! What is tried, and what came of it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use gridproof_gpu::cuda::devices;
use gridproof_launch::{Language, MultiplyAdd};
use gridproof_report::model::CheckReport;
use gridproof_report::stress::{FirstWrong, Mode, Row, Runs, Sanitized, StressReport};

use super::child::ARGUMENT;
use super::job::{Answer, Job, Place, Subject, Wrong};
use crate::check::{CheckError, CheckOptions, check_catalogue, check_file, counts};
use crate::progress::Progress;

/// Places at which workgroups are held up at most.
const MOST_PLACES: usize = 8;

/// Processes that may be lost in a row of runs before the rest is given up.
const MOST_FAULTS: u32 = 3;

/// The tools of compute-sanitizer.
const TOOLS: [&str; 4] = ["memcheck", "racecheck", "initcheck", "synccheck"];

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A kernel of the catalogue, at some shapes.
    Catalogue {
        /// The kernel.
        kernel: String,
        /// The variant.
        variant: String,
        /// The texts of `--shape`.
        shapes: Vec<String>,
    },
    /// A user's own, with its launches.
    File {
        /// The module: PTX or CUDA C++.
        module: PathBuf,
        /// The launch files.
        launches: Vec<PathBuf>,
    },
}

/// How.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StressOptions {
    /// How each launch is checked, for the prediction.
    pub check: CheckOptions,
    /// The device's number.
    pub ordinal: u32,
    /// Runs of each launch in each mode.
    pub runs: u32,
    /// The longest delay at a line, in nanoseconds.
    pub nanoseconds: u32,
    /// compute-sanitizer, where its opinion is wanted.
    pub sanitizer: Option<PathBuf>,
    /// `gridproof` itself.
    pub executable: PathBuf,
}

/// Predicts each launch, then runs it many times.
///
/// # Errors
/// What is wrong with a launch; a device or a compiler that is not there; a process that cannot be started.
pub fn stress(
    target: &Target,
    options: &StressOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<StressReport, CheckError> {
    let started = Instant::now();
    devices().map_err(|reason| CheckError::NoDevice { reason: reason.to_string() })?;
    let mut report = StressReport { runs: options.runs, ..StressReport::default() };
    let all = launches(target);
    for (done, (name, subject)) in all.iter().enumerate() {
        let told = |what: &str| progress(Progress { done, total: all.len(), current: &format!("{name}: {what}") });
        told("checking");
        let check = predict(subject, &options.check)?;
        let places = places(&check);
        let mut row =
            Row::new(name.clone(), &check, places.iter().map(|place| format!("{}:{}", place.file, place.line)));
        for mode in Mode::ALL {
            if mode.delays() && places.is_empty() {
                continue;
            }
            told(mode.words());
            let job = Job {
                subject: subject.clone(),
                seed: options.check.data_seed,
                fused: options.check.config.arithmetic.multiply_add == MultiplyAdd::Fused,
                runs: options.runs,
                delays: if mode.delays() { places.clone() } else { Vec::new() },
                nanoseconds: options.nanoseconds,
                company: mode.company(),
            };
            let (device, runs) = run(&job, mode, options)?;
            report.device = device;
            row.runs.push(runs);
        }
        if let Some(sanitizer) = &options.sanitizer {
            for tool in TOOLS {
                told(tool);
                row.sanitized.push(sanitize(sanitizer, tool, subject, options)?);
            }
        }
        report.rows.push(row);
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// The launches with their names.
fn launches(target: &Target) -> Vec<(String, Subject)> {
    match target {
        Target::Catalogue { kernel, variant, shapes } => {
            let one = |shape: &String| {
                let subject =
                    Subject::Catalogue { kernel: kernel.clone(), variant: variant.clone(), shape: shape.clone() };
                (format!("{kernel}:{variant} {shape}").trim_end().to_owned(), subject)
            };
            shapes.iter().map(one).collect()
        }
        Target::File { module, launches } => {
            let module = module.display().to_string();
            let one = |launch: &PathBuf| {
                let launch = launch.display().to_string();
                (format!("{module} {launch}"), Subject::File { module: module.clone(), launch })
            };
            launches.iter().map(one).collect()
        }
    }
}

fn predict(subject: &Subject, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let options = CheckOptions { language: Language::Cuda, ..*options };
    match subject {
        Subject::Catalogue { kernel, variant, shape } => check_catalogue(kernel, Some(variant), shape, &options),
        Subject::File { module, launch } => check_file(Path::new(module), Path::new(launch), &options),
    }
}

/// The lines of what makes the launch wrong.
fn places(report: &CheckReport) -> Vec<Place> {
    let sites = report.findings.iter().filter(|finding| counts(finding));
    let sites = sites.flat_map(|finding| std::iter::once(&finding.first).chain(&finding.second));
    let place = |site: &gridproof_simulator::finding::AccessSite| {
        let file = usize::try_from(site.span.file).ok().and_then(|file| report.files.get(file))?;
        (site.span.line != 0).then(|| Place { file: file.name.clone(), line: site.span.line })
    };
    let places: BTreeSet<Place> = sites.filter_map(place).collect();
    places.into_iter().take(MOST_PLACES).collect()
}

/// Runs a job in as many processes as it takes.
fn run(job: &Job, mode: Mode, options: &StressOptions) -> Result<(String, Runs), CheckError> {
    let mut runs = Runs::new(mode);
    let mut name = String::new();
    while runs.done < job.runs && runs.faults < MOST_FAULTS {
        let job = Job { runs: job.runs - runs.done, ..job.clone() };
        let mut command = Command::new(&options.executable);
        command.args([ARGUMENT, &options.ordinal.to_string()]);
        let ended = serve(command, &job, &mut |answer| match answer {
            Answer::Ready { device, delays } => {
                (name, runs.delays) = (device, delays);
                Ok(())
            }
            Answer::Unavailable(reason) => Err(CheckError::NoDevice { reason }),
            Answer::Refused(reason) => Err(CheckError::Device { reason }),
            Answer::Run(wrong) => {
                runs.add(wrong.map(|Wrong { buffer, element, bytes }| FirstWrong { buffer, element, bytes }));
                Ok(())
            }
            Answer::Fault(reason) => {
                runs.fault(reason);
                Ok(())
            }
        })?;
        if let (Some(last), true) = (ended, runs.done < job.runs && runs.faults == 0) {
            return Err(CheckError::Device { reason: last });
        }
    }
    Ok((name, runs))
}

/// Hands the job over and reads the answers; the last words of a process that failed.
fn serve(
    mut command: Command,
    job: &Job,
    take: &mut dyn FnMut(Answer) -> Result<(), CheckError>,
) -> Result<Option<String>, CheckError> {
    let failed = |error: std::io::Error| CheckError::Device { reason: format!("the process for the device: {error}") };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let text = serde_json::to_vec(job).map_err(|error| CheckError::Device { reason: error.to_string() })?;
    if let Some(mut input) = child.stdin.take() {
        // A process that does not listen has said why.
        let _ = input.write_all(&text);
    }
    let mut error = Ok(());
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        // A tool that watches the process writes lines of its own.
        if let (Ok(answer), true) = (serde_json::from_str(&line), error.is_ok()) {
            error = take(answer);
        }
    }
    let mut words = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut words);
    }
    let status = child.wait().map_err(failed)?;
    error?;
    Ok((!status.success()).then(|| format!("the process for the device: {status}: {}", words.trim())))
}

/// What one tool of compute-sanitizer says about a few runs.
fn sanitize(sanitizer: &Path, tool: &str, subject: &Subject, options: &StressOptions) -> Result<Sanitized, CheckError> {
    let job = Job {
        subject: subject.clone(),
        seed: options.check.data_seed,
        fused: options.check.config.arithmetic.multiply_add == MultiplyAdd::Fused,
        runs: 1,
        delays: Vec::new(),
        nanoseconds: 0,
        company: false,
    };
    let failed = |error: std::io::Error| CheckError::Device { reason: format!("`{}`: {error}", sanitizer.display()) };
    let mut child = Command::new(sanitizer)
        .args(["--tool", tool, "--print-limit", "1"])
        .arg(&options.executable)
        .args([ARGUMENT, &options.ordinal.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let text = serde_json::to_vec(&job).map_err(|error| CheckError::Device { reason: error.to_string() })?;
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(&text);
    }
    let output = child.wait_with_output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.strip_prefix("========="));
    let summary = lines.map(str::trim).filter(|line| line.contains("SUMMARY")).next_back();
    Ok(Sanitized { tool: tool.to_owned(), summary: summary.unwrap_or("no summary").to_owned() })
}
