//! The parent of a campaign's clients: starts them, adds up what they say, starts them again when an input has ended one.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::client::{ARGUMENT, Line, SLOW};
use super::files;
use super::guard::aborted;
use super::run::Run;
use super::status::{Status, Tally};
use super::store::{Settings, Store, StoreError};
use crate::input::decode;

/// How a campaign is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// `gridproof` itself.
    pub executable: PathBuf,
    /// Clients.
    pub jobs: u32,
    /// How long; until it is stopped where none is given.
    pub time: Option<Duration>,
    /// Seed of the first client.
    pub seed: u64,
    /// Whether the seed is used as it is by a run that is not the folder's first, too: such a run draws others otherwise,
    /// as several machines may begin with the same settings.
    pub seed_as_given: bool,
}

/// What came of a campaign.
#[derive(Debug)]
pub struct Ended {
    /// What was done and found.
    pub status: Status,
    /// Why it ended before its time.
    pub early: Option<CampaignError>,
}

/// Why a campaign ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A client could not be started.
    #[error("a client of `{}` cannot be started: {reason}", executable.display())]
    Start {
        /// The executable.
        executable: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A client could not go on.
    #[error("a client had to stop: {0}")]
    Client(String),
    /// Clients end again and again without a word.
    #[error("clients end again and again; the last one: {0}")]
    Restarts(String),
}

/// How often the parent looks at the time.
const PERIOD: Duration = Duration::from_millis(100);

/// How often the directory is read for a status.
const STATUS_PERIOD: Duration = Duration::from_secs(2);

/// Clients that end in a row without a single line.
const MOST_SILENT_ENDS: u32 = 8;

enum News {
    Line(u32, Line),
    Silence(u32),
}

struct Client {
    /// Its number in the folder.
    id: u32,
    child: Child,
    /// Closed to stop it.
    input: Option<ChildStdin>,
    tally: Tally,
    done: bool,
}

struct Campaign<'a> {
    store: &'a Store,
    settings: Settings,
    run: Run,
    options: &'a RunOptions,
    clients: Vec<Option<Client>>,
    news: (Sender<News>, Receiver<News>),
    /// What clients that have ended did.
    before: Tally,
    restarts: u32,
    silent_ends: u32,
    next_seed: u64,
    failed: Option<CampaignError>,
}

