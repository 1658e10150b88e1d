//! The main loop for whole vectors of lanes: the order of operations of `plain.rs`, laid out for speed.
//!
//! A row of the state is an array of SHARE vectors of LANES elements: vector p holds element p of every lane's share. So
//! what a lane does one after the other becomes operations on whole vectors, and the butterfly adds halves of one. bf16
//! elements are taken apart as pairs in 32-bit words. `pulp` compiles this for the vector instructions that the machine
//! has; the bits are those of `plain.rs`, as the tests check.

use std::marker::PhantomData;

use pulp::NullaryFnOnce;

use super::butterfly::butterfly;
use super::job::Job;
use super::preparation::{Token, Vector};
use super::problem::Problem;
use super::shape::HEAD;
use crate::numerics::half::f32_to_bf16;
use crate::numerics::{Numerics, Profile};

const ELEMENTS: usize = HEAD as usize;

/// One row of the state, or a key or query: `[element of the share][lane]`.
type Row<const LANES: usize, const SHARE: usize> = [[f32; LANES]; SHARE];

/// How a type of state is read and written.
pub(super) trait Element {
    /// Bytes of an element.
    const BYTES: usize;

    /// The row in `ELEMENTS * BYTES` bytes.
    fn load<const LANES: usize, const SHARE: usize>(bytes: &[u8]) -> Row<LANES, SHARE>;

    /// Writes the row, rounded.
    fn store<const LANES: usize, const SHARE: usize>(row: &Row<LANES, SHARE>, bytes: &mut [u8]);
}

/// f32.
pub(super) struct Single;

impl Element for Single {
    const BYTES: usize = 4;

    #[inline(always)]
    fn load<const LANES: usize, const SHARE: usize>(bytes: &[u8]) -> Row<LANES, SHARE> {
        let mut row = [[0.0; LANES]; SHARE];
        let words: [u32; ELEMENTS] = words(bytes);
        for p in 0..SHARE {
            for lane in 0..LANES {
                row[p][lane] = f32::from_bits(words[lane * SHARE + p]);
            }
        }
        row
    }

    #[inline(always)]
    fn store<const LANES: usize, const SHARE: usize>(row: &Row<LANES, SHARE>, bytes: &mut [u8]) {
        let mut words = [0; ELEMENTS];
        for p in 0..SHARE {
            for lane in 0..LANES {
                words[lane * SHARE + p] = row[p][lane].to_bits();
            }
        }
        put(&words, bytes);
    }
}

/// bfloat16.
pub(super) struct Brain;

impl Element for Brain {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<const LANES: usize, const SHARE: usize>(bytes: &[u8]) -> Row<LANES, SHARE> {
        let mut row = [[0.0; LANES]; SHARE];
        let words: [u32; ELEMENTS / 2] = words(bytes);
        for p in 0..SHARE / 2 {
            for lane in 0..LANES {
                let pair = words[lane * (SHARE / 2) + p];
                row[2 * p][lane] = f32::from_bits(pair << 16);
                row[2 * p + 1][lane] = f32::from_bits(pair & 0xffff_0000);
            }
        }
        row
    }

    #[inline(always)]
    fn store<const LANES: usize, const SHARE: usize>(row: &Row<LANES, SHARE>, bytes: &mut [u8]) {
        let mut words = [0; ELEMENTS / 2];
        for p in 0..SHARE / 2 {
            for lane in 0..LANES {
                let (even, odd) = (f32_to_bf16(row[2 * p][lane]), f32_to_bf16(row[2 * p + 1][lane]));
                words[lane * (SHARE / 2) + p] = u32::from(even) | u32::from(odd) << 16;
            }
        }
        put(&words, bytes);
    }
}

#[inline(always)]
fn words<const COUNT: usize>(bytes: &[u8]) -> [u32; COUNT] {
    let mut words = [0; COUNT];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

#[inline(always)]
fn put(words: &[u32], bytes: &mut [u8]) {
    for (word, bytes) in words.iter().zip(bytes.as_chunks_mut().0) {
        *bytes = word.to_le_bytes();
    }
}

/// A job in one profile and one kernel's order: `PARITY` adds the even and the odd elements of a share apart.
pub(super) struct Task<'a, P: Profile, E, const LANES: usize, const SHARE: usize, const PARITY: bool> {
    numerics: Numerics<P>,
    problem: &'a Problem,
    job: Job<'a>,
    element: PhantomData<E>,
}

