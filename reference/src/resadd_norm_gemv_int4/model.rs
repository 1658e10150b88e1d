//! The kernel on the host, bit for bit: its order of operations, its lanes and its rounding points.
//!
//! It mirrors `kernels/wgsl/resadd_norm_gemv_int4.wgsl`. A row is shared by `groups` groups over
//! contiguous ranges of k; a group has 32 lanes; lane l takes the blocks of 8 elements l, l + 32, ... of
//! its group's range. Every lane adds its elements one after the other by multiply-add, starting from 0;
//! the lanes of a group are added at distances 16, 8, 4, 2, 1; the groups from the left.
//!
//! What a race does to the outputs is not modelled: that is the simulator's business. All workgroups of a
//! clean launch compute the same normed vector, so the model computes it once.

use gridproof_launch::Arithmetic;
use rayon::prelude::*;

use super::problem::{EPSILON, Inputs, Problem, Shape};
use crate::numerics::half::{f16_to_f32, f32_to_f16};
use crate::numerics::{Numerics, Profile};
use crate::with_profile;

const LANES: usize = 32;
const BLOCK: usize = 8;

/// Which kernels run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// One fused kernel; [`Shape::groups`] groups share a row.
    Fused,
    /// The one-workgroup prepass, then the plain GEMV; one group each.
    Split,
}

impl Path {
    /// Groups of 32 invocations in a workgroup.
    pub const fn groups(self, shape: Shape) -> u32 {
        match self {
            Self::Fused => shape.groups(),
            Self::Split => 1,
        }
    }
}

/// The output buffers, byte for byte as a launch leaves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// `[k]` fp16.
    pub residual: Vec<u8>,
    /// `[n]` 32-bit words with an fp16 in the low half and 0 in the high half.
    pub output: Vec<u8>,
    /// `[k]` fp16.
    pub normed_out: Vec<u8>,
}

impl Outputs {
    /// Buffer names and bytes, in binding order.
    pub fn named(&self) -> [(&'static str, &[u8]); 3] {
        [("residual", &self.residual), ("output", &self.output), ("normed_out", &self.normed_out)]
    }

    /// `residual` as numbers.
    pub fn residual_values(&self) -> Vec<f64> {
        half_values(&self.residual, 2)
    }

    /// `normed_out` as numbers.
    pub fn normed_values(&self) -> Vec<f64> {
        half_values(&self.normed_out, 2)
    }

    /// `output` as numbers.
    pub fn output_values(&self) -> Vec<f64> {
        output_values(&self.output)
    }
}

/// The numbers in the bytes of an `output` buffer: the fp16 in the low half of each word.
pub fn output_values(bytes: &[u8]) -> Vec<f64> {
    half_values(bytes, 4)
}

/// What `path` leaves in the output buffers on a device with this arithmetic.
pub fn run(problem: &Problem, path: Path, arithmetic: Arithmetic) -> Outputs {
    with_profile!(Numerics::new(arithmetic), |numerics| Model { numerics, problem, path }.run())
}

struct Model<'a, P: Profile> {
    numerics: Numerics<P>,
    problem: &'a Problem,
    path: Path,
}

