//! Constants that a compiler took modulo what a later shift leaves.
//!
//! `(i - 2) * 64` comes as `add` of 2^26 - 2 and `shl` by 6: of the sum only the low 26 bits are left, so the compiler
//! is free to choose the others. The author's constant may be the one written or the negative one with the same low
//! bits; both readings are handed to the exact arithmetic (`machine/exact.rs`), which takes the one that does not wrap.

use crate::cast::at;
use crate::frontend::finish::operands::visit;
use crate::frontend::{Role, each_operand};
use crate::ir::{BinaryOp, Instr, Program, Reg, Scalar, Tables, TernaryOp, UnaryOp};

/// Gives each such constant a row of its own and notes its other reading.
pub(super) fn note(program: &mut Program) {
    let left = lost_bits(program);
    for pc in 0..program.code.len() {
        let mut instr = program.code[pc];
        let Some(&lost @ 1..=31) = sum(&instr).and_then(|dst| left.get(at(dst.0))) else { continue };
        let mut tables = Tables::default();
        visit(&mut instr, &mut tables, &mut |operand, _, role| {
            let word = constant(program, *operand).filter(|_| role == Role::Read);
            let Some((word, other)) = word.and_then(|word| Some((word, negative(word, lost)?))) else { return };
            *operand = Reg(program.rows);
            program.rows += 1;
            program.constants.push((*operand, word));
            program.narrowed.push((*operand, other));
        });
        program.code[pc] = instr;
    }
}

/// For each row, how many of its top bits no instruction uses: every use is a sum or product that is shifted left
/// later. Rows that are written twice have none.
fn lost_bits(program: &Program) -> Vec<u32> {
    let mut writes = vec![0_u32; at(program.rows)];
    for instr in &program.code {
        each_operand(&program.tables, instr, |first, rows, role| {
            for row in first.0..first.0.saturating_add(rows) {
                if let (Role::Write, Some(count)) = (role, writes.get_mut(at(row))) {
                    *count += 1;
                }
            }
        });
    }
    let mut lost: Vec<u32> = writes.into_iter().map(|count| if count == 1 { 32 } else { 0 }).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for instr in &program.code {
            each_operand(&program.tables, instr, |first, rows, role| {
                if role == Role::Write {
                    return;
                }
                let used = lost_of(program, instr, first, &lost);
                for row in first.0..first.0.saturating_add(rows) {
                    if let Some(known) = lost.get_mut(at(row)).filter(|known| **known > used) {
                        *known = used;
                        changed = true;
                    }
                }
            });
        }
    }
    lost
}

/// How many top bits of an operand an instruction does not use, given what is not used of its result.
fn lost_of(program: &Program, instr: &Instr, operand: Reg, lost: &[u32]) -> u32 {
    let of = |dst: Reg| lost.get(at(dst.0)).copied().unwrap_or(0);
    match *instr {
        Instr::Copy { dst, .. } => of(dst),
        Instr::Unary { op: UnaryOp::Neg | UnaryOp::Not, ty, dst, .. } if is_word(ty) => of(dst),
        Instr::Binary { op: BinaryOp::Shl | BinaryOp::ShlClamp, ty, dst, a, b }
            if is_word(ty) && a == operand && b != a =>
        {
            constant(program, b).filter(|count| *count < 32).map_or(0, |count| (of(dst) + count).min(32))
        }
        _ => sum(instr).map_or(0, of),
    }
}

/// The result of a sum or a product.
const fn sum(instr: &Instr) -> Option<Reg> {
    match *instr {
        Instr::Binary { op: BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, ty, dst, .. }
        | Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst, .. }
            if is_word(ty) =>
        {
            Some(dst)
        }
        _ => None,
    }
}

const fn is_word(ty: Scalar) -> bool {
    matches!(ty, Scalar::U32 | Scalar::I32)
}

fn constant(program: &Program, reg: Reg) -> Option<u32> {
    program.constants.iter().find(|(row, _)| *row == reg).map(|(_, word)| *word)
}

/// The negative number with the same low bits, where the constant has only those and the highest of them is set.
fn negative(word: u32, lost: u32) -> Option<i64> {
    let bits = 32 - lost;
    (word >> (bits - 1) == 1).then(|| i64::from(word) - (1_i64 << bits))
}
