//! One value head of one request: which bytes it reads and which it writes.
//!
//! A problem falls apart into such jobs, which share no byte that anybody writes.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Outputs;
use super::problem::{POOL_FILL, Problem};
use super::shape::HEAD;

/// The largest state of one head: 128 * 128 elements of f32.
const HEAD_BYTES: usize = HEAD as usize * HEAD as usize * 4;

/// A head of a slot that no state was given for.
static FILL: [u8; HEAD_BYTES] = [POOL_FILL; HEAD_BYTES];

/// Bytes of one output row of bf16.
const ROW_BYTES: usize = HEAD as usize * 2;

/// What one value head of one request reads and writes.
pub(super) struct Job<'a> {
    pub(super) request: u32,
    pub(super) hv: u32,
    /// `[V, K]` elements of the state's type.
    pub(super) state: &'a [u8],
    /// Per token: 128 bf16.
    pub(super) output: Vec<&'a mut [u8]>,
    /// Per token, if cached: like `state`.
    pub(super) intermediate: Vec<&'a mut [u8]>,
    /// The final state, if it is written: like `state`.
    pub(super) written: Option<&'a mut [u8]>,
}

/// Gives `outputs` the buffers that a launch of `problem` writes, with any contents, and takes them apart. Requests
/// that are skipped have no job, and zeros in their output rows.
pub(super) fn jobs<'a>(problem: &'a Problem, outputs: &'a mut Outputs) -> Vec<Job<'a>> {
    let shape = problem.shape();
    let (heads, tokens) = (shape.hv() as usize, shape.t() as usize);
    let head_bytes = (shape.slot_bytes() / u64::from(shape.hv())) as usize;
    let writers = lay_out(problem, outputs);

    let mut jobs: Vec<Job<'_>> = Vec::with_capacity(shape.b() as usize * heads);
    for request in 0..shape.b() {
        for hv in 0..shape.hv() {
            let state = problem.read_slot(request).and_then(|slot| problem.inputs().states.get(&slot));
            let state = state.map_or(&FILL[..head_bytes], |bytes| &bytes[hv as usize * head_bytes..][..head_bytes]);
            jobs.push(Job { request, hv, state, output: vec![], intermediate: vec![], written: None });
        }
    }
    for (row, bytes) in outputs.output.chunks_exact_mut(ROW_BYTES).enumerate() {
        jobs[row / (heads * tokens) * heads + row % heads].output.push(bytes);
    }
    for (&request, bytes) in &mut outputs.intermediate {
        for (row, bytes) in bytes.chunks_exact_mut(head_bytes).enumerate() {
            jobs[request as usize * heads + row % heads].intermediate.push(bytes);
        }
    }
    for (slot, bytes) in &mut outputs.states {
        let first = writers[slot] as usize * heads;
        for (job, bytes) in jobs[first..].iter_mut().zip(bytes.chunks_exact_mut(head_bytes)) {
            job.written = Some(bytes);
        }
    }
    let skipped = |job: &Job<'_>| problem.read_slot(job.request).is_none();
    for job in jobs.iter_mut().filter(|job| skipped(job)) {
        job.output.iter_mut().for_each(|row| row.fill(0));
    }
    jobs.retain(|job| !skipped(job));
    jobs
}

/// Makes every buffer as long as it must be, and drops those that a launch does not write. Returns who writes a slot.
fn lay_out(problem: &Problem, outputs: &mut Outputs) -> BTreeMap<u64, u32> {
    let shape = problem.shape();
    let (writers, cached) = (writers(problem), cached(problem));
    let slot_bytes = shape.slot_bytes() as usize;
    outputs.output.resize(shape.value_elements() * 2, 0);
    outputs.states.retain(|slot, _| writers.contains_key(slot));
    for &slot in writers.keys() {
        outputs.states.entry(slot).or_default().resize(slot_bytes, 0);
    }
    outputs.intermediate.retain(|request, _| cached.contains(request));
    for &request in &cached {
        outputs.intermediate.entry(request).or_default().resize(slot_bytes * shape.t() as usize, 0);
    }
    writers
}

/// Which request writes a slot, for the slots with specified contents.
pub(super) fn writers(problem: &Problem) -> BTreeMap<u64, u32> {
    let unspecified = problem.unspecified_slots();
    let written = |request| problem.write_slot(request).map(|slot| (slot, request));
    let exists = |&(slot, _): &(u64, u32)| slot < problem.shape().pool() && !unspecified.contains(&slot);
    (0..problem.shape().b()).filter_map(written).filter(exists).collect()
}

/// The requests whose intermediate states are written and specified.
pub(super) fn cached(problem: &Problem) -> BTreeSet<u32> {
    if !problem.shape().cache_intermediate() {
        return BTreeSet::new();
    }
    let unspecified = problem.unspecified_requests();
    let caches = |&request: &u32| problem.read_slot(request).is_some() && !unspecified.contains(&request);
    (0..problem.shape().b()).filter(caches).collect()
}
