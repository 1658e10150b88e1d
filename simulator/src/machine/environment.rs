//! What a subgroup touches besides its own registers while it runs.

use crate::finding::Action;
use crate::ir::Space;
use crate::link::Linked;
use crate::machine::clock::View;
use crate::machine::order::Knowledge;
use crate::memory::Storage;
use crate::memory::history::History;
use crate::memory::shadow::{BufferShadow, Class, Local};
use crate::recorder::Recorder;

/// Who has come to a named barrier so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// Which barrier.
    pub barrier: u32,
    /// Invocations expected; `None` for all.
    pub expected: Option<u32>,
    /// Who came first: invocation and instruction.
    pub first: (u32, u32),
    /// Invocations that arrived and went on.
    pub gone_on: u32,
    /// What they knew of each subgroup's clock.
    pub shared: Vec<u32>,
    /// What they knew, where a history is kept.
    pub known: View,
}

/// The shared part of one workgroup.
#[derive(Debug)]
pub struct Workgroup {
    /// Linear index in the dispatch.
    pub index: u32,
    /// Position in the grid.
    pub position: [u32; 3],
    /// Workgroup memory.
    pub memory: Vec<u8>,
    /// Bytes of it that have a value; `None` where all have.
    pub initialised: Option<Vec<bool>>,
    /// Its shadow.
    pub shadow: Local,
    /// Interval of workgroup memory: a number that no other stretch between barriers has.
    pub workgroup_interval: u32,
    /// Interval of storage memory.
    pub storage_interval: u32,
    /// Workgroup barriers passed so far.
    pub barriers: u32,
    /// Invocations that have not ended.
    pub live: u32,
    /// Named barriers that somebody has arrived at.
    pub arrivals: Vec<Arrivals>,
    /// Buffer, offset and length of its writes to storage, where somebody asked for them.
    pub written: Option<Vec<(usize, u64, u32)>>,
    /// Its writes that gave storage or workgroup memory another value, counted where somebody asked for it.
    pub changes: Option<u64>,
}

impl Workgroup {
    /// A workgroup that has not started.
    pub fn new(linked: &Linked) -> Self {
        Self {
            index: 0,
            position: [0; 3],
            memory: vec![0; crate::cast::at(linked.workgroup_bytes)],
            initialised: None,
            shadow: Local::default(),
            workgroup_interval: 1,
            storage_interval: 1,
            barriers: 0,
            live: 0,
            arrivals: Vec::new(),
            written: None,
            changes: None,
        }
    }

    /// Starts it as workgroup `index`, with intervals nobody has had.
    pub fn start(&mut self, linked: &Linked, index: u32, intervals: &mut u32) {
        self.index = index;
        self.position = linked.position(index);
        self.memory.fill(0);
        self.initialised = (!linked.program.workgroup_zeroed).then(|| vec![false; self.memory.len()]);
        self.barriers = 0;
        self.live = linked.invocations;
        self.arrivals.clear();
        *intervals += 1;
        self.workgroup_interval = *intervals;
        self.storage_interval = *intervals;
    }
}

/// Bytes whose accesses are scheduling points.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Sorted, disjoint byte ranges per image.
    pub storage: Vec<Vec<std::ops::Range<u64>>>,
    /// Sorted, disjoint byte ranges of workgroup memory.
    pub workgroup: Vec<std::ops::Range<u64>>,
    /// Whether a subgroup that stops at one says what it is about to do.
    pub describe: bool,
    /// Whether every access to memory that others can reach is one.
    pub everything: bool,
    /// Whether fences are scheduling points too.
    pub fences: bool,
}

impl Watch {
    /// No bytes; a subgroup that stops at an atomic says what it is about to do.
    pub fn describing() -> Self {
        Self { describe: true, ..Self::default() }
    }

    /// Whether `length` bytes from `start` on touch a watched range.
    #[inline]
    pub fn hits(ranges: &[std::ops::Range<u64>], start: u64, length: u64) -> bool {
        let next = ranges.partition_point(|range| range.end <= start);
        ranges.get(next).is_some_and(|range| range.start < start + length)
    }
}

/// One logged access to a watched range.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// Buffer; `None` for workgroup memory.
    pub buffer: Option<usize>,
    /// Memory.
    pub space: Space,
    /// First byte, in the buffer or in workgroup memory.
    pub offset: u64,
    /// Bytes per element.
    pub bytes: u32,
    /// How it takes part in conflicts.
    pub class: Class,
    /// The same for other workgroups.
    pub cross_class: Class,
    /// What it did.
    pub action: Action,
    /// Linear workgroup.
    pub workgroup: u32,
    /// Linear invocation.
    pub invocation: u32,
    /// Subgroup.
    pub subgroup: u32,
    /// Program counter.
    pub pc: u32,
    /// Bits read or written.
    pub value: u64,
    /// Whether an atomic stored something: a compare-and-exchange that finds another value does not.
    pub stored: bool,
    /// Interval of its memory kind.
    pub interval: u32,
    /// Its subgroup's clock.
    pub epoch: u32,
    /// What came before.
    pub order: Knowledge,
    /// Workgroup barriers the workgroup had passed.
    pub barriers: u32,
}

/// Accesses logged at most; a racy loop says nothing new after that.
const TRACE_LIMIT: usize = 1 << 16;

/// Log of accesses to a few chosen bytes.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Which bytes.
    pub watch: Watch,
    /// The accesses, in order of execution.
    pub entries: Vec<TraceEntry>,
}

impl Trace {
    /// Appends an entry while there is room.
    pub fn log(&mut self, entry: TraceEntry) {
        if self.entries.len() < TRACE_LIMIT {
            self.entries.push(entry);
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub struct Environment<'a> {
    /// The program and its bindings.
    pub linked: &'a Linked,
    /// Buffers.
    pub storage: &'a mut Storage,
    /// Shadows per image; empty when races are not watched for, or by a history.
    pub shadows: &'a mut [BufferShadow],
    /// The workgroup.
    pub workgroup: &'a mut Workgroup,
    /// Where findings go.
    pub recorder: &'a mut Recorder,
    /// Scheduling points, when a schedule is run.
    pub watch: Option<&'a Watch>,
    /// Log, when a race is looked at again.
    pub trace: Option<&'a mut Trace>,
    /// Who touched what, in place of the shadows where atomics order accesses.
    pub history: Option<&'a mut History>,
}
