//! The oracle on problems solved by hand, and with other norms.

use gridproof_reference::gdn_conv_fused::{Inputs, L2Norm, Oracle, Problem, Sizes};
use gridproof_reference::numerics::half::f32_to_f16;

use super::{LAYOUTS, SIZES, changed, seeded};

/// The bits of an f16.
fn half(x: f32) -> u16 {
    f32_to_f16(x)
}

/// One request with one key head and `hv` value heads, all inputs 0 but gates that give a decay and a gate of 1/2.
fn empty(hv: u32) -> Problem {
    let problem = seeded(Sizes { n: 1, h: 1, hv, ..SIZES }, &[2], 1);
    changed(&problem, |inputs| {
        let Inputs { qkvz, ba, conv_weight, conv_bias, a_log, dt_bias, .. } = inputs;
        // softplus(0) = ln 2, so alpha = 1/2.
        for tensor in [qkvz, ba, conv_weight, conv_bias, a_log, dt_bias] {
            tensor.fill(0);
        }
        inputs.conv_states.values_mut().for_each(|bytes| bytes.fill(0));
        inputs.ssm_states.values_mut().for_each(|bytes| bytes.fill(0));
    })
}

/// Puts `x` in row `row` of the convolution's state of slot 2.
fn set_before(inputs: &mut Inputs, dim: usize, row: usize, channel: usize, x: f32) {
    let bytes = inputs.conv_states.get_mut(&2).expect("it is given");
    bytes[2 * (row * dim + channel)..][..2].copy_from_slice(&half(x).to_le_bytes());
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

#[test]
fn a_convolution_by_hand() {
    // k = (1, 0, ...) for key head 0 of dim 3 * 128; v of row 7 = silu(2 * 1 + 3 * 10 + 4 * 100 + 5 * 1000 - 5428).
    let problem = changed(&empty(1), |inputs| {
        inputs.conv_bias[128] = half(60.0);
        for (tap, (weight, token)) in [(2.0, 1.0), (3.0, 10.0), (4.0, 100.0)].into_iter().enumerate() {
            inputs.conv_weight[(256 + 7) * 4 + tap] = half(weight);
            set_before(inputs, 384, tap, 256 + 7, token);
        }
        inputs.conv_weight[(256 + 7) * 4 + 3] = half(5.0);
        inputs.qkvz[256 + 7] = half(1000.0);
        inputs.conv_bias[256 + 7] = half(-5428.0);
    });
    let oracle = Oracle::new(&problem, L2Norm::DivideByMaxNorm);
    // The state was 0, so row 7 becomes v / 2 times k^ = (1, 0, ...).
    let state = &oracle.ssm_states[&0];
    assert!((state[7 * 128] - silu(4.0) / 2.0).abs() < 1e-12, "{}", state[7 * 128]);
    assert_eq!(state.iter().filter(|&&s| s != 0.0).count(), 1);
    // q is 0.
    assert!(oracle.output.iter().all(|&o| o == 0.0));
}

#[test]
fn a_decay_and_an_output_by_hand() {
    for norm in [L2Norm::RsqrtOfSumPlusEps, L2Norm::DivideByMaxNorm] {
        // q = k = (60, 0, ...), the state all 1: d = (0 - 1/2) / 2 and the first column becomes 1/2 - 1/4.
        let problem = changed(&empty(2), |inputs| {
            (inputs.conv_bias[0], inputs.conv_bias[128]) = (half(60.0), half(60.0));
            let state = inputs.ssm_states.get_mut(&2).expect("it is given");
            state.as_chunks_mut().0.iter_mut().for_each(|bytes| *bytes = half(1.0).to_le_bytes());
        });
        let oracle = Oracle::new(&problem, norm);
        for row in oracle.ssm_states[&0].chunks_exact(128) {
            assert!((row[0] - 0.25).abs() < 1e-9 && (row[1] - 0.5).abs() < 1e-12, "{norm:?}: {}", row[0]);
        }
        assert!(oracle.output.iter().all(|o| (o - 0.25 / 128.0_f64.sqrt()).abs() < 1e-9));
    }
}

#[test]
fn short_rows_tell_the_norms_apart() {
    // k = (5e-4, 0, ...), whose square is below 1e-6.
    let problem = changed(&empty(1), |inputs| {
        inputs.conv_bias[128] = half(1e-3);
        inputs.conv_bias[256] = half(60.0);
    });
    let first = |norm| Oracle::new(&problem, norm).ssm_states[&0][0] / 30.0;
    let k = f64::from(1e-3_f32) * 0.5;
    let expected = k / (k * k + 1e-6).sqrt();
    assert!((first(L2Norm::RsqrtOfSumPlusEps) - expected).abs() < 1e-3, "{}", first(L2Norm::RsqrtOfSumPlusEps));
    assert!((first(L2Norm::RsqrtOfSumPlusEps) - first(L2Norm::DivideBySqrtOfSumPlusEps)).abs() < 1e-12);
    assert!((first(L2Norm::DivideByMaxNorm) - 1.0).abs() < 1e-3);
    assert!((first(L2Norm::RsqrtAboveThreshold) - 1.0).abs() < 1e-3);
}

#[test]
fn requests_without_a_state_have_zeros_and_no_state() {
    for layout in LAYOUTS {
        let problem = seeded(Sizes { n: 3, layout, ..SIZES }, &[2, -1, 0], 3);
        let oracle = Oracle::new(&problem, L2Norm::RsqrtOfSumPlusEps);
        let rows: Vec<bool> = oracle.output.chunks_exact(4 * 128).map(|row| row.iter().all(|&x| x == 0.0)).collect();
        assert_eq!(rows, [false, true, false]);
        assert_eq!(oracle.ssm_states.keys().copied().collect::<Vec<_>>(), [0, 2]);
        assert!(oracle.ssm_states.values().all(|state| state.len() == 4 * 128 * 128));
    }
}
