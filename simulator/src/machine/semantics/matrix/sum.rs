//! Sums of floating-point products as the tensor cores of the Hopper generation form them. No document of the vendor says
//! how; this follows "MMA-Sim" (arXiv 2511.10909), and gives the bits of a device on all rows of `tests/ptx/mma.txt`.
//!
//! * f16, bf16 and tf32: the exact products and C are aligned to the largest of their exponents, cut off below 25
//!   fraction bits of it (towards zero), added exactly, and the sum is cut off to f32, or rounded to the nearest f16. The
//!   exponent of a product is the sum of the exponents of its factors, whatever its significand; zeros have none.
//! * e4m3 and e5m2: the factors become f16. Those whose k is 0 or 1 modulo 4 are multiplied and added as above, from 0 on;
//!   then the others, from that sum on; then C is added, rounded to nearest.
//! * `m8n8k4` on f16: a chain of f32 multiply-adds in the order of k, from C on for an f16 result; for an f32 result from
//!   0 on, and then C is added.

use gridproof_launch::Arithmetic;

use super::super::extended::{Format, decode, nan};
use super::super::float;
use super::super::format::{Float, Number};
use crate::cast::low;
use crate::ir::{BinaryOp, Element, Matrix, Rounding, TernaryOp};

/// Fraction bits that a term keeps, below the largest exponent.
const FRACTION: i32 = 25;

/// A finite term: `magnitude * 2^exponent`, whose leading place is that of `2^scale`.
#[derive(Clone, Copy, Debug)]
struct Term {
    negative: bool,
    magnitude: u64,
    exponent: i32,
    scale: i32,
}

/// What the terms have added up to besides finite numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Special {
    nan: bool,
    positive: bool,
    negative: bool,
}

impl Special {
    fn infinite(&mut self, negative: bool) {
        if negative {
            self.negative = true;
        } else {
            self.positive = true;
        }
    }
}

/// One element of D.
pub(super) fn floats(matrix: Matrix, pairs: &[(u64, u64)], c: u64) -> u64 {
    let (from, to) = (accumulator(matrix.c), accumulator(matrix.d));
    match matrix.a {
        Element::E4m3 | Element::E5m2 => converted(matrix, pairs, c, to),
        Element::F16 if matrix.m == 8 => chain(pairs, (from, c), to),
        _ => add(matrix, pairs, (from, c), to),
    }
}

/// The sum of factors of 8 bits.
fn converted(matrix: Matrix, pairs: &[(u64, u64)], c: u64, to: Float) -> u64 {
    let halves = Matrix { a: Element::F16, b: Element::F16, ..matrix };
    let sum = [0, 2].into_iter().fold(0, |sum, first| {
        let part: Vec<(u64, u64)> = (0..)
            .zip(pairs)
            .filter(|(k, _)| k & 2 == first)
            .map(|(_, &(a, b))| (half(matrix.a, a), half(matrix.b, b)))
            .collect();
        add(halves, &part, (to, sum), to)
    });
    plain(to, float::binary(BinaryOp::Add, to, sum, c, Arithmetic::FUSED))
}

/// A factor of 8 bits as an f16, which is exact.
fn half(element: Element, bits: u64) -> u64 {
    let ty = Float::F16;
    match decode(format(element), bits) {
        (_, Number::Nan) => nan(ty),
        (negative, Number::Infinite) => ty.signed(negative, ty.infinity()),
        (negative, Number::Finite { magnitude, exponent }) => {
            ty.pack(negative, magnitude, exponent, Rounding::NearestEven)
        }
    }
}

fn chain(pairs: &[(u64, u64)], (from, c): (Float, u64), to: Float) -> u64 {
    let (f32, fused) = (Float::F32, Arithmetic::FUSED);
    let wide = |ty: Float, bits: u64| f32.repack(ty, bits, Rounding::NearestEven);
    let c = wide(from, c);
    let (first, last) = if to == Float::F16 { (c, None) } else { (0, Some(c)) };
    let sum = pairs.iter().fold(first, |sum, &(a, b)| {
        float::ternary(TernaryOp::MultiplyAdd, f32, wide(Float::F16, a), wide(Float::F16, b), sum, fused)
    });
    let sum = last.map_or(sum, |c| float::binary(BinaryOp::Add, f32, sum, c, fused));
    plain(to, to.repack(f32, sum, Rounding::NearestEven))
}

