//! From what the workers noticed to findings: who raced with whom, at which lines.
//!
//! The detectors only remember *that* a byte raced. Here the few workgroups that can show it run once more, each
//! alone as before, with a log on a few of the racy bytes; the log gives both accesses of each pair. Runs of
//! racy granules touched by the same workgroups are looked at once, and at most [`MOST_RUNS`] of them a
//! buffer; the count of racy elements covers all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use gridproof_launch::{BufferId, ByteRange, Launch};

use crate::cast::{at, at64, wide};
use crate::drive::{Parts, Resident, run_to_end};
use crate::finding::{AccessSite, Action, BoundsLimit, Detail, Finding, Rule, Severity, Unordered};
use crate::ir::{Pc, Space, Span, Variable};
use crate::link::Linked;
use crate::machine::environment::{Trace, TraceEntry, Watch};
use crate::memory::shadow::{Class, Flags};
use crate::memory::{Image, Storage};
use crate::outcome::{Exhausted, Stats};
use crate::prove::is_marked;
use crate::recorder::{Fault, FaultDetail, Pair, PairKey, RawSite, Recorder};

/// Runs of racy granules looked at per buffer.
const MOST_RUNS: usize = 64;

/// A bit per byte, by buffer and page.
pub type ByteMap = BTreeMap<(usize, u64), Box<[u64]>>;

/// What one dispatch left behind.
#[derive(Debug)]
pub struct Evidence {
    /// Faults and hints.
    pub recorder: Recorder,
    /// Who touched what; empty where a history was kept, whose races the recorder has.
    pub shadows: Vec<crate::memory::shadow::BufferShadow>,
    /// Bytes in which two workgroups left different values.
    pub disagree: ByteMap,
    /// Bytes to which some write gave another value than its workgroup saw before.
    pub changed: ByteMap,
    /// Work done.
    pub stats: Stats,
    /// The budget that ran out.
    pub exhausted: Option<Exhausted>,
    /// The workgroups ran over shared memory, so that values were not compared (`disagree` and `changed` are
    /// empty) and one workgroup alone does not do again what it did.
    pub shared: bool,
}

type Ranges = Vec<ByteRange>;

/// All findings of a dispatch, and the bytes that raced: per buffer, and in workgroup memory.
pub fn findings(
    launch: &Launch,
    linked: &Linked,
    start: &[Image],
    evidence: Evidence,
) -> (Vec<Finding>, BTreeMap<BufferId, Ranges>, Ranges) {
    let words = Words { launch, linked };
    let tracer = Tracer { linked, start, shared: evidence.shared };
    let mut findings: Vec<Finding> =
        evidence.recorder.faults.iter().map(|(key, fault)| words.fault(key.0, fault)).collect();
    let cross = cross_flags(&evidence);
    for (&buffer, flags) in &cross {
        findings.extend(cross_findings(&words, &tracer, &evidence, buffer, flags));
    }
    findings.extend(local_findings(&words, &tracer, &evidence));
    findings.extend(pair_findings(&words, &evidence.recorder));
    findings.sort_by_key(|finding| {
        let second = finding.second.as_ref().map(|site| (site.pc, site.workgroup));
        (finding.rule, finding.first.buffer.clone(), finding.first.pc, second)
    });
    let cross = if cross.is_empty() { &evidence.recorder.cross_flags } else { &cross };
    let storage = hazards(linked, cross, &evidence.recorder.storage_flags);
    let granule = 1_u64 << linked.workgroup_granule_shift;
    let workgroup = byte_ranges(&evidence.recorder.workgroup_flags, granule);
    (findings, storage, workgroup)
}

fn byte_ranges(flags: &Flags, granule: u64) -> Ranges {
    flags.runs().into_iter().map(|run| ByteRange::new(run.start * granule, run.end * granule)).collect()
}

fn cross_flags(evidence: &Evidence) -> BTreeMap<usize, Flags> {
    let mut all = BTreeMap::new();
    for (buffer, shadow) in evidence.shadows.iter().enumerate() {
        let mut flags = Flags::default();
        for (page, cross) in shadow.cross.iter() {
            (0..shadow.granules())
                .filter(|&granule| cross.is_race(granule))
                .for_each(|granule| flags.set(page * wide(shadow.granules()) + wide(granule)));
        }
        if !flags.is_empty() {
            all.insert(buffer, flags);
        }
    }
    all
}

