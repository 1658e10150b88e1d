//! Logic, shifts, bit counts and bit fields.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer};
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{BinaryOp, ExtendedOp, Permute, Reg, Scalar, UnaryOp};

const LOGIC: &[&str] = &["pred", "b16", "b32", "b64"];
const WIDE: &[&str] = &["b32", "b64"];
const WIDE_INTEGERS: &[&str] = &["u32", "u64", "s32", "s64"];

/// The program's type for bits; a predicate is a `bool`.
fn bits_of(ty: Type) -> Scalar {
    if ty == Type::Pred { Scalar::Bool } else { scalar_of(ty) }
}

impl<'t> Lowerer<'_, 't> {
    /// `and`, `or`, `xor`.
    pub(super) fn logic(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, LOGIC)?;
        let op = match instruction.opcode.text {
            "and" => BinaryOp::And,
            "or" => BinaryOp::Or,
            _ => BinaryOp::Xor,
        };
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        self.binary_to(op, bits_of(ty), dst, a, b);
        Ok(())
    }

    /// `not`, `cnot`.
    pub(super) fn complement(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let logical = instruction.opcode.text == "cnot";
        let types = if logical { LOGIC.get(1..).unwrap_or_default() } else { LOGIC };
        let ty = self.take_one_of(&mut words, instruction, types)?;
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, ty)?;
        let scalar = bits_of(ty);
        if logical {
            let zero = self.constant_of(scalar, 0);
            let truth = self.truth(BinaryOp::Eq, scalar, a, zero);
            self.convert_to(Scalar::Bool, scalar, dst, truth);
        } else {
            self.unary_to(UnaryOp::Not, scalar, dst, a);
        }
        Ok(())
    }

    /// `lop3`.
    pub(super) fn lop3(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let combine = words.take_any(&["or", "and"]);
        self.take_one_of(&mut words, instruction, &["b32"])?;
        let Some(word) = combine else {
            let [dst, a, b, c, table] = self.operands::<5>(instruction)?;
            let dst = self.write(dst, Type::B32)?;
            return self.lop3_to(dst, [a, b, c], table);
        };
        let [dst, a, b, c, table, q] = self.operands::<6>(instruction)?;
        let Operand::Pair(results) = dst else {
            return Err(self.invalid(dst.place(), "`lop3` with a predicate writes `d|p`"));
        };
        let [value_to, truth_to] = results.as_ref();
        let value = self.emitter.fresh(1);
        self.lop3_to(value, [a, b, c], table)?;
        let q = self.read(q, Type::Pred)?;
        let zero = self.emitter.constant(0);
        let truth = self.truth(BinaryOp::Ne, Scalar::U32, value, zero);
        let dst = self.write(value_to, Type::B32)?;
        let predicate = self.write(truth_to, Type::Pred)?;
        let op = if word == "or" { BinaryOp::Or } else { BinaryOp::And };
        self.binary_to(op, Scalar::Bool, predicate, truth, q);
        self.emitter.copy(dst, value, 1);
        Ok(())
    }

    fn lop3_to(&mut self, dst: Reg, [a, b, c]: [&Operand<'t>; 3], table: &Operand<'t>) -> Lowered<()> {
        let Operand::Integer { bits, .. } = table else {
            return Err(self.invalid(table.place(), "the table of `lop3` must be a constant"));
        };
        // As ptxas does, only the low eight bits are looked at.
        let table = u8::try_from(*bits & 0xff).unwrap_or(0);
        let [a, b, c] = self.read_three(a, b, c, Type::B32)?;
        if let Some((pair, first, second)) = as_two(table) {
            // Ordinary operations, so that offsets are followed through them.
            let [x, y, z] = match pair {
                Pair::FirstTwo => [a, b, c],
                Pair::LastTwo => [b, c, a],
                Pair::Outer => [a, c, b],
            };
            let both = self.emitter.fresh(1);
            self.binary_to(first, Scalar::U32, both, x, y);
            self.binary_to(second, Scalar::U32, dst, both, z);
            return Ok(());
        }
        let sources = [a, b, c].map(|reg| (reg, Scalar::U32));
        self.extended_to(ExtendedOp::Lop3(table), &sources, &[(dst, Scalar::U32)]);
        Ok(())
    }

    /// `shl`, `shr`. A constant count below the width needs no clamping.
    pub(super) fn shift(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let left = instruction.opcode.text == "shl";
        let right_types = &["b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64"];
        let types = if left { &["b16", "b32", "b64"][..] } else { &right_types[..] };
        let ty = self.take_one_of(&mut words, instruction, types)?;
        let [dst, a, count] = self.operands::<3>(instruction)?;
        let a = self.read(a, ty)?;
        let count = self.read(count, Type::U32)?;
        let dst = self.write(dst, ty)?;
        let inside = self.constant_in(Scalar::U32, count).is_some_and(|count| count < u64::from(ty.bits()));
        let op = match (left, inside) {
            (true, true) => BinaryOp::Shl,
            (true, false) => BinaryOp::ShlClamp,
            (false, true) => BinaryOp::Shr,
            (false, false) => BinaryOp::ShrClamp,
        };
        self.binary_to(op, scalar_of(ty), dst, a, count);
        Ok(())
    }

    /// `shf`.
    pub(super) fn funnel(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let (Some(direction), Some(mode)) = (words.take_any(&["l", "r"]), words.take_any(&["clamp", "wrap"])) else {
            return Err(refusal);
        };
        self.take_one_of(&mut words, instruction, &["b32"])?;
        self.three_words(instruction, ExtendedOp::Funnel { left: direction == "l", clamp: mode == "clamp" })
    }

    /// `prmt`.
    pub(super) fn permute(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        if !words.take("b32") {
            return Err(refusal);
        }
        let mode = match words.take_any(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]) {
            None => Permute::Any,
            Some("f4e") => Permute::Forward,
            Some("b4e") => Permute::Backward,
            Some("rc8") => Permute::Replicate8,
            Some("ecl") => Permute::EdgeLeft,
            Some("ecr") => Permute::EdgeRight,
            Some(_) => Permute::Replicate16,
        };
        self.finish_words(&words, instruction)?;
        self.three_words(instruction, ExtendedOp::Permute(mode))
    }

    /// An operation of the table on three words.
    fn three_words(&mut self, instruction: &Instruction<'t>, op: ExtendedOp) -> Lowered<()> {
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        let sources = self.read_three(a, b, c, Type::B32)?.map(|reg| (reg, Scalar::U32));
        let dst = self.write(dst, Type::B32)?;
        self.extended_to(op, &sources, &[(dst, Scalar::U32)]);
        Ok(())
    }

    /// An operation of the table on two words.
    fn two_words(&mut self, instruction: &Instruction<'t>, op: ExtendedOp) -> Lowered<()> {
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let sources = self.read_two(a, b, Type::B32)?.map(|reg| (reg, Scalar::U32));
        let dst = self.write(dst, Type::B32)?;
        self.extended_to(op, &sources, &[(dst, Scalar::U32)]);
        Ok(())
    }

    /// `popc`, `clz`, `brev`. Counts are 32 bits whatever the operand.
    pub(super) fn count(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, WIDE)?;
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let op = match instruction.opcode.text {
            "popc" => UnaryOp::CountOnes,
            "clz" => UnaryOp::LeadingZeros,
            _ => UnaryOp::ReverseBits,
        };
        if op == UnaryOp::ReverseBits || ty == Type::B32 {
            let dst = self.write(dst, ty)?;
            self.unary_to(op, scalar_of(ty), dst, a);
            return Ok(());
        }
        let count = self.unary(op, scalar_of(ty), a);
        let dst = self.write(dst, Type::U32)?;
        self.emitter.copy(dst, count, 1);
        Ok(())
    }

    /// `bfind`.
    pub(super) fn highest_bit(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let shift = words.take("shiftamt");
        let ty = self.take_one_of(&mut words, instruction, WIDE_INTEGERS)?;
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, Type::U32)?;
        let ty = scalar_of(ty);
        self.extended_to(ExtendedOp::HighestBit { ty, shift }, &[(a, ty)], &[(dst, Scalar::U32)]);
        Ok(())
    }

    /// `fns`.
    pub(super) fn nth_bit(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        self.take_one_of(&mut words, instruction, &["b32"])?;
        self.three_words(instruction, ExtendedOp::NthBit)
    }

    /// `bfe`.
    pub(super) fn extract_field(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, WIDE_INTEGERS)?;
        let [dst, a, position, length] = self.operands::<4>(instruction)?;
        let a = self.read(a, ty)?;
        let [position, length] = self.read_two(position, length, Type::U32)?;
        let dst = self.write(dst, ty)?;
        let (ty, word) = (scalar_of(ty), Scalar::U32);
        self.extended_to(ExtendedOp::ExtractField(ty), &[(a, ty), (position, word), (length, word)], &[(dst, ty)]);
        Ok(())
    }

    /// `bfi`.
    pub(super) fn insert_field(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, WIDE)?;
        let [dst, a, b, position, length] = self.operands::<5>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let [position, length] = self.read_two(position, length, Type::U32)?;
        let dst = self.write(dst, ty)?;
        let (ty, word) = (scalar_of(ty), Scalar::U32);
        let sources = [(a, ty), (b, ty), (position, word), (length, word)];
        self.extended_to(ExtendedOp::InsertField(ty), &sources, &[(dst, ty)]);
        Ok(())
    }

    /// `bmsk`.
    pub(super) fn field_mask(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let clamp = words.take_any(&["clamp", "wrap"]).ok_or(refusal)? == "clamp";
        self.take_one_of(&mut words, instruction, &["b32"])?;
        self.two_words(instruction, ExtendedOp::FieldMask { clamp })
    }

    /// `szext`.
    pub(super) fn extend_field(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let clamp = words.take_any(&["clamp", "wrap"]).ok_or(refusal)? == "clamp";
        let ty = self.take_one_of(&mut words, instruction, &["u32", "s32"])?;
        self.two_words(instruction, ExtendedOp::ExtendField { clamp, signed: ty == Type::S32 })
    }
}

/// Which operands of a `lop3` are combined first.
#[derive(Clone, Copy)]
enum Pair {
    FirstTwo,
    LastTwo,
    Outer,
}

/// A `lop3` table as two operations: of a pair, then of that and the third operand.
fn as_two(table: u8) -> Option<(Pair, BinaryOp, BinaryOp)> {
    let ops = [BinaryOp::And, BinaryOp::Or, BinaryOp::Xor];
    let apply = |op: BinaryOp, x: u8, y: u8| match op {
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        _ => x ^ y,
    };
    let pairs =
        [(Pair::FirstTwo, [0xf0, 0xcc, 0xaa]), (Pair::LastTwo, [0xcc, 0xaa, 0xf0]), (Pair::Outer, [0xf0, 0xaa, 0xcc])];
    let all = pairs.into_iter().flat_map(|pair| {
        ops.into_iter().flat_map(move |first| ops.into_iter().map(move |second| (pair, first, second)))
    });
    all.into_iter()
        .find(|((_, [x, y, z]), first, second)| apply(*second, apply(*first, *x, *y), *z) == table)
        .map(|((pair, _), first, second)| (pair, first, second))
}
