//! What a run came across, as a map of counters that a fuzzer can compare: taken jumps, accesses, scheduling decisions.
//!
//! A *feature* is a number that says where and what: the place of a jump and of where it went; the place of an access with
//! what it did, how the addresses of the invocations lie, and how many bits its farthest offset has (so that coming nearer
//! to an offset of 2^31 is something new); the place at which a subgroup was chosen to run, and whether the one before it
//! was another subgroup, or of another workgroup. Each feature is hashed to one of [`Coverage::SIZE`] counters, which stop
//! at 255. Two features may share a counter: a fuzzer then misses that the second is new, and nothing else depends on it.
//!
//! Nothing is counted unless somebody asks ([`crate::prove_covered`], [`crate::run_covered`]). Counters are atomics so that
//! workers may share them; which of two simultaneous counts is lost is not determined, so runs that are to be compared
//! use one thread.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gridproof_launch::{Dispatch, Launch, Module, ModuleId, Source};

use crate::cast::{at, at64, narrow, wide};
use crate::frontend;
use crate::ir::{Instr, Pc, Program};
use crate::machine::subgroup::Subgroup;
use crate::outcome::SimulateError;
use crate::scheduler::Ready;

/// What the place of an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Its line and column in a kernel of this name: for kernels that stay the same from run to run.
    Source,
    /// What kind of instruction it is: for kernels that are drawn, of which every line would be new.
    Kind,
}

/// See the file's head.
#[derive(Debug)]
pub struct Coverage {
    counters: Box<[AtomicU8]>,
    programs: Mutex<VecDeque<Lowered>>,
}

/// A program that was lowered, and all that decided what it is.
#[derive(Debug)]
struct Lowered {
    module: Module,
    dispatch: Dispatch,
    program: Program,
}

impl Default for Coverage {
    fn default() -> Self {
        let counters = (0..Self::SIZE).map(|_| AtomicU8::new(0)).collect();
        Self { counters, programs: Mutex::default() }
    }
}

impl Coverage {
    /// Counters of a map: 64 Ki.
    pub const SIZE: usize = 1 << 16;