/// Runs a campaign until its time is up or `stop` is set. `progress` is called every few seconds.
///
/// # Errors
/// A directory that cannot be used, or clients that cannot be started; what was found until then is in the directory.
pub fn run(
    store: &Store,
    options: &RunOptions,
    stop: &AtomicBool,
    progress: &dyn Fn(&Status),
) -> Result<Ended, CampaignError> {
    let settings = store.settings()?;
    let run = Run::begin(store)?;
    let next_seed = if options.seed_as_given { options.seed } else { run.seed(options.seed) };
    let mut campaign = Campaign {
        store,
        settings,
        run,
        options,
        clients: Vec::new(),
        news: channel(),
        before: Tally::default(),
        restarts: 0,
        silent_ends: 0,
        next_seed,
        failed: None,
    };
    let started = Instant::now();
    for at in 0..options.jobs.max(1) {
        let id = campaign.run.claim(store)?;
        let running = campaign.start(at, id)?;
        campaign.clients.push(Some(running));
    }
    let mut shown = Instant::now();
    let mut stopping = false;
    while campaign.clients.iter().any(Option::is_some) {
        let time_is_up = options.time.is_some_and(|time| started.elapsed() >= time);
        if !stopping && (time_is_up || stop.load(Ordering::Relaxed) || campaign.failed.is_some()) {
            stopping = true;
            campaign.clients.iter_mut().flatten().for_each(|client| drop(client.input.take()));
        }
        match campaign.news.1.recv_timeout(PERIOD) {
            Ok(News::Line(client, line)) => campaign.hear(client, line),
            Ok(News::Silence(client)) => campaign.end(client, stopping),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if shown.elapsed() > STATUS_PERIOD {
            shown = Instant::now();
            progress(&campaign.status(started)?);
        }
    }
    let early = campaign.failed.take();
    Ok(Ended { status: campaign.status(started)?, early })
}

/// Starts a client in a folder, or with number 0 and seed 0 a process that tries the finding there again. It ends when its
/// standard input does.
pub(super) fn spawn(executable: &Path, folder: &Path, id: u32, seed: u64) -> Result<Child, CampaignError> {
    let refused =
        |reason: std::io::Error| CampaignError::Start { executable: executable.to_owned(), reason: reason.to_string() };
    Command::new(executable)
        .arg(ARGUMENT)
        .arg(folder)
        .args([id.to_string(), seed.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(refused)
}

impl Campaign<'_> {
    /// Starts the client at this place of the list.
    fn start(&mut self, at: u32, id: u32) -> Result<Client, CampaignError> {
        // What one executed that has ended is not to blame for how the next one ends.
        drop(std::fs::remove_file(self.store.current(id)));
        let seed = self.next_seed;
        self.next_seed = self.next_seed.wrapping_add(1);
        let mut child = spawn(&self.options.executable, self.store.folder(), id, seed)?;
        let input = child.stdin.take();
        let sender = self.news.0.clone();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                for line in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                    // Nobody listens any more: the campaign has ended.
                    drop(sender.send(News::Line(at, line)));
                }
                drop(sender.send(News::Silence(at)));
            });
        }
        Ok(Client { id, child, input, tally: Tally::default(), done: false })
    }

    fn hear(&mut self, client: u32, line: Line) {
        let Some(client) = self.clients.get_mut(client as usize).and_then(Option::as_mut) else { return };
        match line {
            Line::Tally(tally) => {
                client.tally = tally;
                self.silent_ends = 0;
            }
            Line::Done(tally) => (client.tally, client.done) = (tally, true),
            Line::Failed(reason) => {
                client.done = true;
                self.failed.get_or_insert(CampaignError::Client(reason));
            }
            Line::Tried(_) => {}
        }
    }

    /// A client has ended: as it was told to, or by what it executed.
    fn end(&mut self, at: u32, stopping: bool) {
        let Some(mut client) = self.clients.get_mut(at as usize).and_then(Option::take) else { return };
        self.before = self.before.with(client.tally);
        drop(client.input.take());
        let status = client.child.wait().ok();
        if client.done {
            return;
        }
        let words = ended(status);
        let to_blame = status.is_some_and(|status| status.code() != Some(SLOW) && !was_killed(status));
        if to_blame && let Err(error) = self.aborted(client.id, &words) {
            self.failed.get_or_insert(error.into());
        }
        if stopping || self.failed.is_some() {
            return;
        }
        self.silent_ends += 1;
        if self.silent_ends > MOST_SILENT_ENDS {
            self.failed.get_or_insert(CampaignError::Restarts(words));
            return;
        }
        self.restarts += 1;
        match self.start(at, client.id) {
            Ok(again) => self.clients[at as usize] = Some(again),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    /// What a client was executing when it ended is a finding.
    fn aborted(&self, client: u32, words: &str) -> Result<(), StoreError> {
        let path = self.store.current(client);
        let Ok(bytes) = files::read(&path) else { return Ok(()) };
        let scope = &self.settings.scope;
        self.store.report_new(&bytes, &aborted(&decode(&bytes, scope), words), 0, scope).map(drop)
    }

    fn status(&self, started: Instant) -> Result<Status, StoreError> {
        let running = self.clients.iter().flatten();
        Ok(Status {
            elapsed: started.elapsed(),
            tally: running.clone().fold(self.before, |all, client| all.with(client.tally)),
            clients: u32::try_from(running.count()).unwrap_or(u32::MAX),
            restarts: self.restarts,
            corpus: self.store.corpus()?.len(),
            findings: self.store.findings()?,
        })
    }
}

/// How a process ended, in words.
pub(super) fn ended(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "unknown".to_owned(), |status| status.to_string())
}

/// Whether somebody killed it: its input is not to blame. A system that is out of memory kills as people do, and not
/// always the one to blame; what takes too much is stopped by the limit on a client's memory before.
#[cfg(unix)]
pub(super) fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGINT: i32 = 2;
    const SIGKILL: i32 = 9;
    const SIGTERM: i32 = 15;
    matches!(status.signal(), Some(SIGINT | SIGKILL | SIGTERM))
}

#[cfg(not(unix))]
pub(super) fn was_killed(_status: ExitStatus) -> bool {
    false
}

impl Drop for Campaign<'_> {
    /// No client outlives its campaign.
    fn drop(&mut self) {
        for client in self.clients.iter_mut().flatten() {
            drop(client.input.take());
            drop(client.child.kill());
            drop(client.child.wait());
        }
    }
}
