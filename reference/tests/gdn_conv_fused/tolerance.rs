//! The derived bound holds for every profile and the heads in production, and turns red for the mistakes that kernels
//! make.

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_conv_fused::model::run;
use gridproof_reference::gdn_conv_fused::oracle::numbers;
use gridproof_reference::gdn_conv_fused::tolerance::{Deviation, Place, check};
use gridproof_reference::gdn_conv_fused::{Inputs, Outputs, Problem, Sizes};
use gridproof_reference::numerics::half::{f16_to_f32, f32_to_f16};

use super::{LAYOUTS, PROFILES, SIZES, changed, resized, seeded, with_own_key_heads};

fn problem() -> Problem {
    seeded(SIZES, &[1, 4], 5)
}

fn check_holds(problem: &Problem) {
    for arithmetic in PROFILES {
        assert_eq!(check(problem, &run(problem, arithmetic)), Ok(()), "{arithmetic}, {:?}", problem.shape());
    }
}

#[test]
fn it_holds_for_the_heads_in_production() {
    let heads = [(16, 16), (16, 32), (16, 48), (16, 64), (8, 32), (4, 16), (2, 8), (1, 4), (8, 16), (4, 8), (2, 4)];
    for layout in LAYOUTS {
        for (h, hv) in heads.into_iter().chain([(8, 24), (4, 12), (2, 6)]) {
            let problem = seeded(Sizes { n: 1, h, hv, layout, ..SIZES }, &[3], u64::from(hv));
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                assert_eq!(check(&problem, &run(&problem, arithmetic)), Ok(()), "{arithmetic}, {h}/{hv}, {layout:?}");
            }
        }
    }
}

#[test]
fn it_holds_for_random_problems() {
    for layout in LAYOUTS {
        for (seed, indices) in [[1, 4], [0, -1], [-1, -1]].into_iter().enumerate() {
            check_holds(&seeded(Sizes { layout, ..SIZES }, &indices, seed as u64));
        }
    }
}

/// Whether everything is a number, and no infinity.
fn is_finite(outputs: &Outputs) -> bool {
    let states = outputs.conv_states.values().chain(outputs.ssm_states.values());
    states.chain([&outputs.output, &outputs.z_out]).all(|bytes| numbers(bytes).into_iter().all(f64::is_finite))
}

#[test]
fn it_holds_for_extreme_gates_and_nothing_is_nan() {
    for x in [-100.0, -87.4, 19.98, 20.0, 20.02, 88.0, 89.0, 100.0] {
        // Factors of 16, 1 and 0.001: the last keeps the decay away from 0 for large x.
        for a_log in [2.772, 0.0, -6.906] {
            for b in [-100.0, 0.0, 100.0] {
                let extreme = changed(&seeded(Sizes { h: 1, hv: 1, ..SIZES }, &[1, 2], 6), |inputs| {
                    inputs.ba = [b, 0.0].map(f32_to_f16).repeat(2);
                    inputs.dt_bias.fill(f32_to_f16(x));
                    inputs.a_log.fill(f32_to_f16(a_log));
                });
                check_holds(&extreme);
                assert!(is_finite(&run(&extreme, Arithmetic::FUSED)), "{x}, {a_log}, {b}");
            }
        }
    }
}

#[test]
fn it_holds_where_silu_is_flat_or_steep_and_nothing_is_nan() {
    for y in [-1000.0, -104.0, -92.0, -88.0, -20.0, -1.28, 0.0, 2.4, 88.0, 104.0, 1000.0] {
        let steep = changed(&problem(), |inputs| inputs.conv_bias.fill(f32_to_f16(y)));
        check_holds(&steep);
        assert!(is_finite(&run(&steep, Arithmetic::FUSED)), "{y}");
    }
}

/// Makes q and k of all heads, before SiLU, numbers of these magnitudes, whatever the tokens.
fn set_keys(inputs: &mut Inputs, q: f32, k: f32) {
    for (channel, bias) in inputs.conv_bias.iter_mut().enumerate().take(512) {
        inputs.conv_weight[channel * 4..channel * 4 + 4].fill(0);
        let length = if channel < 256 { q } else { k };
        *bias = f32_to_f16(if channel % 3 == 0 { -length } else { length });
    }
}