/// A result with the device's NaN.
fn plain(ty: Float, bits: u64) -> u64 {
    if ty.is_nan(bits) { nan(ty) } else { bits }
}

const fn accumulator(element: Element) -> Float {
    if matches!(element, Element::F16) { Float::F16 } else { Float::F32 }
}

const fn format(element: Element) -> Format {
    match element {
        Element::F16 => Format::F16,
        Element::Bf16 => Format::Bf16,
        Element::E4m3 => Format::E4m3,
        Element::E5m2 => Format::E5m2,
        _ => Format::F32,
    }
}

/// An operand's sign and value, and the bits of its fraction. The low 13 bits of a tf32 do not count.
fn operand(element: Element, bits: u64) -> (bool, Number, i32) {
    let bits = if element == Element::Tf32 { bits & !0x1fff } else { bits };
    let (negative, number) = decode(format(element), bits);
    let fraction = match element {
        Element::F16 => 10,
        Element::Bf16 => 7,
        _ => 23,
    };
    (negative, number, fraction)
}

fn add(matrix: Matrix, pairs: &[(u64, u64)], (from, c): (Float, u64), to: Float) -> u64 {
    let mut special = Special::default();
    let mut terms: Vec<Term> = pairs.iter().filter_map(|&pair| product(matrix, pair, &mut special)).collect();
    let negative = from.is_negative(c);
    match from.unpack(c) {
        Number::Nan => special.nan = true,
        Number::Infinite => special.infinite(negative),
        Number::Finite { magnitude, exponent } => {
            let scale = exponent + from.fraction_bits().cast_signed();
            terms.push(Term { negative, magnitude, exponent, scale });
        }
    }
    match special {
        Special { nan: true, .. } | Special { positive: true, negative: true, .. } => nan(to),
        Special { positive: true, .. } => to.infinity(),
        Special { negative: true, .. } => to.signed(true, to.infinity()),
        Special { .. } => total(&terms, to),
    }
}

fn product(matrix: Matrix, (a, b): (u64, u64), special: &mut Special) -> Option<Term> {
    let (a_negative, a, a_fraction) = operand(matrix.a, a);
    let (b_negative, b, b_fraction) = operand(matrix.b, b);
    let negative = a_negative != b_negative;
    match (a, b) {
        (Number::Nan, _) | (_, Number::Nan) => special.nan = true,
        (Number::Infinite, Number::Finite { magnitude: 0, .. })
        | (Number::Finite { magnitude: 0, .. }, Number::Infinite) => special.nan = true,
        (Number::Infinite, _) | (_, Number::Infinite) => special.infinite(negative),
        (Number::Finite { magnitude: x, exponent: i }, Number::Finite { magnitude: y, exponent: j }) => {
            let scale = i + j + a_fraction + b_fraction;
            return Some(Term { negative, magnitude: x * y, exponent: i + j, scale });
        }
    }
    None
}

/// Most products of one element of D here.
const MOST: usize = 16;
/// The scale of a zero, which never is the largest.
const NO_SCALE: i32 = -(1 << 20);

/// The factors of one row of A, or column of B: significands, signs (0 or -1), exponents of the leading places.
#[derive(Clone, Copy)]
struct Line {
    magnitudes: [u32; MOST],
    signs: [i32; MOST],
    scales: [i32; MOST],
}

/// Factors, line by line, all finite.
struct Factors {
    lines: Vec<Line>,
    /// Bits of the fraction.
    fraction: i32,
}

