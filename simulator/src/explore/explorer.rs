//! From a launch to its executions: dispatch after dispatch, from every memory that the one before can leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use gridproof_launch::{BufferId, ByteRange, Launch};

use super::options::{Engine, ExploreOptions, Progress, Start};
use super::path::Path;
use super::random::Random;
use super::search::{Next, Search};
use super::stuck;
use super::world::World;
use super::{DistinctOutput, Exploration, Reading, Stopped, Unseen};
use crate::analysis;
use crate::cast::{u64_to_f64, wide};
use crate::explain::{self, Evidence, Words};
use crate::finding::{Detail, Finding, Rule, Severity};
use crate::ir::{Builtin, Instr};
use crate::ladder::differing_outputs;
use crate::link::Linked;
use crate::machine::environment::{TraceEntry, Watch};
use crate::memory::Image;
use crate::memory::versions::Versions;
use crate::outcome::{Config, Outcome, SimulateError};
use crate::prove::{Memories, Session};
use crate::recorder::Recorder;
use crate::schedule::{Schedule, Turns};

/// Units that a search keeps clocks for: their size goes with the square of the number.
const MOST_UNITS: u64 = 1024;

/// Memories that a dispatch may start from.
const MOST_MEMORIES: usize = 32;

type Ranges = Vec<ByteRange>;

/// Bytes that raced in one dispatch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Racy {
    pub storage: BTreeMap<BufferId, Ranges>,
    pub workgroup: Ranges,
}

impl Racy {
    fn is_empty(&self) -> bool {
        self.storage.is_empty() && self.workgroup.is_empty()
    }

    /// Takes over more; whether any of it is new.
    fn add(&mut self, other: &Self) -> bool {
        let before = self.clone();
        for (&buffer, ranges) in &other.storage {
            union(self.storage.entry(buffer).or_default(), ranges);
        }
        union(&mut self.workgroup, &other.workgroup);
        *self != before
    }

    pub fn watch(&self, images: usize) -> Watch {
        let plain = |ranges: &Ranges| ranges.iter().map(|range| range.start..range.end).collect();
        let of = |image: usize| self.storage.get(&BufferId(image)).map_or_else(Vec::new, plain);
        Watch { storage: (0..images).map(of).collect(), workgroup: plain(&self.workgroup), ..Watch::describing() }
    }
}

/// The union of sorted, disjoint ranges.
fn union(ranges: &mut Ranges, more: &Ranges) {
    let mut all: Vec<ByteRange> = ranges.iter().chain(more).copied().collect();
    all.sort_unstable_by_key(|range| range.start);
    ranges.clear();
    for range in all {
        match ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
}

/// One memory that dispatches so far can leave.
struct Fork {
    memories: Memories,
    /// The turns that led here.
    turns: Vec<Vec<Turns>>,
    executions: u64,
    /// Whether some execution that led here showed nothing wrong.
    clean: bool,
}

/// What one execution of a dispatch ended with.
struct Ending {
    images: Vec<Image>,
    turns: Vec<Turns>,
    executions: u64,
    clean: bool,
}

/// How schedules are chosen.
enum Chooser {
    Search(Box<Search>),
    Random(Random),
    /// One execution, the lowest unit first: for more units than a search can keep account of.
    Lowest,
}

struct Explorer<'a> {
    launch: &'a Launch,
    options: &'a ExploreOptions,
    result: Exploration,
    /// Findings by what makes them distinct.
    found: BTreeMap<Key, Finding>,
    drawn: Option<Random>,
    /// Whether racing accesses are kept from seeing each other; then nobody looks for findings.
    reading: bool,
    /// Whether an execution came to where nobody makes progress.
    stuck: bool,
}

/// Rule, dispatch, buffer, and both places.
type Key = (Rule, u32, String, u32, Option<u32>);

/// See [`super::explore`].
pub fn explore(launch: &Launch, config: &Config, options: &ExploreOptions) -> Result<Exploration, SimulateError> {
    executions(launch, config, options, false).map(|(exploration, _)| exploration)
}

/// See [`super::reading`].
pub fn reading(launch: &Launch, config: &Config, options: &ExploreOptions) -> Result<Reading, SimulateError> {
    let (exploration, stuck) = executions(launch, config, options, true)?;
    let complete = exploration.is_complete() && !stuck && exploration.outputs.len() < MOST_MEMORIES;
    Ok(Reading { executions: exploration.executions, complete, stuck, outputs: exploration.outputs })
}

