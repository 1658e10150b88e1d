//! `gridproof fuzz`: campaigns.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use gridproof_conformance::check::quoted;
use gridproof_conformance::cuda;
use gridproof_fuzz::campaign::{self, Ended, RunOptions, Settings, Status, Store, minimize, replay};
use gridproof_fuzz::input::{Scope, SwitchedOn};
use gridproof_fuzz::oracle::{Bench, Trial};
use gridproof_report::fuzz::{self as report, Campaign};

use crate::exit::Exit;
use crate::flags::{Format, FuzzCommand, FuzzResumeFlags, FuzzRunFlags, FuzzTimeFlags};
use crate::output::{Layout, Output, Rendered, no_form, print, tell};

pub fn run(command: &FuzzCommand, output: &Output) -> anyhow::Result<Exit> {
    match command {
        FuzzCommand::Run(flags) => begin(flags, output),
        FuzzCommand::Resume(flags) => resume(flags, output),
        FuzzCommand::Minimize { folder, tries } => smaller(folder, *tries),
        FuzzCommand::List { folder } => list(folder, output),
        FuzzCommand::Replay { folder } => again(folder),
    }
}

/// A child of this program itself, which tries inputs.
pub fn client(folder: &Path, client: u32, seed: u64) -> anyhow::Result<Exit> {
    // Ctrl-C is for the parent, who stops the clients.
    ctrlc::set_handler(|| {}).context("Ctrl-C cannot be handled")?;
    let settings = campaign::settings(folder)?;
    campaign::limit_memory(settings.memory()).context("the memory of this process cannot be limited")?;
    campaign::serve(folder, client, seed, std::io::stdin(), std::io::stdout().lock()).map_err(anyhow::Error::msg)?;
    Ok(Exit::Clean)
}

fn begin(flags: &FuzzRunFlags, output: &Output) -> anyhow::Result<Exit> {
    let switched_on = flags.switch_on.as_deref().map(switched_on).transpose()?;
    let cuda = !flags.no_cuda && cuda::unavailable().is_none();
    let scope = Scope { only: flags.only.clone(), switched_on, cuda };
    scope.validate()?;
    let limit_milliseconds = u64::try_from(flags.limit.as_millis()).unwrap_or(u64::MAX);
    let settings = Settings { seed: flags.seed, limit_milliseconds, scope, ..Settings::default() };
    let store = Store::create(&flags.folder, &settings)?;
    if !cuda && !flags.no_cuda {
        tell("no launches in CUDA C++: there is no compiler (NVRTC)");
    }
    go(&store, &flags.time, (flags.seed, false), output)
}

fn switched_on(text: &str) -> anyhow::Result<SwitchedOn> {
    let Some((kernel, variant)) = text.split_once(':') else {
        bail!("`{text}`: expected KERNEL:VARIANT, as resadd_norm_gemv_int4:fused");
    };
    Ok(SwitchedOn { kernel: kernel.to_owned(), variant: variant.to_owned() })
}

fn resume(flags: &FuzzResumeFlags, output: &Output) -> anyhow::Result<Exit> {
    let store = Store::open(&flags.folder)?;
    let settings = store.settings()?;
    // With the seed it began with it would draw the same again.
    let kept = u64::try_from(store.corpus()?.len()).unwrap_or(0);
    let seed = flags.seed.unwrap_or_else(|| settings.seed.wrapping_add(1_000_003).wrapping_add(kept));
    go(&store, &flags.time, (seed, flags.seed.is_some()), output)
}

/// Runs a campaign until its time is up or somebody presses Ctrl-C. With the seed goes whether it is used as it is.
fn go(
    store: &Store,
    time: &FuzzTimeFlags,
    (seed, seed_as_given): (u64, bool),
    output: &Output,
) -> anyhow::Result<Exit> {
    let stop = Arc::new(AtomicBool::new(false));
    let pressed = Arc::clone(&stop);
    ctrlc::set_handler(move || pressed.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be handled")?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let options = RunOptions {
        executable: std::env::current_exe().context("the path of this program")?,
        jobs: time.jobs.unwrap_or(cores),
        time: time.time,
        seed,
        seed_as_given,
    };
    let progress = |status: &Status| {
        if output.shows_progress() {
            tell(&report::line(&status.report(store.folder())));
        }
    };
    let started = Instant::now();
    let Ended { status, early } = campaign::run(store, &options, &stop, &progress)?;
    let status = Status { elapsed: started.elapsed().max(status.elapsed), ..status };
    output.write(&status.report(store.folder()))?;
    if let Some(error) = early {
        tell(&format!("error: {error}"));
        return Ok(Exit::Incomplete);
    }
    Ok(match (any(&status), status.tally.executions) {
        (true, _) => Exit::Findings,
        (false, 0) => Exit::Nothing,
        (false, _) => Exit::Clean,
    })
}

/// Whether there are findings: one that cannot be read is one as well.
fn any(status: &Status) -> bool {
    !status.findings.read.is_empty() || !status.findings.unreadable.is_empty()
}

fn on_disk(store: &Store) -> anyhow::Result<Status> {
    Ok(Status { corpus: store.corpus()?.len(), findings: store.findings()?, ..Status::default() })
}

fn list(folder: &Path, output: &Output) -> anyhow::Result<Exit> {
    let store = Store::open(folder)?;
    let status = on_disk(&store)?;
    output.write(&status.report(folder))?;
    Ok(if any(&status) { Exit::Findings } else { Exit::Clean })
}

fn again(folder: &Path) -> anyhow::Result<Exit> {
    let replayed = replay(folder, &std::env::current_exe().context("the path of this program")?)?;
    let found = format!("found: {}: {}", replayed.record.signature(), replayed.record.message);
    let (now, exit) = match &replayed.trial {
        Trial::Fails(failure) if replayed.fails_again() => (format!("fails: {}", failure.message), Exit::Findings),
        Trial::Fails(failure) => {
            (format!("fails in another way: {}: {}", failure.signature(), failure.message), Exit::Findings)
        }
        Trial::Holds => ("holds now".to_owned(), Exit::Clean),
        Trial::Rejected => ("is refused now".to_owned(), Exit::Clean),
        Trial::Skipped(why) => (format!("cannot be tried here: {why}"), Exit::Incomplete),
    };
    print(&format!("{found}\n{now}\n"))?;
    Ok(exit)
}

fn smaller(folder: &Path, tries: u32) -> anyhow::Result<Exit> {
    let scratch = Scratch::new()?;
    let executable = std::env::current_exe().ok();
    let bench = Bench { executable, scratch: Some(scratch.0.clone()), ..Bench::default() };
    let minimized = minimize(folder, &bench, tries)?;
    if !minimized.fails {
        print("does not fail in this process: nothing to make smaller\n")?;
        return Ok(Exit::Nothing);
    }
    let [before, after] = minimized.bytes;
    print(&format!(
        "{} bytes, {before} before, after {} inputs\ngridproof fuzz replay {}\n",
        after,
        minimized.tries,
        quoted(&minimized.folder.display().to_string())
    ))?;
    Ok(Exit::Findings)
}

/// A folder for the files of one command, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("gridproof-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Rendered for Campaign {
    fn render(&self, format: Format, _layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(report::render(self)),
            Format::Json => Ok(report::json(self)),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("fuzz", format)),
        }
    }
}
