//! The answer in f64, written for reading: what the outputs would be without any rounding.
//!
//! Two forms. With the weights as quantised it is what a correct kernel must approach: [`super::tolerance`]
//! says how closely. With the weights before quantisation it is what a user wants: its distance is the
//! quantisation noise, a relative error of about 0.10, and grows to 0.28–0.33 for garbled rows
//! (intel/llm-scaler pull request 399).
//!
//! Rounding to fp16, of the outputs and between the kernels of the split path, is no part of it.

use rayon::prelude::*;

use super::problem::{Inputs, Problem, UnquantisedWeights};
use crate::numerics::half::f16_to_f32;
use crate::q4_0;

/// The unrounded outputs, and the sums that error bounds need.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// `[k]` hidden + residual.
    pub residual: Vec<f64>,
    /// `[k]` the normed vector.
    pub normed: Vec<f64>,
    /// 1 / root mean square.
    pub inverse: f64,
    /// `[n]` results.
    pub rows: Vec<Row>,
}

/// One output row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Sum of normed * weight.
    pub output: f64,
    /// Sum of |normed * weight|.
    pub magnitude: f64,
    /// Sum of |weight|.
    pub weight_magnitude: f64,
}

impl Oracle {
    /// With the weights as the kernel has them.
    pub fn quantised(problem: &Problem) -> Self {
        Self::with_weights(problem, |row| quantised_row(problem, row))
    }

    /// With the weights of [`Problem::from_seed`] before quantisation.
    pub fn unquantised(problem: &Problem, weights: UnquantisedWeights) -> Self {
        Self::with_weights(problem, |row| weights.row(row))
    }

    fn with_weights(problem: &Problem, weights: impl Fn(usize) -> Vec<f32> + Sync) -> Self {
        let Inputs { hidden, residual, norm_weight, .. } = problem.inputs();
        let added: Vec<f64> = hidden.iter().zip(residual).map(|(&h, &r)| half(h) + half(r)).collect();
        let squares: f64 = added.iter().map(|x| x * x).sum();
        let inverse = 1.0 / (squares / f64::from(problem.shape().k()) + 1e-6).sqrt();
        let normed: Vec<f64> = added.iter().zip(norm_weight).map(|(x, &w)| x * inverse * half(w)).collect();
        let row = |position| Row::new(&normed, &weights(position));
        let rows = (0..problem.shape().rows()).into_par_iter().map(row).collect();
        Self { residual: added, normed, inverse, rows }
    }

    /// The results of all rows.
    pub fn output(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.output).collect()
    }
}

impl Row {
    fn new(normed: &[f64], weights: &[f32]) -> Self {
        let mut row = Self::default();
        for (x, &weight) in normed.iter().zip(weights) {
            let weight = f64::from(weight);
            row.output += x * weight;
            row.magnitude += (x * weight).abs();
            row.weight_magnitude += weight.abs();
        }
        row
    }
}

/// `||actual - expected|| / ||expected||`.
pub fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
    let distance: f64 = actual.iter().zip(expected).map(|(a, e)| (a - e) * (a - e)).sum();
    let length: f64 = expected.iter().map(|e| e * e).sum();
    (distance / length).sqrt()
}

fn quantised_row(problem: &Problem, row: usize) -> Vec<f32> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let packed = &inputs.weight[row * shape.weight_row()..][..shape.weight_row()];
    let scales = &inputs.scale[row * shape.scale_row()..][..shape.scale_row()];
    (0..shape.elements()).map(|element| q4_0::value(packed, scales, element)).collect()
}

fn half(bits: u16) -> f64 {
    f64::from(f16_to_f32(bits))
}