fn hazards(
    linked: &Linked,
    cross: &BTreeMap<usize, Flags>,
    local: &BTreeMap<usize, Flags>,
) -> BTreeMap<BufferId, Ranges> {
    let mut union = cross.clone();
    for (&buffer, flags) in local {
        union.entry(buffer).or_default().merge(flags);
    }
    let granule = |buffer: usize| 1_u64 << linked.granule_shifts[buffer];
    union.into_iter().map(|(buffer, flags)| (BufferId(buffer), byte_ranges(&flags, granule(buffer)))).collect()
}

/// A run of racy granules that the same workgroups touched.
struct Run {
    first: u64,
    length: u64,
    candidates: Vec<u32>,
    benign: bool,
    /// Which `may_race` declaration covers it.
    declared: Option<usize>,
}

impl Run {
    fn is_like(&self, other: &Self) -> bool {
        (&self.candidates, self.benign, self.declared) == (&other.candidates, other.benign, other.declared)
    }
}

fn runs_of(words: &Words<'_>, evidence: &Evidence, buffer: usize, flags: &Flags) -> Vec<Run> {
    let shadow = &evidence.shadows[buffer];
    let per_page = wide(shadow.granules());
    let mut runs: Vec<Run> = Vec::new();
    for granule in flags.iter() {
        let Some(cross) = shadow.cross.find(granule / per_page) else { continue };
        let inside = at64(granule % per_page);
        let candidates = cross.candidates(inside);
        let only_writers = [Class::Read, Class::AtomicRead].iter().all(|&class| {
            cross
                .extremes(class, inside)
                .is_none_or(|(a, b)| a == b && cross.extremes(Class::Write, inside) == Some((a, a)))
        });
        let size = 1_u64 << shadow.granule_shift;
        let bytes = || (granule * size)..((granule + 1) * size);
        let same = bytes().all(|byte| !is_marked(&evidence.disagree, buffer, byte));
        let unchanged = bytes().all(|byte| !is_marked(&evidence.changed, buffer, byte));
        let benign = !evidence.shared && same && (only_writers || unchanged);
        let declared = words.declared(buffer, ByteRange::new(granule * size, (granule + 1) * size));
        let run = Run { first: granule, length: 1, candidates, benign, declared };
        match runs.last_mut() {
            Some(last) if last.first + last.length == granule && last.is_like(&run) => last.length += 1,
            _ => runs.push(run),
        }
    }
    runs
}

fn cross_findings(
    words: &Words<'_>,
    tracer: &Tracer<'_>,
    evidence: &Evidence,
    buffer: usize,
    flags: &Flags,
) -> Vec<Finding> {
    let runs = runs_of(words, evidence, buffer, flags);
    let granule = 1_u64 << evidence.shadows[buffer].granule_shift;
    let chosen: Vec<&Run> = runs.iter().take(MOST_RUNS).collect();
    let mut watch = Watch { storage: vec![Vec::new(); words.linked.granule_shifts.len()], ..Watch::default() };
    watch.storage[buffer] = chosen.iter().map(|run| run.first * granule..(run.first + 1) * granule).collect();
    let workgroups: BTreeSet<u32> = chosen.iter().flat_map(|run| run.candidates.iter().copied()).collect();
    let logs = tracer.logs(workgroups, &watch);
    let mut pairs: BTreeMap<(u32, u32, Option<usize>), Finding> = BTreeMap::new();
    for run in &runs {
        let Some(shown) = chosen.iter().find(|chosen| chosen.is_like(run)) else { continue };
        let bytes = shown.first * granule..(shown.first + 1) * granule;
        let touches =
            |entry: &&TraceEntry| entry.offset < bytes.end && bytes.start < entry.offset + u64::from(entry.bytes);
        let mut seen = BTreeSet::new();
        for &writer in &shown.candidates {
            for &other in shown.candidates.iter().filter(|&&other| other != writer) {
                let (Some(mine), Some(theirs)) = (logs.get(&writer), logs.get(&other)) else { continue };
                for first in mine.iter().filter(touches).filter(|entry| entry.action.is_write()) {
                    for second in theirs
                        .iter()
                        .filter(touches)
                        .filter(|entry| first.cross_class.conflicts().contains(&entry.cross_class))
                    {
                        let both_write = second.action.is_write();
                        if both_write && (first.pc, writer) > (second.pc, other) {
                            continue;
                        }
                        if !seen.insert((first.pc, second.pc)) {
                            continue;
                        }
                        let finding = pairs.entry((first.pc, second.pc, run.declared)).or_insert_with(|| Finding {
                            rule: Rule::CrossWorkgroupRace,
                            severity: Severity::Error,
                            first: words.traced(writer, first),
                            second: Some(words.traced(other, second)),
                            benign: true,
                            declared: words.reason(buffer, run.declared),
                            output_visible: None,
                            count: 0,
                            detail: Detail::Unordered { why: Unordered::Workgroups },
                            schedule: None,
                        });
                        finding.count += run.length;
                        finding.benign &= run.benign;
                    }
                }
            }
        }
    }
    pairs.into_values().map(judge).collect()
}

