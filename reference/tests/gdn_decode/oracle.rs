//! The forms of the L2 norm, and the oracle on a problem solved by hand.

use gridproof_reference::gdn_decode::oracle::{Arguments, L2Norm, Oracle, Token, recurrence};
use gridproof_reference::gdn_decode::{Sizes, StateType};

use super::{seeded, sizes};

const NORMS: [L2Norm; 4] =
    [L2Norm::RsqrtOfSumPlusEps, L2Norm::DivideBySqrtOfSumPlusEps, L2Norm::DivideByMaxNorm, L2Norm::RsqrtAboveThreshold];

/// The length that each form gives a row of the given length.
fn check_lengths(length: f64, expected: [f64; 4]) {
    let row = std::array::from_fn(|i| length / 128.0_f64.sqrt() * if i % 3 == 0 { -1.0 } else { 1.0 });
    for (norm, expected) in NORMS.into_iter().zip(expected) {
        let actual = norm.normed(&row).iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((actual - expected).abs() < 1e-9, "{norm:?} makes {length} {actual} long, not {expected}");
    }
}

#[test]
fn short_rows_tell_the_forms_of_the_norm_apart() {
    check_lengths(10.0, [0.999_999_995, 0.999_999_995, 1.0, 1.0]);
    check_lengths(1e-3, [0.5_f64.sqrt(), 0.5_f64.sqrt(), 1.0, 1.0]);
    check_lengths(1e-7, [9.999_999_5e-5, 9.999_999_5e-5, 1.0, 0.0]);
    check_lengths(0.0, [0.0; 4]);
}

/// One head with k = q = the first unit vector scaled by `length`, v = 2, a decay of 1/2 and a gate of 1/2.
fn by_hand(length: f64, norm: L2Norm) -> (f64, f64) {
    let mut unit = [0.0; 128];
    unit[0] = length;
    let arguments = Arguments { q: unit, k: unit, v: [2.0; 128], a: 0.0, b: 0.0, a_log: 0.0, dt_bias: 0.0 };
    let mut state = vec![1.0; 128 * 128];
    let output = recurrence(&mut state, &[Token::new(&arguments, norm)]);
    (output[0][7], state[7 * 128])
}

#[test]
fn a_token_by_hand() {
    // softplus(0) = ln 2, so alpha = 1/2. d = (2 - 1/2) / 2 = 3/4; the state becomes 1/2 + 3/4.
    let (output, state) = by_hand(3.0, L2Norm::DivideByMaxNorm);
    assert!((state - 1.25).abs() < 1e-12 && (output - 1.25 / 128.0_f64.sqrt()).abs() < 1e-12);
    // With keys of 0.71: d = (2 - 0.5 r) / 2 and the state becomes 0.5 + d r, r^2 = 1/2.
    let r = 0.5_f64.sqrt();
    let expected = 0.5 + (1.0 - 0.25 * r) * r;
    let (_, state) = by_hand(1e-3, L2Norm::RsqrtOfSumPlusEps);
    assert!((state - expected).abs() < 1e-12, "{state}");
    let (output, state) = by_hand(0.0, L2Norm::RsqrtOfSumPlusEps);
    assert_eq!((output, state), (0.0, 0.5));
}

#[test]
fn the_threshold_of_softplus_is_above_20() {
    let token = |a: f64| {
        let zero = [0.0; 128];
        let arguments = Arguments { q: zero, k: zero, v: zero, a, b: 0.0, a_log: 0.0, dt_bias: 0.0 };
        Token::new(&arguments, L2Norm::RsqrtOfSumPlusEps).g
    };
    assert_eq!(token(20.01), -20.01);
    assert_eq!(token(20.0), -(20.0_f64.exp().ln_1p()));
    assert!(token(20.0) < -20.0);
    assert_eq!(token(100.0), -100.0);
}

#[test]
fn skipped_requests_have_zeros_and_no_state() {
    let problem = seeded(Sizes { b: 3, ..sizes(StateType::F32) }, &[2, -1, 0], &[2, 1, 0], 3);
    let oracle = Oracle::new(&problem, L2Norm::RsqrtOfSumPlusEps);
    let rows: Vec<bool> = oracle.output.chunks_exact(3 * 4 * 128).map(|row| row.iter().all(|&x| x == 0.0)).collect();
    assert_eq!(rows, [false, true, false]);
    assert_eq!(oracle.states.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert!(oracle.states.values().all(|state| state.len() == 4 * 128 * 128));
}
