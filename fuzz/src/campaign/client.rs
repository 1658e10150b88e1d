//! One client: `LibAFL` in this process, over the directory of the campaign.
//!
//! A client is a child process of `gridproof fuzz`. Its standard input says nothing and ends when it is to stop; to standard
//! output it writes a line of JSON now and then. Before an input is executed its bytes are in `clients/ID`, so that whoever
//! started the client knows what killed it.
//!
//! Over the folder of a finding it tries this input, says what came of it and ends.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libafl::corpus::{Corpus, InMemoryCorpus};
use libafl::events::NopEventManager;
use libafl::executors::{Executor, ExitKind, HasObservers};
use libafl::feedbacks::{CrashFeedback, MaxMapFeedback};
use libafl::fuzzer::{Evaluator, NopInputFilter, StdFuzzer};
use libafl::inputs::{BytesInput, BytesInputConverter};
use libafl::mutators::{HavocScheduledMutator, Mutator, havoc_mutations};
use libafl::observers::{HitcountsMapObserver, MapObserver, StdMapObserver};
use libafl::schedulers::{RandScheduler, Scheduler};
use libafl::state::{HasCorpus, HasExecutions, HasRand, StdState};
use libafl_bolts::rands::{Rand, StdRand};
use libafl_bolts::tuples::{Merge, RefIndexable, tuple_list, tuple_list_type};
use serde::{Deserialize, Serialize};

use super::finding::{RECORD, read_finding};
use super::guard::{Watchdog, keep_panics, slow, try_input, try_within};
use super::mutator::ChoiceMutator;
use super::status::Tally;
use super::store::{Settings, Store, StoreError};
use crate::input::decode;
use crate::oracle::{Bench, Failure, Trial};
use gridproof_simulator::Coverage;

/// The hidden argument of the executable that serves clients.
pub const ARGUMENT: &str = "fuzz-client";

/// How a client ends that has told of a slow input.
pub const SLOW: i32 = 75;

/// How often a client says how far it is.
const REPORT_PERIOD: Duration = Duration::from_millis(500);

/// How often it looks for what others have found.
const IMPORT_PERIOD: Duration = Duration::from_secs(5);

/// Inputs of a campaign that has none yet.
const FIRST_INPUTS: usize = 64;

/// Bytes of an input that is not made from another one.
const FRESH_BYTES: usize = 512;

/// Once in so many times an input is not made from another one.
const FRESH_ONCE_IN: NonZeroUsize = NonZeroUsize::new(8).expect("not 0");

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// How far it is.
    Tally(Tally),
    /// The directory cannot be used any more.
    Failed(String),
    /// It was told to stop and does.
    Done(Tally),
    /// What came of the finding that it was to try.
    Tried(Trial),
}

type Map = HitcountsMapObserver<StdMapObserver<'static, u8, false>>;
type Observers = tuple_list_type!(Map);

/// Calls the oracles, and keeps what fails.
struct Target {
    observers: Observers,
    bench: Bench,
    store: Store,
    settings: Settings,
    current: PathBuf,
    known: BTreeSet<String>,
    tally: Tally,
    seen: Vec<bool>,
    watchdog: Watchdog,
    started: Instant,
    error: Option<StoreError>,
}

impl HasObservers for Target {
    type Observers = Observers;

    fn observers(&self) -> RefIndexable<&Self::Observers, Self::Observers> {
        RefIndexable::from(&self.observers)
    }

    fn observers_mut(&mut self) -> RefIndexable<&mut Self::Observers, Self::Observers> {
        RefIndexable::from(&mut self.observers)
    }
}

impl<EM, S: HasExecutions, Z> Executor<EM, BytesInput, S, Z> for Target {
    fn run_target(
        &mut self,
        _fuzzer: &mut Z,
        state: &mut S,
        _manager: &mut EM,
        input: &BytesInput,
    ) -> Result<ExitKind, libafl::Error> {
        *state.executions_mut() += 1;
        let bytes: &Vec<u8> = input.as_ref();
        Ok(if self.execute(bytes) { ExitKind::Crash } else { ExitKind::Ok })
    }
}

impl Target {
    /// Whether a failure was found that nobody knew.
    fn execute(&mut self, bytes: &[u8]) -> bool {
        // Lost only if the machine goes down, and then nobody asks what killed the client.
        if let Err(reason) = std::fs::write(&self.current, bytes) {
            self.error.get_or_insert(StoreError::System { path: self.current.clone(), reason });
        }
        self.bench.coverage.clear();
        self.watchdog.begin(bytes);
        let trial = try_input(&self.bench, &decode(bytes, &self.settings.scope));
        self.watchdog.end();
        self.observe();
        self.tally.executions += 1;
        match trial {
            Trial::Holds => {}
            Trial::Rejected => self.tally.rejected += 1,
            Trial::Skipped(_) => self.tally.skipped += 1,
            Trial::Fails(failure) => {
                self.tally.failed += 1;
                return self.report(bytes, &failure);
            }
        }
        false
    }

