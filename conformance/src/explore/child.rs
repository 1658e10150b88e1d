//! loom in a child process: what it finds it says by panicking, and some of its limits abort the process.
//!
//! The parent starts an executable (this program itself) with one hidden argument, hands it a job as JSON on standard input,
//! and reads one reply from standard output. Whatever happens to the child, the parent gives an answer: it kills the child
//! when its time or memory is up. Memory is looked at where the system says how much a process has (`/proc`, Linux).

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gridproof_launch::Launch;
use gridproof_simulator::Config;
use gridproof_simulator::explore::loom::{LoomOptions, LoomOutcome, run_model};

use super::job::Job;
use super::reply::{OutcomeText, Reply};

/// The hidden argument.
pub const ARGUMENT: &str = "loom-model";

/// Time on top of the options' own after which a child is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How often a child is looked at.
const PERIOD: Duration = Duration::from_millis(2);

/// Bytes of a child's last words that are kept.
const LAST_WORDS: usize = 2_000;

/// What a child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// Wall-clock time; the options' own and a few seconds where none is given.
    pub time: Option<Duration>,
    /// Bytes of memory.
    pub memory: u64,
}

impl Default for ChildLimits {
    fn default() -> Self {
        Self { time: None, memory: 4 << 30 }
    }
}

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChildError {
    /// The executable could not be started, or not be talked to.
    #[error("loom's process `{executable}`: {reason}")]
    Start {
        /// The executable.
        executable: String,
        /// The system's words.
        reason: String,
    },
    /// The launch or the options cannot be explored.
    #[error("{0}")]
    Refused(String),
    /// It ended without an answer.
    #[error("loom aborted: {status}{words}")]
    Aborted {
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error, after a colon.
        words: String,
    },
    /// Its time was up and it was killed.
    #[error("loom was stopped after {limit:?}, its time limit")]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// It used too much memory and was killed.
    #[error("loom was stopped with {bytes} bytes of memory: the limit is {limit}")]
    Memory {
        /// What it had.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Its answer cannot be read.
    #[error("loom's process gave an answer that cannot be read: {0}")]
    Answer(String),
}

/// Explores a launch in a child: `executable` is `gridproof` itself. CUDA C++ must have been compiled
/// ([`crate::cuda::compiled`]).
///
/// # Errors
/// Why there is no outcome.
pub fn explore(
    executable: &Path,
    launch: &Launch,
    config: &Config,
    options: &LoomOptions,
    limits: &ChildLimits,
) -> Result<LoomOutcome, ChildError> {
    let refused = |reason: String| ChildError::Start { executable: executable.display().to_string(), reason };
    let job = serde_json::to_vec(&Job::new(launch, config, options)).map_err(|error| refused(error.to_string()))?;
    let command = Command::new(executable)
        .arg(ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Killed(command.map_err(|error| refused(error.to_string()))?);
    let limit = limits.time.unwrap_or_else(|| options.max_duration.saturating_add(GRACE));
    let deadline = Instant::now().checked_add(limit);
    let (input, answer, words) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    // A child that dies early closes its end: that is told by how it ended.
    let writer = thread::spawn(move || input.map(|mut input| input.write_all(&job)));
    let (answer, words) = (all_of(answer), all_of(words));
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(|error| refused(error.to_string()))? {
            break status;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(ChildError::Time { limit });
        }
        if let Some(bytes) = memory_of(child.0.id()).filter(|&bytes| bytes > limits.memory) {
            return Err(ChildError::Memory { bytes, limit: limits.memory });
        }
        thread::sleep(PERIOD);
    };
    drop(writer.join());
    let (answer, words) = (answer.join().unwrap_or_default(), words.join().unwrap_or_default());
    if answer.is_empty() || !status.success() {
        return Err(aborted(status, &words));
    }
    match serde_json::from_slice(&answer).map_err(|error| ChildError::Answer(error.to_string()))? {
        Reply::Outcome(outcome) => outcome.outcome().map_err(ChildError::Answer),
        Reply::Refused(reason) => Err(ChildError::Refused(reason)),
    }
}

/// A child that does not outlive the wait for it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn all_of(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read until an error is what there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn aborted(status: ExitStatus, words: &[u8]) -> ChildError {
    let last = words.get(words.len().saturating_sub(LAST_WORDS)..).unwrap_or_default();
    let last = String::from_utf8_lossy(last).trim().to_owned();
    let words = if last.is_empty() { String::new() } else { format!(": {last}") };
    ChildError::Aborted { status: status.to_string(), words }
}

/// Bytes of memory that a process has, where the system says so.
fn memory_of(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The child's side: reads a job, runs its model, writes the reply. Takes away the panic hook: loom's panics are answers.
///
/// # Errors
/// A job that cannot be read, or a reply that cannot be written.
pub fn serve(mut input: impl Read, mut output: impl Write) -> Result<(), String> {
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| error.to_string())?;
    let job: Job = serde_json::from_slice(&text).map_err(|error| format!("the job cannot be read: {error}"))?;
    std::panic::set_hook(Box::new(|_| {}));
    let ran = job
        .launch()
        .and_then(|launch| run_model(&launch, &job.config(), &job.options()).map_err(|error| error.to_string()));
    let reply = match ran {
        Ok(outcome) => Reply::Outcome(Box::new(OutcomeText::new(&outcome))),
        Err(reason) => Reply::Refused(reason),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| error.to_string())?;
    output.write_all(&text).and_then(|()| output.flush()).map_err(|error| error.to_string())
}
