//! The derived bound holds for every path and profile, and turns red for the mistakes that kernels make.

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_decode::model::{self, Outputs};
use gridproof_reference::gdn_decode::tolerance::{Deviation, check};
use gridproof_reference::gdn_decode::{Inputs, Path, Problem, Sizes, StateType};
use gridproof_reference::numerics::half::f32_to_bf16;

use super::{PROFILES, changed, paths, seeded, sizes, with_own_key_heads};

const BOTH: [StateType; 2] = [StateType::Bf16, StateType::F32];

fn problem(state: StateType) -> Problem {
    seeded(sizes(state), &[1, 4], &[2, 4], 5)
}

fn check_holds(problem: &Problem) {
    for path in Path::ALL {
        for arithmetic in PROFILES {
            let outputs = model::run(problem, path, arithmetic);
            assert_eq!(check(problem, &outputs, path), Ok(()), "{path:?}, {arithmetic}");
        }
    }
}

#[test]
fn it_holds_for_random_problems() {
    for state in BOTH {
        for (seed, t) in [(1, 1), (2, 2), (3, 8)] {
            check_holds(&seeded(Sizes { t, ..sizes(state) }, &[1, 4], &[2, -1], seed));
        }
        check_holds(&seeded(sizes(state), &[-1, -1], &[-1, -1], 4));
        check_holds(&seeded(Sizes { update: false, ..sizes(state) }, &[-1, 3], &[-1, 3], 5));
    }
}

/// Sets the gates of `inputs` so that a + dt_bias is `x` and the decay's factor e^`a_log`.
fn set_gates(inputs: &mut Inputs, x: f32, a_log: f32) {
    inputs.a.fill(0);
    inputs.dt_bias.fill(x);
    inputs.a_log.fill(a_log);
}

#[test]
fn it_holds_for_extreme_gates() {
    for state in BOTH {
        for x in [-100.0, -87.4, 19.99, 20.0, 20.01, 88.0, 89.0, 100.0] {
            // Factors of 16, 1 and 0.001: the last keeps the decay away from 0 for large x.
            for a_log in [2.772_588_7, 0.0, -6.907_755_4] {
                let small = Sizes { h: 1, hv: 1, ..sizes(state) };
                check_holds(&changed(&seeded(small, &[1, 2], &[1, 2], 6), |inputs| set_gates(inputs, x, a_log)));
            }
        }
    }
}

#[test]
fn it_holds_for_rows_of_zeros_and_of_norm_a_thousandth() {
    for state in BOTH {
        for (q, k) in [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1e-3, 1e-3), (1e-3, 1.0), (1e-20, 1e-20)] {
            check_holds(&changed(&problem(state), |inputs| {
                set_gates(inputs, -2.0, 0.0);
                for (tensor, length) in [(&mut inputs.q, q), (&mut inputs.k, k)] {
                    for (index, bits) in tensor.iter_mut().enumerate() {
                        *bits = f32_to_bf16(if index % 3 == 0 { -length } else { length } / 11.313_708);
                    }
                }
            }));
        }
    }
}

#[test]
fn it_holds_beside_denormals_and_says_nothing_of_overflow() {
    for state in BOTH {
        // Denormal values and states.
        check_holds(&changed(&problem(state), |inputs| {
            inputs.v.iter_mut().for_each(|bits| *bits &= 0x807f);
            let size = state.bytes() as usize;
            let elements = inputs.states.values_mut().flat_map(|bytes| bytes.chunks_exact_mut(size));
            elements.for_each(|bytes| bytes[size - 1] &= 0x80);
        }));
        check_holds(&changed(&problem(state), |inputs| inputs.k.fill(f32_to_bf16(3e38))));
        check_holds(&changed(&problem(state), |inputs| inputs.v.fill(f32_to_bf16(f32::NAN))));
    }
}

