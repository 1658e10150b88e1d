//! The derived bound holds for every profile and the heads in production, and turns red for the mistakes that kernels
//! make.

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_chunked::model::run;
use gridproof_reference::gdn_chunked::tolerance::{Deviation, Place, check, check_values};
use gridproof_reference::gdn_chunked::{Bounds, Decay, Inputs, Outputs, Path, Problem, Sizes, StateKind};

use super::{DECAYS, PROFILES, STATES, changed, seeded, sizes, with_own_key_heads};

/// Two sequences, of two chunks and of one.
fn problem() -> Problem {
    seeded(sizes(&[18, 3]), Decay::Normal, StateKind::Random, 5)
}

fn check_holds(problem: &Problem) {
    for path in Path::ALL {
        let bounds = Bounds::new(problem, path);
        for arithmetic in PROFILES {
            let verdict = check_values(problem, &bounds, &run(problem, path, arithmetic));
            assert_eq!(verdict, Ok(()), "{path:?}, {arithmetic}, {:?}", problem.shape());
        }
    }
}

#[test]
fn it_holds_for_the_heads_in_production() {
    let heads = [(16, 16), (16, 32), (16, 48), (16, 64), (8, 32), (4, 16), (2, 8), (1, 4), (8, 16), (4, 8), (2, 4)];
    for (h, hv) in heads.into_iter().chain([(8, 24), (4, 12), (2, 6)]) {
        let problem = seeded(Sizes { h, hv, ..sizes(&[3]) }, Decay::Normal, StateKind::Random, u64::from(hv));
        for path in Path::ALL {
            assert_eq!(check(&problem, path, &run(&problem, path, Arithmetic::FUSED)), Ok(()), "{path:?}, {h}/{hv}");
        }
    }
}

#[test]
fn it_holds_for_random_problems() {
    for decay in DECAYS {
        for states in STATES {
            for (c, lengths) in [(16, vec![1, 40, 16]), (32, vec![33]), (64, vec![70])] {
                check_holds(&seeded(Sizes { h: 1, hv: 3, c, d: 256, ..sizes(&lengths) }, decay, states, 6));
            }
        }
    }
}

/// How far the bounds of outputs before norm and gate, and those of states, go.
fn largest_bounds(problem: &Problem, path: Path) -> [f64; 2] {
    let bounds = Bounds::new(problem, path);
    [&bounds.core, &bounds.state].map(|bounds| bounds.iter().map(|bound| bound.error).fold(0.0, f64::max))
}

#[test]
fn it_says_something_of_long_sequences() {
    for decay in DECAYS {
        let problem = seeded(Sizes { h: 1, hv: 3, c: 32, ..sizes(&[384]) }, decay, StateKind::Random, 8);
        for path in Path::ALL {
            let [core, state] = largest_bounds(&problem, path);
            // Followed number by number, errors would double every few tokens where nothing decays.
            assert!(core < 5e-3 && state < 5e-2, "{path:?}, {decay:?}: {core}, {state}");
            assert_eq!(check(&problem, path, &run(&problem, path, Arithmetic::FUSED)), Ok(()));
        }
    }
}

/// Whether everything is a number, and no infinity.
fn is_finite(outputs: &Outputs) -> bool {
    outputs.output.iter().chain(&outputs.state).chain(&outputs.conv_state).all(|x| x.is_finite())
}

fn check_holds_without_nan(problem: &Problem) {
    check_holds(problem);
    for path in Path::ALL {
        assert!(is_finite(&run(problem, path, Arithmetic::FUSED)), "{path:?}");
    }
}

#[test]
fn it_holds_for_extreme_gates_and_nothing_is_nan() {
    for x in [-100.0, -87.4, 19.98, 20.0, 20.02, 88.0, 89.0, 100.0] {
        // Factors of 16, 1 and 0.001: the last keeps the decay away from 0 for large x.
        for a_log in [2.772, 0.0, -6.906] {
            for b in [-100.0, 0.0, 100.0] {
                let sizes = Sizes { h: 1, hv: 1, ..sizes(&[3]) };
                check_holds_without_nan(&changed(&seeded(sizes, Decay::Normal, StateKind::Random, 6), |inputs| {
                    inputs.hidden.fill(1.0);
                    inputs.w_beta.fill(b / 128.0);
                    inputs.w_alpha.fill(0.0);
                    inputs.dt_bias.fill(x);
                    inputs.a_log.fill(a_log);
                }));
            }
        }
    }
}

