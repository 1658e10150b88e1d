//! Arithmetic on f16, bf16 and pairs of them, and operations on signs.

use super::super::words::Words;
use super::super::{Lowered, Lowerer, written};
use super::floats::{Form, Plain};
use super::modifiers::Flags;
use crate::frontend::ptx::ast::{Instruction, Type};
use crate::ir::{BinaryOp, ExtendedOp, FloatClass, FloatOp, FloatOperation, Reg, Scalar, UnaryOp};

impl<'t> Lowerer<'_, 't> {
    /// `add`, `sub`, `mul`, `fma`.
    pub(super) fn half_arithmetic(&mut self, instruction: &Instruction<'t>, form: Form, flags: &Flags) -> Lowered<()> {
        let op = match instruction.opcode.text {
            "add" => FloatOp::Add,
            "sub" => FloatOp::Sub,
            "mul" => FloatOp::Mul,
            _ if flags.has("oob") => FloatOp::MultiplyAddInside,
            _ => FloatOp::MultiplyAdd,
        };
        let ty = form.register();
        let (dst, sources) = if matches!(op, FloatOp::MultiplyAdd | FloatOp::MultiplyAddInside) {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            (dst, self.read_three(a, b, c, ty)?.to_vec())
        } else {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            (dst, self.read_two(a, b, ty)?.to_vec())
        };
        let dst = self.write(dst, ty)?;
        let operation = FloatOperation {
            packed: form.packed,
            flush: flags.has("ftz"),
            clamp: flags.clamp(),
            ..FloatOperation::new(op, form.scalar)
        };
        self.table_form_to(operation, form, dst, &sources);
        Ok(())
    }

    /// `abs`, `neg`: they only look at the sign, of a NaN too.
    pub(super) fn float_sign(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let flags = Flags::take(&mut words, &["ftz"]);
        let refusal = self.refuse(&words, instruction);
        let form = Form::take(&mut words).ok_or(refusal)?;
        self.finish_words(&words, instruction)?;
        if flags.has("ftz") && matches!(form.scalar, Scalar::F64 | Scalar::Bf16) {
            let construct = format!("`.ftz` of `{}`", written(instruction));
            return Err(self.unsupported(instruction.opcode.place, construct));
        }
        let ty = form.register();
        let [dst, a] = self.operands::<2>(instruction)?;
        let mut a = self.read(a, ty)?;
        let dst = self.write(dst, ty)?;
        let negate = instruction.opcode.text == "neg";
        if !form.is_half() {
            let op = if negate { UnaryOp::Neg } else { UnaryOp::Abs };
            self.plain_to(Plain::Unary(op), form.scalar, &flags, dst, &[a]);
            return Ok(());
        }
        if flags.has("ftz") {
            let flushed = self.emitter.fresh(1);
            let operation =
                FloatOperation { packed: form.packed, flush: true, ..FloatOperation::new(FloatOp::Pass, form.scalar) };
            self.table_form_to(operation, form, flushed, &[a]);
            a = flushed;
        }
        let (op, word) = if negate { (BinaryOp::Xor, 0x8000_8000) } else { (BinaryOp::And, 0x7fff_7fff) };
        let mask = self.emitter.constant(if form.packed { word } else { word & 0xffff });
        let signed = self.emitter.fresh(1);
        self.binary_to(op, Scalar::U32, signed, a, mask);
        // A NaN becomes the one that there is.
        let pass = FloatOperation { packed: form.packed, ..FloatOperation::new(FloatOp::Pass, form.scalar) };
        self.table_form_to(pass, form, dst, &[signed]);
        Ok(())
    }

    /// `copysign`: the value of the second operand, the sign of the first.
    pub(super) fn copy_sign(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, &["f32", "f64"])?;
        let [dst, a, b] = self.operands::<3>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let dst = self.write(dst, ty)?;
        if ty == Type::F32 {
            self.copy_sign_to(dst, a, b);
        } else {
            self.emitter.copy(dst, b, 1);
            self.copy_sign_to(dst.high(), a.high(), b.high());
        }
        Ok(())
    }

    fn copy_sign_to(&mut self, dst: Reg, a: Reg, b: Reg) {
        let (sign, rest) = (self.emitter.constant(0x8000_0000), self.emitter.constant(0x7fff_ffff));
        let sign = self.binary(BinaryOp::And, Scalar::U32, a, sign);
        let rest = self.binary(BinaryOp::And, Scalar::U32, b, rest);
        self.binary_to(BinaryOp::Or, Scalar::U32, dst, sign, rest);
    }

    /// `testp`.
    pub(super) fn test_class(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        let class = match words.take_any(&["finite", "infinite", "number", "notanumber", "normal", "subnormal"]) {
            Some("finite") => FloatClass::Finite,
            Some("infinite") => FloatClass::Infinite,
            Some("number") => FloatClass::Number,
            Some("notanumber") => FloatClass::NotANumber,
            Some("normal") => FloatClass::Normal,
            Some(_) => FloatClass::Subnormal,
            None => return Err(refusal),
        };
        let ty = self.take_one_of(&mut words, instruction, &["f32", "f64"])?;
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, Type::Pred)?;
        let ty = if ty == Type::F32 { Scalar::F32 } else { Scalar::F64 };
        self.extended_to(ExtendedOp::Class(class, ty), &[(a, ty)], &[(dst, Scalar::Bool)]);
        Ok(())
    }
}
