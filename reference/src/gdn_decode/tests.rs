//! The vectors of lanes against the model written for reading, on every bit.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::model::Machine;
use super::shape::{Shape, Sizes, StateType};
use super::{Inputs, L2Norm, Oracle, Outputs, Path, Problem, model, oracle, plain, tolerance};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

fn sizes(t: u32, state: StateType) -> Sizes {
    Sizes {
        b: 3,
        t,
        h: 1,
        hv: 2,
        k: 128,
        v: 128,
        pool: 9,
        stride: Some(2 * 128 * 128 + 8),
        steps: None,
        state,
        update: true,
        cache_intermediate: true,
    }
}

fn problem(sizes: Sizes) -> Problem {
    let shape = Shape::new(sizes).unwrap();
    // A skipped request or the null slot; a state that is written elsewhere.
    let read = if sizes.state == StateType::F32 { [3, 0, -1] } else { [3, -1, 8] };
    Problem::from_seed(shape, &read, &[3, 4, -2], 7).unwrap()
}

fn check(problem: &Problem) {
    for path in Path::ALL {
        for arithmetic in PROFILES {
            let fast = model::run(problem, path, arithmetic);
            let mut portable = Outputs::default();
            model::run_on(Machine::Any, problem, path, arithmetic, &mut portable);
            assert!(fast == portable, "{path:?}, portable, {arithmetic}, {:?}", problem.shape());
            for &tile_v in path.tiles() {
                let plain = plain::run(problem, path, tile_v, arithmetic);
                assert!(fast == plain, "{path:?}, {tile_v}, {arithmetic}, {:?}", problem.shape());
            }
        }
    }
}

#[test]
fn vectors_of_lanes_give_the_bits_of_single_lanes_whatever_the_tile() {
    for state in [StateType::Bf16, StateType::F32] {
        for t in [1, 2, 8] {
            check(&problem(sizes(t, state)));
        }
        check(&problem(Sizes { update: false, ..sizes(1, state) }));
        check(&problem(Sizes { cache_intermediate: false, ..sizes(1, state) }));
    }
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    let mut inputs = problem.inputs().clone();
    change(&mut inputs);
    Problem::new(problem.shape(), inputs).unwrap()
}

#[test]
fn they_do_so_with_denormals_and_where_profiles_differ() {
    for state in [StateType::Bf16, StateType::F32] {
        // Every third row has values and states of either side of 2^-126.
        let problem = changed(&problem(sizes(2, state)), |inputs| {
            for (index, bits) in inputs.v.iter_mut().enumerate() {
                *bits = if index % 128 % 3 == 0 { *bits & 0x80ff } else { *bits };
            }
            let size = state.bytes() as usize;
            for bytes in inputs.states.values_mut() {
                for (index, bytes) in bytes.chunks_exact_mut(size).enumerate() {
                    bytes[size - 1] &= if index / 128 % 128 % 3 == 0 { 0x80 } else { 0xff };
                }
            }
        });
        check(&problem);
        let outputs = PROFILES.map(|arithmetic| model::run(&problem, Path::WideVec, arithmetic));
        for (first, second) in [(0, 1), (0, 2), (1, 3)] {
            assert!(outputs[first] != outputs[second], "{state:?}: the data does not tell profiles apart");
        }
    }
}

#[test]
fn orders_of_summation_differ() {
    let problem = problem(sizes(1, StateType::F32));
    let outputs = Path::ALL.map(|path| model::run(&problem, path, Arithmetic::FUSED));
    assert!(outputs[0] != outputs[1]);
    assert!(outputs[1] != outputs[2]);
    assert!(outputs[0] != outputs[2]);
}

/// The largest share of the bound that the error of a final f32 state takes up, over seeds.
fn largest_share(path: Path, arithmetic: Arithmetic) -> f64 {
    let sizes = Sizes { b: 1, t: 8, h: 1, hv: 1, stride: None, ..sizes(8, StateType::F32) };
    let share = |seed| {
        let problem = Problem::from_seed(Shape::new(sizes).unwrap(), &[1], &[1], seed).unwrap();
        let arguments: Vec<_> = (0..8).map(|token| oracle::arguments(&problem, 0, token, 0)).collect();
        let first = oracle::first_state(&problem, 0, 0);
        let (_, bounds) = tolerance::bounds(&arguments, &first, path);
        let exact = Oracle::new(&problem, L2Norm::RsqrtOfSumPlusEps);
        let actual = oracle::numbers(&model::run(&problem, path, arithmetic).states[&1], StateType::F32);
        let errors = actual.iter().zip(&exact.states[&0]).map(|(actual, exact)| (actual - exact).abs());
        errors.zip(bounds).map(|(error, bound)| error / bound).fold(0.0, f64::max)
    };
    (0..8).map(share).fold(0.0, f64::max)
}

#[test]
fn the_derived_bound_is_not_far_above_the_errors() {
    for path in Path::ALL {
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let share = largest_share(path, arithmetic);
            assert!((0.1..=1.0).contains(&share), "{path:?}, {arithmetic}: {share}");
        }
    }
}
