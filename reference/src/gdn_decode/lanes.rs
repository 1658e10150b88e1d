//! The main loop for whole vectors of lanes: the order of operations of `plain.rs`, laid out for speed.
//!
//! What a lane does one after the other becomes operations on whole vectors (`layout.rs`). `pulp` compiles this for the
//! vector instructions that the machine has, hence loops over arrays in place of closures, which would not become part
//! of it. The bits are those of `plain.rs`, as the tests check.

use std::marker::PhantomData;

use pulp::NullaryFnOnce;

use super::job::Job;
use super::layout::{Element, Row, load, position, row, store};
use super::preparation::prepared;
use super::problem::Problem;
use super::shape::HEAD;
use super::vectors::{Numbers, Vectors};
use crate::delta_rule::preparation::{Token, Vector};
use crate::numerics::half::f32_to_bf16;
use crate::numerics::{Numerics, Profile};

const ELEMENTS: usize = HEAD as usize;

/// Rows that are read before the first of them is computed, so that memory is not waited for row by row.
const TOGETHER: usize = 4;

/// A kernel's order of operations, beyond how many lanes it has.
pub(super) trait Order {
    /// Words of a lane's share, for the state's type that the kernel has.
    const WORDS: usize;
    /// Whether the even and the odd elements of a share are added apart.
    const PARITY: bool;
}

/// 16 lanes with 8 bf16.
pub(super) struct WideVec;

impl Order for WideVec {
    const WORDS: usize = 4;
    const PARITY: bool = false;
}

/// 32 lanes with 4 bf16.
pub(super) struct Ilp4;

impl Order for Ilp4 {
    const WORDS: usize = 2;
    const PARITY: bool = true;
}

/// 32 lanes with 4 f32.
pub(super) struct Pretranspose;

impl Order for Pretranspose {
    const WORDS: usize = 4;
    const PARITY: bool = false;
}

/// A job, in one profile and one order, over one type of state. A row has `8 * V * SHARE` elements.
pub(super) struct Task<'a, P: Profile, T, O, E, const V: usize, const SHARE: usize> {
    numerics: Numerics<P>,
    vectors: T,
    problem: &'a Problem,
    job: Job<'a>,
    kind: PhantomData<(O, E)>,
}

impl<'a, P: Profile, T: Vectors, O: Order, E: Element, const V: usize, const SHARE: usize>
    Task<'a, P, T, O, E, V, SHARE>
{
    /// `job` of `problem`.
    pub(super) const fn new(numerics: Numerics<P>, vectors: T, problem: &'a Problem, job: Job<'a>) -> Self {
        Self { numerics, vectors, problem, job, kind: PhantomData }
    }

    /// Takes row `v` of the state through one more token; returns its output.
    #[inline(always)]
    fn advance(&self, row: &mut Row<V, SHARE>, token: &LaidOut<V, SHARE>, v: usize) -> f32 {
        let (n, vectors) = (self.numerics, self.vectors);
        for x in row.as_flattened_mut() {
            *x = vectors.scale(n, token.alpha, *x);
        }
        let d = [n.mul(n.sub(token.v[v], self.sum(row, &token.k)), token.beta); 8];
        for (x, &k) in row.as_flattened_mut().iter_mut().zip(token.k.as_flattened()) {
            *x = vectors.multiply_add(n, d, k, *x);
        }
        self.sum(row, &token.q)
    }

    /// The sum of products over all lanes of a group.
    #[inline(always)]
    fn sum(&self, row: &Row<V, SHARE>, x: &Row<V, SHARE>) -> f32 {
        let mut sums = [[[0.0; 8]; V]; 2];
        for p in 0..SHARE {
            let parity = if O::PARITY { p % 2 } else { 0 };
            for vector in 0..V {
                let sum = &mut sums[parity][vector];
                *sum = self.vectors.multiply_add(self.numerics, row[p][vector], x[p][vector], *sum);
            }
        }
        self.total(sums)
    }

    /// The butterfly over a group's lanes.
    #[inline(always)]
    fn total(&self, [mut lanes, odd]: [[Numbers; V]; 2]) -> f32 {
        let (n, vectors) = (self.numerics, self.vectors);
        if O::PARITY {
            for vector in 0..V {
                lanes[vector] = vectors.add(n, lanes[vector], odd[vector]);
            }
        }
        let mut distance = 8 * V / 2;
        while distance > 0 {
            let apart = position(O::WORDS, distance);
            let before = lanes;
            for vector in 0..V {
                let other =
                    if apart < 8 { vectors.exchanged(before[vector], apart) } else { before[vector ^ (apart / 8)] };
                lanes[vector] = vectors.add(n, before[vector], other);
            }
            distance /= 2;
        }
        lanes[0][0]
    }
}

impl<P: Profile, T: Vectors, O: Order, E: Element, const V: usize, const SHARE: usize> NullaryFnOnce
    for Task<'_, P, T, O, E, V, SHARE>
{
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let vectors = self.vectors;
        let mut tokens = Vec::with_capacity(self.problem.shape().t() as usize);
        for token in 0..self.problem.shape().t() {
            let token = prepared(self.numerics, self.problem, self.job.request, token, self.job.hv);
            tokens.push(LaidOut::new(O::WORDS, token));
        }
        let mut rows = [[[[0.0; 8]; V]; SHARE]; TOGETHER];
        for first in (0..ELEMENTS).step_by(TOGETHER) {
            let place = |r| (first + r) * ELEMENTS * E::BYTES..(first + r + 1) * ELEMENTS * E::BYTES;
            for (r, row) in rows.iter_mut().enumerate() {
                *row = load::<T, E, V, SHARE>(vectors, O::WORDS, &self.job.state[place(r)]);
            }
            for (position, token) in tokens.iter().enumerate() {
                for (v, row) in (first..).zip(&mut rows) {
                    let output = f32_to_bf16(self.advance(row, token, v)).to_le_bytes();
                    self.job.output[position][2 * v..2 * v + 2].copy_from_slice(&output);
                }
                if let Some(bytes) = self.job.intermediate.get_mut(position) {
                    for (r, row) in rows.iter().enumerate() {
                        store::<T, E, V, SHARE>(vectors, O::WORDS, row, &mut bytes[place(r)]);
                    }
                }
            }
            if let Some(bytes) = &mut self.job.written {
                for (r, row) in rows.iter().enumerate() {
                    store::<T, E, V, SHARE>(vectors, O::WORDS, row, &mut bytes[place(r)]);
                }
            }
        }
    }
}

/// A token with its key and query laid out like the state.
struct LaidOut<const V: usize, const SHARE: usize> {
    q: Row<V, SHARE>,
    k: Row<V, SHARE>,
    v: Vector,
    alpha: f32,
    beta: f32,
}

impl<const V: usize, const SHARE: usize> LaidOut<V, SHARE> {
    #[inline(always)]
    fn new(words: usize, token: Token) -> Self {
        let (q, k) = (row(words, &token.q), row(words, &token.k));
        Self { q, k, v: token.v, alpha: token.alpha, beta: token.beta }
    }
}
