//! From the syntax tree to a register program.
//!
//! Every register becomes rows of its own, every call is inlined (recursion is refused), every kernel parameter is the
//! constant that the launch gives. Opcodes are lowered by kind: [`scalar`] for what an invocation computes from its own
//! registers, and so on. What no one takes is refused by name, with its place.

mod emit;
mod registers;
mod scalar;
mod words;

use std::collections::HashMap;

use self::emit::Emitter;
use self::registers::{Registers, rows_of};
use self::words::Words;
use super::ast::{Instruction, Module, Name, Operand, Place, StateSpace, Type};
use crate::frontend::source::Source;
use crate::ir::{BinaryOp, Builtin, Instr, Reg, Scalar, SpanId};
use crate::outcome::SimulateError;

/// A step of the lowering: what it gives, or why the module is refused.
pub(super) type Lowered<T> = Result<T, SimulateError>;

/// Where a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Its state space.
    pub(super) space: StateSpace,
    /// Its address in that space.
    pub(super) address: u64,
    /// Bytes.
    pub(super) length: u64,
}

/// One kernel being lowered.
pub(super) struct Lowerer<'m, 't> {
    pub(super) module: &'m Module<'t>,
    pub(super) source: &'m Source,
    pub(super) emitter: Emitter,
    pub(super) registers: Registers<'t>,
    /// Variables by name, innermost scope last.
    pub(super) symbols: Vec<HashMap<&'t str, Symbol>>,
    /// Operations whose bits devices compute differently.
    pub(super) approximations: Vec<(String, SpanId)>,
}

