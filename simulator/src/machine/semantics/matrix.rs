//! `mma.sync`: matrices spread over the registers of 32 invocations, multiplied and added.
//!
//! [`layout`] says which element stands where; this file gathers A, B and C, multiplies, and scatters D.
//!
//! # Numbers
//!
//! Integers are summed exactly, and then wrap or saturate. An f64 result is a chain of fused multiply-adds from C on, in
//! the order of k. Everything else is [`sum`]'s business.

mod layout;
mod sum;

use self::layout::Part;
use crate::cast::at;
use crate::ir::{Element, ExtendedOp, FloatOp, FloatOperation, Matrix, Scalar};

/// D = A B + C. `sources` are the registers of A, then of B, then of C, `results` those of D: 32 invocations each.
pub fn multiply_accumulate(matrix: Matrix, sources: &[Vec<u64>], results: &mut [Vec<u64>]) {
    let (a, rest) = sources.split_at(at(layout::registers(matrix, Part::A)).min(sources.len()));
    let (b, c) = rest.split_at(at(layout::registers(matrix, Part::B)).min(rest.len()));
    for group in 0..layout::groups(matrix) {
        let a = gather(matrix, Part::A, group, a);
        let b = gather(matrix, Part::B, group, b);
        let c = gather(matrix, Part::C, group, c);
        let mut d = Grid::new(matrix.m, matrix.n);
        let columns = (0..matrix.n).flat_map(|column| (0..matrix.k).map(move |k| (k, column)));
        let columns = columns.map(|(k, column)| b.get(k, column));
        if let Some(bits) = sum::finite(matrix, a.bits.iter().copied(), columns, c.bits.iter().copied()) {
            d.bits = bits;
            scatter(matrix, group, &d, results);
            continue;
        }
        for row in 0..matrix.m {
            for column in 0..matrix.n {
                let pairs: Vec<(u64, u64)> = (0..matrix.k).map(|k| (a.get(row, k), b.get(k, column))).collect();
                d.set(row, column, element(matrix, &pairs, c.get(row, column)));
            }
        }
        scatter(matrix, group, &d, results);
    }
}

/// The registers of A, B, C and D, in this order.
pub fn register_counts(matrix: Matrix) -> [u32; 4] {
    [Part::A, Part::B, Part::C, Part::D].map(|part| layout::registers(matrix, part))
}

/// A matrix of bits, row by row.
#[derive(Debug)]
struct Grid {
    columns: u32,
    bits: Vec<u64>,
}

impl Grid {
    fn new(rows: u32, columns: u32) -> Self {
        Self { columns, bits: vec![0; at(rows) * at(columns)] }
    }

    fn get(&self, row: u32, column: u32) -> u64 {
        self.bits.get(at(row * self.columns + column)).copied().unwrap_or(0)
    }

    fn set(&mut self, row: u32, column: u32, bits: u64) {
        if let Some(slot) = self.bits.get_mut(at(row * self.columns + column)) {
            *slot = bits;
        }
    }
}

fn gather(matrix: Matrix, part: Part, group: u32, registers: &[Vec<u64>]) -> Grid {
    let (rows, columns) = layout::extent(matrix, part);
    let width = layout::width(matrix, part);
    let mut grid = Grid::new(rows, columns);
    layout::each(matrix, part, group, |lane, register, slot, (row, column)| {
        let value = registers.get(at(register)).and_then(|lanes| lanes.get(at(lane))).copied().unwrap_or(0);
        grid.set(row, column, value >> (slot * width) & (u64::MAX >> (64 - width)));
    });
    grid
}

fn scatter(matrix: Matrix, group: u32, grid: &Grid, registers: &mut [Vec<u64>]) {
    let width = layout::width(matrix, Part::D);
    layout::each(matrix, Part::D, group, |lane, register, slot, (row, column)| {
        if let Some(value) = registers.get_mut(at(register)).and_then(|lanes| lanes.get_mut(at(lane))) {
            let kept = *value & !((u64::MAX >> (64 - width)) << (slot * width));
            *value = kept | grid.get(row, column) << (slot * width);
        }
    });
}

/// One element of D.
fn element(matrix: Matrix, pairs: &[(u64, u64)], c: u64) -> u64 {
    match matrix.a {
        Element::F64 => {
            let step = ExtendedOp::Float(FloatOperation::new(FloatOp::MultiplyAdd, Scalar::F64));
            pairs.iter().fold(c, |sum, &(a, b)| {
                let [result, _] = super::extended(step, [a, b, sum, 0]);
                result
            })
        }
        Element::S8 | Element::U8 | Element::S4 | Element::U4 | Element::B1And | Element::B1Xor => {
            integers(matrix, pairs, c)
        }
        _ => sum::floats(matrix, pairs, c),
    }
}

fn integers(matrix: Matrix, pairs: &[(u64, u64)], c: u64) -> u64 {
    let product = |&(a, b): &(u64, u64)| match matrix.a {
        Element::B1And => i64::from(a & b != 0),
        Element::B1Xor => i64::from(a != b),
        _ => integer(matrix.a, a) * integer(matrix.b, b),
    };
    let c = i64::from(crate::cast::low(c).cast_signed());
    let sum = c + pairs.iter().map(product).sum::<i64>();
    let sum = if matrix.saturate { sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) } else { sum };
    sum.cast_unsigned() & 0xffff_ffff
}

fn integer(element: Element, bits: u64) -> i64 {
    let (width, signed) = match element {
        Element::S8 => (8, true),
        Element::S4 => (4, true),
        _ => (64, false),
    };
    super::integer::Integer { bits: width, signed }.extend(bits).cast_signed()
}
