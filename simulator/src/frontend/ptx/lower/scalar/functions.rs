//! Reciprocals, square roots, and functions that devices approximate.
//!
//! An approximate form gives the correctly rounded value; the report names it, because devices give other bits.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer};
use super::floats::{Form, Plain, is_plain};
use super::modifiers::Flags;
use crate::frontend::ptx::ast::Instruction;
use crate::ir::{BinaryOp, FloatOp, FloatOperation, Reg, Scalar, UnaryOp};

impl<'t> Lowerer<'_, 't> {
    /// `rcp`, `sqrt`, `rsqrt`.
    pub(super) fn root(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let opcode = instruction.opcode.text;
        let flags = Flags::take(&mut words, &["approx", "rn", "rz", "rm", "rp", "ftz"]);
        let refusal = self.refuse(&Words::new(instruction), instruction);
        let ty = self.take_one_of(&mut words, instruction, &["f32", "f64"])?;
        let form = Form { scalar: scalar_of(ty), packed: false };
        let wide = form.scalar == Scalar::F64;
        let (approximate, flush) = (flags.has("approx"), flags.has("ftz"));
        let known = match (opcode, approximate) {
            ("rsqrt", _) => approximate,
            ("rcp", true) => !wide || flush,
            (_, true) => !wide,
            (_, false) => flags.rounding().is_some() && !(wide && flush),
        };
        if !known || approximate && flags.rounding().is_some() {
            return Err(refusal);
        }
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, ty)?;
        if approximate {
            self.approximate(instruction);
        }
        if approximate && wide && flush {
            let op = if opcode == "rcp" { FloatOp::GrossReciprocal } else { FloatOp::GrossInverseSqrt };
            self.table_form_to(FloatOperation::new(op, Scalar::F64), form, dst, &[a]);
            return Ok(());
        }
        self.root_to(opcode, form.scalar, &flags, dst, a);
        Ok(())
    }

    fn root_to(&mut self, opcode: &str, ty: Scalar, flags: &Flags, dst: Reg, a: Reg) {
        let nearest = is_plain(ty, flags);
        match opcode {
            "rsqrt" if ty == Scalar::F64 => {
                self.float_table_to(FloatOp::Function(UnaryOp::InverseSqrt), ty, flags, dst, &[a]);
            }
            "rsqrt" => self.plain_to(Plain::Unary(UnaryOp::InverseSqrt), ty, flags, dst, &[a]),
            "sqrt" if nearest => self.plain_to(Plain::Unary(UnaryOp::Sqrt), ty, flags, dst, &[a]),
            "sqrt" => self.float_table_to(FloatOp::Sqrt, ty, flags, dst, &[a]),
            _ => {
                let one = if ty == Scalar::F64 {
                    self.emitter.constant64(1_f64.to_bits())
                } else {
                    self.emitter.constant(1_f32.to_bits())
                };
                if nearest {
                    self.plain_to(Plain::Binary(BinaryOp::Div), ty, flags, dst, &[one, a]);
                } else {
                    self.float_table_to(FloatOp::Div, ty, flags, dst, &[one, a]);
                }
            }
        }
    }

    /// `sin`, `cos`, `lg2`, `ex2`, `tanh`.
    pub(super) fn function(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let refusal = self.refuse(&words, instruction);
        if !words.take("approx") {
            return Err(refusal);
        }
        let flags = Flags::take(&mut words, &["ftz"]);
        let refusal = self.refuse(&words, instruction);
        let form = Form::take(&mut words).ok_or(refusal)?;
        self.finish_words(&words, instruction)?;
        let flush = flags.has("ftz");
        let (op, known) = match instruction.opcode.text {
            "sin" => (UnaryOp::Sin, !form.is_half()),
            "cos" => (UnaryOp::Cos, !form.is_half()),
            "lg2" => (UnaryOp::Log2, !form.is_half()),
            "ex2" => (UnaryOp::Exp2, !form.is_half() || flush == (form.scalar == Scalar::Bf16)),
            _ => (UnaryOp::Tanh, !flush),
        };
        if !known || form.scalar == Scalar::F64 {
            return Err(self.refuse(&Words::new(instruction), instruction));
        }
        let ty = form.register();
        let [dst, a] = self.operands::<2>(instruction)?;
        let a = self.read(a, ty)?;
        let dst = self.write(dst, ty)?;
        self.approximate(instruction);
        if !form.is_half() {
            self.plain_to(Plain::Unary(op), form.scalar, &flags, dst, &[a]);
            return Ok(());
        }
        let function = FloatOperation::new(FloatOp::Function(op), form.scalar);
        self.table_form_to(FloatOperation { packed: form.packed, flush, ..function }, form, dst, &[a]);
        Ok(())
    }
}
