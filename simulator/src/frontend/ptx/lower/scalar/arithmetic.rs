//! Sums, quotients, minimum and maximum of integers.
//!
//! # Division by zero
//!
//! PTX leaves the result open. The instruction sequences that ptxas makes give all ones, for quotient and remainder;
//! so does this.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer};
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{BinaryOp, ExtendedOp, IntegerOp, Reg, Scalar, UnaryOp};

pub(super) const INTEGERS: &[&str] = &["u16", "u32", "u64", "s16", "s32", "s64"];
const SIGNED: &[&str] = &["s16", "s32", "s64"];
const WIDE: &[&str] = &["u32", "s32", "u64", "s64"];

impl<'t> Lowerer<'_, 't> {
    /// `add`, `addc`, `sub`, `subc`.
    pub(super) fn sum(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let opcode = instruction.opcode.text;
        let op = if opcode.starts_with("add") { BinaryOp::Add } else { BinaryOp::Sub };
        let (carry_in, carry_out) = (opcode.ends_with('c'), words.take("cc"));
        if carry_in || carry_out {
            return self.carried_sum(instruction, words, [carry_in, carry_out]);
        }
        if words.take("sat") {
            return self.saturated_sum(instruction, words, op);
        }
        if let Some(ty) = take_halves(&mut words) {
            return self.halves(instruction, &words, op, ty);
        }
        let ty = self.take_one_of(&mut words, instruction, INTEGERS)?;
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        self.binary_to(op, scalar_of(ty), dst, a, b);
        Ok(())
    }

    fn carried_sum(
        &mut self,
        instruction: &Instruction<'t>,
        mut words: Words<'_, 't>,
        [carry_in, carry_out]: [bool; 2],
    ) -> Lowered<()> {
        let ty = self.take_one_of(&mut words, instruction, WIDE)?;
        let op = if instruction.opcode.text.starts_with("add") { IntegerOp::AddCarry } else { IntegerOp::SubBorrow };
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        self.carry(op, ty, dst, &[a, b], [carry_in, carry_out]);
        Ok(())
    }

    /// An operation whose last operand is the carry, and its results.
    pub(super) fn carry(&mut self, op: IntegerOp, ty: Type, dst: Reg, operands: &[Reg], [carry_in, out]: [bool; 2]) {
        let ty = scalar_of(ty);
        let row = self.emitter.carry();
        let carry = if carry_in { row } else { self.emitter.constant(0) };
        let mut sources: Vec<(Reg, Scalar)> = operands.iter().map(|&reg| (reg, ty)).collect();
        sources.push((carry, Scalar::U32));
        let results = [(dst, ty), (row, Scalar::U32)];
        let results = if out { results.as_slice() } else { results.get(..1).unwrap_or_default() };
        self.extended_to(ExtendedOp::Integer(op, ty), &sources, results);
    }

    fn saturated_sum(&mut self, instruction: &Instruction<'t>, mut words: Words<'_, 't>, op: BinaryOp) -> Lowered<()> {
        let ty = self.take_one_of(&mut words, instruction, &["s32"])?;
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        let op = if op == BinaryOp::Add { IntegerOp::AddSaturate } else { IntegerOp::SubSaturate };
        self.saturate_to(op, dst, a, b);
        Ok(())
    }

    pub(super) fn saturate_to(&mut self, op: IntegerOp, dst: Reg, a: Reg, b: Reg) {
        let word = Scalar::I32;
        self.extended_to(ExtendedOp::Integer(op, word), &[(a, word), (b, word)], &[(dst, word)]);
    }

    fn halves(
        &mut self,
        instruction: &Instruction<'t>,
        words: &Words<'_, 't>,
        op: BinaryOp,
        ty: Scalar,
    ) -> Lowered<()> {
        self.finish_words(words, instruction)?;
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, Type::B32)?;
        let dst = self.write(dst, Type::B32)?;
        self.halves_to(op, ty, dst, a, b);
        Ok(())
    }

    fn halves_to(&mut self, op: BinaryOp, ty: Scalar, dst: Reg, a: Reg, b: Reg) {
        let word = Scalar::U32;
        self.extended_to(ExtendedOp::Halves(op, ty), &[(a, word), (b, word)], &[(dst, word)]);
    }

    /// `div`, `rem`.
    pub(super) fn quotient(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, INTEGERS)?;
        let op = if instruction.opcode.text == "div" { BinaryOp::Div } else { BinaryOp::Rem };
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        let ty = scalar_of(ty);
        if self.constant_in(ty, b).is_some_and(|divisor| divisor != 0) {
            self.binary_to(op, ty, dst, a, b);
            return Ok(());
        }
        let (zero, ones) = (self.constant_of(ty, 0), self.constant_of(ty, -1));
        let divides = self.truth(BinaryOp::Ne, ty, b, zero);
        let result = self.binary(op, ty, a, b);
        self.select_to(ty.rows(), divides, dst, result, ones);
        Ok(())
    }

    /// `min`, `max`.
    pub(super) fn extreme(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let op = if instruction.opcode.text == "min" { BinaryOp::Min } else { BinaryOp::Max };
        let relu = words.take("relu");
        let halves = take_halves(&mut words);
        let ty = match halves {
            Some(_) => {
                self.finish_words(&words, instruction)?;
                Type::B32
            }
            None => self.take_one_of(&mut words, instruction, INTEGERS)?,
        };
        if relu && !matches!((halves, ty), (Some(Scalar::I16), _) | (None, Type::S32)) {
            return Err(self.refuse(&Words::new(instruction), instruction));
        }
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        let whole = scalar_of(ty);
        let found = if relu { self.temporary(whole) } else { dst };
        match halves {
            Some(half) => self.halves_to(op, half, found, a, b),
            None => self.binary_to(op, whole, found, a, b),
        }
        if relu {
            let zero = self.emitter.constant(0);
            match halves {
                Some(half) => self.halves_to(BinaryOp::Max, half, dst, found, zero),
                None => self.binary_to(BinaryOp::Max, whole, dst, found, zero),
            }
        }
        Ok(())
    }

    /// `abs`, `neg`.
    pub(super) fn sign(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, SIGNED)?;
        let op = if instruction.opcode.text == "abs" { UnaryOp::Abs } else { UnaryOp::Neg };
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, ty)?;
        self.unary_to(op, scalar_of(ty), dst, a);
        Ok(())
    }

    /// `sad`.
    pub(super) fn absolute_difference(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, INTEGERS)?;
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        self.integer_three(IntegerOp::AbsoluteDifference, ty, dst, [a, b, c])
    }

    fn integer_three(
        &mut self,
        op: IntegerOp,
        ty: Type,
        dst: &Operand<'t>,
        [a, b, c]: [&Operand<'t>; 3],
    ) -> Lowered<()> {
        let sources = self.read_three(a, b, c, ty)?;
        let dst = self.write(dst, ty)?;
        let ty = scalar_of(ty);
        self.extended_to(ExtendedOp::Integer(op, ty), &sources.map(|reg| (reg, ty)), &[(dst, ty)]);
        Ok(())
    }
}

/// Takes `.u16x2` or `.s16x2`: the type of a half.
fn take_halves(words: &mut Words<'_, '_>) -> Option<Scalar> {
    match words.take_any(&["u16x2", "s16x2"])? {
        "u16x2" => Some(Scalar::U16),
        _ => Some(Scalar::I16),
    }
}