/// Runs every path on `wrong` and checks what comes out as outputs of `right`; returns the tensors found wrong.
fn found(right: &Problem, wrong: &Problem) -> Vec<&'static str> {
    let tensor = |&path: &Path| {
        let outputs = model::run(wrong, path, Arithmetic::FUSED);
        match check(right, &outputs, path).expect_err("the outputs are wrong") {
            Deviation::Value { place, .. } => place.tensor,
            length @ Deviation::Length { .. } => panic!("{length}"),
        }
    };
    paths(right.shape().state()).iter().map(tensor).collect()
}

/// A problem in which each error below matters: decays between 0 and 1, states of size 1.
fn sensitive(state: StateType) -> Problem {
    changed(&problem(state), |inputs| inputs.a_log.fill(-1.0))
}

#[test]
fn a_wrong_token_is_found() {
    for state in BOTH {
        let right = sensitive(state);
        for tensor in [
            (|inputs| (&mut inputs.q, 2 * 128)) as fn(&mut Inputs) -> (&mut Vec<u16>, usize),
            |inputs| (&mut inputs.k, 2 * 128),
            |inputs| (&mut inputs.v, 4 * 128),
            |inputs| (&mut inputs.a, 4),
            |inputs| (&mut inputs.b, 4),
        ] {
            let wrong = changed(&right, |inputs| {
                let (tensor, width) = tensor(inputs);
                // The first request takes the second token's row for the first.
                let (first, second) = tensor.split_at_mut(width);
                first.copy_from_slice(&second[..width]);
            });
            found(&right, &wrong);
        }
    }
}

#[test]
fn a_wrong_key_head_is_found() {
    for state in BOTH {
        let right = sensitive(state);
        // Heads 0..4 take key heads 0, 1, 0, 1 in place of 0, 0, 1, 1.
        let wrong = with_own_key_heads(&right, |hv| hv % 2);
        let path = paths(state)[0];
        let deviation =
            check(&right, &model::run(&wrong, path, Arithmetic::FUSED), path).expect_err("heads are swapped");
        assert!(matches!(deviation, Deviation::Value { place, .. } if place.hv == 1), "{deviation}");
        let same = with_own_key_heads(&right, |hv| hv / 2);
        assert_eq!(check(&right, &model::run(&same, path, Arithmetic::FUSED), path), Ok(()));
    }
}

#[test]
fn a_missing_decay_is_found() {
    for state in BOTH {
        let right = sensitive(state);
        found(&right, &changed(&right, |inputs| inputs.a_log.fill(-100.0)));
        // Even where it is a hundredth.
        let slow = changed(&right, |inputs| inputs.a_log.fill(-5.0));
        found(&slow, &changed(&slow, |inputs| inputs.a_log.fill(-100.0)));
    }
}

/// Every head of a state with V and K swapped.
fn transpose(bytes: &mut [u8], size: usize) {
    let elements: Vec<Vec<u8>> = bytes.chunks_exact(size).map(<[u8]>::to_vec).collect();
    for (index, element) in bytes.chunks_exact_mut(size).enumerate() {
        let (head, v, k) = (index / 16_384, index / 128 % 128, index % 128);
        element.copy_from_slice(&elements[head * 16_384 + k * 128 + v]);
    }
}

#[test]
fn swapped_v_and_k_are_found_on_the_way_in_and_on_the_way_out() {
    for state in BOTH {
        let (right, size) = (sensitive(state), state.bytes() as usize);
        let wrong = changed(&right, |inputs| inputs.states.values_mut().for_each(|bytes| transpose(bytes, size)));
        found(&right, &wrong);
        check_damaged(&right, "state_pool", |outputs| {
            outputs.states.values_mut().for_each(|bytes| transpose(bytes, size));
        });
    }
}

/// Damages the outputs of every path; the first deviation must be in `tensor`.
fn check_damaged(problem: &Problem, tensor: &str, damage: impl Fn(&mut Outputs)) {
    for &path in paths(problem.shape().state()) {
        let mut outputs = model::run(problem, path, Arithmetic::FUSED);
        damage(&mut outputs);
        let deviation = check(problem, &outputs, path).expect_err("damaged");
        assert!(matches!(deviation, Deviation::Value { place, .. } if place.tensor == tensor), "{deviation}");
    }
}

