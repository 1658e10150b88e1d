//! The derived bound holds for every profile, and turns red for the mistakes that kernels make.

use gridproof_launch::Arithmetic;
use gridproof_reference::conv1d_qkv_split::tolerance::{Deviation, bounds, check};
use gridproof_reference::conv1d_qkv_split::{ElementType, Inputs, Outputs, Problem, Sizes, Tensor, model};

use super::{PROFILES, changed, seeded, sizes};

/// Every length that is short, at the ends of a chunk of 8 or of a multiple of 8, or long.
const LENGTHS: [u32; 12] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 256, 512];

fn check_holds(problem: &Problem) {
    for arithmetic in PROFILES {
        let outputs = model::run(problem, arithmetic);
        assert_eq!(check(problem, &outputs), Ok(()), "{arithmetic}, {:?}", problem.shape().sizes());
    }
}

#[test]
fn it_holds_for_all_lengths_widths_types_and_flags() {
    let slots: Vec<i32> = (0..12).map(|sequence| (5 * sequence) % 12).collect();
    for element in ElementType::ALL {
        for width in 2..=4 {
            for (bias, initial) in [(false, 0), (true, 1), (false, 1), (true, 0)] {
                let sizes = Sizes { width, element, bias, lengths: LENGTHS.to_vec(), slots: 12, ..sizes() };
                check_holds(&seeded(sizes.clone(), &slots, &[initial; 12], u64::from(width)));
                // Some padded, some with a state, x with wider rows.
                let padded: Vec<i32> = slots.iter().map(|&slot| if slot % 3 == 0 { -1 } else { slot }).collect();
                let initial: Vec<i32> = (0..12).map(|sequence| i32::from(sequence % 5 < 3)).collect();
                check_holds(&seeded(Sizes { stride: Some(26), ..sizes }, &padded, &initial, 9));
            }
        }
    }
}

#[test]
fn it_holds_for_channels_of_any_number() {
    for (q, k, v) in
        [(1, 1, 1), (3, 5, 7), (255, 2, 1), (256, 256, 256), (257, 1, 300), (128, 128, 256), (130, 126, 513)]
    {
        for element in ElementType::ALL {
            let sizes = Sizes { q, k, v, element, lengths: vec![9, 2], ..sizes() };
            check_holds(&seeded(sizes, &[2, 1], &[0, 1], 4));
        }
    }
}

#[test]
fn it_holds_beside_denormals_and_says_nothing_of_overflow() {
    for element in ElementType::ALL {
        let problem = seeded(Sizes { element, ..sizes() }, &[2, 1, 0], &[0, 1, 1], 4);
        let infinity = if element == ElementType::Bf16 { 0x7f80 } else { 0x7c00 };
        for change in [
            |inputs: &mut Inputs, _: u16| inputs.x.iter_mut().for_each(|bits| *bits &= 0x807f),
            |inputs: &mut Inputs, _: u16| inputs.weight.iter_mut().for_each(|bits| *bits &= 0x80ff),
            |inputs: &mut Inputs, _: u16| {
                inputs.x.iter_mut().for_each(|bits| *bits &= 0x807f);
                inputs.weight.fill(0x4380);
                inputs.bias.fill(1);
            },
            |inputs: &mut Inputs, _: u16| inputs.x.fill(0x7800),
            |inputs: &mut Inputs, infinity: u16| inputs.x.fill(infinity),
            |inputs: &mut Inputs, infinity: u16| inputs.weight.fill(infinity + 1),
        ] {
            check_holds(&changed(&problem, |inputs| change(inputs, infinity)));
        }
    }
}

#[test]
fn the_bound_is_little_more_than_half_an_ulp() {
    for (element, half_ulp) in [(ElementType::Bf16, 1.0 / 256.0), (ElementType::F16, 1.0 / 2048.0)] {
        // A sum of 8 and its SiLU of 7.9973, of which the ulp is that of 4.
        let problem = changed(&seeded(Sizes { element, ..sizes() }, &[2, 1, 0], &[0, 1, 0], 4), |inputs| {
            inputs.x.fill(element.rounded(2.0));
            inputs.weight.fill(element.rounded(1.0));
            inputs.bias.fill(0);
        });
        for bound in bounds(&problem, 2, 9) {
            // And what the SiLU may miss: 108 ulp of at most 2^-23 of 8.
            let silu = 108.0 * 8.0 / 8_388_608.0;
            assert!(bound > 4.0 * half_ulp && bound < 4.01 * half_ulp + silu, "{element:?}: {bound}");
        }
    }
}

fn problem(element: ElementType) -> Problem {
    let sizes = Sizes { element, lengths: vec![3, 8, 17, 2], ..sizes() };
    seeded(sizes, &[1, 4, -1, 6], &[1, 0, 1, 1], 5)
}

