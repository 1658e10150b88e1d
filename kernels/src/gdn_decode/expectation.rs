//! What a launch must be reported as, from the problem alone.

use std::collections::BTreeMap;
use std::ops::Range;

use gridproof_launch::Language;
use gridproof_reference::gdn_decode::{Problem, StateType};

use super::variant::{Options, Variant};
use crate::catalogue::{Expectation, Outputs, SafeUnder};
use crate::expected::Found;
use crate::variant::Reduction;

/// The workgroup variables of the preparation, in order of their names.
const PREPARED: [&str; 4] = ["alphas", "betas", "k_normed", "q_normed"];

/// Those of them that the first subgroup makes for all tokens, in CUDA C++.
const GATES: [&str; 2] = ["alphas", "betas"];

/// Tokens that one pass of the preparation takes.
const PASS: u32 = 4;

/// Elements of the state of one value head.
const STATE: u64 = 128 * 128;

/// Elements that an offset in a signed 32-bit integer reaches.
const REACH: u64 = 1 << 31;

/// Bits of the smallest f32 whose `exp` is infinite, 88.722839.
const EXP_OVERFLOWS: u32 = 0x42b1_7218;

/// What the launch of a variant must be reported as.
pub fn expectation(problem: &Problem, variant: Variant, options: Options) -> Expectation {
    let mut found = Found::default();
    requests_meet(problem, &mut found);
    beyond_pool(problem, &mut found);
    match variant {
        Variant::Auto | Variant::WideVec | Variant::Ilp4 | Variant::Pretranspose => {}
        Variant::IntermediateBySlot => by_slot(problem, options.language, &mut found),
        Variant::Offset32 if options.language == Language::Cuda => offset(problem, &mut found),
        Variant::IntermediateOffset32 if options.language == Language::Cuda => intermediate_offset(problem, &mut found),
        // WGSL cannot address what would wrap.
        Variant::Offset32 | Variant::IntermediateOffset32 => {}
        Variant::WideVecNoPassBarrier => no_pass_barrier(problem, options, &mut found),
        Variant::SoftplusBranchless => branchless(problem, &mut found),
    }
    found.expectation()
}

/// Whether the null slot is declared to race: where a request of a bf16 pool has no slot.
fn null_may_race(problem: &Problem) -> bool {
    let inputs = problem.inputs();
    let mut indices = inputs.read_indices.iter().chain(&inputs.write_indices);
    problem.shape().state() == StateType::Bf16 && indices.any(|index| *index < 0)
}

/// Two requests on one slot, one of which writes it: only where the caller's check was off. The null slot is declared
/// to race as soon as a request has no slot.
fn requests_meet(problem: &Problem, found: &mut Found) {
    let (shape, declared) = (problem.shape(), null_may_race(problem));
    let raced = |slot: &u64| *slot < shape.pool() && !(declared && *slot == 0);
    let mut writers: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for request in 0..shape.b() {
        if let Some(slot) = problem.write_slot(request).filter(raced) {
            writers.entry(slot).or_default().push(request);
        }
    }
    let twice = writers.values().any(|writers| writers.len() > 1);
    let read = |request: u32| {
        let slot = problem.read_slot(request);
        let writers = slot.and_then(|slot| writers.get(&slot)).map_or(&[][..], Vec::as_slice);
        writers.iter().any(|&writer| writer != request)
    };
    if twice || (0..shape.b()).any(read) {
        found.add("GP0001", "state_pool", Outputs::Right);
        found.safe_under = Some(SafeUnder::NotStated);
    }
}

/// A slot that the pool does not have: only where the caller's check was off.
fn beyond_pool(problem: &Problem, found: &mut Found) {
    if used_slots(problem).any(|slot| slot >= problem.shape().pool()) {
        found.add("GP0004", "state_pool", Outputs::NotStated);
    }
}

/// The slots that requests read and write, some more than once.
fn used_slots(problem: &Problem) -> impl Iterator<Item = u64> {
    (0..problem.shape().b()).flat_map(|request| [problem.read_slot(request), problem.write_slot(request)]).flatten()
}

/// The rows of `intermediate_states` are those of the slot, of which there are as many as requests.
fn by_slot(problem: &Problem, language: Language, found: &mut Found) {
    let shape = problem.shape();
    if !shape.cache_intermediate() {
        return;
    }
    let rows = u64::from(shape.steps()) * u64::from(shape.hv());
    let used = u64::from(shape.t()) * u64::from(shape.hv());
    let elements = u64::from(shape.b()) * rows * STATE;
    let mut users: BTreeMap<u64, u32> = BTreeMap::new();
    let (mut touched, mut wraps) = (Vec::new(), false);
    for request in 0..shape.b() {
        let Some(slot) = problem.read_slot(request) else { continue };
        if slot < u64::from(shape.b()) {
            *users.entry(slot).or_default() += 1;
        }
        if slot != u64::from(request) {
            found.outputs = Outputs::Wrong;
        }
        for row in (0..used).map(|row| slot * rows + row) {
            // CUDA's offsets have 64 bits, WGSL's 32.
            let offset = row * STATE;
            let start = if language == Language::Wgsl { offset % (2 * REACH) } else { offset };
            if start != offset {
                found.add("GP0005", "intermediate_states", Outputs::NotStated);
                wraps = true;
            }
            if start + STATE > elements {
                found.add("GP0004", "intermediate_states", Outputs::Wrong);
            }
            touched.push(Touched { start: i128::from(start), request, writes: true });
        }
    }
    if users.values().any(|users| *users > 1) {
        found.add("GP0001", "intermediate_states", Outputs::Wrong);
        found.safe_under = Some(SafeUnder::NotStated);
    }
    if wraps {
        meet("intermediate_states", touched, 0..elements, found);
    }
}