/// All executions, and whether one came to where nobody makes progress.
fn executions(
    launch: &Launch,
    config: &Config,
    options: &ExploreOptions,
    reading: bool,
) -> Result<(Exploration, bool), SimulateError> {
    check(options)?;
    let mut session = Session::new(launch, config)?;
    let mut explorer = Explorer {
        launch,
        options,
        result: Exploration {
            outcome: Outcome::empty(),
            executions: 0,
            redundant: 0,
            orders: 0.0,
            units: 0,
            turns: 0,
            stopped: None,
            symmetric: false,
            outputs: Vec::new(),
            bound: None,
            unseen: BTreeSet::new(),
            elapsed: std::time::Duration::ZERO,
        },
        found: BTreeMap::new(),
        drawn: None,
        reading,
        stuck: false,
    };
    let began = Instant::now();
    let mut forks = vec![Fork { memories: session.memories(), turns: Vec::new(), executions: 1, clean: true }];
    for position in 0..launch.dispatches.len() {
        let mut next = Vec::new();
        let mut racy = Racy::default();
        for fork in forks {
            session.set_memories(fork.memories);
            let mut later = explorer.dispatch(&mut session, position, &fork.turns, fork.executions, &mut racy)?;
            later.iter_mut().for_each(|later| later.clean &= fork.clean);
            next.extend(later);
            if session.outcome.exhausted.is_some() {
                break;
            }
        }
        session.outcome.hazards.storage.truncate(position);
        session.outcome.hazards.workgroup.truncate(position);
        session.outcome.hazards.storage.push(racy.storage);
        session.outcome.hazards.workgroup.push(racy.workgroup);
        forks = distinct(next);
        if forks.len() > MOST_MEMORIES {
            forks.truncate(MOST_MEMORIES);
            if position + 1 < launch.dispatches.len() {
                explorer.stop(Stopped::Outputs);
            }
        }
        if session.outcome.exhausted.is_some() {
            explorer.stop(Stopped::Budget);
            break;
        }
    }
    explorer.result.elapsed = began.elapsed();
    let stuck = explorer.stuck;
    Ok((explorer.finish(session, forks), stuck))
}

fn check(options: &ExploreOptions) -> Result<(), SimulateError> {
    let refuse = |name, value: String, limit| Err(SimulateError::Config { name, value, limit });
    if options.slots == 0 {
        return refuse("slots", "0".to_owned(), "must be at least 1");
    }
    if options.executions == 0 {
        return refuse("executions", "0".to_owned(), "must be at least 1");
    }
    if let Engine::Random { depth, .. } = options.engine
        && !(1..=1024).contains(&depth)
    {
        return refuse("depth", depth.to_string(), "must be from 1 to 1024");
    }
    Ok(())
}

/// Memories that differ, the first of equals.
fn distinct(forks: Vec<Fork>) -> Vec<Fork> {
    let mut kept: Vec<Fork> = Vec::new();
    for fork in forks {
        match kept.iter_mut().find(|other| other.memories.are_as(&fork.memories)) {
            Some(other) => {
                other.executions += fork.executions;
                other.clean |= fork.clean;
            }
            None => kept.push(fork),
        }
    }
    kept
}