    /// Hands the counters to the feedback.
    fn observe(&mut self) {
        let map = &mut self.observers.0;
        for (at, count) in self.bench.coverage.counters().enumerate().filter(|(_, count)| *count > 0) {
            map.set(at, count);
            self.tally.covered += u64::from(!std::mem::replace(&mut self.seen[at], true));
        }
    }

    fn report(&mut self, bytes: &[u8], failure: &Failure) -> bool {
        if !self.known.insert(failure.signature()) {
            return false;
        }
        let after = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Somebody else may have found it since this client looked.
        self.store.report_new(bytes, failure, after, &self.settings.scope).unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            true
        })
    }
}

/// The client's side of a campaign: tries inputs until `input` ends.
///
/// # Errors
/// What is wrong with the directory, or with the engine; it was also said on `output`.
pub fn serve(
    folder: &Path,
    client: u32,
    seed: u64,
    input: impl Read + Send + 'static,
    mut output: impl Write,
) -> Result<(), String> {
    let mut say = |line: &Line| -> Result<(), String> {
        let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
        writeln!(output, "{text}").and_then(|()| output.flush()).map_err(|error| error.to_string())
    };
    let stop = Arc::new(AtomicBool::new(false));
    stop_at_end(input, Arc::clone(&stop));
    let result = match folder.join(RECORD).exists() {
        true => try_finding(folder, &stop).map(Line::Tried),
        false => Client::new(folder, client, seed).and_then(|mut client| client.run(&stop, &mut say)).map(Line::Done),
    };
    match result {
        Ok(line) => say(&line),
        Err(reason) => {
            say(&Line::Failed(reason.clone()))?;
            Err(reason)
        }
    }
}

/// Tries the input of a finding within the limit of its campaign.
fn try_finding(folder: &Path, stop: &AtomicBool) -> Result<Trial, String> {
    let (bytes, record) = read_finding(folder).map_err(|error| error.to_string())?;
    let limit = Duration::from_millis(Settings::of_finding(folder).limit_milliseconds);
    let scratch = scratch(std::process::id());
    std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let executable = std::env::current_exe().ok();
    let bench = Bench { executable, scratch: Some(scratch.clone()), ..Bench::default() };
    keep_panics();
    let trial = try_within(&bench, &decode(&bytes, &record.scope), limit, stop);
    // Whoever started this process removes it where this one cannot.
    drop(std::fs::remove_dir_all(&scratch));
    Ok(trial)
}

/// Where a process that tries a finding has files for readers of files.
pub(super) fn scratch(process: u32) -> PathBuf {
    std::env::temp_dir().join(format!("gridproof-fuzz-{process}"))
}

fn stop_at_end(mut input: impl Read + Send + 'static, stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while input.read(&mut bytes).is_ok_and(|read| read > 0) {}
        stop.store(true, Ordering::Relaxed);
    });
}

type State = StdState<InMemoryCorpus<BytesInput>, BytesInput, StdRand, InMemoryCorpus<BytesInput>>;

type Fuzzer =
    StdFuzzer<RandScheduler<State>, MaxMapFeedback<Map, Map>, BytesInputConverter, NopInputFilter, CrashFeedback>;

struct Client {
    target: Target,
    state: State,
    fuzzer: Fuzzer,
    known: BTreeSet<String>,
}

impl Client {
    fn new(folder: &Path, client: u32, seed: u64) -> Result<Self, String> {
        let words = |error: StoreError| error.to_string();
        let store = Store::open(folder).map_err(words)?;
        let settings = store.settings().map_err(words)?;
        let known = store.findings().map_err(words)?.read.iter().map(|(_, record)| record.signature()).collect();
        let scratch = store.scratch(client);
        std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
        let coverage = Arc::new(Coverage::default());
        let bench = Bench { coverage, executable: std::env::current_exe().ok(), scratch: Some(scratch) };
        let map = HitcountsMapObserver::new(StdMapObserver::owned("features", vec![0_u8; Coverage::SIZE]));
        let target = Target {
            observers: tuple_list!(map),
            bench,
            current: store.current(client),
            store,
            settings,
            known,
            tally: Tally::default(),
            seen: vec![false; Coverage::SIZE],
            watchdog: Watchdog::default(),
            started: Instant::now(),
            error: None,
        };
        let mut feedback = MaxMapFeedback::new(&target.observers.0);
        let mut objective = CrashFeedback::new();
        let (corpus, solutions, rand) = (InMemoryCorpus::new(), InMemoryCorpus::new(), StdRand::with_seed(seed));
        let state = StdState::new(rand, corpus, solutions, &mut feedback, &mut objective);
        let state = state.map_err(|error| error.to_string())?;
        let fuzzer = StdFuzzer::new(RandScheduler::new(), feedback, objective);
        Ok(Self { target, state, fuzzer, known: BTreeSet::new() })
    }