    /// Sets every counter to 0.
    pub fn clear(&self) {
        self.counters.iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    /// Counts a feature.
    pub fn mark(&self, feature: u64) {
        // The finaliser of SplitMix64: features that differ in one bit have counters of their own.
        let mut mixed = feature;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let place = at64(mixed >> 48);
        if let Some(counter) = self.counters.get(place) {
            counter.store(counter.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// The counters as they are now.
    pub fn counters(&self) -> impl Iterator<Item = u8> + '_ {
        self.counters.iter().map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Lowers the entry point of a dispatch, or takes it from those that were lowered before: a fuzzer has few kernels and
    /// many launches.
    ///
    /// # Errors
    /// As the front end.
    pub(crate) fn lower(&self, launch: &Launch, dispatch: &Dispatch) -> Result<Program, SimulateError> {
        let Some(module) = launch.modules.get(dispatch.module.0) else { return frontend::lower(launch, dispatch) };
        let wanted = decisive(module, dispatch);
        let known = |one: &Lowered| one.dispatch == wanted && one.module == *module;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = programs.iter().position(known).and_then(|at| programs.remove(at)) {
            let program = found.program.clone();
            programs.push_front(found);
            return Ok(program);
        }
        drop(programs);
        let program = frontend::lower(launch, dispatch)?;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.push_front(Lowered { module: module.clone(), dispatch: wanted, program: program.clone() });
        programs.truncate(MOST_PROGRAMS);
        Ok(program)
    }

    /// Counters that are not 0.
    pub fn covered(&self) -> usize {
        self.counters().filter(|&counter| counter > 0).count()
    }
}

/// Programs that are kept.
const MOST_PROGRAMS: usize = 128;

/// What of a dispatch decides what its program is. A WGSL module says by itself what PTX learns from the launch.
fn decisive(module: &Module, dispatch: &Dispatch) -> Dispatch {
    let by_itself = !matches!(module.source, Source::Ptx(_));
    let (arguments, workgroup) = match by_itself {
        true => (Vec::new(), None),
        false => (dispatch.arguments.clone(), dispatch.workgroup),
    };
    Dispatch { module: ModuleId(0), grid: [1; 3], arguments, workgroup, ..dispatch.clone() }
}

/// Somebody who wants to know what a run comes across.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Where it is counted.
    pub coverage: Arc<Coverage>,
    /// What places are.
    pub grain: Grain,
}

/// The same for one program.
#[derive(Debug)]
pub(crate) struct Lens {
    coverage: Arc<Coverage>,
    /// The place of each instruction.
    places: Vec<u32>,
}

/// What a feature is about: keeps numbers of one kind apart from those of another.
const JUMP: u64 = 1 << 60;
const ACCESS: u64 = 2 << 60;
const DECISION: u64 = 3 << 60;

impl Lens {
    /// A program looked at.
    pub fn new(asked: &Asked, program: &Program) -> Self {
        let place = |pc: usize| match asked.grain {
            Grain::Source => {
                let span = program.span(Pc(narrow(pc)));
                hashed((&program.entry, span.file, span.line, span.column))
            }
            Grain::Kind => program.code.get(pc).map_or(0, kind),
        };
        Self { coverage: asked.coverage.clone(), places: (0..program.code.len()).map(place).collect() }
    }

    fn place(&self, pc: u32) -> u64 {
        u64::from(self.places.get(at(pc)).copied().unwrap_or(0))
    }

    /// A group went on elsewhere.
    pub fn jump(&self, from: u32, to: u32) {
        self.coverage.mark(JUMP ^ self.place(from) << 24 ^ self.place(to));
    }

    /// An access, with a number for what it did and one for how far it went.
    pub fn access(&self, pc: u32, what: u32, farthest: u64) {
        let bits = u64::from(64 - farthest.leading_zeros());
        self.coverage.mark(ACCESS ^ self.place(pc) << 24 ^ u64::from(what) << 8 ^ bits);
    }

    /// A subgroup is chosen to run after another one.
    pub fn decision(&self, chosen: &Subgroup, now: Ready, before: Option<Ready>, ready: usize) {
        let change = match before {
            None => 0,
            Some(before) if before.workgroup != now.workgroup => 1 + u64::from(before.workgroup > now.workgroup),
            Some(before) => 3 + u64::from(before.subgroup != now.subgroup),
        };
        let company = u64::from(u64::BITS - wide(ready).leading_zeros());
        self.coverage.mark(DECISION ^ self.place(chosen.pc()) << 24 ^ change << 8 ^ company);
    }
}

/// What an instruction does, its registers aside.
fn kind(instr: &Instr) -> u32 {
    let which = discriminant(instr);
    match *instr {
        Instr::Unary { op, ty, .. } => hashed((which, op, ty)),
        Instr::Binary { op, ty, .. } => hashed((which, op, ty)),
        Instr::Ternary { op, ty, .. } => hashed((which, op, ty)),
        Instr::Convert { from, to, .. } => hashed((which, from, to)),
        Instr::Subgroup { op, ty, .. } => hashed((which, op, ty)),
        _ => hashed(which),
    }
}

/// Always the same for the same value: [`DefaultHasher::new`] has no random key.
fn hashed(value: impl Hash) -> u32 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    crate::cast::high(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_counted_up_to_255_and_cleared() {
        let coverage = Coverage::default();
        (0..300).for_each(|_| coverage.mark(7));
        coverage.mark(8);
        let counted: Vec<u8> = coverage.counters().filter(|&counter| counter > 0).collect();
        assert_eq!(counted.len(), 2);
        assert!(counted.contains(&255) && counted.contains(&1));
        coverage.clear();
        assert_eq!(coverage.covered(), 0);
    }
}