impl Explorer<'_> {
    fn stop(&mut self, why: Stopped) {
        self.result.stopped.get_or_insert(why);
    }

    /// Explores one dispatch from one memory; gives the memories that it can leave.
    fn dispatch(
        &mut self,
        session: &mut Session<'_>,
        position: usize,
        before: &[Vec<Turns>],
        times: u64,
        racy: &mut Racy,
    ) -> Result<Vec<Fork>, SimulateError> {
        let mut linked = session.linked(position)?;
        let start = session.images.clone();
        let dependence = session.note_program(&linked);
        if dependence.company {
            self.result.unseen.insert(Unseen::Company);
            self.stop(Stopped::Undecided);
        }
        // What a scheduler chose may steer this dispatch, or one after it.
        let chosen = dependence.first.is_some() || dependence.carried.iter().any(|chosen| chosen.any);
        if !chosen && !linked.clocks && !analysis::has_storage_atomics(&linked.program) {
            session.dispatch_linked(&mut linked, position);
            let storage = session.outcome.hazards.storage.pop().unwrap_or_default();
            let workgroup = session.outcome.hazards.workgroup.pop().unwrap_or_default();
            let own = Racy { storage, workgroup };
            let found = std::mem::take(&mut session.outcome.findings);
            found.into_iter().for_each(|finding| self.keep(finding));
            if self.reading || own.is_empty() || session.outcome.exhausted.is_some() {
                let turns = before.iter().cloned().chain([Vec::new()]).collect();
                let clean = own.is_empty();
                return Ok(vec![Fork { memories: session.memories(), turns, executions: times, clean }]);
            }
            racy.add(&own);
            session.images = start.clone();
        }
        linked.clocks = linked.config.detectors.race || self.reading;
        let endings = self.until_no_new_races(session, &linked, &start, before, racy);
        let mut forks = Vec::new();
        for ending in endings {
            session.images = ending.images;
            let turns = before.iter().cloned().chain([ending.turns]).collect();
            forks.push(Fork {
                memories: session.memories(),
                turns,
                executions: times.saturating_mul(ending.executions),
                clean: ending.clean,
            });
        }
        Ok(forks)
    }

    /// Explores until no execution shows a race on bytes that are not scheduling points yet.
    fn until_no_new_races(
        &mut self,
        session: &mut Session<'_>,
        linked: &Linked,
        start: &[Image],
        before: &[Vec<Turns>],
        racy: &mut Racy,
    ) -> Vec<Ending> {
        loop {
            let watch = racy.watch(linked.granule_shifts.len());
            let mut pass = Pass::new(self, session, linked, start, &watch, before);
            let new = pass.run();
            let (endings, carried) = (pass.endings, pass.carried);
            if racy.add(&new) && self.result.stopped != Some(Stopped::Budget) {
                self.found
                    .extend(carried.into_iter().filter(|(key, _)| !self.found.contains_key(key)).collect::<Vec<_>>());
                continue;
            }
            return endings;
        }
    }

    fn keep(&mut self, finding: Finding) {
        let key = key(&finding);
        match self.found.entry(key) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(finding);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.count = known.count.max(finding.count);
                known.benign &= finding.benign;
                known.severity = known.severity.min(finding.severity);
                if known.schedule.is_none() {
                    known.schedule = finding.schedule;
                }
            }
        }
    }

    fn finish(mut self, mut session: Session<'_>, forks: Vec<Fork>) -> Exploration {
        let buffers = self.launch.buffers.len();
        let (slots, start) = resident(self.options);
        for fork in forks {
            let mut images = fork.memories.images.clone();
            images.truncate(buffers);
            let schedule =
                Schedule { slots, any_start: start == Start::AnyOrder, all_points: true, dispatches: fork.turns };
            let mut outcome = Outcome::empty();
            outcome.buffers = images;
            let known = self.result.outputs.iter_mut().find(|known| {
                let mut other = Outcome::empty();
                other.buffers.clone_from(&known.buffers);
                differing_outputs(self.launch, &outcome, &other) == 0
            });
            match known {
                Some(known) => {
                    known.executions += fork.executions;
                    known.clean |= fork.clean;
                }
                None => self.result.outputs.push(DistinctOutput {
                    schedule,
                    executions: fork.executions,
                    clean: fork.clean,
                    buffers: outcome.buffers,
                }),
            }
            if self.result.outputs.len() == 1 {
                session.set_memories(fork.memories);
            }
        }
        if let Some(drawn) = self.drawn {
            self.result.bound = Some(drawn.bound(self.result.executions));
            self.result.stopped.get_or_insert(Stopped::Drawn);
        }
        session.outcome.findings = self.found.into_values().collect();
        let mut outcome = session.finish();
        if let Some(first) = self.result.outputs.first() {
            outcome.buffers.clone_from(&first.buffers);
        }
        self.result.outcome = outcome;
        self.result
    }
}

fn key(finding: &Finding) -> Key {
    let second = finding.second.as_ref().filter(|_| finding.rule != Rule::NoProgress).map(|site| site.pc);
    (finding.rule, finding.first.dispatch, finding.first.buffer.clone(), finding.first.pc, second)
}

fn units_of(linked: &Linked) -> usize {
    crate::cast::at(linked.workgroups()).saturating_mul(crate::cast::at(linked.subgroups))
}

/// Slots and order of starting that a progress model means.
fn resident(options: &ExploreOptions) -> (u32, Start) {
    let slots = if options.progress.has_slots() { options.slots } else { u32::MAX };
    (slots, options.progress.start())
}