fn local_findings(words: &Words<'_>, tracer: &Tracer<'_>, evidence: &Evidence) -> Vec<Finding> {
    let linked = words.linked;
    let mut pairs: BTreeMap<(Option<usize>, u32, u32, Option<usize>), Finding> = BTreeMap::new();
    let shift =
        |buffer: Option<usize>| buffer.map_or(linked.workgroup_granule_shift, |buffer| linked.granule_shifts[buffer]);
    let ranges = |buffer: Option<usize>, granules: BTreeSet<u64>| -> Vec<Range<u64>> {
        let shift = shift(buffer);
        granules.into_iter().map(|granule| granule << shift..(granule + 1) << shift).collect()
    };
    // One run of each workgroup serves all races.
    let mut granules: BTreeMap<Option<usize>, BTreeSet<u64>> = BTreeMap::new();
    let mut workgroups = BTreeSet::new();
    for (&(buffer, _), hint) in &evidence.recorder.races {
        granules.entry(buffer).or_default().extend(hint.places.iter().map(|(_, granule)| *granule));
        workgroups.extend(hint.places.iter().map(|(workgroup, _)| *workgroup));
    }
    let mut watch = Watch { storage: vec![Vec::new(); linked.granule_shifts.len()], ..Watch::default() };
    for (buffer, granules) in granules {
        let watched = ranges(buffer, granules);
        match buffer {
            Some(buffer) => watch.storage[buffer] = watched,
            None => watch.workgroup = watched,
        }
    }
    let logs = if workgroups.is_empty() { BTreeMap::new() } else { tracer.logs(workgroups, &watch) };
    for (&(buffer, later), hint) in &evidence.recorder.races {
        let own = ranges(buffer, hint.places.iter().map(|(_, granule)| *granule).collect());
        let workgroups: BTreeSet<u32> = hint.places.iter().map(|(workgroup, _)| *workgroup).collect();
        for (&workgroup, log) in logs.iter().filter(|(workgroup, _)| workgroups.contains(workgroup)) {
            let is_own =
                |entry: &&TraceEntry| entry.buffer == buffer && Watch::hits(&own, entry.offset, u64::from(entry.bytes));
            let log: Vec<&TraceEntry> = log.iter().filter(is_own).collect();
            for (first, second) in unordered_pairs(&log, later, linked.lanes) {
                let bytes = ByteRange::new(second.offset, second.offset + u64::from(second.bytes));
                let declared = buffer.and_then(|buffer| words.declared(buffer, bytes));
                let key = (buffer, first.pc, second.pc, declared);
                let finding = pairs.entry(key).or_insert_with(|| Finding {
                    rule: Rule::WorkgroupRace,
                    severity: Severity::Error,
                    first: words.traced(workgroup, first),
                    second: Some(words.traced(workgroup, second)),
                    benign: true,
                    declared: buffer.and_then(|buffer| words.reason(buffer, declared)),
                    output_visible: None,
                    count: elements(&hint.granules, shift(buffer), first.bytes.max(second.bytes)),
                    detail: Detail::Unordered { why: why_unordered(first, second) },
                    schedule: None,
                });
                finding.benign &= !hint.differs && same_write(first, second);
                // Of two writes, a pair with different values says more.
                let shown = finding.second.as_ref().and_then(|second| second.value);
                if first.action.is_write() && finding.first.value == shown && first.value != second.value {
                    finding.first = words.traced(workgroup, first);
                    finding.second = Some(words.traced(workgroup, second));
                }
            }
        }
    }
    let mut findings: Vec<Finding> = pairs.into_values().map(judge).collect();
    mark_mixed(&mut findings);
    findings
}

