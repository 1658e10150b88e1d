//! The kernels on the host, bit for bit: their order of operations, their lanes and their rounding points.
//!
//! All variants that come out right compute the same: whether the convolution's state is shifted by the same dispatch
//! or by another one does not change a bit. A channel of the convolution goes through its taps by multiply-adds, the
//! oldest token first:
//!
//! ```text
//! t = s0 * w0 ;  t = s1 * w1 + t ;  t = s2 * w2 + t ;  t = x * w3 + t ;  y = silu(t + bias)
//! ```
//!
//! y stays f32. A team of 8 lanes adds the squares of q and of k and computes the rows of the state (`rows.rs`). Only
//! outputs and states are rounded to f16, where they are stored.
//!
//! What a launch with broken indices does is not modelled: here a request whose slot is beyond the pool starts from
//! what fills the pool, and of several with one slot each starts from its first contents.

use gridproof_launch::Arithmetic;
use rayon::prelude::*;

use super::outputs::Outputs;
use super::problem::Problem;
use super::request::{Channel, Request};
use super::rows::{LANES, SharedOut, elements, row};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::preparation::{Gates, Token, Vector};
use crate::numerics::half::{f16_to_f32, f32_to_f16};
use crate::numerics::{Numerics, Profile};
use crate::with_profile;

/// What a launch leaves on a device with this arithmetic.
pub fn run(problem: &Problem, arithmetic: Arithmetic) -> Outputs {
    let heads = with_profile!(Numerics::new(arithmetic), |n| heads(n, problem));
    let shape = problem.shape();
    let written = problem.written_slots();
    let mut outputs = Outputs::default();
    for (number, heads) in (0..shape.n()).zip(heads.chunks_exact(shape.hv() as usize)) {
        let request = Request::new(problem, number);
        for (hv, head) in (0..shape.hv()).zip(heads) {
            outputs.output.extend_from_slice(&head.output);
            outputs.z_out.extend(request.z(hv).iter().flat_map(|bits| bits.to_le_bytes()));
        }
        let Some(slot) = request.slot().filter(|slot| written.contains(slot)) else { continue };
        outputs.conv_states.insert(slot, shifted(problem, &request));
        outputs.ssm_states.insert(slot, heads.iter().flat_map(|head| head.state.iter().copied()).collect());
    }
    outputs
}

/// The rows of the convolution's state moved up by one, and the new token as the last.
fn shifted(problem: &Problem, request: &Request<'_>) -> Vec<u8> {
    let shape = problem.shape();
    let mut bytes = request.conv_state();
    bytes.drain(..shape.dim() as usize * 2);
    bytes.extend((0..shape.dim()).flat_map(|channel| request.channel(channel).tokens[3].to_le_bytes()));
    bytes
}

/// What one value head of one request leaves.
struct Head {
    /// 128 f16.
    output: Vec<u8>,
    /// `[V, K]` f16; nothing without a state.
    state: Vec<u8>,
}

/// All value heads of all requests.
fn heads<P: Profile>(n: Numerics<P>, problem: &Problem) -> Vec<Head> {
    let heads = u64::from(problem.shape().hv());
    let all = (0..u64::from(problem.shape().n()) * heads).into_par_iter();
    all.map(|index| head(n, &Request::new(problem, (index / heads) as u32), (index % heads) as u32)).collect()
}

/// One value head of one request.
fn head<P: Profile>(n: Numerics<P>, request: &Request<'_>, hv: u32) -> Head {
    let mut output = vec![0; ELEMENTS * 2];
    if request.slot().is_none() {
        return Head { output, state: vec![] };
    }
    let token = SharedOut::new(&token(n, request, hv));
    let mut state = vec![0; ELEMENTS * ELEMENTS * 2];
    for v in 0..ELEMENTS {
        let mut row = row(&numbers(&request.state_row(hv, v)));
        let o = token.advance(n, &mut row, v);
        store(&mut output[v * 2..], &[o]);
        store(&mut state[v * ELEMENTS * 2..], &elements(&row));
    }
    Head { output, state }
}

/// The token of a request for one value head, out of the convolution.
pub(super) fn token<P: Profile>(n: Numerics<P>, request: &Request<'_>, hv: u32) -> Token {
    let mut vectors = [[0.0; ELEMENTS]; 3];
    for (vector, first) in vectors.iter_mut().zip(request.first_channels(hv)) {
        for (y, channel) in vector.iter_mut().zip(first..) {
            *y = convolved(n, request.channel(channel));
        }
    }
    let bits = request.gates(hv);
    let gates = Gates {
        a: f16_to_f32(bits.a),
        b: f16_to_f32(bits.b),
        a_log: f16_to_f32(bits.a_log),
        dt_bias: f16_to_f32(bits.dt_bias),
    };
    Token::new::<P, LANES>(n, vectors, gates)
}

/// One channel of the convolution, with SiLU.
fn convolved<P: Profile>(n: Numerics<P>, channel: Channel) -> f32 {
    let Channel { tokens, weights, bias } = channel;
    let mut sum = n.mul(f16_to_f32(tokens[0]), f16_to_f32(weights[0]));
    for tap in 1..tokens.len() {
        sum = n.multiply_add(f16_to_f32(tokens[tap]), f16_to_f32(weights[tap]), sum);
    }
    n.silu(n.add(sum, f16_to_f32(bias)))
}

fn numbers(bits: &[u16; ELEMENTS]) -> Vector {
    let mut numbers = [0.0; ELEMENTS];
    for (number, &bits) in numbers.iter_mut().zip(bits) {
        *number = f16_to_f32(bits);
    }
    numbers
}

/// Rounds `numbers` into the first bytes of `bytes`.
fn store(bytes: &mut [u8], numbers: &[f32]) {
    for (bytes, &x) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
        *bytes = f32_to_f16(x).to_le_bytes();
    }
}