/// See [`super::follow`].
pub fn follow(
    launch: &Launch,
    config: &Config,
    options: &ExploreOptions,
    schedule: &Schedule,
) -> Result<Outcome, SimulateError> {
    check(options)?;
    if schedule.dispatches.len() > launch.dispatches.len() {
        let message = format!("the launch has {} dispatches", launch.dispatches.len());
        return Err(SimulateError::Schedule { dispatch: launch.dispatches.len(), turn: 0, message });
    }
    let mut session = Session::new(launch, config)?;
    for position in 0..launch.dispatches.len() {
        let mut linked = session.linked(position)?;
        linked.clocks = linked.config.detectors.race;
        session.note_program(&linked);
        let start = session.images.clone();
        let points = Racy::default().watch(linked.granule_shifts.len());
        let watch = Watch { everything: schedule.all_points, ..points };
        let order = if schedule.any_start { Start::AnyOrder } else { Start::InOrder };
        let slots = schedule.slots.min(linked.workgroups()).max(1);
        let mut world = World::new(&linked, start.clone(), &watch, slots, order);
        let turns = schedule.dispatches.get(position).cloned().unwrap_or_default();
        world.follow(&turns).map_err(|(turn, unit)| SimulateError::Schedule {
            dispatch: position,
            turn,
            message: format!("workgroup {} cannot take a turn here", unit.workgroup),
        })?;
        world.advance();
        while let Some(unit) = in_turn(&world) {
            world.take(unit);
        }
        let path = Path { watch: watch.clone(), slots, start: order, turns: world.turns.clone() };
        let stuck = !world.is_done() && world.exhausted.is_none();
        if let Some(waiting) = world.spinners().into_iter().next().filter(|_| stuck) {
            let words = Words { launch, linked: &linked };
            let finding = stuck::finding(&words, &world, waiting, &path, &start, options);
            session.outcome.findings.push(finding);
        }
        let evidence = evidence(&mut world);
        session.outcome.exhausted = world.exhausted.take();
        let (findings, storage, workgroup) = explain::findings(launch, &linked, &start, evidence);
        session.outcome.findings.extend(findings);
        session.outcome.hazards.storage.push(storage);
        session.outcome.hazards.workgroup.push(workgroup);
        let stats = &mut session.outcome.stats;
        stats.instructions += world.stats.instructions;
        stats.workgroups += world.stats.workgroups;
        stats.invocations += world.stats.invocations;
        session.images = world.storage.into_images();
        if stuck || session.outcome.exhausted.is_some() {
            break;
        }
    }
    session.outcome.schedule = schedule.clone();
    Ok(session.finish())
}

/// What the detectors of a world noticed, taken out of it.
fn evidence(world: &mut World<'_>) -> Evidence {
    Evidence {
        recorder: std::mem::take(&mut world.recorder),
        shadows: Vec::new(),
        disagree: BTreeMap::new(),
        changed: BTreeMap::new(),
        stats: world.stats,
        exhausted: None,
        shared: true,
    }
}

/// Who takes a turn where a schedule leaves it open: the lowest that does not only spin.
pub(super) fn in_turn(world: &World<'_>) -> Option<usize> {
    world.choices().first().filter(|_| world.exhausted.is_none()).map(|choice| choice.unit)
}

/// Whether nothing in the program tells one workgroup from another.
fn is_symmetric(linked: &Linked) -> bool {
    let knows = |instr: &Instr| {
        matches!(instr, Instr::Builtin { which: Builtin::WorkgroupId(_) | Builtin::GlobalInvocationId(_), .. })
    };
    !linked.program.code.iter().any(knows)
}

/// All executions of one dispatch from one memory with the same scheduling points.
struct Pass<'p, 'e, 's, 'l> {
    explorer: &'p mut Explorer<'e>,
    session: &'p mut Session<'s>,
    linked: &'l Linked,
    start: &'l [Image],
    watch: &'l Watch,
    before: &'l [Vec<Turns>],
    slots: u32,
    order: Start,
    endings: Vec<Ending>,
    /// Findings of this pass, without schedules: they would mean something else with other scheduling points.
    carried: BTreeMap<Key, Finding>,
    /// What was explained already.
    explained: BTreeSet<Vec<u64>>,
}

