//! Properties over drawn shapes and index patterns, from the launches alone: the model is not asked.

use gridproof_kernels::gdn_decode::{Options, Variant};
use gridproof_reference::gdn_decode::{Inputs, Problem, Shape, Sizes, StateType};
use gridproof_simulator::{Image, Outcome, prove};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::as_it_is;
use super::checked::Case;

const POOL: u64 = 9;

/// Sizes, and slots to read and to write, all different. Slot 0 is left out.
#[derive(Clone, Debug)]
struct Drawn {
    sizes: Sizes,
    variant: Variant,
    read: Vec<i32>,
    write: Vec<i32>,
    subgroup_size: u32,
    seed: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let slots = Just((1..=8).collect::<Vec<i32>>()).prop_shuffle();
    let sizes = (1..=3_u32, 1..=3_u32, prop::sample::select(vec![(1, 1), (1, 2), (2, 2)]), any::<bool>());
    let launch = (0..3_usize, prop::sample::select(vec![8, 16, 32, 64]), prop::sample::select(vec![0_u64, 4096]));
    (sizes, slots, launch, any::<u64>()).prop_map(|((b, t, (h, hv), cache), slots, launch, seed)| {
        let (which, subgroup_size, padding) = launch;
        let variant = [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose][which];
        let state = if variant == Variant::Pretranspose { StateType::F32 } else { StateType::Bf16 };
        let stride = Some(u64::from(hv) * 16_384 + padding);
        let sizes = Sizes {
            b,
            t,
            h,
            hv,
            k: 128,
            v: 128,
            pool: POOL,
            stride,
            steps: Some(t + u32::from(cache)),
            state,
            update: true,
            cache_intermediate: cache,
        };
        let (read, write) = (slots[..b as usize].to_vec(), slots[b as usize..2 * b as usize].to_vec());
        Drawn { sizes, variant, read, write, subgroup_size, seed }
    })
}

/// What a launch left, by part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    /// By request.
    output: Vec<Vec<u8>>,
    /// By slot, with its padding.
    slots: Vec<Vec<u8>>,
    /// By request; empty where they are not cached.
    intermediate: Vec<Vec<u8>>,
}

fn parts(image: &Image, count: usize) -> Vec<Vec<u8>> {
    let bytes = image.to_vec();
    bytes.chunks(bytes.len() / count).map(<[u8]>::to_vec).collect()
}

fn left(case: &Case, outcome: &Outcome) -> Left {
    let image = |name: &str| {
        let position = case.launch.buffers.iter().position(|buffer| buffer.name == name);
        &outcome.buffers[position.expect("there is such a buffer")]
    };
    let requests = case.problem.shape().b() as usize;
    let cached = case.problem.shape().cache_intermediate();
    Left {
        output: parts(image("output"), requests),
        slots: parts(image("state_pool"), POOL as usize),
        intermediate: if cached { parts(image("intermediate_states"), requests) } else { Vec::new() },
    }
}

/// Runs a problem, which must be clean, and gives the pool before and everything after.
fn run(drawn: &Drawn, problem: Problem) -> (Vec<Vec<u8>>, Left) {
    let case = Case::of(problem, drawn.variant, Options::default(), drawn.subgroup_size).expect("there is a launch");
    let outcome = prove(&case.launch, &case.config).expect("it runs");
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    let pool = case.launch.buffers.iter().find(|buffer| buffer.name == "state_pool").expect("there is a pool");
    (parts(&Image::new(pool), POOL as usize), left(&case, &outcome))
}

fn problem(drawn: &Drawn, read: &[i32], write: &[i32]) -> Problem {
    let shape = Shape::new(drawn.sizes).expect("the sizes are valid");
    Problem::from_seed(shape, read, write, drawn.seed).expect("the indices are valid")
}

/// Elements `[B, rest]` in another order of requests.
fn permuted<T: Clone>(elements: &[T], order: &[usize]) -> Vec<T> {
    let rest = elements.len() / order.len();
    order.iter().flat_map(|&request| elements[request * rest..(request + 1) * rest].to_vec()).collect()
}