impl Factors {
    /// `None` where one is infinite or NaN.
    fn new(element: Element, length: usize, bits: impl Iterator<Item = u64>) -> Option<Self> {
        let empty = Line { magnitudes: [0; MOST], signs: [0; MOST], scales: [NO_SCALE; MOST] };
        let kept = if element == Element::Tf32 { !0x1fff } else { u32::MAX };
        let (fraction, exponent): (u32, u32) = match element {
            Element::F16 => (10, 5),
            Element::Bf16 => (7, 8),
            _ => (23, 8),
        };
        let mut factors = Self { lines: Vec::new(), fraction: fraction.cast_signed() };
        let mut k = length;
        for bits in bits {
            if k == length {
                factors.lines.push(empty);
                k = 0;
            }
            let line = factors.lines.last_mut()?;
            let (negative, magnitude, scale) = parts(low(bits) & kept, fraction, exponent)?;
            line.magnitudes[k] = magnitude;
            line.signs[k] = -i32::from(negative);
            line.scales[k] = if magnitude == 0 { NO_SCALE } else { scale };
            k += 1;
        }
        Some(factors)
    }
}

/// Sign, significand and exponent of the leading place of a finite number with this many bits of fraction and exponent.
#[inline(always)]
fn parts(bits: u32, fraction: u32, exponent: u32) -> Option<(bool, u32, i32)> {
    let largest = (1 << exponent) - 1;
    let field = bits >> fraction & largest;
    let significand = bits & ((1 << fraction) - 1) | u32::from(field != 0) << fraction;
    let scale = field.max(1).cast_signed() - (largest >> 1).cast_signed();
    (field != largest).then_some((bits >> (fraction + exponent) & 1 == 1, significand, scale))
}

/// All sums of products, with their largest scales.
struct Sums<'a> {
    a: &'a Factors,
    b: &'a Factors,
    c: &'a [Term],
    raise: i32,
    narrow: bool,
}

impl pulp::NullaryFnOnce for Sums<'_> {
    type Output = Vec<(i64, i32)>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { a, b, c, raise, narrow } = self;
        let base = raise + a.fraction + b.fraction - FRACTION;
        let mut sums = Vec::with_capacity(c.len());
        let lines = a.lines.iter().flat_map(|row| b.lines.iter().map(move |column| (row, column)));
        for ((row, column), term) in lines.zip(c) {
            let own = if term.magnitude == 0 { NO_SCALE * 2 } else { term.scale };
            let largest = largest_scale(row, column, own);
            sums.push((sum_of_products(row, column, base + largest, raise, narrow), largest));
        }
        sums
    }
}

/// The largest scale of the products of two lines, or `own`.
#[inline(always)]
fn largest_scale(a: &Line, b: &Line, own: i32) -> i32 {
    let scales: [i32; MOST] = std::array::from_fn(|k| a.scales[k] + b.scales[k]);
    scales.into_iter().fold(own, i32::max)
}

/// The sum of the products of two lines, each cut off to the unit. Below `highest` nothing is left of one: `raise` bits
/// above the product's own.
#[inline(always)]
fn sum_of_products(a: &Line, b: &Line, highest: i32, raise: i32, narrow: bool) -> i64 {
    let mut sum = 0_i64;
    if narrow {
        // Products of 22 bits, raised by 11 at most, but never beyond 27.
        let terms: [i32; MOST] = std::array::from_fn(|k| {
            let shift = (highest - a.scales[k] - b.scales[k]).clamp(0, 31);
            let magnitude = (a.magnitudes[k].wrapping_mul(b.magnitudes[k]) << raise) >> shift;
            let sign = a.signs[k] ^ b.signs[k];
            (magnitude.cast_signed() ^ sign).wrapping_sub(sign)
        });
        for term in terms {
            sum += i64::from(term);
        }
        return sum;
    }
    for k in 0..MOST {
        let shift = (highest - a.scales[k] - b.scales[k]).clamp(0, 63);
        let magnitude = (u64::from(a.magnitudes[k]) * u64::from(b.magnitudes[k])) << raise >> shift;
        let sign = i64::from(a.signs[k] ^ b.signs[k]);
        sum += (magnitude.cast_signed() ^ sign) - sign;
    }
    sum
}