fn offset(problem: &Problem, found: &mut Found) {
    let shape = problem.shape();
    let elements = shape.pool() * shape.stride();
    let mut touched = Vec::new();
    for request in 0..shape.b() {
        let slots = [(problem.read_slot(request), false), (problem.write_slot(request), true)];
        for (slot, writes) in slots.into_iter().filter_map(|(slot, writes)| Some((slot?, writes))) {
            for head in (0..u64::from(shape.hv())).map(|head| head * STATE) {
                // In a padded pool, the head is added in 64 bits.
                let (narrow, wide) = if shape.is_dense() { (head, 0) } else { (0, head) };
                let offset = slot.saturating_mul(shape.stride()).saturating_add(narrow);
                let start = wrapped("state_pool", offset, wide, elements, found);
                touched.push(Touched { start, request, writes });
            }
        }
    }
    let free = if null_may_race(problem) { shape.stride() } else { 0 };
    meet("state_pool", touched, free..elements, found);
}

fn intermediate_offset(problem: &Problem, found: &mut Found) {
    let shape = problem.shape();
    if !shape.cache_intermediate() {
        return;
    }
    let rows = u64::from(shape.steps()) * u64::from(shape.hv());
    let used = u64::from(shape.t()) * u64::from(shape.hv());
    let elements = u64::from(shape.b()) * rows * STATE;
    let mut touched = Vec::new();
    for request in (0..shape.b()).filter(|&request| problem.read_slot(request).is_some()) {
        for row in (0..used).map(|row| u64::from(request) * rows + row) {
            let start = wrapped("intermediate_states", row * STATE, 0, elements, found);
            touched.push(Touched { start, request, writes: true });
        }
    }
    meet("intermediate_states", touched, 0..elements, found);
}

/// A state at `narrow`, computed in 32 bits, and `wide` elements behind that, in a buffer of `elements`. Where 32 bits
/// are not enough, the kernel is elsewhere, mostly in front of the buffer. Gives where it is.
fn wrapped(place: &'static str, narrow: u64, wide: u64, elements: u64, found: &mut Found) -> i128 {
    if narrow < REACH {
        return i128::from(narrow) + i128::from(wide);
    }
    found.add("GP0005", place, Outputs::NotStated);
    // The low 32 bits, as a signed number.
    let low = i128::from(narrow % (2 * REACH));
    let computed = if low < i128::from(REACH) { low } else { low - i128::from(2 * REACH) } + i128::from(wide);
    if computed < 0 || computed + i128::from(STATE) > i128::from(elements) {
        found.add("GP0004", place, Outputs::NotStated);
    }
    computed
}

/// A state that the workgroups of a request touch.
struct Touched {
    start: i128,
    request: u32,
    writes: bool,
}

/// Two requests of which one writes where the other is, because an offset wrapped, inside of `inside`.
fn meet(place: &'static str, mut touched: Vec<Touched>, inside: Range<u64>, found: &mut Found) {
    let bounds = i128::from(inside.start)..i128::from(inside.end);
    touched.retain(|one| one.start + i128::from(STATE) > bounds.start && one.start < bounds.end);
    touched.sort_by_key(|one| one.start);
    let races = |(position, one): (usize, &Touched)| {
        let near = touched[position + 1..].iter().take_while(|other| other.start < one.start + i128::from(STATE));
        near.into_iter().any(|other| other.request != one.request && (one.writes || other.writes))
    };
    if touched.iter().enumerate().any(races) {
        found.add("GP0001", place, Outputs::NotStated);
        found.safe_under = Some(SafeUnder::NotStated);
    }
}

fn no_pass_barrier(problem: &Problem, options: Options, found: &mut Found) {
    let tokens = problem.shape().t();
    if options.reduction == Reduction::Workgroup && tokens > PASS {
        // The sums of the last pass order what the first pass stored, and those of the first token the rest.
        return;
    }
    for place in PREPARED {
        found.add("GP0002", place, Outputs::NotStated);
        if options.language == Language::Cuda && tokens > 1 && !GATES.contains(&place) {
            // In the run that finds the races, the first subgroup comes to the second token before anybody prepared its
            // heads; the gates it has made itself. WGSL's workgroup memory starts as zeros.
            found.add("GP0006", place, Outputs::NotStated);
        }
    }
    found.safe_under.get_or_insert(SafeUnder::LockstepWaves { slots: 1 });
}

/// Both branches count: 0 times an infinite exponential is NaN.
fn branchless(problem: &Problem, found: &mut Found) {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let unspecified = problem.unspecified_requests();
    let heads = (0..shape.b()).flat_map(|request| (0..shape.t() * shape.hv()).map(move |gate| (request, gate)));
    let infinite = heads.zip(&inputs.a).any(|((request, gate), a)| {
        let bias = usize::try_from(gate % shape.hv()).ok().and_then(|head| inputs.dt_bias.get(head));
        let x = f32::from_bits(u32::from(*a) << 16) + bias.copied().unwrap_or_default();
        let computed = problem.read_slot(request).is_some() && !unspecified.contains(&request);
        computed && x >= f32::from_bits(EXP_OVERFLOWS)
    });
    if infinite {
        found.outputs = Outputs::Wrong;
    }
}