impl<'p, 'e, 's, 'l> Pass<'p, 'e, 's, 'l> {
    fn new(
        explorer: &'p mut Explorer<'e>,
        session: &'p mut Session<'s>,
        linked: &'l Linked,
        start: &'l [Image],
        watch: &'l Watch,
        before: &'l [Vec<Turns>],
    ) -> Self {
        let (slots, order) = resident(explorer.options);
        let slots = slots.min(linked.workgroups()).max(1);
        Self {
            explorer,
            session,
            linked,
            start,
            watch,
            before,
            slots,
            order,
            endings: Vec::new(),
            carried: BTreeMap::new(),
            explained: BTreeSet::new(),
        }
    }

    /// Runs executions until all were seen or a limit is reached. Gives bytes that raced, as soon as some are new.
    fn run(&mut self) -> Racy {
        let options = self.explorer.options;
        // A promise to the lowest index tells workgroups apart.
        let symmetric = options.symmetry && is_symmetric(self.linked) && !options.progress.favours_lowest();
        let mut chooser = match options.engine {
            Engine::Exhaustive if wide(units_of(self.linked)) > MOST_UNITS => Chooser::Lowest,
            Engine::Exhaustive => {
                self.explorer.result.symmetric |= symmetric;
                Chooser::Search(Box::new(Search::new(symmetric, options.reduction)))
            }
            Engine::Random { seed, depth } => {
                let fresh = Random::new(seed, depth);
                Chooser::Random(self.explorer.drawn.take().unwrap_or(fresh))
            }
        };
        let mut executions = 0;
        let racy = loop {
            executions += 1;
            let racy = self.execution(&mut chooser);
            if !racy.is_empty() || self.session.outcome.exhausted.is_some() {
                break racy;
            }
            let more = match &mut chooser {
                Chooser::Search(search) => search.backtrack(),
                Chooser::Random(_) => executions < options.executions,
                Chooser::Lowest => {
                    self.explorer.stop(Stopped::Executions);
                    false
                }
            };
            // Longer executions than that are no use: the next one would be cut as well.
            if self.explorer.result.stopped == Some(Stopped::Turns) {
                break racy;
            }
            if !more {
                break racy;
            }
            if executions >= options.executions || self.session.outcome.stats.instructions > options.effort {
                self.explorer.stop(Stopped::Executions);
                break racy;
            }
        };
        if let Chooser::Random(random) = chooser {
            self.explorer.drawn = Some(random);
        }
        racy
    }

    /// One execution. Gives bytes that raced and are no scheduling points.
    fn execution(&mut self, chooser: &mut Chooser) -> Racy {
        let mut world = World::new(self.linked, self.start.to_vec(), self.watch, self.slots, self.order);
        world.favours_lowest = self.explorer.options.progress == Progress::HsaObe;
        if let Some(history) = world.history.as_mut().filter(|_| self.explorer.reading) {
            history.versions = Some(Versions::default());
        }
        world.advance();
        match chooser {
            Chooser::Search(search) => search.begin(),
            Chooser::Random(random) => random.begin(),
            Chooser::Lowest => {}
        }
        let mut counts = vec![0_u64; world.units()];
        let mut turns = 0;
        let mut redundant = false;
        while world.exhausted.is_none() {
            let next = match chooser {
                Chooser::Search(search) => search.next(&world),
                Chooser::Random(random) => random.next(&world.choices()).map_or(Next::End, Next::Take),
                Chooser::Lowest => in_turn(&world).map_or(Next::End, Next::Take),
            };
            let unit = match next {
                Next::Take(unit) => unit,
                Next::Redundant => {
                    redundant = true;
                    break;
                }
                Next::End => break,
            };
            if turns >= self.explorer.options.turns {
                self.explorer.stop(Stopped::Turns);
                redundant = true;
                break;
            }
            turns += 1;
            counts[unit] += 1;
            let effects = world.take(unit);
            if let Chooser::Search(search) = chooser {
                search.taken(&world, &effects);
            }
            self.look_at_lowest(&world);
        }
        if let Chooser::Random(random) = chooser {
            random.end();
        }
        self.account(&world, &counts, redundant);
        if world.exhausted.is_some() {
            self.session.outcome.exhausted = world.exhausted.take();
            self.explorer.stop(Stopped::Budget);
        } else if !redundant && !world.is_done() {
            self.no_progress(&world);
        }
        if world.recorder.lanes_took_turns {
            self.explorer.result.unseen.insert(Unseen::LaneOrder);
        }
        let clean = signature(&world.recorder).is_empty();
        let racy = self.explain(&mut world);
        if !redundant && self.session.outcome.exhausted.is_none() && world.is_done() {
            let turns = std::mem::take(&mut world.turns);
            self.ending(world.storage.into_images(), turns, clean);
        }
        racy
    }

