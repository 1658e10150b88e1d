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
use crate::check::{CheckError, CheckOptions, catalogue_instance, check_catalogue, check_file, counts};
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
    // Names and shapes that do not exist are refused on every machine.
    if let Target::Catalogue { kernel, variant, shapes } = target {
        let check = CheckOptions { language: Language::Cuda, ..options.check };
        let wanted = Some(variant.as_str()).filter(|variant| !variant.is_empty());
        shapes.iter().try_for_each(|shape| catalogue_instance(kernel, wanted, shape, &check).map(drop))?;
    }
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
                delays: if mode.delays() { places.clone() } else { Vec::new() },
                company: mode.company(),
                ..undisturbed(subject, options)
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

/// Runs as they are.
fn undisturbed(subject: &Subject, options: &StressOptions) -> Job {
    Job {
        subject: subject.clone(),
        seed: options.check.data_seed,
        fused: options.check.config.arithmetic.multiply_add == MultiplyAdd::Fused,
        runs: options.runs,
        delays: Vec::new(),
        nanoseconds: options.nanoseconds,
        company: false,
    }
}

/// Runs a job in as many processes as it takes.
fn run(job: &Job, mode: Mode, options: &StressOptions) -> Result<(String, Runs), CheckError> {
    let mut runs = Runs::new(mode);
    let mut name = String::new();
    while runs.done < job.runs && runs.faults < MOST_FAULTS && runs.not_run.is_none() {
        let before = runs.done;
        let job = Job { runs: job.runs - before, ..job.clone() };
        let mut command = Command::new(&options.executable);
        command.args([ARGUMENT, &options.ordinal.to_string()]);
        let ended = serve(command, &job, &mut |answer| match answer {
            Answer::Ready { device, delays } => {
                (name, runs.delays) = (device, delays);
                Ok(())
            }
            Answer::Unavailable(reason) => Err(CheckError::NoDevice { reason }),
            Answer::Refused(reason) => {
                runs.not_run = Some(reason);
                Ok(())
            }
            Answer::Run(wrong) => {
                runs.add(wrong.map(|Wrong { buffer, element, bytes }| FirstWrong { buffer, element, bytes }));
                Ok(())
            }
            Answer::Fault(reason) => {
                runs.fault(reason);
                Ok(())
            }
        })?;
        if runs.done == before && runs.not_run.is_none() {
            let reason = ended.unwrap_or_else(|| "the process for the device ended before its runs".to_owned());
            return Err(CheckError::Device { reason });
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
        let (Ok(answer), true) = (serde_json::from_str(&line), error.is_ok()) else { continue };
        let lost = matches!(answer, Answer::Fault(_));
        error = take(answer);
        if lost {
            // Its kernel may run on for ever; it may have ended.
            let _ = child.kill();
            break;
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
    let job = Job { runs: 1, ..undisturbed(subject, options) };
    let failed = |error: std::io::Error| CheckError::Device { reason: format!("`{}`: {error}", sanitizer.display()) };
    let said = |summary: String| Ok(Sanitized { tool: tool.to_owned(), summary });
    let spawned = Command::new(sanitizer)
        .args(["--tool", tool, "--print-limit", "1"])
        .arg(&options.executable)
        .args([ARGUMENT, &options.ordinal.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return said(format!("did not run: `{}`: {error}", sanitizer.display())),
    };
    let text = serde_json::to_vec(&job).map_err(|error| CheckError::Device { reason: error.to_string() })?;
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(&text);
    }
    let output = child.wait_with_output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<Answer> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    // Without a run the tool has nothing to say, and says that there are no errors.
    if !answers.iter().any(|answer| matches!(answer, Answer::Run(_) | Answer::Fault(_))) {
        let reason = answers.into_iter().find_map(|answer| match answer {
            Answer::Unavailable(reason) | Answer::Refused(reason) => Some(reason),
            _ => None,
        });
        return said(format!("did not run: {}", reason.unwrap_or_else(|| output.status.to_string())));
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("========="));
    let summary = lines.map(str::trim).rfind(|line| line.contains("SUMMARY"));
    said(summary.unwrap_or("no summary").to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::script;

    /// What comes of a job whose process is this shell script.
    fn ran(text: &str, runs: u32) -> Result<(String, Runs), String> {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("worker");
        let in_it = format!("cd {}\ncat > job; echo started >> starts\n{text}", folder.path().display());
        script::write(&executable, &in_it);
        let options = StressOptions {
            check: CheckOptions::default(),
            ordinal: 0,
            runs,
            nanoseconds: 0,
            sanitizer: None,
            executable,
        };
        let subject = Subject::Catalogue { kernel: "k".to_owned(), variant: "v".to_owned(), shape: String::new() };
        let job = Job { subject, seed: 0, fused: true, runs, delays: Vec::new(), nanoseconds: 0, company: false };
        run(&job, Mode::Plain, &options).map_err(|error| error.to_string())
    }

    const READY: &str = r#"echo '{"ready":{"device":"made up","delays":2}}'"#;
    const RIGHT: &str = r#"echo '{"run":null}'"#;

    #[test]
    fn runs_are_counted_and_lines_of_other_programs_are_not() {
        let wrong = r#"echo '{"run":{"buffer":"a","element":3,"bytes":8}}'"#;
        let (device, runs) = ran(&format!("echo '========= TOOL'\n{READY}\n{RIGHT}\n{wrong}\n{RIGHT}"), 3).unwrap();
        assert_eq!((device.as_str(), runs.delays, runs.done, runs.wrong, runs.faults), ("made up", 2, 3, 1, 0));
        assert_eq!(runs.first, Some(FirstWrong { buffer: "a".to_owned(), element: 3, bytes: 8 }));
    }

    #[test]
    fn a_fault_costs_one_run_and_a_process() {
        let fault = r#"echo '{"fault":"gone"}'; exit 0"#;
        let (_, runs) =
            ran(&format!("{READY}\n[ $(wc -l < starts) -gt 1 ] || {{ {RIGHT}; {fault}; }}\n{RIGHT}\n{RIGHT}"), 4)
                .unwrap();
        assert_eq!((runs.done, runs.wrong, runs.faults, runs.reason.as_deref()), (4, 0, 1, Some("gone")));
        let (_, lost) = ran(&format!("{READY}\n{fault}"), 100).unwrap();
        assert_eq!((lost.done, lost.faults), (MOST_FAULTS, MOST_FAULTS));
    }

    #[test]
    fn what_cannot_run_says_why() {
        for (script, words) in [
            (r#"echo '{"unavailable":"no device"}'"#, "no device"),
            ("echo out of luck >&2; exit 7", "the process for the device: exit status: 7: out of luck"),
            (READY, "the process for the device ended before its runs"),
        ] {
            assert_eq!(ran(script, 2).map(|(device, _)| device), Err(words.to_owned()), "{script}");
        }
    }

    #[test]
    fn a_mode_that_cannot_run_is_no_fault() {
        let refused = r#"echo '{"refused":"PTX too new"}'"#;
        let (_, runs) = ran(&format!("{READY}\n{refused}"), 100).unwrap();
        assert_eq!((runs.done, runs.faults, runs.not_run.as_deref()), (0, 0, Some("PTX too new")));
    }

    #[test]
    fn a_sanitizer_that_saw_no_run_has_no_opinion() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool");
        let summary = "echo '========= ERROR SUMMARY: 0 errors'";
        let subject = Subject::Catalogue { kernel: "k".to_owned(), variant: "v".to_owned(), shape: String::new() };
        let options = StressOptions {
            check: CheckOptions::default(),
            ordinal: 0,
            runs: 1,
            nanoseconds: 0,
            sanitizer: None,
            executable: "gridproof".into(),
        };
        for (text, words) in [
            (format!("{READY}\n{RIGHT}\n{summary}"), "ERROR SUMMARY: 0 errors"),
            (format!("echo '{{\"refused\":\"no memory\"}}'\n{summary}"), "did not run: no memory"),
            (format!("{summary}\nexit 3"), "did not run: exit status: 3"),
        ] {
            script::write(&tool, &format!("cat > /dev/null\n{text}"));
            assert_eq!(sanitize(&tool, "memcheck", &subject, &options).unwrap().summary, words);
        }
        let missing = sanitize(Path::new("/nowhere/tool"), "memcheck", &subject, &options).unwrap().summary;
        assert!(missing.starts_with("did not run: `/nowhere/tool`: "), "{missing}");
    }

    #[test]
    fn every_line_of_a_finding_is_a_place_once() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
        let options = CheckOptions::default();
        let (module, launch) = (folder.join("missing_barrier.wgsl"), folder.join("missing_barrier.toml"));
        let report = check_file(&module, &launch, &options).unwrap();
        let places = places(&report);
        assert!(!places.is_empty() && places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(places.iter().all(|place| place.file.ends_with("missing_barrier.wgsl") && place.line > 0));
    }
}