#[test]
fn it_holds_where_silu_is_flat_or_steep_and_nothing_is_nan() {
    for y in [-1000.0, -104.0, -92.0, -88.0, -20.0, -1.28, 0.0, 2.4, 88.0, 104.0, 1000.0] {
        check_holds_without_nan(&changed(&seeded(sizes(&[2]), Decay::Normal, StateKind::Random, 7), |inputs| {
            inputs.conv_weight.as_chunks_mut().0.fill([0.0, 0.0, 0.0, 1.0]);
            inputs.qkv.fill(y);
            inputs.z.fill(y);
        }));
    }
}

/// Makes q and k of all heads, before SiLU, numbers of these magnitudes.
fn set_keys(inputs: &mut Inputs, q: f32, k: f32) {
    inputs.conv_weight.as_chunks_mut().0[..512].fill([0.0, 0.0, 0.0, 1.0]);
    for row in inputs.qkv.as_chunks_mut::<1024>().0 {
        for (channel, x) in row[..512].iter_mut().enumerate() {
            let length = if channel < 256 { q } else { k };
            *x = if channel % 3 == 0 { -length } else { length };
        }
    }
}

#[test]
fn it_holds_for_rows_of_zeros_and_of_norm_a_thousandth() {
    // SiLU halves small numbers, and 128 of them are 11.3 times as long.
    let thousandth = 2e-3 / 11.313_708;
    for (q, k) in [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (thousandth, thousandth), (thousandth, 1.0), (1e-30, 1e-30)] {
        let problem = seeded(sizes(&[3]), Decay::Normal, StateKind::Random, 8);
        check_holds_without_nan(&changed(&problem, |inputs| set_keys(inputs, q, k)));
    }
}

#[test]
fn it_holds_beside_denormals_and_says_nothing_of_overflow() {
    let small = seeded(sizes(&[2]), Decay::Normal, StateKind::Random, 9);
    check_holds(&changed(&small, |inputs| {
        for tensor in [&mut inputs.conv_weight, &mut inputs.state, &mut inputs.z, &mut inputs.w_alpha] {
            tensor.iter_mut().step_by(2).for_each(|x| *x *= 1e-38);
        }
    }));
    for x in [f32::INFINITY, f32::NAN, f32::MAX] {
        check_holds(&changed(&small, |inputs| inputs.qkv.fill(x)));
        check_holds(&changed(&small, |inputs| inputs.state.fill(x)));
        check_holds(&changed(&small, |inputs| inputs.a_log.fill(x)));
    }
}

/// A problem in which each error below matters: decays between 0 and 1, states of size 1.
fn sensitive() -> Problem {
    changed(&problem(), |inputs| {
        inputs.a_log.fill(-3.0);
        inputs.state.iter_mut().for_each(|s| *s *= 10.0);
    })
}

fn found_in(right: &Problem, path: Path, outputs: &Outputs) -> Place {
    match check(right, path, outputs).expect_err("the outputs are wrong") {
        Deviation::Value { place, .. } | Deviation::Copy { place, .. } => place,
        length @ Deviation::Length { .. } => panic!("{length}"),
    }
}

/// Checks that what launches of `wrong` leave as outputs of `right` is found by its numbers.
fn check_problem_found(right: &Problem, wrong: &Problem) {
    for path in Path::ALL {
        let conv_state = run(right, path, Arithmetic::FUSED).conv_state;
        let place = found_in(right, path, &Outputs { conv_state, ..run(wrong, path, Arithmetic::FUSED) });
        assert!(matches!(place, Place::Output { .. } | Place::State { .. }), "{path:?}: {place}");
    }
}

fn check_found(right: &Problem, change: impl FnOnce(&mut Inputs)) {
    check_problem_found(right, &changed(right, change));
}

