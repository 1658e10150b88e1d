//! From a launch to loom's answer: which dispatches, which memory, how often a model starts again, and what ended it.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gridproof_launch::{ByteRange, Launch};
use loom::thread::Thread;

use super::contested::{Granule, Need, Plan, Touches};
use super::execution::{Execution, Subject};
use super::inside::Places;
use super::objects::Objects;
use super::turns::Turns;
use super::unit::{Unit, granules, halt};
use super::{Limit, LoomOptions, LoomOutcome, LoomRace, MOST_UNITS, Units, Verdict};
use crate::cast::{at, wide};
use crate::explain::Words;
use crate::ir::{BarrierScope, Instr, Pc};
use crate::link::Linked;
use crate::machine::environment::{TraceEntry, Watch};
use crate::memory::shadow::Class;
use crate::outcome::{Budget, Config, Detectors, SimulateError};
use crate::prove::Session;
use crate::run::watch;

/// Contested granules that a model may have.
const MOST_GRANULES: usize = 1 << 14;

/// Instructions of a dispatch, in the proof before and in each execution: what spins for ever spins in the proof too.
const PROOF_INSTRUCTIONS: u64 = 1 << 26;

/// Words of a thread's stack.
const STACK: usize = 1 << 15;

/// Everything that the threads of a model share.
pub struct Model {
    /// What runs.
    pub subject: Subject,
    /// The granules that loom has objects for.
    pub plan: Plan,
    /// Position of the dispatch.
    pub dispatch: usize,
    /// For each buffer, the ranges that are declared to race.
    declared: Vec<Vec<ByteRange>>,
    state: Mutex<Inner>,
    threads: Mutex<Vec<Thread>>,
}

/// The state of a model, locked.
pub type State<'a> = MutexGuard<'a, Inner>;

/// What changes while a model runs.
pub struct Inner {
    /// The execution that runs.
    pub execution: Execution,
    /// Who touched what, in all executions.
    pub touches: Touches,
    /// What this execution told loom of.
    pub seen: Vec<Seen>,
    /// Objects are missing: nothing that loom says of this execution counts.
    pub doomed: bool,
    /// Why the model was left.
    pub halt: Option<Halt>,
    /// Accesses of invocations of one subgroup that loom cannot tell apart.
    pub inside: Option<Places>,
    wanted: BTreeMap<Granule, Need>,
    iterations: u64,
    limit: u64,
    deadline: Instant,
}

/// An access that loom was told of.
pub struct Seen {
    /// Who.
    pub unit: usize,
    /// Number of the granule in the plan.
    pub number: usize,
    /// How it takes part in conflicts between units.
    pub class: Class,
    /// The access.
    pub entry: TraceEntry,
}

/// Why a model was left before loom was through.
pub enum Halt {
    /// With an answer.
    Found(Verdict),
    /// To start again with more objects.
    Restart,
}

impl Inner {
    /// Asks for objects.
    pub fn want(&mut self, granule: Granule, need: Need) {
        self.doomed = true;
        let wanted = self.wanted.entry(granule).or_default();
        *wanted = wanted.and(need);
    }
}