/// The races that a history saw. Between workgroups none counts as benign: other schedules may write other values.
fn pair_findings(words: &Words<'_>, recorder: &Recorder) -> Vec<Finding> {
    let linked = words.linked;
    let shift =
        |buffer: Option<usize>| buffer.map_or(linked.workgroup_granule_shift, |buffer| linked.granule_shifts[buffer]);
    let finding = |(key, pair): (&PairKey, &Pair)| {
        let (rule, why) = match (key.across, pair.barrier_between) {
            (true, _) => (Rule::CrossWorkgroupRace, Unordered::Workgroups),
            (false, true) => (Rule::WorkgroupRace, Unordered::WrongBarrier),
            (false, false) => (Rule::WorkgroupRace, Unordered::NoBarrier),
        };
        judge(Finding {
            rule,
            severity: Severity::Error,
            first: words.site(&pair.first),
            second: Some(words.site(&pair.second)),
            benign: pair.harmless && !key.across,
            declared: key.buffer.and_then(|buffer| words.reason(buffer, key.declared)),
            output_visible: None,
            count: elements(&pair.granules, shift(key.buffer), pair.first.bytes.max(pair.second.bytes)),
            detail: Detail::Unordered { why },
            schedule: None,
        })
    };
    let mut findings: Vec<Finding> = recorder.pairs.iter().map(finding).collect();
    mark_mixed(&mut findings);
    findings
}

/// Elements of so many bytes that some granules belong to: narrower accesses elsewhere make granules smaller.
fn elements(granules: &Flags, shift: u32, bytes: u32) -> u64 {
    let (mut count, mut last) = (0, None);
    for granule in granules.iter() {
        let element = (granule << shift) / u64::from(bytes.max(1));
        count += u64::from(last.replace(element) != Some(element));
    }
    count
}

/// A same-value write is harmless only where nothing else races on the same variable.
fn mark_mixed(findings: &mut [Finding]) {
    let harmful: BTreeSet<(String, u32)> = findings
        .iter()
        .filter(|finding| !finding.benign)
        .flat_map(|finding| [Some(&finding.first), finding.second.as_ref()].into_iter().flatten())
        .map(|site| (site.buffer.clone(), site.pc))
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.benign) {
        let sites = [Some(&finding.first), finding.second.as_ref()].into_iter().flatten();
        if sites.into_iter().any(|site| harmful.contains(&(site.buffer.clone(), site.pc))) {
            finding.benign = false;
            finding.severity = if finding.declared.is_some() { Severity::Warning } else { Severity::Error };
        }
    }
}

fn same_write(first: &TraceEntry, second: &TraceEntry) -> bool {
    first.action.is_write()
        && second.action.is_write()
        && (first.offset, first.bytes, first.value) == (second.offset, second.bytes, second.value)
}

const fn why_unordered(first: &TraceEntry, second: &TraceEntry) -> Unordered {
    if first.barriers == second.barriers { Unordered::NoBarrier } else { Unordered::WrongBarrier }
}

/// Pairs of a log that conflict without order, the later of which stands at `later`.
fn unordered_pairs<'e>(log: &[&'e TraceEntry], later: u32, lanes: u32) -> Vec<(&'e TraceEntry, &'e TraceEntry)> {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    // Barriers order intervals: only the own one is looked at.
    let mut before: BTreeMap<u32, Vec<&'e TraceEntry>> = BTreeMap::new();
    for &second in log {
        let earlier = before.entry(second.interval).or_default();
        for &first in earlier.iter().filter(|_| second.pc == later) {
            let overlap = first.offset < second.offset + u64::from(second.bytes)
                && second.offset < first.offset + u64::from(first.bytes);
            let others = first.invocation != second.invocation;
            let lane = |entry: &TraceEntry| entry.invocation % lanes;
            let ordered = if first.subgroup == second.subgroup {
                second.order.covers_lane(lane(second), lane(first), first.epoch)
            } else {
                second.order.covers_subgroup(first.subgroup, first.epoch)
            };
            if overlap && others && !ordered && second.class.conflicts().contains(&first.class) {
                let values_agree = same_write(first, second);
                if seen.insert((first.pc, values_agree)) {
                    pairs.push((first, second));
                }
            }
        }
        earlier.push(second);
    }
    pairs
}

/// Runs single workgroups again with a log.
struct Tracer<'a> {
    linked: &'a Linked,
    start: &'a [Image],
    shared: bool,
}