    fn account(&mut self, world: &World<'_>, counts: &[u64], redundant: bool) {
        let result = &mut self.explorer.result;
        *(if redundant { &mut result.redundant } else { &mut result.executions }) += 1;
        let total: u64 = counts.iter().sum();
        result.turns = result.turns.max(total);
        result.units = result.units.max(wide(world.units()));
        if !redundant {
            let factorial = |n: u64| libm::lgamma(u64_to_f64(n) + 1.0) / std::f64::consts::LN_10;
            let orders = factorial(total) - counts.iter().map(|&count| factorial(count)).sum::<f64>();
            result.orders = result.orders.max(orders);
        }
        let stats = &mut self.session.outcome.stats;
        stats.instructions += world.stats.instructions;
        stats.invocations += world.stats.invocations;
        stats.workgroups += world.stats.workgroups;
        stats.peak_memory = stats.peak_memory.max(world.footprint());
    }

    fn path(&self, world: &World<'_>) -> Path {
        Path { watch: self.watch.clone(), slots: self.slots, start: self.order, turns: world.turns.clone() }
    }

    fn keep(&mut self, mut finding: Finding, path: &Path) {
        self.carried.insert(key(&finding), finding.clone());
        let known = self.explorer.found.get(&key(&finding));
        if finding.schedule.is_none() && known.is_none_or(|known| known.schedule.is_none()) {
            finding.schedule = path.refined(self.linked, self.start.to_vec()).map(|path| path.schedule(self.before));
        }
        self.explorer.keep(finding);
    }

    /// Nobody can take a turn, and not everyone has ended.
    fn no_progress(&mut self, world: &World<'_>) {
        self.explorer.stuck = true;
        let waiting = world.spinners().into_iter().next().filter(|_| !self.explorer.reading);
        let Some(waiting) = waiting else { return };
        self.report_wait(world, waiting);
    }

    /// Under HSA only the lowest workgroup is promised anything: does it wait for others?
    fn look_at_lowest(&mut self, world: &World<'_>) {
        if self.explorer.reading || self.explorer.options.progress != Progress::Hsa {
            return;
        }
        let Some(&lowest) = world.residents().first() else { return };
        if world.is_stuck(lowest) && !world.choices().is_empty() {
            let units = world.units_of(lowest);
            let waiting = world.spinners().into_iter().find(|(unit, _)| units.contains(unit));
            if let Some(waiting) = waiting {
                self.report_wait(world, waiting);
            }
        }
    }

    fn report_wait(&mut self, world: &World<'_>, waiting: (usize, Option<crate::machine::pending::Pending>)) {
        let path = self.path(world);
        let words = Words { launch: self.explorer.launch, linked: self.linked };
        let finding = stuck::finding(&words, world, waiting, &path, self.start, self.explorer.options);
        if !self.carried.contains_key(&key(&finding)) {
            self.keep(finding, &path);
        }
    }

    /// Turns what the detectors noticed into findings, where it is new.
    fn explain(&mut self, world: &mut World<'_>) -> Racy {
        if self.explorer.reading {
            return Racy::default();
        }
        let evidence = evidence(world);
        let signature = signature(&evidence.recorder);
        if signature.is_empty() || !self.explained.insert(signature) {
            return Racy::default();
        }
        let path = self.path(world);
        let (findings, storage, workgroup) = explain::findings(self.explorer.launch, self.linked, self.start, evidence);
        for finding in findings {
            self.keep(finding, &path);
        }
        let workgroup_known = self.watch.workgroup.iter().map(|range| ByteRange::new(range.start, range.end));
        let mut known = Racy { storage: self.known_storage(), workgroup: workgroup_known.collect() };
        let found = Racy { storage, workgroup };
        if known.add(&found) { found } else { Racy::default() }
    }

    fn known_storage(&self) -> BTreeMap<BufferId, Ranges> {
        let watched = self.watch.storage.iter().enumerate().filter(|(_, ranges)| !ranges.is_empty());
        let ranges = |ranges: &[std::ops::Range<u64>]| {
            ranges.iter().map(|range| ByteRange::new(range.start, range.end)).collect()
        };
        watched.map(|(buffer, watched)| (BufferId(buffer), ranges(watched))).collect()
    }