impl Model {
    /// Locks the state. Must not be held where loom may switch.
    pub fn state(&self) -> State<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the threads, in order of unit.
    pub fn handles(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The granules that some bytes touch.
    pub fn granules(&self, buffer: Option<usize>, bytes: Range<u64>) -> Range<u64> {
        granules(&bytes, self.shift(buffer))
    }

    fn shift(&self, buffer: Option<usize>) -> u32 {
        let linked = &self.subject.linked;
        match buffer {
            Some(buffer) => linked.granule_shifts.get(buffer).copied().unwrap_or(0),
            None => linked.workgroup_granule_shift,
        }
    }

    /// Whether a granule is declared to race.
    pub fn is_declared(&self, granule: Granule) -> bool {
        let ranges = granule.buffer.and_then(|buffer| self.declared.get(buffer));
        let shift = self.shift(granule.buffer);
        let (start, end) = (granule.number << shift, (granule.number + 1) << shift);
        ranges.is_some_and(|ranges| ranges.iter().any(|range| range.start <= start && end <= range.end))
    }

    /// One execution, as the main thread of the model.
    fn execute(self: &Arc<Self>) {
        let mut state = self.state();
        if state.iterations >= state.limit {
            let limit = Limit::Iterations(state.limit);
            halt(state, Halt::Found(Verdict::Limit(limit)));
        }
        if Instant::now() >= state.deadline {
            halt(state, Halt::Found(Verdict::Limit(Limit::Duration)));
        }
        state.iterations += 1;
        state.seen.clear();
        state.execution.restart();
        drop(state);
        let objects = Arc::new(Objects::new(&self.plan, self.subject.count));
        let mut threads = Vec::new();
        for id in 0..self.subject.count {
            let unit = Unit::new(self.clone(), objects.clone(), id);
            let spawned = loom::thread::Builder::new().stack_size(STACK).spawn(move || unit.live());
            threads.extend(spawned.map(|handle| handle.thread().clone()));
        }
        *self.handles() = threads;
    }
}

/// Explores the dispatches that the options name, until something is found.
pub fn explore(
    launch: &Launch,
    config: &Config,
    options: &LoomOptions,
    started: Instant,
    outcome: &mut LoomOutcome,
) -> Result<(), SimulateError> {
    let instructions = config.budget.instructions.min(PROOF_INSTRUCTIONS);
    let config = Config { detectors: Detectors::ALL, budget: Budget { instructions, ..config.budget }, ..*config };
    let mut session = Session::new(launch, &config)?;
    for position in 0..launch.dispatches.len() {
        if let Some(exhausted) = &session.outcome.exhausted {
            outcome.verdict = Verdict::Limit(Limit::EarlierDispatch(exhausted.budget));
            break;
        }
        let mut linked = session.linked(position)?;
        let start = session.images.clone();
        session.dispatch(position)?;
        outcome.files.clone_from(&session.outcome.files);
        if options.dispatch.is_some_and(|only| only != position) {
            continue;
        }
        let Some(count) = units(&linked, options)? else { continue };
        linked.config.detectors = Detectors::NONE;
        let deadline = started.checked_add(options.max_duration).unwrap_or(linked.deadline).min(linked.deadline);
        linked.deadline = deadline;
        let stops = Watch {
            describe: true,
            fences: true,
            ..watch(&session.outcome.hazards, position, linked.granule_shifts.len())
        };
        let mut slots = options.slots.min(linked.workgroups());
        if let Units::Subgroups { workgroup } = options.units {
            slots = workgroup + 1;
        }
        let subject = Subject {
            shared: everything(&linked, options.units),
            linked: Arc::new(linked),
            start,
            units: options.units,
            count,
            slots,
            watch: stops,
            storage: true,
            workgroup: options.units != Units::Workgroups,
        };
        let each = Each { launch, options, deadline, dispatch: position };
        let before = std::mem::replace(&mut outcome.verdict, Verdict::Clean);
        outcome.verdict = more_telling(before, each.explore(subject, outcome));
        if !leaves_open(&outcome.verdict) {
            break;
        }
    }
    Ok(())
}

/// Whether other models may still find something: what nobody saw inside a subgroup is the least that can be said.
const fn leaves_open(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Clean | Verdict::Limit(Limit::InsideSubgroup(..)))
}

/// The answer of two models, neither of which ended the other.
fn more_telling(first: Verdict, second: Verdict) -> Verdict {
    match second {
        Verdict::Clean => first,
        Verdict::Limit(Limit::InsideSubgroup(..)) if first != Verdict::Clean => first,
        second => second,
    }
}

/// Units of a dispatch; `None` where it has no such workgroup and more dispatches are to be explored.
fn units(linked: &Linked, options: &LoomOptions) -> Result<Option<usize>, SimulateError> {
    let refuse = |name, value: u32, limit| Err(SimulateError::Config { name, value: value.to_string(), limit });
    let (name, count) = match options.units {
        Units::Workgroups => ("workgroups", linked.workgroups()),
        Units::Subgroups { workgroup } if workgroup >= linked.workgroups() => {
            return match options.dispatch {
                None => Ok(None),
                Some(_) => refuse("workgroup", workgroup, "must be less than the dispatch's workgroups"),
            };
        }
        Units::Subgroups { .. } => ("subgroups", linked.subgroups),
    };
    if at(count) > MOST_UNITS {
        return refuse(name, count, "loom runs at most 4");
    }
    Ok(Some(at(count)))
}

/// Every byte that units may contest.
fn everything(linked: &Linked, units: Units) -> Watch {
    let mut storage = vec![Vec::new(); linked.granule_shifts.len()];
    for bound in linked.bindings.iter().filter(|bound| bound.contested) {
        storage[bound.buffer] = std::iter::once(0..u64::MAX).collect();
    }
    let all = std::iter::once(0..u64::MAX).filter(|_| units != Units::Workgroups);
    Watch { storage, workgroup: all.collect(), ..Watch::default() }
}

/// Whether some barrier orders one kind of memory and not the other.
fn has_split_barriers(linked: &Linked) -> bool {
    linked.program.code.iter().any(|instr| match instr {
        Instr::Barrier { scope: BarrierScope::Workgroup, workgroup_memory, storage_memory } => {
            workgroup_memory != storage_memory
        }
        _ => false,
    })
}

/// One dispatch.
struct Each<'a> {
    launch: &'a Launch,
    options: &'a LoomOptions,
    deadline: Instant,
    dispatch: usize,
}

