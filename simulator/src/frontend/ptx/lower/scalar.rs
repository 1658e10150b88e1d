//! What an invocation computes from its own registers: arithmetic, logic, comparison, conversion.
//!
//! Where a plain instruction of the program means the same, it is used: those are fast, and the exact value of an
//! offset is followed through them. Everything else is an operation of the table
//! ([`ExtendedOp`](crate::ir::ExtendedOp)).

mod arithmetic;
mod bits;
mod compare;
mod convert;
mod floats;
mod functions;
mod halves;
mod modifiers;
mod moves;
mod products;
mod table;

use self::modifiers::is_float;
pub(super) use self::table::FAMILIES;
use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{self, BinaryOp, ExtendedOp, Instr, Reg, Rounding, Scalar, UnaryOp};
use crate::outcome::SimulateError;

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was. The guard is the caller's business.
    pub(super) fn scalar(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        if !table::has(instruction.opcode.text) {
            return Ok(false);
        }
        let float = is_float(instruction);
        match instruction.opcode.text {
            "add" | "sub" | "mul" | "fma" | "mad" | "div" if float => self.float_arithmetic(instruction)?,
            "min" | "max" if float => self.float_extreme(instruction)?,
            "abs" | "neg" if float => self.float_sign(instruction)?,
            "add" | "addc" | "sub" | "subc" => self.sum(instruction)?,
            "mul" => self.product(instruction)?,
            "mad" | "madc" => self.product_sum(instruction)?,
            "mul24" | "mad24" => self.product24(instruction)?,
            "dp4a" | "dp2a" => self.dot_product(instruction)?,
            "div" | "rem" => self.quotient(instruction)?,
            "min" | "max" => self.extreme(instruction)?,
            "abs" | "neg" => self.sign(instruction)?,
            "sad" => self.absolute_difference(instruction)?,
            "and" | "or" | "xor" => self.logic(instruction)?,
            "not" | "cnot" => self.complement(instruction)?,
            "lop3" => self.lop3(instruction)?,
            "shl" | "shr" => self.shift(instruction)?,
            "shf" => self.funnel(instruction)?,
            "prmt" => self.permute(instruction)?,
            "popc" | "clz" | "brev" => self.count(instruction)?,
            "bfind" => self.highest_bit(instruction)?,
            "fns" => self.nth_bit(instruction)?,
            "bfe" => self.extract_field(instruction)?,
            "bfi" => self.insert_field(instruction)?,
            "bmsk" => self.field_mask(instruction)?,
            "szext" => self.extend_field(instruction)?,
            "mov" => self.moved(instruction)?,
            "cvt" => self.converted(instruction)?,
            "setp" => self.compare_to_predicate(instruction)?,
            "set" => self.compare_to_value(instruction)?,
            "selp" => self.select(instruction)?,
            "slct" => self.select_by_sign(instruction)?,
            "testp" => self.test_class(instruction)?,
            "copysign" => self.copy_sign(instruction)?,
            "rcp" | "sqrt" | "rsqrt" => self.root(instruction)?,
            "sin" | "cos" | "lg2" | "ex2" | "tanh" => self.function(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The instruction has no such form, or one that is not modelled: names the modifier, or the whole.
    fn refuse(&self, words: &Words<'_, 't>, instruction: &Instruction<'t>) -> SimulateError {
        let whole = written(instruction);
        let construct = match words.rest() {
            Some(name) => format!("`.{}` of `{whole}`", name.text),
            None => format!("`{whole}`"),
        };
        self.unsupported(words.place(), construct)
    }

    /// Takes the type of an instruction that works on integers of these.
    fn take_one_of(
        &self,
        words: &mut Words<'_, 't>,
        instruction: &Instruction<'t>,
        types: &[&'static str],
    ) -> Lowered<Type> {
        let refusal = self.refuse(words, instruction);
        let ty = words.take_any(types).and_then(Type::parse).ok_or(refusal)?;
        self.finish_words(words, instruction)?;
        Ok(ty)
    }

    /// Fresh rows for a value of this type.
    const fn temporary(&mut self, ty: Scalar) -> Reg {
        self.emitter.fresh(ty.rows())
    }

    fn unary_to(&mut self, op: UnaryOp, ty: Scalar, dst: Reg, a: Reg) {
        self.emitter.emit(Instr::Unary { op, ty, dst, a });
    }

    fn unary(&mut self, op: UnaryOp, ty: Scalar, a: Reg) -> Reg {
        let dst = self.temporary(ty);
        self.unary_to(op, ty, dst, a);
        dst
    }

    fn binary_to(&mut self, op: BinaryOp, ty: Scalar, dst: Reg, a: Reg, b: Reg) {
        self.emitter.emit(Instr::Binary { op, ty, dst, a, b });
    }

    /// The result in fresh rows, for operations whose result has the type of the operands.
    fn binary(&mut self, op: BinaryOp, ty: Scalar, a: Reg, b: Reg) -> Reg {
        let dst = self.temporary(ty);
        self.binary_to(op, ty, dst, a, b);
        dst
    }

    /// A comparison: a `bool` row.
    fn truth(&mut self, op: BinaryOp, ty: Scalar, a: Reg, b: Reg) -> Reg {
        let dst = self.emitter.fresh(1);
        self.binary_to(op, ty, dst, a, b);
        dst
    }

    fn convert_to(&mut self, from: Scalar, to: Scalar, dst: Reg, src: Reg) {
        self.emitter.emit(Instr::Convert { from, to, rounding: Rounding::default(), dst, src });
    }

    /// `dst <- if condition { accept } else { reject }`, of one or two rows.
    fn select_to(&mut self, rows: u32, condition: Reg, dst: Reg, accept: Reg, reject: Reg) {
        let at = |reg: Reg, row: u32| Reg(reg.0 + row);
        for row in 0..rows {
            let (dst, accept, reject) = (at(dst, row), at(accept, row), at(reject, row));
            self.emitter.emit(Instr::Select { condition, dst, accept, reject });
        }
    }

    /// A constant of some type: `value` as many times as there are rows, sign-extended.
    fn constant_of(&mut self, ty: Scalar, value: i64) -> Reg {
        let bits = value.cast_unsigned() & (u64::MAX >> (64 - ty.bits()));
        if ty.rows() == 2 { self.emitter.constant64(bits) } else { self.emitter.constant(crate::cast::low(bits)) }
    }

    /// The constant that a register of one or two rows holds, where it does.
    fn constant_in(&self, ty: Scalar, reg: Reg) -> Option<u64> {
        let low = u64::from(self.emitter.constant_value(reg)?);
        if ty.rows() == 1 {
            return Some(low);
        }
        Some(low | u64::from(self.emitter.constant_value(reg.high())?) << 32)
    }

    /// An operation of the table on operands with types.
    fn extended_to(&mut self, op: ExtendedOp, sources: &[(Reg, Scalar)], results: &[(Reg, Scalar)]) {
        let operand = |&(reg, ty): &(Reg, Scalar)| ir::Operand { reg, rows: ty.rows() };
        let sources: Vec<ir::Operand> = sources.iter().map(operand).collect();
        let results: Vec<ir::Operand> = results.iter().map(operand).collect();
        self.emitter.extended(op, &sources, &results);
    }

    /// Reads two operands of a type.
    fn read_two(&mut self, a: &Operand<'t>, b: &Operand<'t>, ty: Type) -> Lowered<[Reg; 2]> {
        Ok([self.read(a, ty)?, self.read(b, ty)?])
    }

    /// Reads three operands of a type.
    fn read_three(&mut self, a: &Operand<'t>, b: &Operand<'t>, c: &Operand<'t>, ty: Type) -> Lowered<[Reg; 3]> {
        Ok([self.read(a, ty)?, self.read(b, ty)?, self.read(c, ty)?])
    }
}
