//! The main loop for whole vectors of lanes: the order of operations of `plain.rs`, laid out for speed.
//!
//! What a lane does one after the other becomes operations on whole vectors (`layout.rs`). `pulp` compiles this for the
//! vector instructions that the machine has, hence loops over arrays in place of closures, which would not become part
//! of it. The bits are those of `plain.rs`, as the tests check.

use std::marker::PhantomData;

use pulp::NullaryFnOnce;

use super::job::Job;
use super::layout::{Element, Row, load, position, row, store};
use super::preparation::{Token, Vector};
use super::problem::Problem;
use super::shape::HEAD;
use super::transpose::{Numbers, Transpose};
use crate::numerics::half::f32_to_bf16;
use crate::numerics::{Numerics, Profile};

const ELEMENTS: usize = HEAD as usize;

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
    transpose: T,
    problem: &'a Problem,
    job: Job<'a>,
    kind: PhantomData<(O, E)>,
}

impl<'a, P: Profile, T: Transpose, O: Order, E: Element, const V: usize, const SHARE: usize>
    Task<'a, P, T, O, E, V, SHARE>
{
    /// `job` of `problem`.
    pub(super) const fn new(numerics: Numerics<P>, transpose: T, problem: &'a Problem, job: Job<'a>) -> Self {
        Self { numerics, transpose, problem, job, kind: PhantomData }
    }

    /// Takes row `v` of the state through one more token; returns its output.
    #[inline(always)]
    fn advance(&self, s: &mut Row<V, SHARE>, token: &LaidOut<V, SHARE>, v: usize) -> f32 {
        let n = self.numerics;
        for x in s.as_flattened_mut().as_flattened_mut() {
            *x = n.mul(token.alpha, *x);
        }
        let d = n.mul(n.sub(token.v[v], self.sum(s, &token.k)), token.beta);
        let k = token.k.as_flattened().as_flattened();
        for (x, &k) in s.as_flattened_mut().as_flattened_mut().iter_mut().zip(k) {
            *x = n.multiply_add(d, k, *x);
        }
        self.sum(s, &token.q)
    }

    /// The sum of products over all lanes of a group.
    #[inline(always)]
    fn sum(&self, s: &Row<V, SHARE>, x: &Row<V, SHARE>) -> f32 {
        let n = self.numerics;
        let mut sums = [[[0.0; 8]; V]; 2];
        for p in 0..SHARE {
            let sums = &mut sums[if O::PARITY { p % 2 } else { 0 }];
            for vector in 0..V {
                for i in 0..8 {
                    sums[vector][i] = n.multiply_add(s[p][vector][i], x[p][vector][i], sums[vector][i]);
                }
            }
        }
        let [mut lanes, odd] = sums;
        if O::PARITY {
            for vector in 0..V {
                lanes[vector] = self.add(lanes[vector], odd[vector]);
            }
        }
        let mut distance = 8 * V / 2;
        while distance > 0 {
            let apart = position(O::WORDS, distance);
            let before = lanes;
            for vector in 0..V {
                let other = if apart < 8 {
                    self.transpose.exchanged(before[vector], apart)
                } else {
                    before[vector ^ (apart / 8)]
                };
                lanes[vector] = self.add(before[vector], other);
            }
            distance /= 2;
        }
        lanes[0][0]
    }

    #[inline(always)]
    fn add(&self, a: Numbers, b: Numbers) -> Numbers {
        let mut sums = [0.0; 8];
        for i in 0..8 {
            sums[i] = self.numerics.add(a[i], b[i]);
        }
        sums
    }
}

impl<P: Profile, T: Transpose, O: Order, E: Element, const V: usize, const SHARE: usize> NullaryFnOnce
    for Task<'_, P, T, O, E, V, SHARE>
{
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let transpose = self.transpose;
        let mut tokens = Vec::with_capacity(self.problem.shape().t() as usize);
        for token in 0..self.problem.shape().t() {
            let token = Token::new(self.numerics, self.problem, self.job.request, token, self.job.hv);
            tokens.push(LaidOut::new(O::WORDS, token));
        }
        for v in 0..ELEMENTS {
            let place = v * ELEMENTS * E::BYTES..(v + 1) * ELEMENTS * E::BYTES;
            let mut s = load::<T, E, V, SHARE>(transpose, O::WORDS, &self.job.state[place.clone()]);
            for (position, token) in tokens.iter().enumerate() {
                let output = self.advance(&mut s, token, v);
                self.job.output[position][2 * v..2 * v + 2].copy_from_slice(&f32_to_bf16(output).to_le_bytes());
                if let Some(bytes) = self.job.intermediate.get_mut(position) {
                    store::<T, E, V, SHARE>(transpose, O::WORDS, &s, &mut bytes[place.clone()]);
                }
            }
            if let Some(bytes) = &mut self.job.written {
                store::<T, E, V, SHARE>(transpose, O::WORDS, &s, &mut bytes[place]);
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