/// All elements of D where the factors are finite and have 16 or more bits: what [`floats`] gives for each, with every
/// factor unpacked once. `a` by rows, `b` by columns. `None` where this is not so.
pub(super) fn finite(
    matrix: Matrix,
    a: impl Iterator<Item = u64>,
    b: impl Iterator<Item = u64>,
    c: impl Iterator<Item = u64>,
) -> Option<Vec<u64>> {
    let length = crate::cast::at(matrix.k);
    if matrix.m == 8 || length > MOST || !matches!(matrix.a, Element::F16 | Element::Bf16 | Element::Tf32) {
        return None;
    }
    let (a, b) = (Factors::new(matrix.a, length, a)?, Factors::new(matrix.b, length, b)?);
    let (from, to) = (accumulator(matrix.c), accumulator(matrix.d));
    let (fraction, exponent): (u32, u32) = if from == Float::F16 { (10, 5) } else { (23, 8) };
    let mut terms = Vec::with_capacity(a.lines.len() * b.lines.len());
    for bits in c {
        let (negative, magnitude, scale) = parts(low(bits), fraction, exponent)?;
        let magnitude = u64::from(magnitude);
        terms.push(Term { negative, magnitude, exponent: scale - fraction.cast_signed(), scale });
    }
    let raise = (FRACTION - a.fraction - b.fraction).max(0);
    let sums = Sums { a: &a, b: &b, c: &terms, raise, narrow: matrix.a != Element::Tf32 };
    let sums = pulp::Arch::new().dispatch(sums);
    let results = sums.into_iter().zip(&terms).map(|((sum, largest), term)| {
        let unit = largest - FRACTION;
        let shift = term.exponent - unit;
        let magnitude = if shift >= 0 { term.magnitude << shift.min(63) } else { term.magnitude >> (-shift).min(63) };
        let c = if term.negative { -magnitude.cast_signed() } else { magnitude.cast_signed() };
        if largest < NO_SCALE / 2 { 0 } else { finished_quickly(sum + c, unit, to) }
    });
    Some(results.collect())
}

/// As [`finished`], for what becomes a normal f32 most of the time.
fn finished_quickly(sum: i64, unit: i32, to: Float) -> u64 {
    let magnitude = sum.unsigned_abs();
    let Some(top) = magnitude.checked_ilog2() else { return 0 };
    let exponent = unit + top.cast_signed();
    if to != Float::F32 || !(-126..=127).contains(&exponent) {
        return finished(i128::from(sum), unit, to);
    }
    let significand = if top > 23 { magnitude >> (top - 23) } else { magnitude << (23 - top) };
    let field = u64::from((exponent + 127).unsigned_abs()) << 23;
    u64::from(sum < 0) << 31 | field | significand & 0x7f_ffff
}

/// The sum of finite terms.
fn total(terms: &[Term], to: Float) -> u64 {
    let Some(largest) = terms.iter().filter(|term| term.magnitude != 0).map(|term| term.scale).max() else {
        return 0;
    };
    let unit = largest - FRACTION;
    finished(terms.iter().map(|term| aligned(*term, unit)).sum(), unit, to)
}

/// A sum in units of `2^unit` as a result.
fn finished(sum: i128, unit: i32, to: Float) -> u64 {
    let magnitude = u64::try_from(sum.unsigned_abs()).unwrap_or(u64::MAX);
    let rounding = if to == Float::F16 { Rounding::NearestEven } else { Rounding::TowardsZero };
    // What is too large becomes infinite although it is cut off.
    let exponent = magnitude.checked_ilog2().map_or(0, |top| unit + top.cast_signed());
    if exponent > 127 {
        return to.signed(sum < 0, to.infinity());
    }
    to.pack(sum < 0, magnitude, unit, rounding)
}

/// A term in units of `2^unit`, cut off towards zero.
fn aligned(term: Term, unit: i32) -> i128 {
    let shift = term.exponent - unit;
    let wide = i128::from(term.magnitude);
    let magnitude = if shift >= 0 { wide << shift.min(64) } else { wide >> shift.unsigned_abs().min(127) };
    if term.negative { -magnitude } else { magnitude }
}
