//! The kernels once more, invocation by invocation and dispatch by dispatch, on flat buffers: what the model is compared
//! with.

use gridproof_launch::Arithmetic;

use super::{Outputs, Path, Problem, Scratch};
use crate::numerics::Numerics;

/// A launch in progress: the buffers that its kernels share.
struct Plain<'a> {
    n: Numerics,
    problem: &'a Problem,
    h: usize,
    hv: usize,
    c: usize,
    /// Invocations of a subgroup, at most 32.
    subgroup: usize,
    s: Scratch,
    out: Outputs,
}

/// What a launch of `path` leaves on a device with subgroups of `subgroup` invocations.
pub(super) fn plain(problem: &Problem, path: Path, arithmetic: Arithmetic, subgroup: usize) -> (Outputs, Scratch) {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let (tokens, hv, c) = (shape.tokens() as usize, shape.hv() as usize, shape.c() as usize);
    let (vectors, gates) = (|| vec![0.0; tokens * hv * 128], || vec![0.0; tokens * hv]);
    let s = Scratch {
        q_hat: vectors(),
        k_hat: vectors(),
        v_act: vectors(),
        beta: gates(),
        log_alpha: gates(),
        gamma: gates(),
        w: vectors(),
        u: vectors(),
        attention: vec![0.0; tokens * hv * c],
        residual: vectors(),
        core: vectors(),
    };
    let out = Outputs { output: vectors(), conv_state: inputs.conv_state.clone(), state: inputs.state.clone() };
    let mut plain = Plain { n: Numerics::new(arithmetic), problem, h: shape.h() as usize, hv, c, subgroup, s, out };
    plain.run(path);
    (plain.out, plain.s)
}

