//! The problem's limits on both sides, the group rule, and the model against the oracle.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use gridproof_reference::resadd_norm_gemv_int4::model::{self, Outputs, Path};
use gridproof_reference::resadd_norm_gemv_int4::oracle::{Oracle, relative_error};
use gridproof_reference::resadd_norm_gemv_int4::problem::TENSOR_BYTES_LIMIT;
use gridproof_reference::resadd_norm_gemv_int4::{Inputs, Problem, Shape, UnquantisedWeights, tolerance};

const SHAPES: [(u32, u32); 21] = [
    (1, 512),
    (1, 2048),
    (1, 8192),
    (2, 512),
    (3, 1536),
    (5, 2560),
    (7, 4608),
    (33, 1024),
    (64, 5120),
    (127, 2048),
    (128, 512),
    (128, 2048),
    (128, 4608),
    (129, 2048),
    (129, 8192),
    (256, 3072),
    (512, 512),
    (512, 4608),
    (513, 512),
    (513, 2048),
    (513, 4608),
];

fn shape(n: u32, k: u32) -> Shape {
    Shape::new(n, k).unwrap_or_else(|error| panic!("{error}"))
}

fn profiles() -> [Arithmetic; 4] {
    let flush = |multiply_add| Arithmetic { multiply_add, denormals: Denormals::Flush };
    [Arithmetic::FUSED, Arithmetic::SEPARATE, flush(MultiplyAdd::Fused), flush(MultiplyAdd::Separate)]
}

fn check_refused(n: u32, k: u32, message: &str) {
    assert_eq!(Shape::new(n, k).map_err(|error| error.to_string()), Err(message.to_owned()));
}

#[test]
fn sizes_are_checked_on_both_sides_of_each_limit() {
    assert!(Shape::new(1, 512).is_ok());
    check_refused(0, 512, "n = 0: at least 1 output row is required");
    check_refused(1, 0, "k = 0: at least 512 input elements are required");
    check_refused(
        1,
        500,
        "k = 500 is not a multiple of 128: the last 116 elements would be a partial weight group without a scale",
    );
    check_refused(
        1,
        640,
        "k = 640 is not a multiple of 512: the last 128 elements would be dropped by the 512-wide loop",
    );
}

#[test]
fn byte_offsets_must_fit_in_32_bits() {
    // 16,777,215 rows of 256 bytes are 256 bytes short of 2^32.
    assert!(Shape::new(16_777_215, 512).is_ok());
    let limit = TENSOR_BYTES_LIMIT;
    let message = |n: u32, k: u32, tensor: &str, bytes: u64| {
        format!(
            "n = {n}, k = {k}: tensor `{tensor}` takes {bytes} bytes, more than the {limit} that 32-bit byte offsets reach"
        )
    };
    check_refused(16_777_216, 512, &message(16_777_216, 512, "weight", 1 << 32));
    assert!(Shape::new(1, (1 << 31) - 512).is_ok());
    check_refused(1, 1 << 31, &message(1, 1 << 31, "hidden", 1 << 32));
}

#[test]
fn a_tensor_of_the_wrong_length_is_named() {
    let good = Problem::from_seed(shape(3, 512), 1);
    assert!(Problem::new(good.shape(), good.inputs().clone()).is_ok());
    let check = |change: fn(&mut Inputs), message: &str| {
        let mut inputs = good.inputs().clone();
        change(&mut inputs);
        let refused = Problem::new(good.shape(), inputs).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(refused, Err(format!("tensor {message}")));
    };
    check(|i| i.hidden.push(0), "`hidden` has 513 elements, but n = 3, k = 512 ask for 512");
    check(|i| i.residual.clear(), "`residual` has 0 elements, but n = 3, k = 512 ask for 512");
    check(|i| i.norm_weight.truncate(511), "`norm_weight` has 511 elements, but n = 3, k = 512 ask for 512");
    check(|i| i.weight.truncate(767), "`weight` has 767 bytes, but n = 3, k = 512 ask for 768");
    check(|i| i.scale.push(0), "`scale` has 13 scales, but n = 3, k = 512 ask for 12");
}

#[test]
fn groups_follow_the_rule_and_its_halving() {
    let rows = [1, 128, 129, 512, 513, 8704];
    for (k, expected) in [
        (512, [2, 2, 2, 2, 1, 1]),
        (1024, [2, 2, 2, 2, 1, 1]),
        (1536, [2, 2, 2, 2, 1, 1]),
        (2048, [8, 8, 4, 4, 1, 1]),
        (2560, [4, 4, 4, 4, 1, 1]),
        (3072, [8, 8, 4, 4, 1, 1]),
        (4096, [8, 8, 4, 4, 1, 1]),
        (4608, [4, 4, 4, 4, 1, 1]),
        (5120, [8, 8, 4, 4, 1, 1]),
        (8192, [8, 8, 4, 4, 1, 1]),
    ] {
        assert_eq!(rows.map(|n| shape(n, k).groups()), expected, "k = {k}");
    }
}

