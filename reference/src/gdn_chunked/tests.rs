//! The model against one written invocation by invocation, on every bit; and how much of the bound its errors take up.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::plain::plain;
use super::{Bound, Bounds, Decay, Inputs, Path, Problem, Scratch, Shape, Sizes, StateKind, model};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

fn problem(lengths: &[u32], [h, hv]: [u32; 2], c: u32, decay: Decay, seed: u64) -> Problem {
    let sizes = Sizes { lengths: lengths.to_vec(), h, hv, k: 128, v: 128, d: 256, c };
    Problem::from_seed(Shape::new(sizes).unwrap(), decay, StateKind::Random, seed)
}

/// The tensors that `path` has.
fn without_missing(scratch: Scratch, path: Path) -> Scratch {
    match path {
        Path::Chunked => scratch,
        Path::Serial => Scratch { gamma: vec![], w: vec![], u: vec![], attention: vec![], residual: vec![], ..scratch },
    }
}

fn check_bits(problem: &Problem, arithmetic: Arithmetic, subgroup: usize) {
    for path in Path::ALL {
        let (outputs, scratch) = model::run_with_scratch(problem, path, arithmetic);
        let (expected, expected_scratch) = plain(problem, path, arithmetic, subgroup);
        assert!(scratch == without_missing(expected_scratch, path), "{path:?}, {arithmetic}, {subgroup}");
        assert!(outputs == expected, "{path:?}, {arithmetic}, {subgroup}");
        assert!(outputs == model::run(problem, path, arithmetic));
    }
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    let mut inputs = problem.inputs().clone();
    change(&mut inputs);
    Problem::new(problem.shape().clone(), inputs).unwrap()
}

#[test]
fn the_model_gives_the_bits_of_single_invocations() {
    for (c, decay) in [(16, Decay::Normal), (32, Decay::Strong), (64, Decay::Normal)] {
        let problem = problem(&[c + 3, 1, 2, c], [1, 3], c, decay, u64::from(c));
        check_bits(&problem, PROFILES[0], 32);
        check_bits(&problem, PROFILES[1], 8);
    }
    check_bits(&problem(&[19, 5], [2, 4], 16, Decay::Strong, 9), Arithmetic::FUSED, 16);
}

#[test]
fn the_bits_agree_where_denormals_appear() {
    // Every third channel and every third element of the state is so small that squares and products are denormals.
    let small = changed(&problem(&[17], [1, 2], 16, Decay::Normal, 3), |inputs| {
        for tensor in [&mut inputs.conv_weight, &mut inputs.state, &mut inputs.w_beta] {
            tensor.iter_mut().step_by(3).for_each(|x| *x *= 1e-37);
        }
        inputs.a_log.fill(2.0);
        inputs.dt_bias.fill(10.0);
    });
    PROFILES.into_iter().for_each(|arithmetic| check_bits(&small, arithmetic, 32));
}

#[test]
fn the_data_tells_profiles_and_paths_apart() {
    let problem = problem(&[20], [1, 2], 16, Decay::Normal, 4);
    let [chunked, serial] = Path::ALL.map(|path| model::run(&problem, path, Arithmetic::FUSED));
    assert!(chunked != serial);
    assert!(chunked != model::run(&problem, Path::Chunked, Arithmetic::SEPARATE));
    assert!(serial != model::run(&problem, Path::Serial, Arithmetic::SEPARATE));
}

/// The largest share of the bound that an error takes up.
fn largest_share(bounds: &[Bound], actual: &[f32]) -> f64 {
    assert_eq!(bounds.len(), actual.len());
    let errors = bounds.iter().zip(actual).map(|(bound, &x)| (f64::from(x) - bound.value).abs() / bound.error);
    errors.fold(0.0, f64::max)
}

/// What of the bounds the errors of outputs before norm and gate, of outputs, and of states take up.
fn shares(problem: &Problem, path: Path, arithmetic: Arithmetic) -> [f64; 3] {
    let bounds = Bounds::new(problem, path);
    let (outputs, scratch) = model::run_with_scratch(problem, path, arithmetic);
    let pairs = [(&bounds.core, &scratch.core), (&bounds.output, &outputs.output), (&bounds.state, &outputs.state)];
    pairs.map(|(bounds, actual)| largest_share(bounds, actual))
}

#[test]
fn the_derived_bound_is_not_far_above_the_errors() {
    for path in Path::ALL {
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let one = shares(&problem(&[1, 1, 1], [1, 4], 16, Decay::Normal, 5), path, arithmetic);
            assert!(one.iter().all(|share| (0.03..=1.0).contains(share)), "{path:?}, {arithmetic}: {one:?}");
            let many = shares(&problem(&[40, 3], [1, 2], 32, Decay::Strong, 5), path, arithmetic);
            assert!(many.iter().all(|share| (0.02..=1.0).contains(share)), "{path:?}, {arithmetic}: {many:?}");
        }
    }
}
