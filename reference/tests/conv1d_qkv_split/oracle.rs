//! The oracle on problems solved by hand.

use gridproof_reference::conv1d_qkv_split::oracle::{convolution, silu};
use gridproof_reference::conv1d_qkv_split::{ElementType, Oracle, Problem, Sizes};

use super::{changed, seeded, sizes};

/// One channel in each tensor: x counts 1, 2, 3, ... in all; the weights of channel c are 1000, 100, 10, 1 with its
/// sign; the states count -3, -2, -1, ... upwards.
fn counting(lengths: &[u32], width: u32, initial: &[i32], bias: bool) -> Problem {
    let sizes =
        Sizes { q: 1, k: 1, v: 1, width, lengths: lengths.to_vec(), element: ElementType::F16, bias, ..sizes() };
    let indices: Vec<i32> = (1..).take(lengths.len()).collect();
    let bits = |x: f32| ElementType::F16.rounded(x);
    changed(&seeded(sizes, &indices, initial, 1), |inputs| {
        let tokens = inputs.x.chunks_exact_mut(3).enumerate();
        tokens.for_each(|(token, row)| row.fill(bits(token as f32 + 1.0)));
        let weights = [1000.0, 100.0, 10.0, 1.0];
        let weights = &weights[4 - width as usize..];
        for (channel, row) in inputs.weight.chunks_exact_mut(width as usize).enumerate() {
            let sign = if channel == 1 { -1.0 } else { 1.0 };
            row.iter_mut().zip(weights).for_each(|(element, weight)| *element = bits(sign * weight));
        }
        inputs.bias.fill(bits(0.5));
        for state in inputs.states.values_mut() {
            let first = -(width as f32 - 1.0);
            for (row, bytes) in state.chunks_exact_mut(6).enumerate() {
                bytes.as_chunks_mut().0.fill(bits(first + row as f32).to_le_bytes());
            }
        }
    })
}

fn sums(problem: &Problem, sequence: u32, channel: u32) -> Vec<f64> {
    let tokens = 0..problem.shape().length(sequence);
    tokens.map(|token| convolution(problem, sequence, token, channel)).collect()
}

#[test]
fn taps_are_the_tokens_before_oldest_first() {
    let problem = counting(&[5], 4, &[0], false);
    assert_eq!(sums(&problem, 0, 0), [1.0, 12.0, 123.0, 1234.0, 2345.0]);
    assert_eq!(sums(&problem, 0, 1), [-1.0, -12.0, -123.0, -1234.0, -2345.0]);
    assert_eq!(sums(&counting(&[4], 3, &[0], false), 0, 2), [1.0, 12.0, 123.0, 234.0]);
    assert_eq!(sums(&counting(&[3], 2, &[0], true), 0, 2), [1.5, 12.5, 23.5]);
}

#[test]
fn the_state_comes_before_the_first_token() {
    // -3, -2, -1, then 1, 2, ...
    let problem = counting(&[4], 4, &[1], false);
    assert_eq!(sums(&problem, 0, 0), [-3209.0, -2088.0, -877.0, 1234.0]);
    assert_eq!(sums(&counting(&[3], 2, &[1], false), 0, 0), [-9.0, 12.0, 23.0]);
}

#[test]
fn sequences_do_not_see_each_other() {
    let problem = counting(&[2, 0, 3], 4, &[0, 1, 1], false);
    assert_eq!(sums(&problem, 0, 0), [1.0, 12.0]);
    // Tokens 3, 4, 5.
    assert_eq!(sums(&problem, 2, 0), [-3207.0, -2066.0, -655.0]);
}

/// The values of the new states, by slot.
fn states(problem: &Problem) -> Vec<(u64, Vec<f32>)> {
    let value = |bits: Vec<u16>| bits.chunks_exact(3).map(|row| ElementType::F16.value(row[0])).collect();
    Oracle::new(problem).states.into_iter().map(|(slot, bits)| (slot, value(bits))).collect()
}

#[test]
fn the_new_state_is_the_last_tokens_behind_what_there_was() {
    assert_eq!(states(&counting(&[5], 4, &[0], false)), [(1, vec![3.0, 4.0, 5.0])]);
    assert_eq!(states(&counting(&[3], 4, &[1], false)), [(1, vec![1.0, 2.0, 3.0])]);
    assert_eq!(states(&counting(&[2], 4, &[1], false)), [(1, vec![-1.0, 1.0, 2.0])]);
    assert_eq!(states(&counting(&[1], 4, &[1], false)), [(1, vec![-2.0, -1.0, 1.0])]);
    assert_eq!(states(&counting(&[1], 4, &[0], false)), [(1, vec![0.0, 0.0, 1.0])]);
    assert_eq!(states(&counting(&[1], 3, &[1], false)), [(1, vec![-1.0, 1.0])]);
    assert_eq!(states(&counting(&[0, 1], 2, &[1, 1], false)), [(2, vec![1.0])]);
}

#[test]
fn outputs_are_the_silu_of_the_sums() {
    let problem = counting(&[2], 4, &[0], true);
    let expected: Vec<f64> = [1.5, -0.5, 1.5, 12.5, -11.5, 12.5].map(silu).to_vec();
    assert_eq!(Oracle::new(&problem).output, expected);
    for (x, y) in [(0.0, 0.0), (1.0, 0.731_058_578_630_004_9), (-1.0, -0.268_941_421_369_995_1), (800.0, 800.0)] {
        assert!((silu(x) - y).abs() < 1e-15, "silu({x})");
    }
    assert_eq!(silu(-800.0), 0.0);
}

#[test]
fn padded_sequences_have_zeros_and_no_state() {
    let problem = changed(&counting(&[2, 1], 4, &[1, 0], true), |inputs| inputs.cache_indices[0] = -1);
    let oracle = Oracle::new(&problem);
    assert_eq!(oracle.output[..6], [0.0; 6]);
    assert!(oracle.output[6..].iter().all(|&x| x != 0.0));
    assert_eq!(oracle.states.keys().copied().collect::<Vec<_>>(), [2]);
}