#[test]
fn small_damage_is_found() {
    for state in BOTH {
        let problem = sensitive(state);
        // A NaN, as of a softplus without branches; two units in the last place; a row that was left alone.
        check_damaged(&problem, "output", |outputs| outputs.output[..2].copy_from_slice(&[0xc0, 0x7f]));
        check_damaged(&problem, "output", |outputs| outputs.output[400] ^= 2);
        check_damaged(&problem, "output", |outputs| outputs.output[256..512].fill(0));
        check_damaged(&problem, "state_pool", |outputs| {
            let (before, after) = (&problem.inputs().states[&1], outputs.states.get_mut(&2).expect("written"));
            after[..256].copy_from_slice(&before[..256]);
        });
        // The step after.
        check_damaged(&problem, "intermediate_states", |outputs| {
            let slot = problem.shape().slot_bytes() as usize;
            outputs.intermediate.values_mut().for_each(|bytes| bytes.copy_within(slot..2 * slot, 0));
        });
    }
    // In f32, where no rounding to bf16 hides it: 2^-17 of one element.
    check_damaged(&sensitive(StateType::F32), "state_pool", |outputs| {
        let bytes = outputs.states.get_mut(&4).expect("written");
        bytes[4 * 77] ^= 0x80;
    });
}

#[test]
fn a_skipped_request_must_leave_zeros() {
    let problem = seeded(sizes(StateType::F32), &[-1, 4], &[2, 4], 5);
    check_damaged(&problem, "output", |outputs| outputs.output[7] = 0x30);
}

#[test]
fn what_is_unspecified_is_not_checked() {
    let problem = seeded(Sizes { b: 3, ..sizes(StateType::Bf16) }, &[-1, 3, -1], &[-1, 3, -1], 5);
    let mut outputs = model::run(&problem, Path::Ilp4, Arithmetic::FUSED);
    let request = 3 * 4 * 128 * 2;
    outputs.output[..request].fill(0x7f);
    outputs.output[2 * request..].fill(0x7f);
    assert_eq!(check(&problem, &outputs, Path::Ilp4), Ok(()));
    outputs.output[request..2 * request].fill(0x7f);
    assert!(check(&problem, &outputs, Path::Ilp4).is_err());
}

#[test]
fn missing_and_superfluous_buffers_are_named() {
    let problem = problem(StateType::F32);
    let check_words = |damage: fn(&mut Outputs), message: &str| {
        let mut outputs = model::run(&problem, Path::Pretranspose, Arithmetic::FUSED);
        damage(&mut outputs);
        let refused = check(&problem, &outputs, Path::Pretranspose).map_err(|error| error.to_string());
        assert_eq!(refused, Err(message.to_owned()));
    };
    check_words(|o| o.output.truncate(6143), "`output` of all requests has 6143 bytes, 6144 are expected");
    check_words(|o| drop(o.states.remove(&2)), "`state_pool` of slot 2 has 0 bytes, 262144 are expected");
    check_words(
        |o| drop(o.states.insert(1, vec![0; 262_144])),
        "`state_pool` of slot 1 has 262144 bytes, 0 are expected",
    );
    check_words(
        |o| o.intermediate.values_mut().for_each(|bytes| bytes.truncate(9)),
        "`intermediate_states` of request 0 has 9 bytes, 786432 are expected",
    );
    check_words(
        |o| drop(o.intermediate.insert(2, vec![1])),
        "`intermediate_states` of request 2 has 1 bytes, 0 are expected",
    );
}

#[test]
fn a_deviation_says_where_and_how_far() {
    let problem = problem(StateType::F32);
    let mut outputs = model::run(&problem, Path::Pretranspose, Arithmetic::FUSED);
    outputs.output[2 * (4 * 128 + 5)..][..2].copy_from_slice(&f32_to_bf16(1_073_741_824.0).to_le_bytes());
    let words = check(&problem, &outputs, Path::Pretranspose).expect_err("far off").to_string();
    let start = "`output` of request 0, token 1, value head 0, v = 5 is 1073741824, the oracle says ";
    assert!(words.starts_with(start) && words.contains(" with an error of at most "), "{words}");
}