impl Tracer<'_> {
    /// What each of these workgroups did to the watched bytes. Those that ran over shared memory all run again.
    fn logs(&self, workgroups: BTreeSet<u32>, watch: &Watch) -> BTreeMap<u32, Vec<TraceEntry>> {
        if !self.shared {
            return workgroups.into_iter().map(|workgroup| (workgroup, self.trace(workgroup, watch))).collect();
        }
        let mut logs: BTreeMap<u32, Vec<TraceEntry>> = BTreeMap::new();
        for entry in crate::run::trace_shared(self.linked, self.start.to_vec(), watch) {
            if workgroups.contains(&entry.workgroup) {
                logs.entry(entry.workgroup).or_default().push(entry);
            }
        }
        logs
    }

    fn trace(&self, workgroup: u32, watch: &Watch) -> Vec<TraceEntry> {
        let mut images = self.start.to_vec();
        images.truncate(self.linked.granule_shifts.len());
        let mut storage = Storage::isolated(images);
        let mut resident = Resident::new(self.linked);
        let mut recorder = Recorder::default();
        let mut trace = Trace { watch: watch.clone(), entries: Vec::new() };
        let mut intervals = 1;
        resident.start(self.linked, workgroup, &mut intervals);
        let mut parts = Parts {
            linked: self.linked,
            storage: &mut storage,
            shadows: &mut [],
            recorder: &mut recorder,
            watch: None,
            trace: Some(&mut trace),
            history: None,
        };
        let rotate = crate::analysis::has_atomics(&self.linked.program);
        let _end = run_to_end(&mut resident, &mut parts, rotate, &mut intervals);
        trace.entries
    }
}

/// Turns what the machine saw into the launch's and the source's words.
pub struct Words<'a> {
    /// The launch.
    pub launch: &'a Launch,
    /// The dispatch.
    pub linked: &'a Linked,
}

