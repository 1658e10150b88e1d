//! Sums of floating-point products as tensor cores of the Hopper generation form them, which no document of the vendor
//! says; this follows "MMA-Sim" (arXiv 2511.10909).
//!
//! The exact products and C are aligned to the largest of their exponents, cut off below 25 fraction bits of it (towards
//! zero), added exactly, and the sum is cut off to f32, or rounded to the nearest f16. The exponent of a product is the
//! sum of the exponents of its factors, whatever its significand.

use super::super::extended::{Format, decode, nan};
use super::super::format::{Float, Number};
use crate::ir::{Element, Matrix, Rounding};

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
    let (step, last) = (step(matrix), accumulator(matrix.d));
    let mut sum = (accumulator(matrix.c), c);
    let chunks = pairs.len().div_ceil(step);
    for (position, chunk) in (1..).zip(pairs.chunks(step)) {
        let to = if position == chunks { last } else { Float::F32 };
        sum = (to, add(matrix, chunk, sum, to));
    }
    sum.1
}

/// Products that are added at once.
const fn step(matrix: Matrix) -> usize {
    match matrix.a {
        Element::Tf32 => 8,
        _ => 16,
    }
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
        Element::E4m3 => 3,
        Element::E5m2 => 2,
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

/// The sum of finite terms.
fn total(terms: &[Term], to: Float) -> u64 {
    let Some(largest) = terms.iter().filter(|term| term.magnitude != 0).map(|term| term.scale).max() else {
        return 0;
    };
    let unit = largest - FRACTION;
    let sum: i128 = terms.iter().map(|term| aligned(*term, unit)).sum();
    let magnitude = u64::try_from(sum.unsigned_abs()).unwrap_or(u64::MAX);
    let rounding = if to == Float::F16 { Rounding::NearestEven } else { Rounding::TowardsZero };
    to.pack(sum < 0, magnitude, unit, rounding)
}

/// A term in units of `2^unit`, cut off towards zero.
fn aligned(term: Term, unit: i32) -> i128 {
    let shift = term.exponent - unit;
    let wide = i128::from(term.magnitude);
    let magnitude = if shift >= 0 { wide << shift.min(64) } else { wide >> shift.unsigned_abs().min(127) };
    if term.negative { -magnitude } else { magnitude }
}
