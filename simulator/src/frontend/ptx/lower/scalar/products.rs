//! Products of integers, with and without a third operand.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer};
use super::arithmetic::INTEGERS;
use crate::frontend::ptx::ast::{Instruction, Type};
use crate::ir::{BinaryOp, DotProduct, ExtendedOp, Instr, IntegerOp, Reg, Scalar, TernaryOp};

impl<'t> Lowerer<'_, 't> {
    /// `mul`.
    pub(super) fn product(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let mode = words.take_any(&["lo", "hi", "wide"]).ok_or(refusal)?;
        let ty = self.take_one_of(&mut words, instruction, INTEGERS)?;
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let result = self.product_type(&words, instruction, mode, ty)?;
        let dst = self.write(dst, result)?;
        match mode {
            "lo" => self.binary_to(BinaryOp::Mul, scalar_of(ty), dst, a, b),
            "hi" => self.binary_to(BinaryOp::MulHigh, scalar_of(ty), dst, a, b),
            _ => self.wide_product_to(ty, dst, a, b),
        }
        Ok(())
    }

    /// The type of a product: twice as wide for `.wide`.
    fn product_type(
        &self,
        words: &Words<'_, 't>,
        instruction: &Instruction<'t>,
        mode: &str,
        ty: Type,
    ) -> Lowered<Type> {
        match (mode, ty) {
            ("wide", Type::U16) => Ok(Type::U32),
            ("wide", Type::S16) => Ok(Type::S32),
            ("wide", Type::U32) => Ok(Type::U64),
            ("wide", Type::S32) => Ok(Type::S64),
            ("wide", _) => Err(self.refuse(words, instruction)),
            _ => Ok(ty),
        }
    }

    fn wide_product_to(&mut self, ty: Type, dst: Reg, a: Reg, b: Reg) {
        let narrow = scalar_of(ty);
        if narrow.bits() == 32 {
            return self.binary_to(BinaryOp::MulWide, narrow, dst, a, b);
        }
        let wide = if narrow.is_signed() { Scalar::I32 } else { Scalar::U32 };
        let [a, b] = [a, b].map(|reg| {
            let extended = self.temporary(wide);
            self.convert_to(narrow, wide, extended, reg);
            extended
        });
        self.binary_to(BinaryOp::Mul, wide, dst, a, b);
    }

    /// `mad`, `madc`.
    pub(super) fn product_sum(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let mode = words.take_any(&["lo", "hi", "wide"]).ok_or(refusal)?;
        let (carry_in, carry_out) = (instruction.opcode.text == "madc", words.take("cc"));
        let saturate = mode == "hi" && !carry_in && !carry_out && words.take("sat");
        let types: &[&'static str] = match (saturate, carry_in || carry_out) {
            (true, _) => &["s32"],
            (_, true) if mode != "wide" => &["u32", "s32", "u64", "s64"],
            (_, true) => return Err(self.refuse(&Words::new(instruction), instruction)),
            _ => INTEGERS,
        };
        let ty = self.take_one_of(&mut words, instruction, types)?;
        let result = self.product_type(&words, instruction, mode, ty)?;
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let c = self.read(c, result)?;
        let dst = self.write(dst, result)?;
        let scalar = scalar_of(ty);
        if carry_in || carry_out {
            let op = if mode == "lo" { IntegerOp::MultiplyLowCarry } else { IntegerOp::MultiplyHighCarry };
            self.carry(op, ty, dst, &[a, b, c], [carry_in, carry_out]);
            return Ok(());
        }
        match mode {
            "lo" => self.emitter.emit(Instr::Ternary { op: TernaryOp::MultiplyAdd, ty: scalar, dst, a, b, c }),
            "hi" => {
                let high = self.binary(BinaryOp::MulHigh, scalar, a, b);
                self.add_to(saturate, scalar, dst, high, c);
            }
            _ => {
                let product = self.temporary(scalar_of(result));
                self.wide_product_to(ty, product, a, b);
                self.binary_to(BinaryOp::Add, scalar_of(result), dst, product, c);
            }
        }
        Ok(())
    }

    fn add_to(&mut self, saturate: bool, ty: Scalar, dst: Reg, a: Reg, b: Reg) {
        if saturate {
            self.saturate_to(IntegerOp::AddSaturate, dst, a, b);
        } else {
            self.binary_to(BinaryOp::Add, ty, dst, a, b);
        }
    }

    /// `mul24`, `mad24`.
    pub(super) fn product24(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let high = words.take_any(&["lo", "hi"]).ok_or(refusal)? == "hi";
        let adds = instruction.opcode.text == "mad24";
        let saturate = adds && high && words.take("sat");
        let types: &[&'static str] = if saturate { &["s32"] } else { &["u32", "s32"] };
        let ty = self.take_one_of(&mut words, instruction, types)?;
        let scalar = scalar_of(ty);
        let op = if high { IntegerOp::Multiply24High } else { IntegerOp::Multiply24Low };
        let (dst, a, b, c) = if adds {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            (dst, a, b, Some(c))
        } else {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            (dst, a, b, None)
        };
        let [a, b] = self.read_two(a, b, ty)?;
        let c = c.map(|c| self.read(c, ty)).transpose()?;
        let dst = self.write(dst, ty)?;
        let product = if c.is_some() { self.temporary(scalar) } else { dst };
        self.extended_to(ExtendedOp::Integer(op, scalar), &[(a, scalar), (b, scalar)], &[(product, scalar)]);
        if let Some(c) = c {
            self.add_to(saturate, scalar, dst, product, c);
        }
        Ok(())
    }

    /// `dp4a`, `dp2a`.
    pub(super) fn dot_product(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let (parts, first) = match (instruction.opcode.text, words.take_any(&["lo", "hi"])) {
            ("dp4a", None) => (4, 0),
            ("dp2a", Some("lo")) => (2, 0),
            ("dp2a", Some(_)) => (2, 2),
            _ => return Err(refusal),
        };
        let refusal = self.refuse(&words, instruction);
        let types = ["u32", "s32"];
        let (Some(a_type), Some(b_type)) = (words.take_any(&types), words.take_any(&types)) else {
            return Err(refusal);
        };
        self.finish_words(&words, instruction)?;
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        let sources = self.read_three(a, b, c, Type::B32)?;
        let dst = self.write(dst, Type::B32)?;
        let product = DotProduct { parts, first, a_signed: a_type == "s32", b_signed: b_type == "s32" };
        let word = Scalar::U32;
        self.extended_to(ExtendedOp::DotProduct(product), &sources.map(|reg| (reg, word)), &[(dst, word)]);
        Ok(())
    }
}