/// Runs the model on `problem` with other inputs and checks what comes out as outputs of `problem`.
fn deviation(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Deviation {
    let outputs = model::run(&changed(problem, change), Arithmetic::FUSED);
    check(problem, &outputs).expect_err("the outputs are wrong")
}

#[test]
fn what_goes_wrong_is_found() {
    for element in ElementType::ALL {
        let right = problem(element);
        let place = |change: fn(&mut Inputs)| match deviation(&right, change) {
            Deviation::Value { place, .. } => (place.sequence, place.token),
            other => panic!("{other}"),
        };
        assert_eq!(place(|inputs| inputs.bias.fill(0)), (0, 0));
        // Newest tap first.
        assert_eq!(place(|inputs| inputs.weight.chunks_exact_mut(4).for_each(<[u16]>::reverse)), (0, 0));
        // A tap less.
        assert_eq!(place(|inputs| inputs.weight.iter_mut().step_by(4).for_each(|bits| *bits = 0)), (0, 0));
        // The state of a sequence that has none, and none for one that has.
        assert_eq!(place(|inputs| inputs.has_initial_state[1] = 1), (1, 0));
        assert_eq!(place(|inputs| inputs.has_initial_state[3] = 0), (3, 0));
        // A token of another sequence.
        assert_eq!(place(|inputs| inputs.x.copy_within(0..20, 60)), (1, 0));
        // Newest row of the state first.
        let reverse = |inputs: &mut Inputs| {
            let state = inputs.states.get_mut(&6).unwrap();
            let (oldest, newest) = state.split_at_mut(80);
            oldest[..40].swap_with_slice(newest);
        };
        assert_eq!(place(reverse), (3, 0));
    }
}

/// Damages the outputs; returns what is found.
fn damaged(problem: &Problem, damage: impl FnOnce(&mut Outputs)) -> String {
    let mut outputs = model::run(problem, Arithmetic::FUSED);
    damage(&mut outputs);
    check(problem, &outputs).expect_err("damaged").to_string()
}

fn check_starts(words: &str, start: &str) {
    assert!(words.starts_with(start), "{words}");
}

#[test]
fn small_damage_is_found() {
    for element in ElementType::ALL {
        let problem = problem(element);
        // Two units in the last place.
        check_starts(&damaged(&problem, |o| o.q[2 * 6 * 2] ^= 2), "`q` of sequence 0, token 2, column 0 is ");
        check_starts(&damaged(&problem, |o| o.k[2 * (4 * 3 + 3)] ^= 2), "`k` of sequence 1, token 0, column 3 is ");
        // A row that nobody wrote, and a NaN.
        check_starts(&damaged(&problem, |o| o.v[20 * 29..].fill(0)), "`v` of sequence 3, token 1, column 0 is 0, ");
        let nan = 0x7fff_u16.to_le_bytes();
        check_starts(
            &damaged(&problem, |o| o.v[..2].copy_from_slice(&nan)),
            "`v` of sequence 0, token 0, column 0 is NaN",
        );
        // One bit of a state.
        let right =
            u16::from_le_bytes(*model::run(&problem, Arithmetic::FUSED).states[&4].as_chunks().0.last().unwrap());
        let words = damaged(&problem, |o| o.states.get_mut(&4).unwrap()[118] ^= 1);
        assert_eq!(words, format!("`conv_state` of slot 4, row 2, channel 19 is {:#06x}, not {right:#06x}", right ^ 1));
    }
}

#[test]
fn a_state_written_by_its_length_alone_is_found() {
    // Sequence 3 has 2 tokens: a kernel that does not shift the old state leaves its oldest row.
    let problem = problem(ElementType::Bf16);
    let words = damaged(&problem, |outputs| {
        let state = outputs.states.get_mut(&6).unwrap();
        state[..40].copy_from_slice(&problem.inputs().states[&6][..40]);
    });
    check_starts(&words, "`conv_state` of slot 6, row 0, channel 0 is ");
}

#[test]
fn rows_of_padded_sequences_are_not_checked() {
    let problem = problem(ElementType::Bf16);
    let mut outputs = model::run(&problem, Arithmetic::FUSED);
    for tensor in Tensor::ALL {
        let row = 2 * problem.shape().channels(tensor).len();
        outputs.tensor_mut(tensor)[11 * row..28 * row].fill(0x7f);
    }
    assert_eq!(check(&problem, &outputs), Ok(()));
    outputs.q[28 * 12] ^= 0x40;
    assert!(check(&problem, &outputs).is_err());
}

#[test]
fn missing_and_superfluous_buffers_are_named() {
    let problem = problem(ElementType::F16);
    let check_words = |damage: fn(&mut Outputs), message: &str| assert_eq!(damaged(&problem, damage), message);
    check_words(|o| o.q.truncate(359), "`q` of all sequences has 359 bytes, 360 are expected");
    check_words(|o| o.k.push(0), "`k` of all sequences has 241 bytes, 240 are expected");
    check_words(|o| o.v.clear(), "`v` of all sequences has 0 bytes, 600 are expected");
    check_words(|o| drop(o.states.remove(&4)), "`conv_state` of slot 4 has 0 bytes, 120 are expected");
    check_words(|o| drop(o.states.insert(2, vec![0; 120])), "`conv_state` of slot 2 has 120 bytes, 0 are expected");
}