#[test]
fn it_holds_for_rows_of_zeros_and_of_norm_a_thousandth() {
    // SiLU halves small numbers, and 128 of them are 11.3 times as long.
    let thousandth = 2e-3 / 11.313_708;
    for (q, k) in [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (thousandth, thousandth), (thousandth, 1.0), (6e-8, 6e-8)] {
        let short = changed(&problem(), |inputs| set_keys(inputs, q, k));
        check_holds(&short);
        assert!(is_finite(&run(&short, Arithmetic::FUSED)), "{q}, {k}");
    }
}

#[test]
fn it_holds_beside_denormals_and_says_nothing_of_overflow() {
    // Values and states that are denormals of f16.
    check_holds(&changed(&problem(), |inputs| {
        inputs.conv_bias.iter_mut().for_each(|bits| *bits &= 0x83ff);
        inputs.conv_weight.iter_mut().for_each(|bits| *bits &= 0x83ff);
        let elements = inputs.ssm_states.values_mut().flat_map(|bytes| bytes.chunks_exact_mut(2));
        elements.for_each(|bytes| bytes[1] &= 0x83);
    }));
    let infinity = 0x7c00;
    for bits in [infinity, 0x7e00, f32_to_f16(65_504.0)] {
        check_holds(&changed(&problem(), |inputs| inputs.qkvz.fill(bits)));
        check_holds(&changed(&problem(), |inputs| {
            let elements = inputs.ssm_states.values_mut().flat_map(|bytes| bytes.as_chunks_mut().0);
            elements.for_each(|bytes: &mut [u8; 2]| *bytes = bits.to_le_bytes());
        }));
    }
}

/// A problem in which each error below matters: decays between 0 and 1, states of size 1.
fn sensitive() -> Problem {
    changed(&problem(), |inputs| {
        inputs.a_log.fill(f32_to_f16(-1.0));
        for bytes in inputs.ssm_states.values_mut().flat_map(|bytes| bytes.as_chunks_mut().0) {
            *bytes = f32_to_f16(10.0 * f16_to_f32(u16::from_le_bytes(*bytes))).to_le_bytes();
        }
    })
}

/// Checks what a launch of `wrong` leaves as outputs of `right`; returns where it is found wrong.
fn found(right: &Problem, wrong: &Problem) -> Place {
    found_in(right, &run(wrong, Arithmetic::FUSED))
}

fn found_in(right: &Problem, outputs: &Outputs) -> Place {
    match check(right, outputs).expect_err("the outputs are wrong") {
        Deviation::Value { place, .. } | Deviation::Copy { place, .. } => place,
        length @ Deviation::Length { .. } => panic!("{length}"),
    }
}

/// The outputs of `wrong`, with the copies that a launch of `right` makes.
fn with_copies(right: &Problem, wrong: &Problem) -> Outputs {
    let Outputs { z_out, conv_states, .. } = run(right, Arithmetic::FUSED);
    Outputs { z_out, conv_states, ..run(wrong, Arithmetic::FUSED) }
}

fn check_found_by_value(right: &Problem, change: impl FnOnce(&mut Inputs)) {
    let place = found_in(right, &with_copies(right, &changed(right, change)));
    assert!(matches!(place, Place::Output { .. } | Place::State { .. }), "{place}");
}

#[test]
fn a_convolution_over_the_wrong_tokens_is_found() {
    let right = sensitive();
    // The race: rows that were shifted before they were read.
    check_found_by_value(&right, |inputs| inputs.conv_states = run(&right, Arithmetic::FUSED).conv_states);
    // Taps in the other order; without the new token; without a bias.
    check_found_by_value(&right, |inputs| {
        inputs.conv_weight.as_chunks_mut::<4>().0.iter_mut().for_each(|taps| taps.reverse());
    });
    check_found_by_value(&right, |inputs| {
        inputs.conv_weight.as_chunks_mut::<4>().0.iter_mut().for_each(|taps| taps[3] = 0);
    });
    check_found_by_value(&right, |inputs| inputs.conv_bias.fill(0));
    // One channel of k.
    check_found_by_value(&right, |inputs| inputs.conv_bias[256 + 5] = f32_to_f16(1.0));
}

#[test]
fn wrong_gates_are_found() {
    let right = sensitive();
    check_found_by_value(&right, |inputs| inputs.ba.rotate_right(1));
    check_found_by_value(&right, |inputs| {
        inputs.ba.as_chunks_mut::<8>().0.iter_mut().for_each(|gates| gates.rotate_left(4));
    });
    check_found_by_value(&right, |inputs| inputs.dt_bias.fill(0));
    // A missing decay, even where it is a hundredth.
    check_found_by_value(&right, |inputs| inputs.a_log.fill(f32_to_f16(-100.0)));
    let slow = changed(&right, |inputs| inputs.a_log.fill(f32_to_f16(-4.0)));
    check_found_by_value(&slow, |inputs| inputs.a_log.fill(f32_to_f16(-100.0)));
}

