//! Deciding a launch with one run.
//!
//! Every workgroup of a dispatch runs against the memory at dispatch start plus its own writes, on any worker, in
//! any order. If the access sets of two workgroups conflict, the launch is racy. If none do, then in every
//! schedule every workgroup reads just what it read here (the theorem in ARCHITECTURE.md), so the findings and the
//! outputs of this run are those of all runs. A program with atomics on storage, or with atomics that order other
//! accesses, runs its workgroups over shared memory instead, one after the other, with turns taken when one runs long;
//! where atomics order accesses, a history with clocks looks for races in place of the shadows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use gridproof_launch::{BufferId, Launch};

use crate::analysis::{Chosen, Dependence};
use crate::cast::{at, at64, wide};
use crate::coverage::{Asked, Lens};
use crate::drive::{End, Parts, Resident, run_in_step, run_to_end};
use crate::explain::{self, Evidence};
use crate::finding::Finding;
use crate::frontend;
use crate::ir::Span;
use crate::link::{Linked, check_config, link};
use crate::machine::environment::Watch;
use crate::memory::shadow::{BufferShadow, Class};
use crate::memory::{DirtyPage, Image, PAGE, Storage};
use crate::outcome::{Approximation, Config, Exhausted, Hazards, Outcome, SimulateError, Stats};
use crate::recorder::Recorder;
use crate::schedule::Schedule;
use crate::{analysis, run};

/// See [`crate::prove`].
///
/// # Errors
/// See [`crate::prove`].
pub fn prove(launch: &Launch, config: &Config, asked: Option<Asked>) -> Result<Outcome, SimulateError> {
    let mut session = Session::new(launch, config)?;
    session.asked = asked;
    for position in 0..launch.dispatches.len() {
        if session.outcome.exhausted.is_some() {
            break;
        }
        session.dispatch(position)?;
    }
    Ok(session.finish())
}

/// A launch on its way through its dispatches.
pub(crate) struct Session<'a> {
    pub launch: &'a Launch,
    pub config: &'a Config,
    pub images: Vec<Image>,
    pub outcome: Outcome,
    started: Instant,
    /// Variables that modules define, as the last dispatch of the module left them.
    variables: Variables,
    /// Where the variables of the current dispatch's module are among the images.
    placed: Vec<(Variable, usize)>,
    /// What dispatches so far can have left that a scheduler chose.
    carried: BTreeMap<Carrier, Chosen>,
    /// Who wants to know what is come across.
    pub asked: Option<Asked>,
}

/// Memory that stays from one dispatch to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Carrier {
    Buffer(usize),
    Variable(Variable),
}

/// All memory between two dispatches.
#[derive(Clone, Debug)]
pub(crate) struct Memories {
    pub images: Vec<Image>,
    variables: Variables,
    placed: Vec<(Variable, usize)>,
}

impl Memories {
    /// Whether every byte is the same.
    pub fn are_as(&self, other: &Self) -> bool {
        let same = |one: &Image, other: &Image| one.length() == other.length() && one.difference(other).0 == 0;
        self.images.len() == other.images.len()
            && self.images.iter().zip(&other.images).all(|(one, other)| same(one, other))
            && self.variables.len() == other.variables.len()
            && self.variables.values().zip(other.variables.values()).all(|(one, other)| same(one, other))
    }
}

/// A module by its position, and the name of a variable in it.
pub(crate) type Variable = (usize, String);

/// Contents of modules' variables between dispatches.
pub(crate) type Variables = BTreeMap<Variable, Image>;

impl<'a> Session<'a> {
    pub fn new(launch: &'a Launch, config: &'a Config) -> Result<Self, SimulateError> {
        launch.validate()?;
        check_config(config)?;
        let images: Vec<Image> = launch.buffers.iter().map(Image::new).collect();
        let (outcome, started) = (Outcome::empty(), Instant::now());
        let (variables, placed, carried) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Ok(Self { launch, config, images, outcome, started, variables, placed, carried, asked: None })
    }