impl<P: Profile> Model<'_, P> {
    fn run(&self) -> Outputs {
        let added = self.added();
        let residual = rounded(&added);
        let inverse = self.inverse(&added);
        let normed = match self.path {
            Path::Fused => self.normed(&added, inverse),
            Path::Split => self.normed(&widened(&residual), inverse),
        };
        let normed_out = rounded(&normed);
        let output = match self.path {
            Path::Fused => self.gemv(&normed),
            Path::Split => self.gemv(&widened(&normed_out)),
        };
        Outputs { residual: half_bytes(&residual), output: word_bytes(&output), normed_out: half_bytes(&normed_out) }
    }

    fn added(&self) -> Vec<f32> {
        let Inputs { hidden, residual, .. } = self.problem.inputs();
        hidden.iter().zip(residual).map(|(&h, &r)| self.numerics.add(f16_to_f32(h), f16_to_f32(r))).collect()
    }

    fn inverse(&self, added: &[f32]) -> f32 {
        let n = self.numerics;
        let squares = self.row_sum(|block, sum| {
            added[block * BLOCK..][..BLOCK].iter().fold(sum, |sum, &x| n.multiply_add(x, x, sum))
        });
        n.rsqrt(n.multiply_add(squares, self.problem.shape().reciprocal_k(), EPSILON))
    }

    fn normed(&self, residual: &[f32], inverse: f32) -> Vec<f32> {
        let n = self.numerics;
        let weights = &self.problem.inputs().norm_weight;
        residual.iter().zip(weights).map(|(&x, &w)| n.mul(n.mul(x, inverse), f16_to_f32(w))).collect()
    }

    fn gemv(&self, normed: &[f32]) -> Vec<u16> {
        let (shape, inputs) = (self.problem.shape(), self.problem.inputs());
        let weights = inputs.weight.par_chunks_exact(shape.weight_row());
        let scales = inputs.scale.par_chunks_exact(shape.scale_row());
        weights.zip(scales).map(|(weights, scales)| f32_to_f16(self.dot(normed, weights, scales))).collect()
    }

    fn dot(&self, normed: &[f32], weights: &[u8], scales: &[u16]) -> f32 {
        let n = self.numerics;
        let scales: Vec<f32> = scales.iter().map(|&bits| f16_to_f32(bits)).collect();
        self.row_sum(|block, sum| {
            let (scale, normed) = (scales[block / 16], &normed[block * BLOCK..][..BLOCK]);
            let bytes = &weights[block * BLOCK / 2..][..BLOCK / 2];
            bytes.iter().zip(normed.chunks_exact(2)).fold(sum, |sum, (&byte, pair)| {
                let value = |quantum: u8| n.mul(n.sub(f32::from(quantum), 8.0), scale);
                n.multiply_add(pair[1], value(byte >> 4), n.multiply_add(pair[0], value(byte & 15), sum))
            })
        })
    }

    /// The sum over a row in the kernel's order; `add` adds the 8 elements of a block to a lane's sum.
    fn row_sum(&self, add: impl Fn(usize, f32) -> f32) -> f32 {
        let shape = self.problem.shape();
        let groups = self.path.groups(shape) as usize;
        let blocks = shape.elements() / BLOCK / groups;
        let group_sum = |group: usize| {
            let mut lanes = [0.0; LANES];
            for position in 0..blocks {
                let lane = &mut lanes[position % LANES];
                *lane = add(group * blocks + position, *lane);
            }
            self.tree(lanes)
        };
        (1..groups).fold(group_sum(0), |sum, group| self.numerics.add(sum, group_sum(group)))
    }

    fn tree(&self, mut lanes: [f32; LANES]) -> f32 {
        for distance in [16, 8, 4, 2, 1] {
            for lane in 0..distance {
                lanes[lane] = self.numerics.add(lanes[lane], lanes[lane + distance]);
            }
        }
        lanes[0]
    }
}

fn rounded(values: &[f32]) -> Vec<u16> {
    values.iter().map(|&value| f32_to_f16(value)).collect()
}

fn widened(halves: &[u16]) -> Vec<f32> {
    halves.iter().map(|&bits| f16_to_f32(bits)).collect()
}

fn half_bytes(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|bits| bits.to_le_bytes()).collect()
}

fn word_bytes(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|&bits| u32::from(bits).to_le_bytes()).collect()
}

fn half_values(bytes: &[u8], stride: usize) -> Vec<f64> {
    let half = |element: &[u8]| f64::from(f16_to_f32(u16::from_le_bytes([element[0], element[1]])));
    bytes.chunks_exact(stride).map(half).collect()
}
