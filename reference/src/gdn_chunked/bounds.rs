//! The oracle once more, with a bound on the error of what a launch has in its place.
//!
//! Within a chunk (or, serially, a token) errors are followed number by number. From one to the next only the length of the
//! error of each row of the state is kept: the exact recurrence never makes a difference of two rows longer, while sums of
//! the magnitudes of its elements would grow without end. With E the length before a chunk, an error after it is at most
//!
//! ```text
//! E times the gain        in exact arithmetic: for the state its decay, for an output that times |q^| / sqrt(128)
//! + the error of the chunk's own operations on the exact row
//! + E times the error of these operations on a row of ones, where nothing cancels
//! ```

use rayon::prelude::*;

use super::lanes::WORKGROUP_ROUNDINGS;
use super::path::Path;
use super::problem::Problem;
use super::segments::{BoundedToken, Segment, length, workgroup_dot};
use super::sequence::{Sequence, Taps, gate_weights};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::bounded::Bounded;
use crate::delta_rule::preparation::EPSILON;

/// A number that an output should be, and how far a correct launch may be from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bound {
    /// What it would be without any rounding.
    pub value: f64,
    /// The largest error; infinite where nothing can be said.
    pub error: f64,
}

impl Bound {
    /// Whether a correct launch may have `actual` here. Without a bound, anything goes.
    pub fn allows(self, actual: f64) -> bool {
        (actual - self.value).abs() <= self.error || !self.error.is_finite()
    }

    fn new(number: Bounded) -> Self {
        Self { value: number.value, error: if number.error.is_nan() { f64::INFINITY } else { number.error } }
    }
}

/// What a launch should leave, but for the convolution's state, which is a copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// `[tokens, HV, 128]`
    pub output: Vec<Bound>,
    /// `[tokens, HV, 128]` before norm and gate.
    pub core: Vec<Bound>,
    /// `[sequences, HV, V, K]`
    pub state: Vec<Bound>,
    /// `[sequences, HV, V]` the length of a row of errors of `state`.
    pub rows: Vec<f64>,
}

impl Bounds {
    /// Those of a launch of `path`.
    pub fn new(problem: &Problem, path: Path) -> Self {
        Self::continued(problem, path, &[])
    }

    /// The same, if each row of the states that `problem` starts from may be as far from the right one as `rows`
    /// `[sequences, HV, V]` says: those of the call before. Rows that are not there are right.
    pub fn continued(problem: &Problem, path: Path, rows: &[f64]) -> Self {
        let shape = problem.shape();
        let unknown = vec![Bound::default(); shape.head_elements()];
        let mut bounds = Self { output: unknown.clone(), core: unknown, ..Self::default() };
        for number in 0..shape.sequences() {
            let sequence = Sequence::new(problem, number);
            let heads = (0..shape.hv()).into_par_iter().map(|hv| {
                let first = (number as usize * shape.hv() as usize + hv as usize) * ELEMENTS;
                Head::new(problem, path, &sequence, hv, rows.get(first..first + ELEMENTS).unwrap_or(&[0.0; ELEMENTS]))
            });
            for (hv, head) in (0..).zip(heads.collect::<Vec<Head>>()) {
                for (token, core) in head.cores.iter().enumerate() {
                    let place = sequence.position(token, hv) * ELEMENTS;
                    let output = gated(core, &problem.inputs().norm_weight, sequence.z(token, hv));
                    for i in 0..ELEMENTS {
                        bounds.core[place + i] = Bound::new(core[i]);
                        bounds.output[place + i] = Bound::new(output[i]);
                    }
                }
                bounds.state.extend(head.state.into_iter().map(Bound::new));
                bounds.rows.extend(head.rows);
            }
        }
        bounds
    }
}

/// One value head of one sequence.
pub(super) struct Head {
    /// By token and row of V.
    pub(super) cores: Vec<Vec<Bounded>>,
    /// `[V, K]`
    pub(super) state: Vec<Bounded>,
    /// By row of V: the length of the errors of its state.
    pub(super) rows: Vec<f64>,
}

impl Head {
    fn new(problem: &Problem, path: Path, sequence: &Sequence<'_>, hv: u32, rows: &[f64]) -> Self {
        let tokens: Vec<BoundedToken> =
            (0..sequence.length()).map(|number| token(problem, sequence, number, hv)).collect();
        let state: Vec<f64> = sequence.state(hv).iter().map(|&s| f64::from(s)).collect();
        Self::from_tokens(path, &tokens, problem.shape().c() as usize, &state, rows)
    }

