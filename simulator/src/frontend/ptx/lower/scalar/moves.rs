//! `mov`: copies, addresses of variables, and registers put together or taken apart.

use super::super::memory::scalar_of;
use super::super::registers::rows_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer};
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{BinaryOp, Reg, Scalar};

const TYPES: &[&str] = &[
    "pred", "b16", "b32", "b64", "b128", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64", "f16", "bf16",
    "f16x2", "bf16x2",
];

impl<'t> Lowerer<'_, 't> {
    /// `mov`.
    pub(super) fn moved(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, TYPES)?;
        let [dst, src] = self.operands::<2>(instruction)?;
        match (dst, src) {
            (Operand::Vector { parts, .. }, src) => self.unpack(instruction, ty, parts, src),
            (dst, Operand::Vector { parts, .. }) => self.pack(instruction, ty, dst, parts),
            (dst, src) => {
                let src = self.read(src, ty)?;
                let dst = self.write(dst, ty)?;
                self.emitter.copy(dst, src, rows_of(ty, 1));
                Ok(())
            }
        }
    }

    /// The type of each of `count` parts.
    fn part_type(&self, instruction: &Instruction<'t>, ty: Type, count: usize) -> Lowered<Type> {
        let part = match (ty.bits(), count) {
            (16, 2) | (32, 4) => Type::B8,
            (32, 2) | (64, 4) => Type::B16,
            (64, 2) | (128, 4) => Type::B32,
            (128, 2) => Type::B64,
            (bits, _) => {
                let message = format!("{bits} bits cannot be {count} equal registers");
                return Err(self.invalid(instruction.place, message));
            }
        };
        Ok(part)
    }

    /// `mov.b64 d, {low, high}`.
    fn pack(
        &mut self,
        instruction: &Instruction<'t>,
        ty: Type,
        dst: &Operand<'t>,
        parts: &[Operand<'t>],
    ) -> Lowered<()> {
        let part = self.part_type(instruction, ty, parts.len())?;
        let mut registers = Vec::with_capacity(parts.len());
        for operand in parts {
            registers.push(self.read(operand, part)?);
        }
        let dst = self.write(dst, ty)?;
        if let (Type::B64, &[low, high]) = (ty_bits(ty), registers.as_slice())
            && self.constant_in(Scalar::U32, high) == Some(0)
        {
            self.convert_to(Scalar::U32, Scalar::U64, dst, low);
            return Ok(());
        }
        if part.bits() >= 32 {
            let rows = rows_of(part, 1);
            for (position, register) in (0_u32..).zip(registers) {
                self.emitter.copy(Reg(dst.0 + position * rows), register, rows);
            }
            return Ok(());
        }
        let per_word = usize::try_from(32 / part.bits()).unwrap_or(1);
        for (row, word) in (0_u32..).zip(registers.chunks(per_word)) {
            self.pack_word(Reg(dst.0 + row), part, word);
        }
        Ok(())
    }

    /// The parts of one row, lowest first.
    fn pack_word(&mut self, dst: Reg, part: Type, parts: &[Reg]) {
        let Some((&first, rest)) = parts.split_first() else { return };
        if rest.iter().all(|&reg| self.constant_in(Scalar::U32, reg) == Some(0)) {
            self.convert_to(scalar_of(part), Scalar::U32, dst, first);
            return;
        }
        let last = rest.len();
        let mut word = first;
        for (position, &reg) in (1_u32..).zip(rest) {
            let count = self.emitter.constant(position * part.bits());
            let shifted = self.binary(BinaryOp::Shl, Scalar::U32, reg, count);
            let whole = usize::try_from(position).unwrap_or(usize::MAX) == last;
            let next = if whole { dst } else { self.emitter.fresh(1) };
            self.binary_to(BinaryOp::Or, Scalar::U32, next, word, shifted);
            word = next;
        }
    }

    /// `mov.b64 {low, high}, a`.
    fn unpack(
        &mut self,
        instruction: &Instruction<'t>,
        ty: Type,
        parts: &[Operand<'t>],
        src: &Operand<'t>,
    ) -> Lowered<()> {
        let part = self.part_type(instruction, ty, parts.len())?;
        let src = self.read(src, ty)?;
        let rows = rows_of(part, 1);
        let per_word = 32 / part.bits().min(32);
        for (position, operand) in (0_u32..).zip(parts) {
            if matches!(operand, Operand::Sink(_)) {
                continue;
            }
            let dst = self.write(operand, part)?;
            if part.bits() >= 32 {
                self.unpack_rows(ty, dst, Reg(src.0 + position * rows), position, rows);
            } else {
                let row = Reg(src.0 + position / per_word);
                self.unpack_part(dst, row, part.bits(), position % per_word);
            }
        }
        Ok(())
    }

    fn unpack_rows(&mut self, ty: Type, dst: Reg, src: Reg, position: u32, rows: u32) {
        if ty.bits() == 64 && position == 0 {
            self.convert_to(Scalar::U64, Scalar::U32, dst, src);
        } else {
            self.emitter.copy(dst, src, rows);
        }
    }

    /// Part `position` of a row, of `bits` bits.
    fn unpack_part(&mut self, dst: Reg, row: Reg, bits: u32, position: u32) {
        let first = position * bits;
        let count = self.emitter.constant(first);
        // What the shift leaves above is zero for the highest part only.
        if first + bits == 32 {
            return self.binary_to(BinaryOp::Shr, Scalar::U32, dst, row, count);
        }
        let shifted = if first == 0 { row } else { self.binary(BinaryOp::Shr, Scalar::U32, row, count) };
        let mask = self.emitter.constant((1 << bits) - 1);
        self.binary_to(BinaryOp::And, Scalar::U32, dst, shifted, mask);
    }
}

/// The untyped type of the same width.
const fn ty_bits(ty: Type) -> Type {
    match ty.bits() {
        64 => Type::B64,
        _ => ty,
    }
}