/// Token `token` of elements `[B, T, rest]`.
fn token_of<T: Clone>(elements: &[T], token: usize, b: usize, t: usize) -> Vec<T> {
    let rest = elements.len() / (b * t);
    (0..b).flat_map(|request| elements[(request * t + token) * rest..][..rest].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_single_pool_and_a_split_one_give_the_same_bits(drawn in drawn()) {
        let (_, single) = run(&drawn, problem(&drawn, &drawn.read, &drawn.read));
        let (before, split) = run(&drawn, problem(&drawn, &drawn.read, &drawn.write));
        prop_assert_eq!(&single.output, &split.output);
        prop_assert_eq!(&single.intermediate, &split.intermediate);
        let slot_bytes = Shape::new(drawn.sizes).expect("the sizes are valid").slot_bytes() as usize;
        for (&read, &write) in drawn.read.iter().zip(&drawn.write) {
            let (one, other) = (&single.slots[read as usize], &split.slots[write as usize]);
            prop_assert_eq!(&one[..slot_bytes], &other[..slot_bytes]);
        }
        // Slots that are only read, or not used, and the padding of all.
        for (slot, (before, after)) in (0..).zip(before.iter().zip(&split.slots)) {
            let from = if drawn.write.contains(&slot) { slot_bytes } else { 0 };
            prop_assert_eq!(&before[from..], &after[from..]);
        }
    }

    #[test]
    fn another_order_of_requests_gives_that_order_of_outputs(drawn in drawn(), turn in 1..3_usize) {
        let first = problem(&drawn, &drawn.read, &drawn.write);
        let mut order: Vec<usize> = (0..drawn.read.len()).collect();
        order.rotate_left(turn % drawn.read.len());
        let inputs = first.inputs();
        let turned = Inputs {
            q: permuted(&inputs.q, &order),
            k: permuted(&inputs.k, &order),
            v: permuted(&inputs.v, &order),
            a: permuted(&inputs.a, &order),
            b: permuted(&inputs.b, &order),
            read_indices: permuted(&inputs.read_indices, &order),
            write_indices: permuted(&inputs.write_indices, &order),
            ..inputs.clone()
        };
        let second = Problem::new(first.shape(), turned).expect("still valid");
        let ((_, first), (_, second)) = (run(&drawn, first), run(&drawn, second));
        prop_assert_eq!(permuted(&first.output, &order), second.output);
        prop_assert_eq!(first.slots, second.slots);
        if drawn.sizes.cache_intermediate {
            prop_assert_eq!(permuted(&first.intermediate, &order), second.intermediate);
        }
    }

    #[test]
    fn tokens_at_once_are_tokens_one_by_one_where_states_are_f32(drawn in drawn()) {
        let sizes = Sizes { state: StateType::F32, ..drawn.sizes };
        let drawn = Drawn { sizes, variant: Variant::Pretranspose, ..drawn };
        let at_once = problem(&drawn, &drawn.read, &drawn.read);
        let (b, t) = (drawn.sizes.b as usize, drawn.sizes.t as usize);
        let shape = Shape::new(Sizes { t: 1, ..drawn.sizes }).expect("the sizes are valid");
        let mut inputs = at_once.inputs().clone();
        let mut output = vec![Vec::new(); b];
        let mut last = Vec::new();
        for token in 0..t {
            let all = at_once.inputs();
            inputs.q = token_of(&all.q, token, b, t);
            inputs.k = token_of(&all.k, token, b, t);
            inputs.v = token_of(&all.v, token, b, t);
            inputs.a = token_of(&all.a, token, b, t);
            inputs.b = token_of(&all.b, token, b, t);
            let (_, left) = run(&drawn, Problem::new(shape, inputs.clone()).expect("still valid"));
            for (all, one) in output.iter_mut().zip(&left.output) {
                all.extend(one);
            }
            for (slot, bytes) in &mut inputs.states {
                let length = bytes.len();
                bytes.copy_from_slice(&left.slots[*slot as usize][..length]);
            }
            last = left.slots;
        }
        let (_, at_once) = run(&drawn, at_once);
        prop_assert_eq!(at_once.output, output);
        prop_assert_eq!(at_once.slots, last);
    }

    /// Any indices at all: the expectation says what is found, with the caller's check and without.
    #[test]
    fn whatever_the_indices_the_expectation_is_right(
        drawn in drawn(),
        read in prop::collection::vec(-2..11_i32, 3),
        write in prop::collection::vec(-2..11_i32, 3),
    ) {
        let shape = Shape::new(Sizes { h: 1, hv: 2, ..drawn.sizes });
        let shape = shape.or_else(|_| Shape::new(Sizes { h: 1, hv: 2, stride: None, ..drawn.sizes }));
        let shape = shape.expect("the sizes are valid");
        let requests = shape.b() as usize;
        let (read, write) = (&read[..requests], &write[..requests]);
        let checked = Problem::from_seed(shape, read, write, drawn.seed).is_ok();
        let problem = Problem::from_seed_unchecked(shape, read, write, drawn.seed).expect("as many as requests");
        let case = Case::of(problem, drawn.variant, Options::default(), drawn.subgroup_size).expect("there is a launch");
        let found = case.check_findings(as_it_is);
        prop_assert!(found.is_ok(), "{:?}", found.err());
        // What the caller's check lets through has no finding at all, and the model's bits.
        if checked {
            let checked = case.check(as_it_is);
            prop_assert!(checked.as_ref().is_ok_and(|outcome| super::checked::rules(outcome).is_empty()), "{:?}", checked.err());
        }
    }
}
