//! Which invocation holds which element: the fragments of the PTX ISA, section "Matrix multiply-accumulate operation
//! using mma instruction".
//!
//! All shapes but one follow the same rule. With `group = lane / 4`, `thread = lane % 4` and `e` elements in a register,
//! slot `s` of register `r` holds
//!
//! * of A: row `group + 8 (r mod 2)` (or `group` where there are 8 rows), column `e thread + s + 4 e (r / 2)`;
//! * of B: row `e thread + s + 4 e r`, column `group`;
//! * of C and D: element `i = e r + s` is row `group + 8 (i / 2)`, column `2 thread + i mod 2`.
//!
//! In `m8n8k4` on f16, four groups of eight invocations (0 to 3 with 16 to 19, and so on) multiply matrices of their own.

use crate::ir::{Element, Matrix};

const LANES: u32 = 32;

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    A,
    B,
    C,
    D,
}

const fn element(matrix: Matrix, part: Part) -> Element {
    match part {
        Part::A => matrix.a,
        Part::B => matrix.b,
        Part::C => matrix.c,
        Part::D => matrix.d,
    }
}

/// Bits of an element.
pub(super) const fn width(matrix: Matrix, part: Part) -> u32 {
    match element(matrix, part) {
        Element::F64 => 64,
        Element::F32 | Element::Tf32 | Element::S32 => 32,
        Element::F16 | Element::Bf16 => 16,
        Element::E4m3 | Element::E5m2 | Element::S8 | Element::U8 => 8,
        Element::S4 | Element::U4 => 4,
        Element::B1And | Element::B1Xor => 1,
    }
}

/// Elements of a register.
const fn slots(matrix: Matrix, part: Part) -> u32 {
    let width = width(matrix, part);
    if width > 32 { 1 } else { 32 / width }
}

/// Rows and columns.
pub(super) const fn extent(matrix: Matrix, part: Part) -> (u32, u32) {
    match part {
        Part::A => (matrix.m, matrix.k),
        Part::B => (matrix.k, matrix.n),
        Part::C | Part::D => (matrix.m, matrix.n),
    }
}

/// Matrices that the invocations multiply at once.
pub(super) const fn groups(matrix: Matrix) -> u32 {
    if is_quads(matrix) { 4 } else { 1 }
}

const fn is_quads(matrix: Matrix) -> bool {
    matrix.m == 8 && matrix.k == 4 && matches!(matrix.a, Element::F16)
}

/// Registers of each invocation.
pub(super) const fn registers(matrix: Matrix, part: Part) -> u32 {
    let (rows, columns) = extent(matrix, part);
    rows * columns * groups(matrix) / (LANES * slots(matrix, part))
}

/// Calls `see` with every lane, register and slot of a group's matrix, and the element's place.
pub(super) fn each(matrix: Matrix, part: Part, group: u32, mut see: impl FnMut(u32, u32, u32, (u32, u32))) {
    let slots = slots(matrix, part);
    let lanes = (0..LANES).filter(|lane| !is_quads(matrix) || lane / 4 % 4 == group);
    for lane in lanes {
        for register in 0..registers(matrix, part) {
            for slot in 0..slots {
                let place = if is_quads(matrix) {
                    quad_place(matrix, part, lane, register * slots + slot)
                } else {
                    place(matrix, part, lane, (register, slot, slots))
                };
                see(lane, register, slot, place);
            }
        }
    }
}

fn place(matrix: Matrix, part: Part, lane: u32, (register, slot, slots): (u32, u32, u32)) -> (u32, u32) {
    let (group, thread) = (lane / 4, lane % 4);
    match part {
        Part::A => {
            let halves = matrix.m / 8;
            (group + 8 * (register % halves), slots * thread + slot + 4 * slots * (register / halves))
        }
        Part::B => (slots * thread + slot + 4 * slots * register, group),
        Part::C | Part::D => {
            let index = slots * register + slot;
            (group + 8 * (index / 2), 2 * thread + index % 2)
        }
    }
}

/// Element `index` of an invocation in `m8n8k4` on f16.
fn quad_place(matrix: Matrix, part: Part, lane: u32, index: u32) -> (u32, u32) {
    let upper = if lane < 16 { 0 } else { 4 };
    let thread = lane % 4;
    match part {
        Part::A if matrix.a_column => (index + upper, thread),
        Part::A => (thread + upper, index),
        Part::B if matrix.b_row => (thread, index + upper),
        Part::B => (index, thread + upper),
        Part::C | Part::D if width(matrix, part) == 16 => (thread + upper, index),
        Part::C | Part::D => ((lane & 1) + (index & 2) + upper, (index & 4) + (lane & 2) + (index & 1)),
    }
}