#[test]
fn a_wrong_key_head_is_found() {
    let right = sensitive();
    // Heads 0..4 take key heads 0, 1, 0, 1 in place of 0, 0, 1, 1.
    let wrong = with_copies(&right, &with_own_key_heads(&right, |hv| hv % 2));
    assert_eq!(found_in(&right, &wrong), Place::Output { request: 0, hv: 1, v: 0 });
    let same = with_copies(&right, &with_own_key_heads(&right, |hv| hv / 2));
    assert_eq!(check(&right, &same), Ok(()));
}

#[test]
fn the_wrong_layout_is_found() {
    for (layout, other) in [(LAYOUTS[0], LAYOUTS[1]), (LAYOUTS[1], LAYOUTS[0])] {
        let right = resized(&sensitive(), |sizes| sizes.layout = layout, |_| {});
        let wrong = resized(&right, |sizes| sizes.layout = other, |_| {});
        assert!(matches!(found(&right, &wrong), Place::Z { .. }));
        let place = found_in(&right, &with_copies(&right, &wrong));
        assert!(matches!(place, Place::Output { request: 0, .. }), "{place}");
    }
}

/// Every head of a state with V and K swapped.
fn transpose(bytes: &mut [u8]) {
    let elements: Vec<[u8; 2]> = bytes.as_chunks().0.to_vec();
    for (index, element) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
        let (head, v, k) = (index / 16_384, index / 128 % 128, index % 128);
        *element = elements[head * 16_384 + k * 128 + v];
    }
}

#[test]
fn swapped_v_and_k_are_found_on_the_way_in_and_on_the_way_out() {
    let right = sensitive();
    check_found_by_value(&right, |inputs| inputs.ssm_states.values_mut().for_each(|bytes| transpose(bytes)));
    let place = damaged(&right, |outputs| outputs.ssm_states.values_mut().for_each(|bytes| transpose(bytes)));
    assert!(matches!(place, Place::State { .. }), "{place}");
}

/// Where outputs are found wrong after `damage`.
fn damaged(problem: &Problem, damage: impl FnOnce(&mut Outputs)) -> Place {
    let mut outputs = run(problem, Arithmetic::FUSED);
    damage(&mut outputs);
    found_in(problem, &outputs)
}

#[test]
fn small_damage_is_found() {
    let problem = sensitive();
    let output = |request, hv, v| Place::Output { request, hv, v };
    // A NaN, as of a softplus without branches; two units in the last place; a row that was left alone.
    assert_eq!(damaged(&problem, |outputs| outputs.output[..2].copy_from_slice(&[0, 0x7e])), output(0, 0, 0));
    assert_eq!(damaged(&problem, |outputs| outputs.output[2 * (512 + 128 + 3)] ^= 2), output(1, 1, 3));
    assert_eq!(damaged(&problem, |outputs| outputs.output[256..512].fill(0)), output(0, 1, 0));
    let place = damaged(&problem, |outputs| {
        let (before, after) = (&problem.inputs().ssm_states[&4], outputs.ssm_states.get_mut(&4).expect("written"));
        after[256 * 200..256 * 201].copy_from_slice(&before[256 * 200..256 * 201]);
    });
    assert!(matches!(place, Place::State { request: 1, hv: 1, v: 72, .. }), "{place}");
}

#[test]
fn a_copy_must_be_equal_in_every_bit() {
    let problem = sensitive();
    let conv = |request, row, channel| Place::Conv { request, row, channel };
    let z = damaged(&problem, |outputs| outputs.z_out[2 * (512 + 256 + 9)] ^= 1);
    assert_eq!(z, Place::Z { request: 1, hv: 2, v: 9 });
    let state = |outputs: &mut Outputs, place: usize| outputs.conv_states.get_mut(&4).expect("written")[2 * place] ^= 1;
    assert_eq!(damaged(&problem, |outputs| state(outputs, 1023)), conv(1, 0, 1023));
    assert_eq!(damaged(&problem, |outputs| state(outputs, 1024)), conv(1, 1, 0));
    assert_eq!(damaged(&problem, |outputs| state(outputs, 2 * 1024 + 7)), conv(1, 2, 7));
    // Not shifted at all, and shifted three times.
    let before = problem.inputs().conv_states.clone();
    assert_eq!(damaged(&problem, |outputs| outputs.conv_states = before), conv(0, 0, 0));
    let thrice = |outputs: &mut Outputs| {
        for bytes in outputs.conv_states.values_mut() {
            bytes.copy_within(4096.., 0);
            bytes.copy_within(4096.., 2048);
        }
    };
    assert_eq!(damaged(&problem, thrice), conv(0, 0, 0));
}