impl Each<'_> {
    fn explore(&self, subject: Subject, outcome: &mut LoomOutcome) -> Verdict {
        if !subject.workgroup || !has_split_barriers(&subject.linked) {
            return self.explore_kind(subject, outcome);
        }
        let storage = Subject { workgroup: false, ..subject.clone() };
        match self.explore_kind(storage, outcome) {
            found if leaves_open(&found) => {
                more_telling(found, self.explore_kind(Subject { storage: false, ..subject }, outcome))
            }
            found => found,
        }
    }

    /// Starts models until one knows of all contested granules.
    fn explore_kind(&self, subject: Subject, outcome: &mut LoomOutcome) -> Verdict {
        let mut plan = Plan::default();
        loop {
            let model = self.model(subject.clone(), plan.clone(), outcome.iterations);
            let caught = self.check(&model);
            let mut state = model.state();
            outcome.iterations = state.iterations;
            let verdict = match (state.halt.take(), caught) {
                (Some(Halt::Found(verdict)), _) => verdict,
                (Some(Halt::Restart), _) => {
                    plan.extend(&state.wanted);
                    if plan.len() > MOST_GRANULES {
                        return Verdict::Limit(Limit::Granules(MOST_GRANULES));
                    }
                    outcome.restarts += 1;
                    continue;
                }
                (None, Some(message)) => self.words_of_loom(&model, &state, message),
                (None, None) => state.inside.map_or(Verdict::Clean, |(first, second)| {
                    let span = |pc| model.subject.linked.program.span(Pc(pc));
                    Verdict::Limit(Limit::InsideSubgroup(span(first), span(second)))
                }),
            };
            outcome.granules += wide(plan.len());
            return verdict;
        }
    }

    fn model(&self, subject: Subject, plan: Plan, iterations: u64) -> Arc<Model> {
        let several = subject.linked.subgroups > 1;
        let turns = Turns::new(subject.slots, self.dispatch, several);
        let declared = |buffer: &gridproof_launch::Buffer| buffer.may_race.iter().map(|may| may.range).collect();
        let inner = Inner {
            execution: Execution::new(subject.clone(), turns),
            touches: Touches::default(),
            seen: Vec::new(),
            doomed: false,
            halt: None,
            inside: None,
            wanted: BTreeMap::new(),
            iterations,
            limit: self.options.max_iterations,
            deadline: self.deadline,
        };
        Arc::new(Model {
            subject,
            plan,
            dispatch: self.dispatch,
            declared: self.launch.buffers.iter().map(declared).collect(),
            state: Mutex::new(inner),
            threads: Mutex::new(Vec::new()),
        })
    }

    /// Runs a model to its end. What loom said when it panicked.
    fn check(&self, model: &Arc<Model>) -> Option<String> {
        let shared = model.clone();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut builder = loom::model::Builder::new();
            builder.max_threads = shared.subject.count + 1;
            builder.max_branches = self.options.max_branches;
            builder.preemption_bound = self.options.preemption_bound.map(at);
            builder.max_permutations = None;
            builder.max_duration = None;
            builder.checkpoint_file = None;
            builder.checkpoint_interval = usize::MAX;
            builder.expect_explicit_explore = false;
            // So that the message says which threads race.
            builder.location = true;
            builder.log = false;
            builder.check(move || shared.execute());
        }));
        caught.err().map(|payload| text_of(payload.as_ref()))
    }

    /// What a panic of loom's means.
    fn words_of_loom(&self, model: &Model, state: &Inner, message: String) -> Verdict {
        if message.contains("maximum number of branches") {
            return Verdict::Limit(Limit::Branches(self.options.max_branches));
        }
        let race = if message.contains("Causality violation") { self.race(model, state, &message) } else { None };
        race.map_or_else(|| Verdict::Limit(Limit::Loom(message)), |race| Verdict::Race(Box::new(race)))
    }

    /// The last access that loom was told of races with an earlier one, of the other thread that it names.
    fn race(&self, model: &Model, state: &Inner, message: &str) -> Option<LoomRace> {
        let (second, before) = state.seen.split_last()?;
        let named = threads_in(message);
        let conflicts = |seen: &&Seen| {
            let same = seen.number == second.number && seen.unit != second.unit;
            same && seen.class.conflicts().contains(&second.class)
        };
        let is_named = |seen: &&Seen| named.contains(&(seen.unit + 1));
        let mut candidates = before.iter().rev().filter(conflicts);
        let first = candidates.clone().find(is_named).or_else(|| candidates.next())?;
        let words = Words { launch: self.launch, linked: &model.subject.linked };
        let site = |seen: &Seen| words.traced(seen.entry.workgroup, &seen.entry);
        let start = first.entry.offset.max(second.entry.offset);
        let end = |seen: &Seen| seen.entry.offset + u64::from(seen.entry.bytes);
        Some(LoomRace {
            first: site(first),
            second: site(second),
            bytes: ByteRange::new(start, end(first).min(end(second)).max(start)),
            schedule: state.execution.turns().schedule().clone(),
            message: first_line(message),
        })
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned()
}

fn first_line(message: &str) -> String {
    message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The threads that a message of loom's names; unit `i` is thread `i + 1`.
fn threads_in(message: &str) -> Vec<usize> {
    let numbers = message.split("thread #").skip(1);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    numbers.filter_map(|text| digits(text).parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_read_from_the_message() {
        let message =
            "\nCausality violation: x\n    created: a:1:2\n      write: thread #2 @ b:3\n   read: thread #10 @ c\n";
        assert_eq!(threads_in(message), [2, 10]);
        assert_eq!(first_line(message), "Causality violation: x");
    }
}