#[test]
fn data_depends_on_the_seed_alone() {
    let problem = Problem::from_seed(shape(4, 1024), 9);
    assert_eq!(problem, Problem::from_seed(shape(4, 1024), 9));
    assert_ne!(problem, Problem::from_seed(shape(4, 1024), 10));
    let fewer = Problem::from_seed(shape(2, 1024), 9);
    assert_eq!(fewer.inputs().weight, problem.inputs().weight[..fewer.inputs().weight.len()]);
}

fn check_model(n: u32, k: u32, path: Path, arithmetic: Arithmetic) -> Outputs {
    let problem = Problem::from_seed(shape(n, k), u64::from(n * 31 + k));
    let outputs = model::run(&problem, path, arithmetic);
    let oracle = Oracle::quantised(&problem);
    if let Err(deviation) = tolerance::check(&problem, &oracle, &outputs, path) {
        panic!("n = {n}, k = {k}, {path:?}, {arithmetic}: {deviation}");
    }
    outputs
}

#[test]
fn the_model_stays_within_the_derived_bound() {
    for (n, k) in SHAPES {
        for path in [Path::Fused, Path::Split] {
            for arithmetic in profiles() {
                check_model(n, k, path, arithmetic);
            }
        }
    }
}

#[test]
fn the_bound_is_tight_enough_to_see_one_wrong_scale() {
    let problem = Problem::from_seed(shape(16, 2048), 3);
    let oracle = Oracle::quantised(&problem);
    let mut inputs = problem.inputs().clone();
    inputs.scale[5 * 16 + 3] ^= 0x8000;
    let damaged = Problem::new(problem.shape(), inputs).unwrap_or_else(|error| panic!("{error}"));
    for path in [Path::Fused, Path::Split] {
        let outputs = model::run(&damaged, path, Arithmetic::FUSED);
        let deviation = tolerance::check(&problem, &oracle, &outputs, path).expect_err("row 5 is wrong");
        assert_eq!((deviation.tensor, deviation.element), ("output", 5));
    }
}

#[test]
fn split_and_fused_differ_by_two_roundings() {
    let fused = check_model(512, 4096, Path::Fused, Arithmetic::FUSED);
    let split = check_model(512, 4096, Path::Split, Arithmetic::FUSED);
    assert_eq!(fused.residual, split.residual);
    assert_ne!(fused.normed_out, split.normed_out);
    assert_ne!(fused.output, split.output);
    let error = relative_error(&split.output_values(), &fused.output_values());
    assert!(error > 1e-5 && error < 1e-3, "relative error {error}");
}

#[test]
fn profiles_differ_in_bits_only_where_they_should() {
    let [fused, separate, fused_flush, separate_flush] =
        profiles().map(|arithmetic| check_model(513, 4608, Path::Fused, arithmetic));
    assert_ne!(fused, separate);
    assert_eq!(fused, fused_flush);
    assert_eq!(separate, separate_flush);
}

#[test]
fn quantisation_noise_is_about_a_tenth_and_a_garbled_row_about_a_third() {
    let (n, k, seed) = (256, 5120, 11);
    let problem = Problem::from_seed(shape(n, k), seed);
    let reference = Oracle::unquantised(&problem, UnquantisedWeights::new(problem.shape(), seed));
    let clean = model::run(&problem, Path::Fused, Arithmetic::FUSED);
    let error = relative_error(&clean.output_values(), &reference.output());
    assert!((0.09..0.11).contains(&error), "clean: {error}");

    // A late row finds the residual already updated.
    let mut inputs = problem.inputs().clone();
    let updated = clean.residual.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    inputs.residual = updated.collect();
    let late = Problem::new(problem.shape(), inputs).unwrap_or_else(|error| panic!("{error}"));
    let garbled = model::run(&late, Path::Fused, Arithmetic::FUSED);
    let error = relative_error(&garbled.output_values(), &reference.output());
    assert!((0.28..0.36).contains(&error), "garbled: {error}");
}

#[test]
fn outputs_have_the_layout_of_the_buffers() {
    let outputs = check_model(3, 512, Path::Split, Arithmetic::SEPARATE);
    let lengths = outputs.named().map(|(name, bytes)| (name, bytes.len()));
    assert_eq!(lengths, [("residual", 1024), ("output", 12), ("normed_out", 1024)]);
    assert!(outputs.output.chunks_exact(4).all(|word| word[2..] == [0, 0]));
}
