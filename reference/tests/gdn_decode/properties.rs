//! What must hold for the models at every shape and for every pattern of indices.

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_decode::model::{self, Outputs};
use gridproof_reference::gdn_decode::{Inputs, Path, Problem, Sizes, StateType, tolerance};
use gridproof_reference::numerics::half::f32_to_bf16;
use proptest::prelude::*;

use super::{PROFILES, changed, paths, resized, seeded, with_own_key_heads};

/// A problem in words that read well when proptest has shrunk it.
#[derive(Clone, Debug)]
struct Case {
    sizes: Sizes,
    /// The slots of the requests, all different.
    slots: Vec<i32>,
    /// Which requests have no slot.
    padded: Vec<bool>,
    path: Path,
    arithmetic: Arithmetic,
    seed: u64,
}

/// Slots of every pool. Requests read slots 1 to 6, and write those or, in split mode, slots 8 to 13.
const POOL: u64 = 15;

fn cases(state: impl Strategy<Value = StateType>) -> impl Strategy<Value = Case> {
    let shape = (1_u32..=3, 1_u32..=8, 1_u32..=2, 1_u32..=3, any::<bool>(), any::<bool>());
    let memory = (0_u64..3, 0_u32..3, Just((1..7).collect::<Vec<i32>>()).prop_shuffle());
    let rest = (prop::collection::vec(prop::bool::weighted(0.25), 3), 0_usize..4, 0_usize..2, 0_u64..1000);
    (state, shape, memory, rest).prop_map(|(state, shape, memory, rest)| {
        let (b, t, h, group, update, cache_intermediate) = shape;
        let (padding, more_steps, slots) = memory;
        let (padded, profile, path, seed) = rest;
        let hv = h * group;
        let sizes = Sizes {
            b,
            t,
            h,
            hv,
            k: 128,
            v: 128,
            pool: POOL,
            stride: Some(u64::from(hv) * 16_384 + 8 * padding),
            steps: Some(t + more_steps),
            state,
            update,
            cache_intermediate,
        };
        let path = paths(state)[path % paths(state).len()];
        Case { sizes, slots, padded, path, arithmetic: PROFILES[profile], seed }
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    cases(prop_oneof![Just(StateType::Bf16), Just(StateType::F32)])
}

impl Case {
    fn padded(&self, request: u32) -> bool {
        self.padded[request as usize]
    }

    /// The slot of a request, moved by `offset`, or -1.
    fn indices(&self, offset: i32) -> Vec<i32> {
        let index = |request: u32| if self.padded(request) { -1 } else { self.slots[request as usize] + offset };
        (0..self.sizes.b).map(index).collect()
    }

    /// Reads and writes the same slots.
    fn single(&self) -> Problem {
        seeded(self.sizes, &self.indices(0), &self.indices(0), self.seed)
    }

    /// Writes slots 7 higher than it reads.
    fn split(&self) -> Problem {
        seeded(self.sizes, &self.indices(0), &self.indices(7), self.seed)
    }

    fn run(&self, problem: &Problem) -> Outputs {
        model::run(problem, self.path, self.arithmetic)
    }
}

/// Bytes of all output rows of a request.
fn request_bytes(sizes: Sizes) -> usize {
    (sizes.t * sizes.hv * 256) as usize
}

/// `problem` with tokens `first..first + count` alone, and other states.
fn tokens(problem: &Problem, first: usize, count: usize, states: Option<&Outputs>) -> Problem {
    let shape = problem.shape();
    let (t, h, hv) = (shape.t() as usize, shape.h() as usize, shape.hv() as usize);
    let cut = |tensor: &mut Vec<u16>, width: usize| {
        let requests = tensor.chunks_exact(t * width);
        *tensor = requests.flat_map(|request| request[first * width..(first + count) * width].to_vec()).collect();
    };
    let change = |inputs: &mut Inputs| {
        cut(&mut inputs.q, h * 128);
        cut(&mut inputs.k, h * 128);
        cut(&mut inputs.v, hv * 128);
        cut(&mut inputs.a, hv);
        cut(&mut inputs.b, hv);
        for (&slot, bytes) in states.iter().flat_map(|outputs| &outputs.states) {
            inputs.states.insert(slot, bytes.clone());
        }
    };
    resized(problem, |sizes| sizes.t = count as u32, change)
}

/// Runs one call per token, each from the states of the call before after `between`, with all outputs put together.
fn one_by_one(case: &Case, problem: &Problem, between: impl Fn(&mut [u8])) -> Outputs {
    let sizes = problem.shape().sizes();
    let row = (sizes.hv * 256) as usize;
    let mut all = Outputs { output: vec![0; request_bytes(sizes) * sizes.b as usize], ..Outputs::default() };
    for token in 0..sizes.t as usize {
        let states = (token > 0).then_some(&all);
        let mut call = case.run(&tokens(problem, token, 1, states));
        call.states.values_mut().for_each(|bytes| between(bytes));
        all.states = call.states;
        for (request, bytes) in call.output.chunks_exact(row).enumerate() {
            all.output[(request * sizes.t as usize + token) * row..][..row].copy_from_slice(bytes);
        }
        for (request, bytes) in call.intermediate {
            all.intermediate.entry(request).or_default().extend(bytes);
        }
    }
    all
}

/// Rounds the f32 elements of a state to bf16, in place.
fn round_in_place(bytes: &mut [u8]) {
    for element in bytes.chunks_exact_mut(4) {
        let bits = f32_to_bf16(f32::from_le_bytes(element.try_into().expect("4 bytes")));
        element.copy_from_slice(&[0, 0, bits.to_le_bytes()[0], bits.to_le_bytes()[1]]);
    }
}

/// The bf16 elements of a state as f32.
fn widened(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks_exact(2).flat_map(|element| [0, 0, element[0], element[1]]).collect()
}

/// `problem`, whose states are bf16, with the same states kept in f32.
fn kept_in_f32(problem: &Problem) -> Problem {
    let widen = |inputs: &mut Inputs| inputs.states.values_mut().for_each(|bytes| *bytes = widened(bytes));
    resized(problem, |sizes| sizes.state = StateType::F32, widen)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 48, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn outputs_are_within_the_derived_bound(case in any_case()) {
        for problem in [case.single(), case.split()] {
            prop_assert_eq!(tolerance::check(&problem, &case.run(&problem), case.path), Ok(()));
        }
    }

    #[test]
    fn single_pool_and_split_pool_have_the_same_bits(case in any_case()) {
        let (single, split) = (case.run(&case.single()), case.run(&case.split()));
        prop_assert!(single.output == split.output);
        prop_assert!(single.intermediate == split.intermediate);
        prop_assert!(single.states.len() == split.states.len());
        for (slot, bytes) in &single.states {
            let written = if *slot == 0 { 0 } else { slot + 7 };
            prop_assert!(split.states.get(&written) == Some(bytes), "slots {} and {}", slot, written);
        }
    }

    #[test]
    fn nothing_is_written_but_the_slots_and_rows_asked_for(case in any_case()) {
        let outputs = case.run(&case.split());
        let real = |request: &u32| !case.padded(*request);
        let nulls = (0..case.sizes.b).filter(|&request| case.padded(request)).count();
        let bf16 = case.sizes.state == StateType::Bf16;
        let mut slots: Vec<u64> = (0..case.sizes.b).filter(real).map(|r| case.slots[r as usize] as u64 + 7).collect();
        // Alone on the null slot, a padded request leaves its state there.
        slots.extend((bf16 && nulls == 1).then_some(0));
        slots.sort_unstable();
        let written: Vec<u64> = outputs.states.keys().copied().collect();
        prop_assert_eq!(written, if case.sizes.update { slots } else { vec![] });

        // Reading the null slot is harmless unless others write it.
        let harmless = bf16 && (nulls == 1 || !case.sizes.update);
        let cached = (0..case.sizes.b).filter(|request| real(request) || harmless);
        let cached: Vec<u32> = cached.filter(|_| case.sizes.cache_intermediate).collect();
        prop_assert_eq!(outputs.intermediate.keys().copied().collect::<Vec<_>>(), cached);
        let steps = (case.sizes.t * case.sizes.hv) as usize * 16_384 * case.sizes.state.bytes() as usize;
        prop_assert!(outputs.intermediate.values().all(|bytes| bytes.len() == steps));
        prop_assert_eq!(outputs.output.len(), request_bytes(case.sizes) * case.sizes.b as usize);
    }

    #[test]
    fn permuting_the_batch_permutes_the_outputs(case in any_case(), turn in 1_usize..3) {
        let problem = case.split();
        let b = case.sizes.b as usize;
        let turned = changed(&problem, |inputs| {
            for tensor in [&mut inputs.q, &mut inputs.k, &mut inputs.v, &mut inputs.a, &mut inputs.b] {
                let request = tensor.len() / b;
                tensor.rotate_left(turn % b * request);
            }
            inputs.read_indices.rotate_left(turn % b);
            inputs.write_indices.rotate_left(turn % b);
        });
        let (mut straight, turned) = (case.run(&problem), case.run(&turned));
        straight.output.rotate_left(turn % b * request_bytes(case.sizes));
        prop_assert!(straight.output == turned.output);
        prop_assert!(straight.states == turned.states);
        let old = |request: u32| (request + turn as u32) % case.sizes.b;
        prop_assert_eq!(straight.intermediate.len(), turned.intermediate.len());
        prop_assert!(turned.intermediate.iter().all(|(&new, bytes)| straight.intermediate.get(&old(new)) == Some(bytes)));
    }

    #[test]
    fn padded_requests_of_an_f32_pool_leave_zeros(case in cases(Just(StateType::F32))) {
        let outputs = case.run(&case.single());
        for (request, rows) in (0..).zip(outputs.output.chunks_exact(request_bytes(case.sizes))) {
            prop_assert_eq!(rows.iter().all(|&byte| byte == 0), case.padded(request));
        }
    }

    #[test]
    fn padded_requests_of_a_bf16_pool_start_from_slot_0(case in cases(Just(StateType::Bf16))) {
        let problem = case.split();
        let padded: Vec<u32> = (0..case.sizes.b).filter(|&request| case.padded(request)).collect();
        // The null slot's state in slot 14, and the first padded request reads it there.
        let Some(&first) = padded.first() else { return Ok(()) };
        let moved = changed(&problem, |inputs| {
            inputs.states.insert(14, inputs.states[&0].clone());
            inputs.read_indices[first as usize] = 14;
            inputs.write_indices[first as usize] = 14;
        });
        let (null, moved) = (case.run(&problem), case.run(&moved));
        prop_assert!(null.output == moved.output);
        if padded.len() == 1 {
            prop_assert!(null.states.get(&0) == moved.states.get(&14));
        }
    }

    #[test]
    fn tokens_at_once_are_tokens_one_by_one_in_f32(case in cases(Just(StateType::F32))) {
        let case = Case { sizes: Sizes { update: true, steps: None, ..case.sizes }, ..case };
        let problem = resized(&case.single(), |sizes| sizes.steps = None, |_| {});
        let cached = |request: &u32| !case.padded(*request);
        let (at_once, one_by_one) = (case.run(&problem), one_by_one(&case, &problem, |_| {}));
        prop_assert!(at_once == one_by_one);
        prop_assert_eq!(at_once.states.len(), (0..case.sizes.b).filter(cached).count());
    }

    #[test]
    fn an_intermediate_state_is_the_final_state_of_the_tokens_so_far(case in any_case(), cut in 0_u32..8) {
        let case = Case { sizes: Sizes { update: true, cache_intermediate: true, ..case.sizes }, ..case };
        let problem = case.split();
        let whole = case.run(&problem);
        let t = cut % case.sizes.t;
        let part = case.run(&tokens(&problem, 0, t as usize + 1, None));
        let slot = problem.shape().slot_bytes() as usize;
        for (&request, bytes) in &whole.intermediate {
            let written = problem.write_slot(request).expect("updated");
            // A null slot that several requests write has no final state.
            let Some(last) = part.states.get(&written) else { continue };
            prop_assert!(&bytes[t as usize * slot..][..slot] == last.as_slice(), "request {}, token {}", request, t);
        }
        prop_assert!(whole.output.chunks_exact(request_bytes(case.sizes)).zip(part.output.chunks_exact(
            (t as usize + 1) * case.sizes.hv as usize * 256,
        )).all(|(whole, part)| whole.starts_with(part)));
    }

    #[test]
    fn flags_steps_and_padding_change_nothing_else(case in any_case()) {
        let with = |change: fn(&mut Sizes)| case.run(&resized(&case.single(), change, |_| {}));
        let (own, all) = (case.run(&case.single()), with(|sizes| (sizes.update, sizes.cache_intermediate) = (true, true)));
        prop_assert!(own.output == all.output);
        let states = if case.sizes.update { &all.states } else { &Outputs::default().states };
        prop_assert!(own.states == *states);
        let kept = own.intermediate.iter().all(|(request, bytes)| all.intermediate.get(request).is_none_or(|all| all == bytes));
        prop_assert!(kept);
        prop_assert!(with(|sizes| sizes.stride = None) == own);
        prop_assert!(with(|sizes| sizes.steps = None) == own);
        prop_assert!(with(|sizes| sizes.steps = Some(sizes.t + 9)) == own);
    }

    #[test]
    fn neighbouring_value_heads_share_a_key_head(case in any_case()) {
        let problem = case.single();
        let group = (case.sizes.hv / case.sizes.h) as usize;
        prop_assert!(case.run(&problem) == case.run(&with_own_key_heads(&problem, |hv| hv / group)));
        let wrong = case.run(&with_own_key_heads(&problem, |hv| hv % case.sizes.h as usize));
        let computed = problem.read_slot(0).is_some();
        if computed && case.sizes.h > 1 && group > 1 {
            prop_assert!(case.run(&problem).output != wrong.output);
        }
    }

    /// With bf16 states, several tokens at once are not the same as one by one: between calls the state is rounded.
    /// Nothing else differs.
    #[test]
    fn bf16_differs_by_the_rounding_between_calls_alone(case in cases(Just(StateType::Bf16))) {
        let sizes = Sizes { update: true, cache_intermediate: false, steps: None, ..case.sizes };
        let case = Case { sizes, padded: vec![false; 3], ..case };
        let problem = case.single();
        let (at_once, calls) = (case.run(&problem), one_by_one(&case, &problem, |_| {}));
        let row = (sizes.hv * 256) as usize;
        let requests = at_once.output.chunks_exact(request_bytes(sizes)).zip(calls.output.chunks_exact(request_bytes(sizes)));
        for (at_once, calls) in requests {
            prop_assert!(at_once[..row] == calls[..row], "first tokens start from the same state");
        }

        // States kept in f32 between the calls give the bits of all tokens at once.
        let exact = kept_in_f32(&problem);
        let kept = one_by_one(&case, &exact, |_| {});
        prop_assert!(kept.output == at_once.output);
        // Rounded in between, they give the bits of the calls.
        let rounded = one_by_one(&case, &exact, round_in_place);
        prop_assert!(rounded.output == calls.output);
        prop_assert!(rounded.states.iter().all(|(slot, bytes)| widened(&calls.states[slot]) == *bytes));
    }
}

#[test]
fn bf16_does_differ_between_tokens_at_once_and_one_by_one() {
    let sizes = Sizes { t: 4, cache_intermediate: false, pool: POOL, ..super::sizes(StateType::Bf16) };
    for &path in paths(StateType::Bf16) {
        let (slots, padded) = (vec![1, 2], vec![false; 2]);
        let case = Case { sizes, slots, padded, path, arithmetic: Arithmetic::FUSED, seed: 1 };
        let problem = case.single();
        let (at_once, calls) = (case.run(&problem), one_by_one(&case, &problem, |_| {}));
        assert!(at_once.output != calls.output && at_once.states != calls.states);
    }
}