    /// `tokens`, in chunks of `c` where there are chunks, from `state` on, whose rows have errors of length `rows`.
    pub(super) fn from_tokens(path: Path, tokens: &[BoundedToken], c: usize, state: &[f64], rows: &[f64]) -> Self {
        let mut head = Self {
            cores: Vec::with_capacity(tokens.len()),
            state: state.iter().map(|&s| Bounded::given(s)).collect(),
            rows: rows.to_vec(),
        };
        match path {
            Path::Chunked => tokens.chunks(c).for_each(|chunk| head.advance(&Segment::chunk(chunk))),
            Path::Serial => tokens.iter().for_each(|token| head.advance(&Segment::token(token))),
        }
        head
    }

    fn advance(&mut self, segment: &Segment) {
        let (output_gains, state_gain) = segment.gains();
        let mut ones = vec![Bounded::given(1.0); ELEMENTS];
        let output_errors: Vec<f64> = segment.majorant().advance(&mut ones, 0).iter().map(|o| o.error).collect();
        let first = self.cores.len();
        self.cores.resize(first + output_gains.len(), vec![]);
        for (v, (row, before)) in self.state.chunks_exact_mut(ELEMENTS).zip(&mut self.rows).enumerate() {
            // What an input may lose to flushing counts for the first chunk; later ones start from exact numbers.
            if first > 0 {
                row.iter_mut().for_each(|s| s.error = 0.0);
            }
            for (token, mut output) in segment.advance(row, v).into_iter().enumerate() {
                output.error += *before * (output_gains[token] + output_errors[token]);
                self.cores[first + token].push(output);
            }
            let own = length(row.iter().map(|s| s.error));
            row.iter_mut().zip(&ones).for_each(|(s, one)| s.error += *before * (state_gain + one.error));
            *before = own + *before * (state_gain + length(ones.iter().map(|one| one.error)));
        }
    }
}

/// RMSNorm with weights, and the gate.
fn gated(x: &[Bounded], weight: &[f32], z: &[f32]) -> Vec<Bounded> {
    let given = |x: f32| Bounded::given(f64::from(x));
    let mean = workgroup_dot(x, x).multiply_add(given(0.007_812_5), Bounded::constant(1e-6, EPSILON));
    let inverse = mean.rsqrt();
    let element =
        |((&x, &weight), &z): ((&Bounded, &f32), &f32)| x.mul(inverse).mul(given(weight)).mul(given(z).silu());
    x.iter().zip(weight).zip(z).map(element).collect()
}

/// Token `number` of a sequence, after `materialize`.
fn token(problem: &Problem, sequence: &Sequence<'_>, number: usize, hv: u32) -> BoundedToken {
    let vector =
        |first: usize| (first..first + ELEMENTS).map(|channel| convolved(sequence.taps(number, channel))).collect();
    let vectors = sequence.first_channels(hv).map(vector);
    let inputs = problem.inputs();
    let given = |x: f32| Bounded::given(f64::from(x));
    let gate = |tensor: &[f32]| {
        let all = |x: &[f32]| -> Vec<Bounded> { x.iter().map(|&x| given(x)).collect() };
        let (hidden, weights) = (all(sequence.hidden(number)), all(gate_weights(problem, tensor, hv)));
        // The product, the additions of an invocation, those of the workgroup.
        let own = problem.shape().d() / super::HEAD;
        Bounded::sum_of_products(&hidden, &weights, WORKGROUP_ROUNDINGS + own)
    };
    let (a_log, dt_bias) = (inputs.a_log[hv as usize], inputs.dt_bias[hv as usize]);
    prepared(vectors, [gate(&inputs.w_beta), gate(&inputs.w_alpha), given(a_log), given(dt_bias)])
}

/// The token whose q, k and v come out of the convolution like this; the arguments of beta and of the decay, the logarithm
/// of the decay's factor, the bias.
pub(super) fn prepared([q, k, v]: [Vec<Bounded>; 3], [b, a, a_log, dt_bias]: [Bounded; 4]) -> BoundedToken {
    let normed = |x: Vec<Bounded>| -> Vec<Bounded> {
        let factor = workgroup_dot(&x, &x).add(Bounded::constant(1e-6, EPSILON)).rsqrt();
        x.into_iter().map(|x| x.mul(factor)).collect()
    };
    let softplus = a.add(dt_bias).softplus();
    BoundedToken { q: normed(q), k: normed(k), v, beta: b.sigmoid(), log_alpha: a_log.exp().negated().mul(softplus) }
}

/// One channel of the convolution, with SiLU.
fn convolved((tokens, weights): (Taps, Taps)) -> Bounded {
    let given = |x: f32| Bounded::given(f64::from(x));
    let mut sum = given(tokens[0]).mul(given(weights[0]));
    for (&token, &weight) in tokens.iter().zip(&weights).skip(1) {
        sum = given(token).multiply_add(given(weight), sum);
    }
    sum.silu()
}