    /// The program of one dispatch, bound to the images (scalar arguments are appended to them).
    pub fn linked(&mut self, position: usize) -> Result<Linked, SimulateError> {
        let dispatch = &self.launch.dispatches[position];
        let mut program = match &self.asked {
            Some(asked) => asked.coverage.lower(self.launch, dispatch)?,
            None => frontend::lower(self.launch, dispatch)?,
        };
        self.adopt_files(&mut program);
        let deadline = self.started.checked_add(self.config.budget.time).unwrap_or_else(far_future);
        for (variable, image) in std::mem::take(&mut self.placed) {
            if let Some(image) = self.images.get(image) {
                self.variables.insert(variable, image.clone());
            }
        }
        self.images.truncate(self.launch.buffers.len());
        let mut linked =
            link(self.launch, position, program, self.config, &mut self.images, &self.variables, deadline)?;
        linked.lens = self.asked.as_ref().map(|asked| Lens::new(asked, &linked.program));
        let bindings = linked.program.bindings.iter().zip(&linked.bindings);
        let own = bindings.filter(|(binding, _)| binding.own.is_some() && binding.writable);
        let module = dispatch.module.0;
        self.placed = own.map(|(binding, bound)| ((module, binding.name.clone()), bound.buffer)).collect();
        Ok(linked)
    }

    /// Moves a program's files to the outcome's list and points its spans there.
    fn adopt_files(&mut self, program: &mut crate::ir::Program) {
        let files = &mut self.outcome.files;
        let map: Vec<u32> = program
            .files
            .iter()
            .map(|file| {
                let known = files.iter().position(|other| other == file).unwrap_or_else(|| {
                    files.push(file.clone());
                    files.len() - 1
                });
                crate::cast::narrow(known)
            })
            .collect();
        for span in &mut program.spans {
            span.file = map.get(at(span.file)).copied().unwrap_or(0);
        }
    }

    pub fn dispatch(&mut self, position: usize) -> Result<(), SimulateError> {
        let mut linked = self.linked(position)?;
        self.dispatch_linked(&mut linked, position);
        Ok(())
    }

    /// Decides one dispatch.
    pub fn dispatch_linked(&mut self, linked: &mut Linked, position: usize) {
        self.note_program(linked);
        let shared = linked.clocks || analysis::has_storage_atomics(&linked.program);
        let start = self.images.clone();
        let fits = held(linked, &start) <= self.config.budget.memory;
        let evidence = if !fits {
            out_of_memory(linked)
        } else if shared {
            run::prove_shared(linked, &mut self.images)
        } else {
            self.isolated(linked, None)
        };
        let in_question = linked.clocks && self.outcome.decides_every_schedule && evidence.exhausted.is_none();
        let mut unfinished = None;
        if in_question {
            let leans = leans_on_atomics(linked, start.clone(), &evidence);
            if leans != Ok(false) {
                self.outcome.decides_every_schedule = false;
                let first = analysis::ordering_instruction(&linked.program);
                self.outcome.depends_on_atomic = first.map(|pc| linked.program.span(pc));
            }
            unfinished = leans.err();
        }
        let races_inside = !evidence.recorder.workgroup_flags.is_empty() || !evidence.recorder.storage_flags.is_empty();
        self.note_evidence(linked, &start, evidence);
        if unfinished.is_some() {
            self.outcome.exhausted = unfinished;
        }
        if races_inside && !shared && self.outcome.exhausted.is_none() {
            self.read_in_step(linked, position, start);
        }
    }

    /// All memory as it is between two dispatches.
    pub fn memories(&self) -> Memories {
        Memories { images: self.images.clone(), variables: self.variables.clone(), placed: self.placed.clone() }
    }

    /// Goes on from there.
    pub fn set_memories(&mut self, memories: Memories) {
        (self.images, self.variables, self.placed) = (memories.images, memories.variables, memories.placed);
    }

    /// Makes the outputs again where invocations of one workgroup race: its subgroups one after the other would
    /// be the least likely of all orders, so the race-free reading lets them advance together.
    fn read_in_step(&mut self, linked: &Linked, position: usize, start: Vec<Image>) {
        self.images = start;
        let watch = run::watch(&self.outcome.hazards, position, linked.granule_shifts.len());
        self.outcome.exhausted = self.isolated(linked, Some(&watch)).exhausted;
    }