impl<'a, P: Profile, E, const LANES: usize, const SHARE: usize, const PARITY: bool>
    Task<'a, P, E, LANES, SHARE, PARITY>
{
    /// `job` of `problem`. A head has `LANES * SHARE` elements.
    pub(super) const fn new(numerics: Numerics<P>, problem: &'a Problem, job: Job<'a>) -> Self {
        Self { numerics, problem, job, element: PhantomData }
    }
}

impl<P: Profile, E: Element, const LANES: usize, const SHARE: usize, const PARITY: bool> NullaryFnOnce
    for Task<'_, P, E, LANES, SHARE, PARITY>
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { numerics: n, problem, mut job, .. } = self;
        let token = |token| LaidOut::<LANES, SHARE>::new(Token::new(n, problem, job.request, token, job.hv));
        let tokens: Vec<_> = (0..problem.shape().t()).map(token).collect();
        for v in 0..ELEMENTS {
            let place = v * ELEMENTS * E::BYTES..(v + 1) * ELEMENTS * E::BYTES;
            let mut s = E::load::<LANES, SHARE>(&job.state[place.clone()]);
            for (position, token) in tokens.iter().enumerate() {
                let output = advance::<P, LANES, SHARE, PARITY>(n, &mut s, token, v);
                job.output[position][2 * v..2 * v + 2].copy_from_slice(&f32_to_bf16(output).to_le_bytes());
                if let Some(bytes) = job.intermediate.get_mut(position) {
                    E::store(&s, &mut bytes[place.clone()]);
                }
            }
            if let Some(bytes) = &mut job.written {
                E::store(&s, &mut bytes[place]);
            }
        }
    }
}

/// A token with its key and query laid out like the state.
struct LaidOut<const LANES: usize, const SHARE: usize> {
    q: Row<LANES, SHARE>,
    k: Row<LANES, SHARE>,
    v: Vector,
    alpha: f32,
    beta: f32,
}

impl<const LANES: usize, const SHARE: usize> LaidOut<LANES, SHARE> {
    #[inline(always)]
    fn new(token: Token) -> Self {
        let row = |x: &Vector| std::array::from_fn(|p| std::array::from_fn(|lane| x[lane * SHARE + p]));
        Self { q: row(&token.q), k: row(&token.k), v: token.v, alpha: token.alpha, beta: token.beta }
    }
}

/// Row `v` of the state after one more token, and of its output.
#[inline(always)]
fn advance<P: Profile, const LANES: usize, const SHARE: usize, const PARITY: bool>(
    n: Numerics<P>,
    s: &mut Row<LANES, SHARE>,
    token: &LaidOut<LANES, SHARE>,
    v: usize,
) -> f32 {
    for vector in s.iter_mut() {
        for x in vector {
            *x = n.mul(token.alpha, *x);
        }
    }
    let dot = sum_of_products::<P, LANES, SHARE, PARITY>(n, s, &token.k);
    let d = n.mul(n.sub(token.v[v], dot), token.beta);
    for (vector, k) in s.iter_mut().zip(&token.k) {
        for (x, &k) in vector.iter_mut().zip(k) {
            *x = n.multiply_add(d, k, *x);
        }
    }
    sum_of_products::<P, LANES, SHARE, PARITY>(n, s, &token.q)
}

#[inline(always)]
fn sum_of_products<P: Profile, const LANES: usize, const SHARE: usize, const PARITY: bool>(
    n: Numerics<P>,
    s: &Row<LANES, SHARE>,
    x: &Row<LANES, SHARE>,
) -> f32 {
    let add = |sums: &mut [f32; LANES], p: usize| {
        for lane in 0..LANES {
            sums[lane] = n.multiply_add(s[p][lane], x[p][lane], sums[lane]);
        }
    };
    let mut sums = [0.0; LANES];
    if PARITY {
        let mut odd = [0.0; LANES];
        for p in (0..SHARE).step_by(2) {
            add(&mut sums, p);
            add(&mut odd, p + 1);
        }
        for lane in 0..LANES {
            sums[lane] = n.add(sums[lane], odd[lane]);
        }
    } else {
        for p in 0..SHARE {
            add(&mut sums, p);
        }
    }
    butterfly(n, sums)
}