    fn run(&mut self, stop: &AtomicBool, say: &mut dyn FnMut(&Line) -> Result<(), String>) -> Result<Tally, String> {
        keep_panics();
        self.watch();
        let words = |error: libafl::Error| error.to_string();
        let mut mutator = HavocScheduledMutator::new(havoc_mutations().merge(tuple_list!(
            ChoiceMutator,
            ChoiceMutator,
            ChoiceMutator,
            ChoiceMutator
        )));
        let mut scheduler = RandScheduler::new();
        let mut manager = NopEventManager::new();
        let (mut reported, mut imported) = (Instant::now(), None::<Instant>);
        while !stop.load(Ordering::Relaxed) {
            let mut next = Vec::new();
            if imported.is_none_or(|then| then.elapsed() > IMPORT_PERIOD) {
                next = self.others_inputs()?;
                if imported.is_none() && next.is_empty() {
                    next = (0..FIRST_INPUTS).map(|_| self.fresh()).collect();
                }
                imported = Some(Instant::now());
            }
            if next.is_empty() {
                next.push(self.another(&mut scheduler, &mut mutator).map_err(words)?);
            }
            for input in next {
                let added = self.fuzzer.evaluate_input(&mut self.state, &mut self.target, &mut manager, &input);
                let (_, added) = added.map_err(words)?;
                if added.is_some() {
                    self.keep(&input)?;
                }
                if let Some(error) = self.target.error.take() {
                    return Err(error.to_string());
                }
                if reported.elapsed() > REPORT_PERIOD {
                    reported = Instant::now();
                    say(&Line::Tally(self.target.tally))?;
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        Ok(self.target.tally)
    }

    /// Ends this process when an input takes too long, with a finding.
    fn watch(&self) {
        let limit = Duration::from_millis(self.target.settings.limit_milliseconds);
        let (store, scope, started) =
            (self.target.store.clone(), self.target.settings.scope.clone(), self.target.started);
        self.target.watchdog.start(limit, move |bytes, message| {
            let failure = slow(&decode(&bytes, &scope), message);
            let after = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            // A directory that cannot be written is told of by the parent, which finds the input in `clients/ID`.
            drop(store.report_new(&bytes, &failure, after, &scope));
            std::process::exit(SLOW);
        });
    }

    /// Inputs of the directory that this client has not tried.
    fn others_inputs(&mut self) -> Result<Vec<BytesInput>, String> {
        let names = self.target.store.corpus().map_err(|error| error.to_string())?;
        let new: Vec<String> = names.difference(&self.known).cloned().collect();
        let read = |name: &String| self.target.store.input(name).map(BytesInput::new);
        // Whoever tidies up may have removed one.
        let inputs = new.iter().filter_map(|name| read(name).ok()).collect();
        self.known.extend(new);
        let findings = self.target.store.findings().map_err(|error| error.to_string())?;
        self.target.known.extend(findings.read.iter().map(|(_, record)| record.signature()));
        Ok(inputs)
    }

    fn fresh(&mut self) -> BytesInput {
        let words = (0..FRESH_BYTES / 8).flat_map(|_| self.state.rand_mut().next().to_le_bytes());
        BytesInput::new(words.collect())
    }

    fn another<M: Mutator<BytesInput, State>>(
        &mut self,
        scheduler: &mut RandScheduler<State>,
        mutator: &mut M,
    ) -> Result<BytesInput, libafl::Error> {
        if self.state.corpus().is_empty() || self.state.rand_mut().below(FRESH_ONCE_IN) == 0 {
            return Ok(self.fresh());
        }
        let id = Scheduler::<BytesInput, State>::next(scheduler, &mut self.state)?;
        let mut input = self.state.corpus().cloned_input_for_id(id)?;
        mutator.mutate(&mut self.state, &mut input)?;
        Ok(input)
    }

    fn keep(&mut self, input: &BytesInput) -> Result<(), String> {
        let bytes: &Vec<u8> = input.as_ref();
        self.known.insert(super::store::hash(bytes));
        self.target.store.keep(bytes).map(drop).map_err(|error| error.to_string())
    }
}
