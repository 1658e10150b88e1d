//! The oracle on problems solved by hand, and with other norms.

use gridproof_reference::gdn_chunked::{Decay, Inputs, L2Norm, Oracle, Problem, Sizes, StateKind};

use super::{changed, seeded, sizes};

/// Channels of one key head and one value head.
const DIM: usize = 384;

/// One sequence of `tokens` tokens with one key head and one value head. A token's channels go through SiLU alone, decay
/// and gate are 1/2 (softplus(0) = ln 2), the outputs' gate and norm weights are about 1; everything else is 0.
fn empty(tokens: u32) -> Problem {
    let problem = seeded(Sizes { h: 1, hv: 1, ..sizes(&[tokens]) }, Decay::Normal, StateKind::Zero, 1);
    changed(&problem, |inputs| {
        let Inputs { hidden, qkv, w_beta, w_alpha, a_log, dt_bias, .. } = inputs;
        for tensor in [hidden, qkv, w_beta, w_alpha, a_log, dt_bias] {
            tensor.fill(0.0);
        }
        inputs.conv_weight.as_chunks_mut().0.fill([0.0, 0.0, 0.0, 1.0]);
        inputs.z.fill(40.0);
        inputs.norm_weight.fill(1.0 / 40.0);
    })
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn oracle(problem: &Problem) -> Oracle {
    Oracle::new(problem, L2Norm::DivideByMaxNorm)
}

fn check_near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-9 * expected.abs().max(1e-3), "{actual} is not {expected}");
}

#[test]
fn a_convolution_by_hand() {
    // v of row 7 is 2 a + 3 b + 4 c + 5 d over the rows (1, 10, 100 | -86, 5).
    let problem = changed(&empty(2), |inputs| {
        let channel = 256 + 7;
        inputs.conv_weight.as_chunks_mut().0[channel] = [2.0, 3.0, 4.0, 5.0];
        for (row, x) in [1.0, 10.0, 100.0].into_iter().enumerate() {
            inputs.conv_state[row * DIM + channel] = x;
        }
        (inputs.qkv[channel], inputs.qkv[DIM + channel]) = (-86.0, 5.0);
        // k = (1, 0, ...), then (0, 1, 0, ...).
        (inputs.qkv[128], inputs.qkv[DIM + 129]) = (60.0, 60.0);
    });
    let state = oracle(&problem).state;
    // Half of each is written; the first decays once.
    check_near(state[7 * 128], silu(2.0 + 30.0 + 400.0 - 430.0) / 4.0);
    check_near(state[7 * 128 + 1], silu(20.0 + 300.0 - 344.0 + 25.0) / 2.0);
    assert_eq!(state.iter().filter(|&&s| s != 0.0).count(), 2);
}

#[test]
fn a_recurrence_by_hand() {
    // q = k = (1, 0, ...) in both tokens; v of row 3 is silu(4), then 0.
    let problem = changed(&empty(2), |inputs| {
        for token in 0..2 {
            (inputs.qkv[token * DIM], inputs.qkv[token * DIM + 128]) = (60.0, 60.0);
        }
        inputs.qkv[256 + 3] = 4.0;
    });
    let answer = oracle(&problem);
    let v = silu(4.0);
    let scale = 128_f64.sqrt();
    check_near(answer.core[3], v / 2.0 / scale);
    // v/4 after the decay, of which half is taken away.
    check_near(answer.core[128 + 3], v / 8.0 / scale);
    check_near(answer.state[3 * 128], v / 8.0);
    assert_eq!(answer.state.iter().chain(&answer.core).filter(|&&x| x != 0.0).count(), 3);
}

#[test]
fn gates_by_hand() {
    // Hidden vectors of ones: the arguments are 128 times the weights.
    let problem = changed(&empty(1), |inputs| {
        inputs.hidden.fill(1.0);
        inputs.w_beta.fill(2.0 / 128.0);
        inputs.w_alpha.fill(0.5 / 128.0);
        (inputs.a_log[0], inputs.dt_bias[0]) = (0.25, 0.125);
        (inputs.qkv[0], inputs.qkv[128], inputs.qkv[256 + 9]) = (60.0, 60.0, 1.0);
        inputs.state.fill(1.0);
    });
    let state = oracle(&problem).state;
    let alpha = (-(0.25_f64.exp()) * 0.625_f64.exp().ln_1p()).exp();
    let beta = 1.0 / (1.0 + (-2.0_f64).exp());
    check_near(state[5 * 128 + 1], alpha);
    check_near(state[5 * 128], alpha - alpha * beta);
    check_near(state[9 * 128], alpha + (silu(1.0) - alpha) * beta);
}

#[test]
fn norm_and_gate_by_hand() {
    // Rows of the state are 1 and 3 in turn, the token adds nothing (its key is 0).
    let problem = changed(&empty(1), |inputs| {
        inputs.qkv[0] = 60.0;
        for (v, row) in inputs.state.as_chunks_mut::<128>().0.iter_mut().enumerate() {
            row[0] = if v % 2 == 0 { 1.0 } else { 3.0 };
        }
        inputs.norm_weight[1] = 0.5;
        (inputs.z[0], inputs.z[1]) = (-1.0, 2.0);
    });
    let answer = oracle(&problem);
    let scale = 0.5 / 128_f64.sqrt();
    check_near(answer.core[1], 3.0 * scale);
    let inverse = 1.0 / (5.0 * scale * scale + 1e-6).sqrt();
    check_near(answer.output[0], scale * inverse * f64::from(1.0_f32 / 40.0) * silu(-1.0));
    check_near(answer.output[1], 3.0 * scale * inverse * 0.5 * silu(2.0));
}

#[test]
fn short_rows_tell_the_norms_apart() {
    // k = (5e-4, 0, ...), whose square is below 1e-6.
    let problem = changed(&empty(1), |inputs| (inputs.qkv[128], inputs.qkv[256]) = (1e-3, 60.0));
    let first = |norm| Oracle::new(&problem, norm).state[0] / 30.0;
    let k = silu(f64::from(1e-3_f32));
    check_near(first(L2Norm::RsqrtOfSumPlusEps), k / (k * k + 1e-6).sqrt());
    check_near(first(L2Norm::DivideBySqrtOfSumPlusEps), k / (k * k + 1e-6).sqrt());
    check_near(first(L2Norm::DivideByMaxNorm), 1.0);
    check_near(first(L2Norm::RsqrtAboveThreshold), 1.0);
}

#[test]
fn sequences_and_heads_do_not_see_each_other() {
    let both = seeded(sizes(&[5, 3]), Decay::Normal, StateKind::Random, 7);
    let all = Oracle::new(&both, L2Norm::RsqrtOfSumPlusEps);
    assert_eq!([all.output.len(), all.core.len(), all.state.len()], [8 * 512, 8 * 512, 2 * 65_536]);
    let states = (both.inputs().conv_state[3072..].to_vec(), both.inputs().state[65_536..].to_vec());
    let second = super::part(&both, std::slice::from_ref(&(5..8)), states.0, states.1);
    let alone = Oracle::new(&second, L2Norm::RsqrtOfSumPlusEps);
    assert!(alone.output == all.output[5 * 512..] && alone.state == all.state[65_536..]);
}
