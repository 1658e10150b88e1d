//! Factors into which a compiler may have folded a stride of 2^31 or more.
//!
//! `((i * 65537 + j) * 2 + k) * 16384` in 32 bits has the stride 2147516416, which comes as `i * -2147450880`, or as
//! `i * 2147450880` that is subtracted; a subtracted `i << 15` may be the stride 2^32 - 2^15. With i = 1 the source wraps, and what the compiler wrote does not. Such a factor
//! gets a second reading, which the exact arithmetic (`machine/exact.rs`) carries along as a doubt.
//!
//! Every sum with a product is looked at, as the same text may be meant: what tells is where the access lands.

use gridproof_launch::{Dispatch, Value};

use crate::cast::at;
use crate::frontend::finish::operands::visit;
use crate::frontend::{Role, each_operand};
use crate::ir::{BinaryOp, Instr, Program, Reg, Scalar, Tables, TernaryOp, UnaryOp};

const TOP: u32 = 1 << 31;

/// Whether some buffer is so long that a stride of 2^31 ends inside it. In others, no second reading can.
pub(super) fn can_matter(dispatch: &Dispatch) -> bool {
    let long = |value: &Value| matches!(value, Value::Buffer { range, .. } if range.length() > u64::from(TOP));
    dispatch.arguments.iter().any(|argument| long(&argument.value))
}

/// Gives each such factor a row of its own and notes its other reading.
pub(super) fn note(program: &mut Program) {
    let subtracted = only_subtracted(program);
    for pc in 0..program.code.len() {
        let is_subtracted = |dst: Reg| subtracted.get(at(dst.0)).copied().unwrap_or(false);
        let mut instr = program.code[pc];
        if let Instr::Binary { op: BinaryOp::Shl | BinaryOp::ShlClamp, ty, dst, a, b } = instr
            && is_word(ty)
            && is_subtracted(dst)
            && let Some(factor) = constant(program, b).and_then(|count| 1_u32.checked_shl(count))
        {
            // The same bits, with a factor that can have two readings.
            let b = fresh(program, factor);
            instr = Instr::Binary { op: BinaryOp::Mul, ty, dst, a, b };
        }
        let Some((dst, factors)) = product(&instr) else { continue };
        let subtracted = is_subtracted(dst);
        let mut tables = Tables::default();
        let mut position = 0;
        visit(&mut instr, &mut tables, &mut |operand, _, role| {
            let is_factor = role == Role::Read && position < factors;
            position += 1;
            let word = constant(program, *operand).filter(|_| is_factor);
            let Some((word, other)) = word.and_then(|word| Some((word, other_reading(word, subtracted)?))) else {
                return;
            };
            *operand = fresh(program, word);
            program.folded.push((*operand, other));
        });
        program.code[pc] = instr;
    }
}

/// A row of its own for a constant.
fn fresh(program: &mut Program, word: u32) -> Reg {
    let reg = Reg(program.rows);
    program.rows += 1;
    program.constants.push((reg, word));
    reg
}

/// What a factor may have been: a negative one, a positive one; one that is subtracted, a negative one.
fn other_reading(word: u32, subtracted: bool) -> Option<i64> {
    match word {
        TOP.. => Some(i64::from(word)),
        1.. if subtracted => Some(i64::from(word) - (1 << 32)),
        _ => None,
    }
}

/// The result of a product, and how many of its first operands are factors.
const fn product(instr: &Instr) -> Option<(Reg, u32)> {
    match *instr {
        Instr::Binary { op: BinaryOp::Mul, ty, dst, .. } if is_word(ty) => Some((dst, 2)),
        Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst, .. } if is_word(ty) => Some((dst, 2)),
        _ => None,
    }
}

/// For each row, whether its value is subtracted from another and nothing else.
fn only_subtracted(program: &Program) -> Vec<bool> {
    let mut uses = vec![(0_u32, 0_u32); at(program.rows)];
    for instr in &program.code {
        let subtrahend = match *instr {
            Instr::Binary { op: BinaryOp::Sub, ty, a, b, .. } if is_word(ty) && a != b => Some(b),
            Instr::Unary { op: UnaryOp::Neg, ty, a, .. } if is_word(ty) => Some(a),
            _ => None,
        };
        each_operand(&program.tables, instr, |first, rows, role| {
            for row in first.0..first.0.saturating_add(rows) {
                let Some((all, subtracted)) = uses.get_mut(at(row)).filter(|_| role == Role::Read) else { continue };
                *all += 1;
                *subtracted += u32::from(subtrahend == Some(Reg(row)));
            }
        });
    }
    uses.into_iter().map(|(all, subtracted)| all > 0 && all == subtracted).collect()
}

const fn is_word(ty: Scalar) -> bool {
    matches!(ty, Scalar::U32 | Scalar::I32)
}

/// A constant that has one reading so far.
fn constant(program: &Program, reg: Reg) -> Option<u32> {
    let narrowed = program.narrowed.iter().any(|(row, _)| *row == reg);
    program.constants.iter().find(|(row, _)| *row == reg && !narrowed).map(|(_, word)| *word)
}