    /// Notes what is known of a program before it runs: whether one run decides it, given what earlier dispatches left, and
    /// what may be computed differently elsewhere.
    pub fn note_program(&mut self, linked: &Linked) -> Dependence {
        let program = &linked.program;
        let carriers: Vec<Carrier> = linked.bindings.iter().map(|bound| self.carrier(bound.buffer)).collect();
        let before = carriers.iter().map(|carrier| self.carried.get(carrier).copied().unwrap_or_default());
        let dependence = analysis::dependence(program, &before.collect::<Vec<_>>());
        for (carrier, chosen) in carriers.into_iter().zip(&dependence.carried).filter(|(_, chosen)| chosen.any) {
            let known = self.carried.entry(carrier).or_default();
            *known = Chosen { any: true, company: known.company || chosen.company };
        }
        if let Some(pc) = dependence.first {
            self.outcome.decides_every_schedule = false;
            self.outcome.depends_on_atomic.get_or_insert_with(|| program.span(pc));
        }
        for (operation, span) in crate::approximate::places(program) {
            let place = Approximation { operation, span };
            if !self.outcome.approximations.contains(&place) {
                self.outcome.approximations.push(place);
            }
        }
        dependence
    }

    /// The memory behind an image of the current dispatch.
    fn carrier(&self, image: usize) -> Carrier {
        let own = self.placed.iter().find(|(_, placed)| *placed == image);
        own.map_or(Carrier::Buffer(image), |(variable, _)| Carrier::Variable(variable.clone()))
    }

    fn note_evidence(&mut self, linked: &Linked, start: &[Image], evidence: Evidence) {
        let stats = &mut self.outcome.stats;
        stats.instructions += evidence.stats.instructions;
        stats.invocations += evidence.stats.invocations;
        stats.workgroups += evidence.stats.workgroups;
        stats.peak_memory = stats.peak_memory.max(evidence.stats.peak_memory);
        self.outcome.exhausted = evidence.exhausted.clone();
        let (findings, storage, workgroup) = explain::findings(self.launch, linked, start, evidence);
        self.outcome.findings.extend(findings);
        self.outcome.hazards.storage.push(storage);
        self.outcome.hazards.workgroup.push(workgroup);
    }

    pub fn finish(mut self) -> Outcome {
        let keep = self.config.max_findings;
        let total = self.outcome.findings.len();
        keep_findings(&mut self.outcome.findings, keep);
        self.outcome.findings_dropped = wide(total - self.outcome.findings.len());
        self.images.truncate(self.launch.buffers.len());
        let buffers = self.carried.iter().filter(|(_, chosen)| chosen.any).filter_map(|(carrier, _)| match carrier {
            Carrier::Buffer(image) if *image < self.launch.buffers.len() => Some(BufferId(*image)),
            _ => None,
        });
        self.outcome.chosen = buffers.collect();
        self.outcome.buffers = self.images;
        self.outcome.stats.elapsed = self.started.elapsed();
        self.outcome
    }

    /// Runs every workgroup alone, on all cores, and merges what they wrote. With `in_step` the subgroups of a
    /// workgroup advance together and take turns at the accesses it names.
    fn isolated(&mut self, linked: &Linked, in_step: Option<&Watch>) -> Evidence {
        let threads = worker_count(linked, self.config);
        let queue = Queue { next: AtomicU32::new(0), stop: AtomicBool::new(false), total: linked.workgroups() };
        let images = &self.images;
        let mut workers: Vec<Worker> = std::thread::scope(|scope| {
            let others: Vec<_> =
                (1..threads).map(|_| scope.spawn(|| Worker::run(linked, images.clone(), &queue, in_step))).collect();
            let mut all = vec![Worker::run(linked, images.clone(), &queue, in_step)];
            let panicked = |cause| std::panic::resume_unwind(cause);
            all.extend(others.into_iter().map(|other| other.join().unwrap_or_else(panicked)));
            all
        });
        let mut merged = workers.swap_remove(0);
        workers.into_iter().for_each(|worker| merged.merge(worker));
        merged.into_evidence(linked, &mut self.images)
    }
}