impl Plain<'_> {
    fn run(&mut self, path: Path) {
        let shape = self.problem.shape();
        let starts = shape.sequence_start();
        let (sequences, indices) = (shape.chunk_sequence(), shape.chunk_index());
        let chunk = |chunk: usize| {
            let (sequence, index) = (sequences[chunk] as usize, indices[chunk] as usize);
            let first = starts[sequence] as usize + index * self.c;
            (sequence, first, (first + self.c).min(starts[sequence + 1] as usize))
        };
        let chunks: Vec<_> = (0..sequences.len()).map(chunk).collect();
        let rows: Vec<_> = (0..starts.len() - 1).map(|i| (i, starts[i] as usize, starts[i + 1] as usize)).collect();
        let heads: Vec<usize> = (0..self.hv).collect();
        for &(sequence, first, end) in &chunks {
            for &hv in &heads {
                (first..end).for_each(|token| self.materialize(starts[sequence] as usize, sequence, token, hv));
            }
        }
        rows.iter().for_each(|&(sequence, first, end)| self.conv_state_update(sequence, first, end));
        match path {
            Path::Chunked => {
                for &(_, first, end) in &chunks {
                    heads.iter().for_each(|&hv| self.solve(first, end, hv));
                }
                for index in 0..shape.most_chunks() as usize {
                    for &(sequence, first, end) in &rows {
                        let (first, end) = (first + index * self.c, end.min(first + (index + 1) * self.c));
                        for &hv in heads.iter().filter(|_| first < end) {
                            (0..128).for_each(|row| self.residual_output(sequence, first, end, hv, row));
                            (0..128).for_each(|row| self.state_update(sequence, first, end, hv, row));
                        }
                    }
                }
            }
            Path::Serial => {
                for &(sequence, first, end) in &rows {
                    heads.iter().for_each(|&hv| (0..128).for_each(|row| self.recurrent(sequence, first, end, hv, row)));
                }
            }
        }
        for token in 0..shape.tokens() as usize {
            heads.iter().for_each(|&hv| self.norm_silu(token, hv));
        }
    }

    /// What invocation 0 has after a sum over the workgroup: subgroups, then their slots neighbours first up to 32
    /// invocations, then four groups one after the other.
    fn sum(&self, own: impl Fn(usize) -> f32) -> f32 {
        let n = self.n;
        let mut lanes: Vec<f32> = (0..128).map(own).collect();
        let mut distance = 1;
        while distance < self.subgroup {
            lanes = (0..128).map(|lane| n.add(lanes[lane], lanes[lane ^ distance])).collect();
            distance *= 2;
        }
        let mut slots: Vec<f32> = lanes.into_iter().step_by(self.subgroup).collect();
        while slots.len() > 4 {
            slots = slots.chunks(2).map(|pair| n.add(pair[0], pair[1])).collect();
        }
        n.add(n.add(n.add(slots[0], slots[1]), slots[2]), slots[3])
    }

    /// The sum of products of 128 elements as each of the four lanes of a row has it.
    fn row(&self, a: &[f32], b: &[f32]) -> f32 {
        let n = self.n;
        let lane = |lane: usize| {
            let elements = (0..128).filter(|e| e / 4 % 4 == lane);
            elements.fold(0.0, |sum, e| n.multiply_add(a[e], b[e], sum))
        };
        let mut lanes: Vec<f32> = (0..4).map(lane).collect();
        for distance in [1, 2] {
            lanes = (0..4).map(|lane| n.add(lanes[lane], lanes[lane ^ distance])).collect();
        }
        assert!(lanes.iter().all(|x| x.to_bits() == lanes[0].to_bits()));
        lanes[0]
    }

    fn channel(&self, start: usize, sequence: usize, token: usize, channel: usize) -> f32 {
        let (n, inputs, dim) = (self.n, self.problem.inputs(), (2 * self.h + self.hv) * 128);
        let mut t = 0.0;
        for tap in 0..4 {
            let back = 3 - tap;
            let x = if token >= start + back {
                inputs.qkv[(token - back) * dim + channel]
            } else {
                // Of the three rows before, the last is the token right before the sequence.
                inputs.conv_state[(sequence * 3 + 3 + token - start - back) * dim + channel]
            };
            let weight = inputs.conv_weight[channel * 4 + tap];
            t = if tap == 0 { n.mul(x, weight) } else { n.multiply_add(x, weight, t) };
        }
        n.silu(t)
    }

    fn materialize(&mut self, start: usize, sequence: usize, token: usize, hv: usize) {
        let (n, inputs, d) = (self.n, self.problem.inputs(), self.problem.shape().d() as usize);
        let key = hv / (self.hv / self.h);
        let vector = |first: usize| -> Vec<f32> {
            (0..128).map(|i| self.channel(start, sequence, token, first * 128 + i)).collect()
        };
        let (q, k, v) = (vector(key), vector(self.h + key), vector(2 * self.h + hv));
        let dot = |weights: &[f32]| {
            self.sum(|i| {
                let elements = (i..d).step_by(128);
                elements.fold(0.0, |sum, e| n.multiply_add(inputs.hidden[token * d + e], weights[hv * d + e], sum))
            })
        };
        let factor = |x: &[f32]| n.rsqrt(n.add(self.sum(|i| n.mul(x[i], x[i])), 1e-6));
        let (q_factor, k_factor) = (factor(&q), factor(&k));
        let beta = n.sigmoid(dot(&inputs.w_beta));
        let x = n.add(dot(&inputs.w_alpha), inputs.dt_bias[hv]);
        let log_alpha = n.mul(-n.exp(inputs.a_log[hv]), n.softplus(x));
        let place = token * self.hv + hv;
        for i in 0..128 {
            self.s.q_hat[place * 128 + i] = n.mul(q[i], q_factor);
            self.s.k_hat[place * 128 + i] = n.mul(k[i], k_factor);
            self.s.v_act[place * 128 + i] = v[i];
        }
        (self.s.beta[place], self.s.log_alpha[place]) = (beta, log_alpha);
    }

    fn conv_state_update(&mut self, sequence: usize, first: usize, end: usize) {
        let (inputs, dim) = (self.problem.inputs(), (2 * self.h + self.hv) * 128);
        let state = &mut self.out.conv_state[sequence * 3 * dim..(sequence + 1) * 3 * dim];
        for channel in 0..dim {
            let old: Vec<f32> = (0..3).map(|row| state[row * dim + channel]).collect();
            let all: Vec<f32> =
                old.into_iter().chain((first..end).map(|token| inputs.qkv[token * dim + channel])).collect();
            (0..3).for_each(|row| state[row * dim + channel] = all[all.len() - 3 + row]);
        }
    }

    fn solve(&mut self, first: usize, end: usize, hv: usize) {
        let n = self.n;
        let place = |token: usize| token * self.hv + hv;
        let mut gamma = 0.0;
        for j in first..end {
            gamma = n.add(gamma, self.s.log_alpha[place(j)]);
            self.s.gamma[place(j)] = gamma;
            let (pj, beta) = (place(j), self.s.beta[place(j)]);
            let (mut kk, mut decays) = (vec![], vec![]);
            for r in first..=j {
                let pr = place(r);
                let product = |x: &[f32], i: usize| n.mul(x[pj * 128 + i], self.s.k_hat[pr * 128 + i]);
                kk.push(self.sum(|i| product(&self.s.k_hat, i)));
                let qk = self.sum(|i| product(&self.s.q_hat, i));
                decays.push(n.exp(n.sub(gamma, self.s.gamma[pr])));
                self.s.attention[pj * self.c + r - first] = n.mul(decays[r - first], qk);
            }
            for i in 0..128 {
                let mut w = n.mul(beta, self.s.k_hat[pj * 128 + i]);
                let mut u = n.mul(beta, self.s.v_act[pj * 128 + i]);
                for r in first..j {
                    let (kk, decay, own) = (kk[r - first], decays[r - first], place(r) * 128 + i);
                    w = n.sub(w, n.mul(n.mul(beta, kk), self.s.w[own]));
                    u = n.sub(u, n.mul(n.mul(n.mul(beta, decay), kk), self.s.u[own]));
                }
                (self.s.w[pj * 128 + i], self.s.u[pj * 128 + i]) = (w, u);
            }
        }
    }

    fn state_row(&self, sequence: usize, hv: usize, row: usize) -> usize {
        ((sequence * self.hv + hv) * 128 + row) * 128
    }

    fn residual_output(&mut self, sequence: usize, first: usize, end: usize, hv: usize, row: usize) {
        let n = self.n;
        let state: Vec<f32> = self.out.state[self.state_row(sequence, hv, row)..][..128].to_vec();
        for j in first..end {
            let place = j * self.hv + hv;
            let vector = |tensor: &[f32]| tensor[place * 128..][..128].to_vec();
            let decay = n.exp(self.s.gamma[place]);
            let u = self.s.u[place * 128 + row];
            let residual = n.sub(u, n.mul(decay, self.row(&state, &vector(&self.s.w))));
            self.s.residual[place * 128 + row] = residual;
            let mut o = n.mul(decay, self.row(&state, &vector(&self.s.q_hat)));
            for r in first..=j {
                let residual = self.s.residual[(r * self.hv + hv) * 128 + row];
                o = n.multiply_add(self.s.attention[place * self.c + r - first], residual, o);
            }
            self.s.core[place * 128 + row] = n.mul(f32::from_bits(0x3db5_04f3), o);
        }
    }

    fn state_update(&mut self, sequence: usize, first: usize, end: usize, hv: usize, row: usize) {
        let n = self.n;
        let last = self.s.gamma[(end - 1) * self.hv + hv];
        let own = self.state_row(sequence, hv, row);
        for e in 0..128 {
            let mut s = n.mul(n.exp(last), self.out.state[own + e]);
            for j in first..end {
                let place = j * self.hv + hv;
                let factor = n.mul(n.exp(n.sub(last, self.s.gamma[place])), self.s.residual[place * 128 + row]);
                s = n.multiply_add(factor, self.s.k_hat[place * 128 + e], s);
            }
            self.out.state[own + e] = s;
        }
    }

    fn recurrent(&mut self, sequence: usize, first: usize, end: usize, hv: usize, row: usize) {
        let (n, own) = (self.n, self.state_row(sequence, hv, row));
        let mut s: Vec<f32> = self.out.state[own..own + 128].to_vec();
        for token in first..end {
            let place = token * self.hv + hv;
            let (q, k) = (&self.s.q_hat[place * 128..][..128], &self.s.k_hat[place * 128..][..128]);
            let alpha = n.exp(self.s.log_alpha[place]);
            s = s.iter().map(|&s| n.mul(alpha, s)).collect();
            let d = n.mul(n.sub(self.s.v_act[place * 128 + row], self.row(&s, k)), self.s.beta[place]);
            s = s.iter().zip(k).map(|(&s, &k)| n.multiply_add(d, k, s)).collect();
            let core = n.mul(f32::from_bits(0x3db5_04f3), self.row(&s, q));
            self.s.core[place * 128 + row] = core;
        }
        self.out.state[own..own + 128].copy_from_slice(&s);
    }

    fn norm_silu(&mut self, token: usize, hv: usize) {
        let (n, inputs, place) = (self.n, self.problem.inputs(), (token * self.hv + hv) * 128);
        let x = &self.s.core[place..place + 128];
        let inverse = n.rsqrt(n.multiply_add(self.sum(|i| n.mul(x[i], x[i])), 1.0 / 128.0, 1e-6));
        for (i, &x) in x.iter().enumerate() {
            let normed = n.mul(n.mul(x, inverse), inputs.norm_weight[i]);
            self.out.output[place + i] = n.mul(normed, n.silu(inputs.z[place + i]));
        }
    }
}