impl<'t> Lowerer<'_, 't> {
    /// The module is not valid PTX.
    pub(super) fn invalid(&self, place: Place, message: impl Into<String>) -> SimulateError {
        self.source.error_at(self.position(place), message)
    }

    /// The module uses what the simulator does not model.
    pub(super) fn unsupported(&self, place: Place, construct: impl Into<String>) -> SimulateError {
        self.source.unsupported_at(self.position(place), construct)
    }

    fn position(&self, place: Place) -> (u32, u32) {
        self.source.line_column(usize::try_from(place.start).unwrap_or(usize::MAX))
    }

    /// Refuses a modifier that nobody took.
    pub(super) fn finish_words(&self, words: &Words<'_, 't>, instruction: &Instruction<'t>) -> Lowered<()> {
        match words.rest() {
            None => Ok(()),
            Some(name) => Err(self.unsupported(name.place, format!("`.{}` of `{}`", name.text, written(instruction)))),
        }
    }

    /// Records that devices compute this operation differently.
    pub(super) fn approximate(&mut self, instruction: &Instruction<'t>) {
        self.approximations.push((written(instruction), self.emitter.span()));
    }

    /// The operands, of which there must be `N`.
    pub(super) fn operands<'i, const N: usize>(
        &self,
        instruction: &'i Instruction<'t>,
    ) -> Lowered<&'i [Operand<'t>; N]> {
        instruction.operands.as_slice().try_into().map_err(|_| {
            let message =
                format!("`{}` takes {N} operands, and has {}", written(instruction), instruction.operands.len());
            self.invalid(instruction.place, message)
        })
    }

    /// The rows of an operand of type `ty`, of exactly its width.
    pub(super) fn read(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.read_as(operand, ty, false)
    }

    /// The same, where the register may be wider than the type (`cvt`, `ld`, `st`): its low bits.
    pub(super) fn read_low(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.read_as(operand, ty, true)
    }

    fn read_as(&mut self, operand: &Operand<'t>, ty: Type, wider: bool) -> Lowered<Reg> {
        match operand {
            Operand::Name(name) => self.read_name(*name, ty, wider),
            Operand::Integer { bits, place } => self.integer(*bits, ty, *place),
            Operand::Float32 { bits, place } => self.float(f64::from(f32::from_bits(*bits)), Some(*bits), ty, *place),
            Operand::Float64 { bits, place } => self.float(f64::from_bits(*bits), None, ty, *place),
            Operand::Not(name) if ty == Type::Pred => {
                let reg = self.read_name(*name, ty, wider)?;
                let dst = self.emitter.fresh(1);
                self.emitter.emit(Instr::Unary { op: crate::ir::UnaryOp::Not, ty: Scalar::Bool, dst, a: reg });
                Ok(dst)
            }
            Operand::Address { base: Some(base), offset, brackets: false, place } => {
                let symbol = self.symbol(base.text).ok_or_else(|| self.unknown(*base))?;
                self.integer(symbol.address.wrapping_add_signed(*offset), ty, *place)
            }
            other => Err(self.invalid(other.place(), "this operand cannot be read as a value")),
        }
    }

    fn read_name(&mut self, name: Name<'t>, ty: Type, wider: bool) -> Lowered<Reg> {
        if let Some(register) = self.registers.find(name.text, &mut self.emitter) {
            let (has, wants) = (register.ty.bits(), ty.bits());
            if register.vector > 1 || has < wants || (has != wants && !wider) || (ty == Type::Pred) != (has == 1) {
                return Err(self.width(name, register.ty, ty));
            }
            // Registers of up to 16 bits are kept zero-extended; the low part of a wider one has to be cut out.
            if has > wants && wants < 32 {
                let (dst, mask) = (self.emitter.fresh(1), self.emitter.constant((1 << wants) - 1));
                self.emitter.emit(Instr::Binary { op: BinaryOp::And, ty: Scalar::U32, dst, a: register.reg, b: mask });
                return Ok(dst);
            }
            return Ok(register.reg);
        }
        if let Some(reg) = self.special(name)? {
            return Ok(reg);
        }
        let symbol = self.symbol(name.text).ok_or_else(|| self.unknown(name))?;
        self.integer(symbol.address, ty, name.place)
    }

    pub(super) fn width(&self, name: Name<'t>, has: Type, wants: Type) -> SimulateError {
        let words = |ty: Type| if ty == Type::Pred { "a predicate".to_owned() } else { format!("{} bits", ty.bits()) };
        self.invalid(name.place, format!("`{}` is {}; {} is needed here", name.text, words(has), words(wants)))
    }

    pub(super) fn unknown(&self, name: Name<'t>) -> SimulateError {
        self.invalid(name.place, format!("`{}` is not declared", name.text))
    }

    /// The variable called `name`.
    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn integer(&mut self, bits: u64, ty: Type, place: Place) -> Lowered<Reg> {
        Ok(match ty.bits() {
            1 => self.emitter.constant(u32::from(bits != 0)),
            width @ (8 | 16) => self.emitter.constant(crate::cast::low(bits) & ((1 << width) - 1)),
            32 => self.emitter.constant(crate::cast::low(bits)),
            64 => self.emitter.constant64(bits),
            _ => return Err(self.unsupported(place, "128-bit constants")),
        })
    }

    fn float(&mut self, value: f64, exact: Option<u32>, ty: Type, place: Place) -> Lowered<Reg> {
        match (ty, exact) {
            (Type::F32 | Type::B32, Some(bits)) => Ok(self.emitter.constant(bits)),
            (Type::F64 | Type::B64, None) => Ok(self.emitter.constant64(value.to_bits())),
            (Type::F64, Some(_)) => Ok(self.emitter.constant64(value.to_bits())),
            (Type::F32, None) => Ok(self.emitter.constant(crate::cast::f64_to_f32(value).to_bits())),
            _ => {
                Err(self
                    .invalid(place, format!("a floating-point constant cannot be {} bits of an integer", ty.bits())))
            }
        }
    }

    /// A special register's value.
    fn special(&mut self, name: Name<'t>) -> Lowered<Option<Reg>> {
        let axis = |word: &str| match word {
            "x" => Some(0),
            "y" => Some(1),
            "z" => Some(2),
            _ => None,
        };
        let Some(word) = name.text.strip_prefix('%') else { return Ok(None) };
        let which = match word.split_once('.') {
            Some(("tid", component)) => axis(component).map(Builtin::LocalInvocationId),
            Some(("ntid", component)) => axis(component).map(Builtin::WorkgroupSize),
            Some(("ctaid", component)) => axis(component).map(Builtin::WorkgroupId),
            Some(("nctaid", component)) => axis(component).map(Builtin::NumWorkgroups),
            None if word == "laneid" => Some(Builtin::SubgroupInvocationId),
            None if word == "warpid" => Some(Builtin::SubgroupId),
            None if word == "nwarpid" => Some(Builtin::NumSubgroups),
            _ => None,
        };
        let Some(which) = which else { return Ok(None) };
        let dst = self.emitter.fresh(1);
        self.emitter.emit(Instr::Builtin { dst, which });
        Ok(Some(dst))
    }

    /// The register that a result of type `ty` goes to; `_` gives rows that nobody reads.
    pub(super) fn write(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.write_as(operand, ty, false)
    }

    /// The same, where the register may be wider than the type (`cvt`, `ld`): the caller extends the value.
    pub(super) fn write_wide(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<(Reg, Type)> {
        let declared = match operand {
            Operand::Name(name) => self.registers.find(name.text, &mut self.emitter).map(|register| register.ty),
            _ => None,
        };
        Ok((self.write_as(operand, ty, true)?, declared.unwrap_or(ty)))
    }

    fn write_as(&mut self, operand: &Operand<'t>, ty: Type, wider: bool) -> Lowered<Reg> {
        let name = match operand {
            Operand::Name(name) => *name,
            Operand::Sink(_) => return Ok(self.emitter.fresh(rows_of(ty, 1))),
            other => return Err(self.invalid(other.place(), "this operand cannot be written")),
        };
        let register = self.registers.find(name.text, &mut self.emitter).ok_or_else(|| self.unknown(name))?;
        let (has, wants) = (register.ty.bits(), ty.bits());
        let fits = has == wants || (wider && has > wants && wants > 1);
        if register.vector > 1 || !fits || (ty == Type::Pred) != (has == 1) {
            return Err(self.width(name, register.ty, ty));
        }
        Ok(register.reg)
    }
}

/// Opcode and modifiers as they stand in the text.
pub(super) fn written(instruction: &Instruction<'_>) -> String {
    let mut text = instruction.opcode.text.to_owned();
    for modifier in &instruction.modifiers {
        text.push('.');
        text.push_str(modifier.text);
    }
    text
}