/// Whether some accesses do not race only because an atomic read what it read in this run: if no such order held,
/// bytes would race that do not in `evidence`. Another schedule may give the atomic another value, and the order with it.
/// The error is the budget that ran out.
fn leans_on_atomics(linked: &mut Linked, mut images: Vec<Image>, evidence: &Evidence) -> Result<bool, Exhausted> {
    linked.atomics_order = false;
    let without = run::prove_shared(linked, &mut images);
    linked.atomics_order = true;
    match without.exhausted {
        Some(exhausted) => Err(exhausted),
        None => Ok(!evidence.recorder.has_races_of(&without.recorder)),
    }
}

/// Leaves so many findings, in their order: the first of every rule on every buffer, as far as there is room, then the
/// first of the others. An unrolled loop that races at many places does not hide another fault.
fn keep_findings(findings: &mut Vec<Finding>, keep: usize) {
    let mut seen = BTreeSet::new();
    let mut is_first: Vec<bool> =
        findings.iter().map(|finding| seen.insert((finding.rule.code(), finding.first.buffer.clone()))).collect();
    let mut room = keep.saturating_sub(seen.len());
    for stays in is_first.iter_mut().filter(|first| !**first) {
        *stays = room > 0;
        room = room.saturating_sub(1);
    }
    let mut stays = is_first.into_iter();
    findings.retain(|_| stays.next().unwrap_or(false));
    findings.truncate(keep);
}

fn far_future() -> Instant {
    Instant::now() + std::time::Duration::from_secs(1 << 30)
}