#[test]
fn a_convolution_over_the_wrong_tokens_is_found() {
    let right = sensitive();
    check_found(&right, |inputs| inputs.conv_weight.as_chunks_mut::<4>().0.iter_mut().for_each(|taps| taps.reverse()));
    check_found(&right, |inputs| {
        inputs.conv_weight.as_chunks_mut::<4>().0.iter_mut().for_each(|taps| taps.rotate_left(1));
    });
    // Without the state, and with the state of the other sequence.
    check_found(&right, |inputs| inputs.conv_state.fill(0.0));
    check_found(&right, |inputs| inputs.conv_state.rotate_left(3072));
    // One channel of k.
    check_found(&right, |inputs| inputs.conv_weight[(256 + 5) * 4 + 3] += 0.5);
}

#[test]
fn wrong_gates_are_found() {
    let right = sensitive();
    check_found(&right, |inputs| std::mem::swap(&mut inputs.w_alpha, &mut inputs.w_beta));
    check_found(&right, |inputs| inputs.w_beta.rotate_left(128));
    check_found(&right, |inputs| inputs.hidden.rotate_left(128));
    check_found(&right, |inputs| inputs.dt_bias.fill(0.0));
    // A missing decay, even where it is a hundredth.
    check_found(&right, |inputs| inputs.a_log.fill(-100.0));
    let slow = changed(&right, |inputs| inputs.a_log.fill(-5.0));
    check_found(&slow, |inputs| inputs.a_log.fill(-100.0));
}

#[test]
fn a_wrong_norm_or_output_gate_is_found() {
    let right = sensitive();
    check_found(&right, |inputs| inputs.norm_weight.fill(1.0));
    check_found(&right, |inputs| inputs.norm_weight.rotate_left(1));
    check_found(&right, |inputs| inputs.z.rotate_left(128));
}

#[test]
fn a_wrong_key_head_is_found() {
    let right = sensitive();
    // Heads 0..4 take key heads 0, 1, 0, 1 in place of 0, 0, 1, 1.
    check_problem_found(&right, &with_own_key_heads(&right, |hv| hv % 2));
    for path in Path::ALL {
        let same = run(&with_own_key_heads(&right, |hv| hv / 2), path, Arithmetic::FUSED);
        let conv_state = run(&right, path, Arithmetic::FUSED).conv_state;
        assert_eq!(check(&right, path, &Outputs { conv_state, ..same }), Ok(()));
    }
}

/// Every head of a state with V and K swapped.
fn transpose(state: &mut [f32]) {
    for head in state.as_chunks_mut::<16_384>().0 {
        let elements = *head;
        for (index, element) in head.iter_mut().enumerate() {
            *element = elements[index % 128 * 128 + index / 128];
        }
    }
}

#[test]
fn swapped_v_and_k_are_found_on_the_way_in_and_on_the_way_out() {
    let right = sensitive();
    check_found(&right, |inputs| transpose(&mut inputs.state));
    for path in Path::ALL {
        let place = damaged(&right, path, |outputs| transpose(&mut outputs.state));
        assert!(matches!(place, Place::State { .. }), "{place}");
    }
}

/// Where outputs are found wrong after `damage`.
fn damaged(problem: &Problem, path: Path, damage: impl FnOnce(&mut Outputs)) -> Place {
    let mut outputs = run(problem, path, Arithmetic::FUSED);
    damage(&mut outputs);
    found_in(problem, path, &outputs)
}

#[test]
fn small_damage_is_found() {
    let problem = sensitive();
    for path in Path::ALL {
        let output = |token, hv, v| Place::Output { token, hv, v };
        assert_eq!(damaged(&problem, path, |outputs| outputs.output[0] = f32::NAN), output(0, 0, 0));
        let last = (20 * 4 + 3) * 128 + 127;
        assert_eq!(damaged(&problem, path, |outputs| outputs.output[last] += 0.1), output(20, 3, 127));
        assert_eq!(damaged(&problem, path, |outputs| outputs.output[128..256].fill(0.0)), output(0, 1, 0));
        // A row that was left alone.
        let row = ((4 + 1) * 128 + 72) * 128;
        let place = damaged(&problem, path, |outputs| {
            outputs.state[row..row + 128].copy_from_slice(&problem.inputs().state[row..row + 128]);
        });
        assert!(matches!(place, Place::State { sequence: 1, hv: 1, v: 72, .. }), "{place}");
        let place = damaged(&problem, path, |outputs| outputs.state[row + 7] += 1e-2);
        assert_eq!(place, Place::State { sequence: 1, hv: 1, v: 72, k: 7 });
    }
}