#[test]
fn a_request_without_a_state_must_leave_zeros() {
    let problem = seeded(SIZES, &[-1, 4], 5);
    assert_eq!(damaged(&problem, |o| o.output[14] = 0x30), Place::Output { request: 0, hv: 0, v: 7 });
}

#[test]
fn what_is_unspecified_is_not_checked() {
    let sizes = Sizes { n: 4, ..SIZES };
    let problem = Problem::from_seed_unchecked(super::shape(sizes), &[2, 5, 2, 1], 5).expect("lengths fit");
    let mut outputs = run(&problem, Arithmetic::FUSED);
    outputs.output[..3 * 1024].fill(0x7f);
    assert_eq!(check(&problem, &outputs), Ok(()));
    outputs.output[3 * 1024..].fill(0x7f);
    assert_eq!(found_in(&problem, &outputs), Place::Output { request: 3, hv: 0, v: 0 });
}

#[test]
fn missing_and_superfluous_buffers_are_named() {
    let problem = problem();
    let check_words = |damage: fn(&mut Outputs), message: &str| {
        let mut outputs = run(&problem, Arithmetic::FUSED);
        damage(&mut outputs);
        assert_eq!(check(&problem, &outputs).map_err(|error| error.to_string()), Err(message.to_owned()));
    };
    check_words(|o| o.output.truncate(2047), "`output` of all requests has 2047 bytes, 2048 are expected");
    check_words(|o| o.z_out.push(0), "`z_out` of all requests has 2049 bytes, 2048 are expected");
    check_words(|o| drop(o.conv_states.remove(&4)), "`conv_state` of slot 4 has 0 bytes, 6144 are expected");
    check_words(
        |o| drop(o.conv_states.insert(2, vec![0; 6144])),
        "`conv_state` of slot 2 has 6144 bytes, 0 are expected",
    );
    check_words(
        |o| o.ssm_states.values_mut().for_each(|bytes| bytes.truncate(9)),
        "`ssm_state` of slot 1 has 9 bytes, 131072 are expected",
    );
    check_words(|o| drop(o.ssm_states.insert(0, vec![1])), "`ssm_state` of slot 0 has 1 bytes, 0 are expected");
}

#[test]
fn a_deviation_says_where_and_how_far() {
    let problem = problem();
    let words = |damage: fn(&mut Outputs)| {
        let mut outputs = run(&problem, Arithmetic::FUSED);
        damage(&mut outputs);
        check(&problem, &outputs).expect_err("far off").to_string()
    };
    let value = words(|outputs| outputs.output[2 * (512 + 128 + 5)..][..2].copy_from_slice(&[0, 0x78]));
    let start = "`output` of request 1, value head 1, v = 5 is 32768, the oracle says ";
    assert!(value.starts_with(start) && value.contains(" with an error of at most "), "{value}");
    let state = words(|outputs| {
        let bytes = outputs.ssm_states.get_mut(&1).expect("written");
        bytes[2 * (128 + 3)..][..2].copy_from_slice(&[0, 0xf8]);
    });
    assert!(state.starts_with("`ssm_state` of request 0, value head 0, v = 1, k = 3 is -32768, "), "{state}");
    let copy = words(|outputs| outputs.conv_states.get_mut(&1).expect("written")[..2].fill(0));
    let original = u16::from_le_bytes(*problem.inputs().conv_states[&1][2048..].first_chunk().expect("2 bytes"));
    let expected =
        format!("`conv_state` of request 0, row 0, channel 0 is 0x0000, and should be a copy of {original:#06x}");
    assert_eq!(copy, expected);
    let z = words(|outputs| outputs.z_out[2046..].fill(0xff));
    assert!(z.starts_with("`z_out` of request 1, value head 3, v = 127 is 0xffff, and should be a copy of 0x"), "{z}");
}
