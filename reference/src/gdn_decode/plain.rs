//! The main loop written for reading: one row, one lane, one element at a time. `lanes.rs` must give its bits.

use gridproof_launch::Arithmetic;

use super::job::{Job, jobs};
use super::model::Outputs;
use super::path::Path;
use super::preparation::prepared;
use super::problem::Problem;
use super::shape::StateType;
use crate::delta_rule::preparation::{Token, Vector};
use crate::numerics::Numerics;
use crate::numerics::half::{bf16_to_f32, f32_to_bf16};

/// As [`super::model::run`], with the rows in the order of a launch with tiles of `tile_v` rows.
pub(super) fn run(problem: &Problem, path: Path, tile_v: u32, arithmetic: Arithmetic) -> Outputs {
    let mut outputs = Outputs::default();
    for mut job in jobs(problem, &mut outputs) {
        let n = Numerics::new(arithmetic);
        let token = |token| prepared(n, problem, job.request, token, job.hv);
        let tokens: Vec<Token> = (0..problem.shape().t()).map(token).collect();
        for row in path.rows(tile_v) {
            Row { n, path, state: problem.shape().state() }.run(row as usize, &tokens, &mut job);
        }
    }
    outputs
}

struct Row {
    n: Numerics,
    path: Path,
    state: StateType,
}

impl Row {
    fn run(&self, row: usize, tokens: &[Token], job: &mut Job<'_>) {
        let n = self.n;
        let mut s: Vector = std::array::from_fn(|i| self.load(job.state, row * 128 + i));
        for (position, token) in tokens.iter().enumerate() {
            s = s.map(|x| n.mul(token.alpha, x));
            let dot = self.sum(&s, &token.k);
            let d = n.mul(n.sub(token.v[row], dot), token.beta);
            s = std::array::from_fn(|i| n.multiply_add(d, token.k[i], s[i]));
            let output = f32_to_bf16(self.sum(&s, &token.q));
            job.output[position][2 * row..][..2].copy_from_slice(&output.to_le_bytes());
            if let Some(bytes) = job.intermediate.get_mut(position) {
                self.store(&s, bytes, row * 128);
            }
        }
        if let Some(bytes) = &mut job.written {
            self.store(&s, bytes, row * 128);
        }
    }

    /// The sum of s_i * x_i as the lanes of a group make it.
    fn sum(&self, s: &Vector, x: &Vector) -> f32 {
        let n = self.n;
        let serial = |elements: [usize; 2], step| {
            let elements = (elements[0]..elements[1]).step_by(step);
            elements.fold(0.0, |sum, i| n.multiply_add(s[i], x[i], sum))
        };
        let lanes: Vec<f32> = match self.path {
            Path::WideVec => (0..16).map(|lane| serial([8 * lane, 8 * lane + 8], 1)).collect(),
            Path::Pretranspose => (0..32).map(|lane| serial([4 * lane, 4 * lane + 4], 1)).collect(),
            Path::Ilp4 => {
                let parity = |lane: usize, parity| serial([4 * lane + parity, 4 * lane + 4], 2);
                (0..32).map(|lane| n.add(parity(lane, 0), parity(lane, 1))).collect()
            }
        };
        self.butterfly(lanes)
    }

    fn butterfly(&self, mut lanes: Vec<f32>) -> f32 {
        let mut distance = lanes.len() / 2;
        while distance > 0 {
            lanes = (0..lanes.len()).map(|lane| self.n.add(lanes[lane], lanes[lane ^ distance])).collect();
            distance /= 2;
        }
        assert!(lanes.iter().all(|x| x.to_bits() == lanes[0].to_bits() || x.is_nan()));
        lanes[0]
    }

    fn load(&self, bytes: &[u8], element: usize) -> f32 {
        match self.state {
            StateType::Bf16 => bf16_to_f32(u16::from_le_bytes([bytes[2 * element], bytes[2 * element + 1]])),
            StateType::F32 => f32::from_le_bytes(std::array::from_fn(|byte| bytes[4 * element + byte])),
        }
    }

    fn store(&self, s: &Vector, bytes: &mut [u8], first: usize) {
        for (element, &x) in (first..).zip(s) {
            match self.state {
                StateType::Bf16 => bytes[2 * element..][..2].copy_from_slice(&f32_to_bf16(x).to_le_bytes()),
                StateType::F32 => bytes[4 * element..][..4].copy_from_slice(&x.to_le_bytes()),
            }
        }
    }
}
