//! The model against one written lane by lane, on every bit; and how much of the bound its errors take up.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::request::Request;
use super::rows::{SharedOut, elements, row};
use super::{Inputs, L2Norm, Layout, Oracle, Outputs, Problem, Shape, Sizes, model, tolerance};
use crate::delta_rule::token_bounds::bounds;
use crate::numerics::Numerics;
use crate::numerics::half::{f16_to_f32, f32_to_f16};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

const SIZES: Sizes = Sizes { n: 3, h: 2, hv: 6, k: 128, v: 128, pool: 5, layout: Layout::Sequential };

/// Three requests; the second has no state.
fn problem(layout: Layout, seed: u64) -> Problem {
    Problem::from_seed(Shape::new(Sizes { layout, ..SIZES }).unwrap(), &[3, -1, 0], seed).unwrap()
}

/// One request as a kernel has it, with every lane of a team.
struct Plain<'a> {
    n: Numerics,
    inputs: &'a Inputs,
    request: usize,
    conv_state: &'a [u8],
    ssm_state: &'a [u8],
}

/// Element `element` of a tensor of f16.
fn half(bytes: &[u8], element: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[2 * element], bytes[2 * element + 1]]))
}

impl Plain<'_> {
    /// 2 key heads and 6 value heads, sequential.
    const DIM: usize = 1280;

    fn channel(&self, channel: usize) -> f32 {
        let n = self.n;
        let weight = |tap: usize| f16_to_f32(self.inputs.conv_weight[channel * 4 + tap]);
        let before = |row: usize| half(self.conv_state, row * Self::DIM + channel);
        let new = f16_to_f32(self.inputs.qkvz[self.request * 2048 + channel]);
        let t = n.mul(before(0), weight(0));
        let t = n.multiply_add(before(1), weight(1), t);
        let t = n.multiply_add(before(2), weight(2), t);
        let t = n.multiply_add(new, weight(3), t);
        n.silu(n.add(t, f16_to_f32(self.inputs.conv_bias[channel])))
    }

    fn vector(&self, first: usize) -> Vec<f32> {
        (first..first + 128).map(|channel| self.channel(channel)).collect()
    }

    /// The sum of products as each lane of a team has it in the end.
    fn sum(&self, a: &[f32], b: &[f32]) -> f32 {
        let n = self.n;
        let lane = |lane: usize| (16 * lane..16 * lane + 16).fold(0.0, |sum, i| n.multiply_add(a[i], b[i], sum));
        let mut lanes: Vec<f32> = (0..8).map(lane).collect();
        for distance in [4, 2, 1] {
            lanes = (0..8).map(|lane| n.add(lanes[lane], lanes[lane ^ distance])).collect();
        }
        assert!(lanes.iter().all(|x| x.to_bits() == lanes[0].to_bits()));
        lanes[0]
    }

    /// The output and the state of value head `hv`, as f16.
    fn head(&self, hv: usize) -> (Vec<u8>, Vec<u8>) {
        let (n, inputs) = (self.n, self.inputs);
        let key = hv / 3;
        let (q, k, v) = (self.vector(key * 128), self.vector(256 + key * 128), self.vector(512 + hv * 128));
        let norm = |x: &[f32]| n.rsqrt(n.add(self.sum(x, x), 1e-6));
        let factor = n.mul(norm(&q), f32::from_bits(0x3db5_04f3));
        let q: Vec<f32> = q.iter().map(|&x| n.mul(x, factor)).collect();
        let factor = norm(&k);
        let k: Vec<f32> = k.iter().map(|&x| n.mul(x, factor)).collect();
        let gate = |column: usize| f16_to_f32(inputs.ba[self.request * 12 + column]);
        let softplus = n.softplus(n.add(gate(6 + hv), f16_to_f32(inputs.dt_bias[hv])));
        let alpha = n.exp(n.mul(-n.exp(f16_to_f32(inputs.a_log[hv])), softplus));
        let beta = n.sigmoid(gate(hv));
        let (mut output, mut state) = (vec![], vec![]);
        for (row, &v) in v.iter().enumerate() {
            let s = |i: usize| n.mul(alpha, half(self.ssm_state, (hv * 128 + row) * 128 + i));
            let s: Vec<f32> = (0..128).map(s).collect();
            let d = n.mul(n.sub(v, self.sum(&s, &k)), beta);
            let s: Vec<f32> = (0..128).map(|i| n.multiply_add(d, k[i], s[i])).collect();
            output.extend(f32_to_f16(self.sum(&s, &q)).to_le_bytes());
            state.extend(s.iter().flat_map(|&s| f32_to_f16(s).to_le_bytes()));
        }
        (output, state)
    }
}