impl Words<'_> {
    /// The source place of an instruction.
    fn span(&self, pc: u32) -> Span {
        self.linked.program.span(Pc(pc))
    }

    fn call_stack(&self, span: Span) -> Vec<Span> {
        let mut stack = Vec::new();
        let mut next = span.inlined_at;
        while let Some(id) = next
            && stack.len() < 64
        {
            let Some(&caller) = self.linked.program.spans.get(at(id.0)) else { break };
            stack.push(caller);
            next = caller.inlined_at;
        }
        stack
    }

    /// Name, offset in what is named, and element of a place in memory.
    fn name(&self, space: Space, buffer: Option<usize>, offset: i128, bytes: u32) -> (String, i128, Option<i128>) {
        match (space, buffer) {
            (Space::Storage | Space::Uniform, Some(id)) => match self.launch.buffers.get(id) {
                Some(buffer) => {
                    let element = (offset * 8).div_euclid(i128::from(buffer.dtype.bits()));
                    (buffer.name.clone(), offset, Some(element))
                }
                None => (self.scalar_name(id), offset, None),
            },
            (Space::Storage | Space::Uniform, None) => ("unmapped memory".to_owned(), offset, None),
            (Space::Workgroup, _) => {
                variable(&self.linked.program.workgroup_variables, "workgroup memory", offset, bytes)
            }
            (Space::Private, _) => variable(&self.linked.program.private_variables, "private memory", offset, bytes),
        }
    }

    fn scalar_name(&self, image: usize) -> String {
        let bound = self.linked.bindings.iter().position(|bound| bound.buffer == image);
        bound.map_or_else(String::new, |position| self.linked.program.bindings[position].name.clone())
    }

    /// Name, offset and element for an access whose index missed its array: those of the variable it was meant
    /// for, and not of the neighbour that it would have hit.
    fn name_of_array(&self, raw: &RawSite) -> Option<(String, i128, Option<i128>)> {
        let program = &self.linked.program;
        let variables = match raw.space {
            Space::Workgroup => &program.workgroup_variables,
            Space::Private => &program.private_variables,
            Space::Storage | Space::Uniform => return None,
        };
        let crate::ir::Instr::Access(id) = program.code.get(at(raw.pc))? else { return None };
        let base = i128::from(program.tables.accesses.get(at(id.0))?.address.displacement);
        let meant = variables.iter().find(|variable| holds(variable, base))?;
        let offset = raw.offset - i128::from(meant.offset);
        Some((meant.name.clone(), offset, Some(offset.div_euclid(i128::from(step(meant, raw.bytes))))))
    }

    /// One access of the machine as a site.
    pub fn site(&self, raw: &RawSite) -> AccessSite {
        let span = self.span(raw.pc);
        let (buffer, byte_offset, element) = match raw.action {
            Action::Barrier | Action::Ended => (String::new(), 0, None),
            _ if raw.bytes == 0 => ("a value in registers".to_owned(), 0, None),
            _ => self.name(raw.space, raw.buffer, raw.offset, raw.bytes),
        };
        AccessSite {
            action: raw.action,
            atomic: self.atomic(raw.pc),
            bytes: raw.bytes,
            space: raw.space,
            buffer,
            byte_offset,
            element,
            dispatch: self.linked.dispatch,
            workgroup: self.linked.position(raw.workgroup),
            local: self.linked.local(raw.invocation),
            subgroup: raw.invocation / self.linked.lanes,
            pc: raw.pc,
            span,
            call_stack: self.call_stack(span),
            value: raw.value,
        }
    }

    fn atomic(&self, pc: u32) -> Option<(crate::ir::Order, crate::ir::Scope)> {
        let program = &self.linked.program;
        let crate::ir::Instr::Access(id) = program.code.get(at(pc))? else { return None };
        match program.tables.accesses.get(at(id.0))?.kind {
            crate::ir::AccessKind::Atomic { order, scope, .. } => Some((order, scope)),
            _ => None,
        }
    }

    /// One logged access as a site.
    pub fn traced(&self, workgroup: u32, entry: &TraceEntry) -> AccessSite {
        self.site(&RawSite {
            action: entry.action,
            space: entry.space,
            buffer: entry.buffer,
            offset: i128::from(entry.offset),
            bytes: entry.bytes,
            workgroup,
            invocation: entry.invocation,
            pc: entry.pc,
            value: Some(entry.value),
        })
    }

    /// A fault as a finding.
    pub fn fault(&self, rule: Rule, fault: &Fault) -> Finding {
        let mut second = None;
        let detail = match &fault.detail {
            FaultDetail::None => Detail::None,
            FaultDetail::Bounds(limit) => Detail::Bounds { limit: limit.clone() },
            FaultDetail::Wrapped { origin, exact, computed } => {
                Detail::Wrapped { origin: self.span(*origin), exact: *exact, computed: *computed }
            }
            FaultDetail::Alignment(required) => Detail::Alignment { required: *required },
            FaultDetail::Divergence { waiting, elsewhere, other } => {
                second = Some(self.site(other));
                Detail::Divergence { waiting: *waiting, elsewhere: *elsewhere }
            }
        };
        let mut first = self.site(&fault.site);
        if matches!(fault.detail, FaultDetail::Bounds(BoundsLimit::Array { .. }))
            && let Some((buffer, byte_offset, element)) = self.name_of_array(&fault.site)
        {
            first = AccessSite { buffer, byte_offset, element, ..first };
        }
        Finding {
            rule,
            severity: Severity::Error,
            first,
            second,
            benign: false,
            declared: None,
            output_visible: None,
            count: fault.count,
            detail,
            schedule: None,
        }
    }

    /// The `may_race` declaration that covers a range.
    pub fn declared(&self, buffer: usize, range: ByteRange) -> Option<usize> {
        let declared = &self.launch.buffers.get(buffer)?.may_race;
        declared.iter().position(|declared| declared.range.start <= range.start && range.end <= declared.range.end)
    }

    fn reason(&self, buffer: usize, declared: Option<usize>) -> Option<String> {
        Some(self.launch.buffers.get(buffer)?.may_race.get(declared?)?.reason.clone())
    }
}

/// Declared ranges and benign values make a race a warning.
fn judge(mut finding: Finding) -> Finding {
    if finding.benign || finding.declared.is_some() {
        finding.severity = Severity::Warning;
    }
    if finding.benign {
        finding.output_visible = Some(false);
    }
    finding
}

fn holds(variable: &Variable, offset: i128) -> bool {
    let start = i128::from(variable.offset);
    (start..start + i128::from(variable.length)).contains(&offset)
}

/// Bytes per element of a variable, where an access has `bytes`.
fn step(variable: &Variable, bytes: u32) -> u32 {
    if variable.stride == 0 { bytes.max(1) } else { variable.stride }
}

fn variable(variables: &[Variable], otherwise: &str, offset: i128, bytes: u32) -> (String, i128, Option<i128>) {
    match variables.iter().find(|variable| holds(variable, offset)) {
        Some(variable) => {
            let offset = offset - i128::from(variable.offset);
            (variable.name.clone(), offset, Some(offset / i128::from(step(variable, bytes))))
        }
        None => (otherwise.to_owned(), offset, None),
    }
}