    fn ending(&mut self, images: Vec<Image>, turns: Vec<Turns>, clean: bool) {
        let is_last = self.before.len() + 1 == self.explorer.launch.dispatches.len();
        if let Some(first) = self.endings.first()
            && is_last
            && !self.explorer.reading
            && !self.carried.keys().any(|(rule, ..)| *rule == Rule::ScheduleDependent)
            && let Some(finding) = self.schedule_dependence(first, &images, &turns)
        {
            let path = Path { watch: self.watch.clone(), slots: self.slots, start: self.order, turns: turns.clone() };
            self.keep(finding, &path);
        }
        let same =
            |ending: &&mut Ending| ending.images.iter().zip(&images).all(|(one, other)| one.difference(other).0 == 0);
        let full = self.endings.len() > MOST_MEMORIES;
        match self.endings.iter_mut().find(same) {
            Some(ending) => {
                ending.executions += 1;
                ending.clean |= clean;
            }
            None if full => {}
            None => {
                // A schedule has to say by itself where it switches.
                let path = Path { watch: self.watch.clone(), slots: self.slots, start: self.order, turns };
                let turns = path.refined(self.linked, self.start.to_vec()).map_or(path.turns, |path| path.turns);
                self.endings.push(Ending { images, turns, executions: 1, clean });
            }
        }
    }
}

impl Pass<'_, '_, '_, '_> {
    /// Two executions that leave different outputs: the last writes of the first byte that differs.
    fn schedule_dependence(&self, first: &Ending, images: &[Image], turns: &[Turns]) -> Option<Finding> {
        let launch = self.explorer.launch;
        let marked = launch.buffers.iter().any(|buffer| buffer.output);
        let compared = launch.buffers.iter().enumerate().filter(|(_, buffer)| buffer.output || !marked);
        let (buffer, bytes, byte) = compared.into_iter().find_map(|(position, _)| {
            let (bytes, byte) = first.images.get(position)?.difference(images.get(position)?);
            byte.map(|byte| (position, bytes, byte))
        })?;
        let mut looked_at = Watch { storage: vec![Vec::new(); self.linked.granule_shifts.len()], ..Watch::default() };
        looked_at.storage.get_mut(buffer)?.push(byte..byte + 1);
        let last_write = |watch: &Watch, turns: &[Turns]| {
            let path = Path { watch: watch.clone(), slots: self.slots, start: self.order, turns: turns.to_vec() };
            let log = path.trace(self.linked, self.start.to_vec(), &looked_at);
            log.into_iter().rev().find(|entry| entry.action.is_write())
        };
        let words = Words { launch, linked: self.linked };
        let everything = Watch { everything: true, ..self.watch.clone() };
        let (one, other) = (last_write(&everything, &first.turns), last_write(self.watch, turns));
        let site = |entry: &TraceEntry| words.traced(entry.workgroup, entry);
        let mut sites = one.iter().chain(&other).map(site);
        Some(Finding {
            rule: Rule::ScheduleDependent,
            severity: Severity::Warning,
            first: sites.next()?,
            second: sites.next(),
            benign: false,
            declared: None,
            output_visible: Some(true),
            count: bytes,
            detail: Detail::Outputs { buffer: launch.buffers.get(buffer)?.name.clone(), differing_bytes: bytes },
            schedule: None,
        })
    }
}

/// What makes one execution's evidence different from another's; empty where there is none.
fn signature(recorder: &Recorder) -> Vec<u64> {
    let mut all = Vec::new();
    for (rule, pc, kind, buffer) in recorder.faults.keys() {
        let rule = Rule::ALL.iter().position(|known| known == rule).map_or(0, wide);
        all.extend([1, rule, u64::from(*pc), u64::from(*kind), buffer.map_or(u64::MAX, wide)]);
    }
    for key in recorder.pairs.keys() {
        let (one, other) = key.places;
        all.extend([2, key.buffer.map_or(u64::MAX, wide), u64::from(one), u64::from(other), u64::from(key.across)]);
    }
    for (&buffer, flags) in recorder.storage_flags.iter().chain(&recorder.cross_flags) {
        all.extend([3, wide(buffer)].into_iter().chain(flags.iter()));
    }
    all.extend(recorder.workgroup_flags.iter());
    all
}