/// The outputs of a sequential problem of [`SIZES`].
fn plain(problem: &Problem, arithmetic: Arithmetic) -> Outputs {
    let (inputs, mut outputs) = (problem.inputs(), Outputs::default());
    for (request, &index) in inputs.state_indices.iter().enumerate() {
        let projections = &inputs.qkvz[request * 2048..][..2048];
        outputs.z_out.extend(projections[1280..].iter().flat_map(|z| z.to_le_bytes()));
        let Ok(slot) = u64::try_from(index) else {
            outputs.output.extend([0; 6 * 256]);
            continue;
        };
        let (conv_state, ssm_state) = (&inputs.conv_states[&slot], &inputs.ssm_states[&slot]);
        let plain = Plain { n: Numerics::new(arithmetic), inputs, request, conv_state, ssm_state };
        let mut states = vec![];
        for hv in 0..6 {
            let (output, state) = plain.head(hv);
            outputs.output.extend(output);
            states.extend(state);
        }
        let new = projections[..1280].iter().flat_map(|x| x.to_le_bytes());
        outputs.conv_states.insert(slot, conv_state[2 * 1280..].iter().copied().chain(new).collect());
        outputs.ssm_states.insert(slot, states);
    }
    outputs
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    let mut inputs = problem.inputs().clone();
    change(&mut inputs);
    Problem::new(problem.shape(), inputs).unwrap()
}

#[test]
fn the_model_gives_the_bits_of_single_lanes() {
    let normal = problem(Layout::Sequential, 7);
    // Every third channel is so small that f16 and f32 denormals appear.
    let small = changed(&normal, |inputs| {
        inputs.conv_weight.iter_mut().step_by(3).for_each(|bits| *bits &= 0x8003);
        inputs.conv_bias.iter_mut().step_by(3).for_each(|bits| *bits = 0);
        let states = inputs.ssm_states.values_mut().flat_map(|bytes| bytes.chunks_exact_mut(2).step_by(3));
        states.for_each(|bytes| bytes[1] &= 0x80);
        inputs.dt_bias.fill(f32_to_f16(30.0));
    });
    for problem in [&normal, &small] {
        for arithmetic in PROFILES {
            assert!(model::run(problem, arithmetic) == plain(problem, arithmetic), "{arithmetic}");
        }
    }
    let [fused, separate] = [Arithmetic::FUSED, Arithmetic::SEPARATE].map(|a| model::run(&normal, a));
    assert!(fused != separate, "the data does not tell profiles apart");
}

/// The largest share of the bound that the error of an unrounded output or state takes up.
fn largest_share(problem: &Problem, arithmetic: Arithmetic) -> f64 {
    let (n, request) = (Numerics::new(arithmetic), Request::new(problem, 0));
    let exact = Oracle::new(problem, L2Norm::RsqrtOfSumPlusEps);
    let (mut share, mut compared) = (0.0_f64, 0);
    for hv in 0..problem.shape().hv() {
        let token = SharedOut::new(&model::token(n, &request, hv));
        let bounded = [tolerance::token(&request, hv)];
        let first: Vec<f64> = super::oracle::first_state(&request, hv);
        let (output_bounds, state_bounds) = bounds(&bounded, &first);
        for v in 0..128 {
            let mut row = row(&request.state_row(hv, v).map(f16_to_f32));
            let actual = f64::from(token.advance(n, &mut row, v));
            let place = hv as usize * 128 + v;
            share = share.max((actual - exact.output[place]).abs() / output_bounds[0][v].error);
            for (k, actual) in elements(&row).into_iter().enumerate() {
                let error = (f64::from(actual) - exact.ssm_states[&0][place * 128 + k]).abs();
                share = share.max(error / state_bounds[v * 128 + k]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 6 * 16_384);
    share
}

#[test]
fn the_derived_bound_is_not_far_above_the_errors() {
    for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
        let shares = (0..4).map(|seed| largest_share(&problem(Layout::Interleaved, seed), arithmetic));
        let share = shares.fold(0.0, f64::max);
        assert!((0.1..=1.0).contains(&share), "{arithmetic}: {share}");
    }
}