fn worker_count(linked: &Linked, config: &Config) -> usize {
    if !config.detectors.race {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let asked = if config.threads == 0 { cores } else { config.threads };
    asked.clamp(1, at(linked.workgroups()).max(1)).min(256)
}

struct Queue {
    next: AtomicU32,
    stop: AtomicBool,
    total: u32,
}

impl Queue {
    /// The next few workgroups, in ascending order for each worker.
    fn claim(&self) -> std::ops::Range<u32> {
        const AT_ONCE: u32 = 8;
        if self.stop.load(Ordering::Relaxed) {
            return 0..0;
        }
        let first = self.next.fetch_add(AT_ONCE, Ordering::Relaxed).min(self.total);
        first..first.saturating_add(AT_ONCE).min(self.total)
    }
}

/// Bytes of one page that workgroups wrote.
struct Written {
    page: DirtyPage,
    /// Two workgroups left different values in byte i.
    disagree: Box<[u64]>,
}

struct Worker {
    recorder: Recorder,
    shadows: Vec<BufferShadow>,
    written: BTreeMap<(usize, u64), Written>,
    stats: Stats,
    exhausted: Vec<(u32, &'static str, Span)>,
    /// Bytes of the buffers and of one resident workgroup at the dispatch's start.
    held: u64,
}

impl Worker {
    fn run(linked: &Linked, images: Vec<Image>, queue: &Queue, in_step: Option<&Watch>) -> Self {
        let mut worker = Self {
            recorder: Recorder::default(),
            shadows: new_shadows(linked),
            written: BTreeMap::new(),
            stats: Stats::default(),
            exhausted: Vec::new(),
            held: held(linked, &images),
        };
        let mut storage = Storage::isolated(images);
        let mut resident = Resident::new(linked);
        let rotate = analysis::has_atomics(&linked.program);
        let mut intervals = 1;
        loop {
            let claimed = queue.claim();
            if claimed.is_empty() {
                break;
            }
            for index in claimed {
                resident.start(linked, index, &mut intervals);
                let mut parts = Parts {
                    linked,
                    storage: &mut storage,
                    shadows: &mut worker.shadows,
                    recorder: &mut worker.recorder,
                    watch: in_step,
                    trace: None,
                    history: None,
                };
                let end = match in_step {
                    None => run_to_end(&mut resident, &mut parts, rotate, &mut intervals),
                    Some(_) => run_in_step(&mut resident, &mut parts, &mut intervals),
                };
                worker.end_workgroup(linked, index, end, &resident, &mut storage);
                if matches!(end, End::Exhausted("time", _)) || worker.over_memory(linked, index) {
                    queue.stop.store(true, Ordering::Relaxed);
                }
            }
        }
        worker.stats.peak_memory = storage.footprint() + Resident::footprint(linked);
        worker
    }

    fn end_workgroup(&mut self, linked: &Linked, index: u32, end: End, resident: &Resident, storage: &mut Storage) {
        if let End::Exhausted(budget, span) = end {
            self.exhausted.push((index, budget, span));
        }
        self.stats.instructions += resident.instructions();
        self.stats.invocations += u64::from(linked.invocations);
        self.stats.workgroups += 1;
        self.shadows.iter_mut().for_each(BufferShadow::end_workgroup);
        for (buffer, page, own) in storage.take_writes() {
            self.absorb(buffer, page, own, |_| true);
        }
    }

    /// Whether what it holds outgrew the memory budget.
    fn over_memory(&mut self, linked: &Linked, index: u32) -> bool {
        let over = self.footprint() > linked.config.budget.memory;
        if over {
            self.exhausted.push((index, "memory", Span::default()));
        }
        over
    }

    /// Bytes of the buffers, of what was written to them, and of their shadows. Merged workers hold no less than
    /// each of them, so that the outcome does not depend on their number.
    fn footprint(&self) -> u64 {
        let shadows: u64 = self.shadows.iter().map(BufferShadow::footprint).sum();
        self.held + wide(self.written.len() * (PAGE + 3 * PAGE / 8)) + shadows
    }

    /// Adds written bytes; where both wrote a byte, `newer` decides by its offset in the page.
    fn absorb(&mut self, buffer: usize, page: u64, own: DirtyPage, newer: impl Fn(usize) -> bool) {
        match self.written.entry((buffer, page)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Written { page: own, disagree: vec![0; PAGE / 64].into() });
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let mine = entry.get_mut();
                for byte in bits(&own.written) {
                    let (word, bit) = (byte / 64, 1 << (byte % 64));
                    let both = mine.page.written[word] & bit != 0;
                    if both && mine.page.bytes[byte] != own.bytes[byte] {
                        mine.disagree[word] |= bit;
                    }
                    if !both || newer(byte) {
                        mine.page.bytes[byte] = own.bytes[byte];
                    }
                    mine.page.written[word] |= bit;
                    mine.page.changed[word] |= own.changed[word] & bit;
                }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for ((buffer, page), theirs) in other.written {
            let last = |shadows: &[BufferShadow], byte: usize| last_writer(&shadows[buffer], page, byte);
            let newer: Vec<bool> =
                (0..PAGE).map(|byte| last(&other.shadows, byte) > last(&self.shadows, byte)).collect();
            let disagree = theirs.disagree;
            self.absorb(buffer, page, theirs.page, |byte| newer[byte]);
            if let Some(mine) = self.written.get_mut(&(buffer, page)) {
                mine.disagree.iter_mut().zip(disagree.iter()).for_each(|(mine, theirs)| *mine |= theirs);
            }
        }
        self.shadows.iter_mut().zip(other.shadows).for_each(|(mine, theirs)| mine.merge(theirs));
        self.recorder.merge(other.recorder);
        self.stats.instructions += other.stats.instructions;
        self.stats.invocations += other.stats.invocations;
        self.stats.workgroups += other.stats.workgroups;
        self.stats.peak_memory += other.stats.peak_memory;
        self.exhausted.extend(other.exhausted);
    }

    /// What a dispatch leaves behind. One that outgrew the memory budget leaves nothing: how far each worker came
    /// depends on their number.
    fn into_evidence(self, linked: &Linked, images: &mut [Image]) -> Evidence {
        let gave_up = self.exhausted.iter().any(|(_, budget, _)| *budget == "memory");
        if gave_up || self.footprint() > linked.config.budget.memory {
            return out_of_memory(linked);
        }
        let mut disagree = BTreeMap::new();
        let mut changed = BTreeMap::new();
        for ((buffer, page), written) in self.written {
            for run in bit_runs(&written.page.written) {
                images[buffer].write(page * wide(PAGE) + wide(run.start), &written.page.bytes[run]);
            }
            disagree.insert((buffer, page), written.disagree);
            changed.insert((buffer, page), written.page.changed);
        }
        let done = self.stats.workgroups - wide(self.exhausted.len());
        let first = self.exhausted.into_iter().min_by_key(|(workgroup, ..)| *workgroup);
        let exhausted = first.map(|(_, budget, span)| exhausted(linked, budget, span, done));
        let (recorder, shadows, stats) = (self.recorder, self.shadows, self.stats);
        Evidence { recorder, shadows, disagree, changed, stats, exhausted, shared: false }
    }
}

/// Bytes of buffers and of one resident workgroup.
fn held(linked: &Linked, images: &[Image]) -> u64 {
    images.iter().map(Image::footprint).sum::<u64>() + Resident::footprint(linked)
}

fn out_of_memory(linked: &Linked) -> Evidence {
    let exhausted = exhausted(linked, "memory", Span::default(), 0);
    Evidence {
        recorder: Recorder::default(),
        shadows: Vec::new(),
        disagree: BTreeMap::new(),
        changed: BTreeMap::new(),
        stats: Stats::default(),
        exhausted: Some(exhausted),
        shared: false,
    }
}

/// A budget that ran out, in the outcome's words.
pub(crate) fn exhausted(linked: &Linked, budget: &'static str, at: Span, workgroups_done: u64) -> Exhausted {
    let limit = match budget {
        "instructions" => linked.instruction_limit,
        "memory" => linked.config.budget.memory,
        _ => u64::try_from(linked.config.budget.time.as_millis()).unwrap_or(u64::MAX),
    };
    let at = (budget == "instructions").then_some(at);
    Exhausted { budget, limit, workgroups_done, workgroups: u64::from(linked.workgroups()), at }
}

/// One shadow per image, or none where races are not watched for.
pub(crate) fn new_shadows(linked: &Linked) -> Vec<BufferShadow> {
    if !linked.config.detectors.race {
        return Vec::new();
    }
    // No shadow at all means that nobody looks: a launch without buffers can still race on workgroup memory.
    let shifts = if linked.granule_shifts.is_empty() { &[2][..] } else { &linked.granule_shifts };
    shifts.iter().map(|&shift| BufferShadow::new(shift)).collect()
}

fn last_writer(shadow: &BufferShadow, page: u64, byte: usize) -> Option<u32> {
    let cross = shadow.cross.find(page)?;
    let granule = byte >> shadow.granule_shift;
    [Class::Write, Class::AtomicWrite]
        .into_iter()
        .filter_map(|class| cross.extremes(class, granule))
        .map(|(_, largest)| largest)
        .max()
}

fn bits(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words
        .iter()
        .enumerate()
        .filter(|(_, word)| **word != 0)
        .flat_map(|(i, &word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| i * 64 + bit))
}

fn bit_runs(words: &[u64]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for bit in bits(words) {
        match runs.last_mut() {
            Some(run) if run.end == bit => run.end += 1,
            _ => runs.push(bit..bit + 1),
        }
    }
    runs
}

impl Outcome {
    /// Nothing found, nothing done.
    pub fn empty() -> Self {
        Self {
            findings: Vec::new(),
            findings_dropped: 0,
            exhausted: None,
            decides_every_schedule: true,
            depends_on_atomic: None,
            chosen: Vec::new(),
            approximations: Vec::new(),
            buffers: Vec::new(),
            hazards: Hazards::default(),
            files: Vec::new(),
            schedule: Schedule::default(),
            stats: Stats::default(),
        }
    }
}

/// Whether byte `byte` of an image's bit map by page is set.
pub(crate) fn is_marked(map: &BTreeMap<(usize, u64), Box<[u64]>>, buffer: usize, byte: u64) -> bool {
    let (page, inside) = (byte / wide(PAGE), at64(byte % wide(PAGE)));
    map.get(&(buffer, page)).is_some_and(|words| words[inside / 64] >> (inside % 64) & 1 == 1)
}