#[test]
fn a_token_or_a_chunk_left_out_is_found() {
    let right = sensitive();
    // The last token's key is 0, so that nothing of it is written; the second chunk starts from the first state.
    check_found(&right, |inputs| inputs.qkv[17 * 1024..18 * 1024].fill(0.0));
    for path in Path::ALL {
        let first =
            super::part(&right, &[0..16, 18..21], right.inputs().conv_state.clone(), right.inputs().state.clone());
        let state = run(&first, path, Arithmetic::FUSED).state;
        let place = damaged(&right, path, |outputs| outputs.state = state);
        assert!(matches!(place, Place::State { sequence: 0, .. }), "{place}");
    }
}

#[test]
fn a_copy_must_be_equal_in_every_bit() {
    let problem = sensitive();
    let conv = |sequence, row, channel| Place::Conv { sequence, row, channel };
    let flip = |place: usize| {
        damaged(&problem, Path::Chunked, |outputs| {
            outputs.conv_state[place] = f32::from_bits(outputs.conv_state[place].to_bits() ^ 1);
        })
    };
    assert_eq!([flip(0), flip(1023), flip(1024)], [conv(0, 0, 0), conv(0, 0, 1023), conv(0, 1, 0)]);
    assert_eq!(flip(3072 + 2 * 1024 + 7), conv(1, 2, 7));
    // Not shifted at all.
    let before = problem.inputs().conv_state.clone();
    assert_eq!(damaged(&problem, Path::Serial, |outputs| outputs.conv_state = before), conv(0, 0, 0));
}

#[test]
fn missing_and_superfluous_elements_are_named() {
    let problem = problem();
    let check_words = |damage: fn(&mut Outputs), message: &str| {
        let mut outputs = run(&problem, Path::Serial, Arithmetic::FUSED);
        damage(&mut outputs);
        let verdict = check(&problem, Path::Serial, &outputs).map_err(|error| error.to_string());
        assert_eq!(verdict, Err(message.to_owned()));
    };
    check_words(|o| o.output.truncate(7), "`output` has 7 elements, 10752 are expected");
    check_words(|o| o.conv_state.push(0.0), "`conv_state` has 6145 elements, 6144 are expected");
    check_words(|o| o.state.clear(), "`state` has 0 elements, 131072 are expected");
}

#[test]
fn a_deviation_says_where_and_how_far() {
    let problem = problem();
    let words = |damage: fn(&mut Outputs)| {
        let mut outputs = run(&problem, Path::Chunked, Arithmetic::FUSED);
        damage(&mut outputs);
        check(&problem, Path::Chunked, &outputs).expect_err("far off").to_string()
    };
    let value = words(|outputs| outputs.output[(19 * 4 + 1) * 128 + 5] = 32_768.0);
    let start = "`output` of token 19, value head 1, v = 5 is 32768, the oracle says ";
    assert!(value.starts_with(start) && value.contains(" with an error of at most "), "{value}");
    let state = words(|outputs| outputs.state[65_536 + 16_384 + 2 * 128 + 3] = -32_768.0);
    assert!(state.starts_with("`state` of sequence 1, value head 1, v = 2, k = 3 is -32768, "), "{state}");
    let copy = words(|outputs| outputs.conv_state[0] = 0.0);
    let original = problem.inputs().qkv[15 * 1024].to_bits();
    let expected =
        format!("`conv_state` of sequence 0, row 0, channel 0 is 0x00000000, and should be a copy of {original:#010x}");
    assert_eq!(copy, expected);
}
