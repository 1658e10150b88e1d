//! What an invocation computes from its own registers: arithmetic, logic, comparison, conversion.

use super::words::Words;
use super::{Lowered, Lowerer};
use crate::frontend::ptx::ast::{Instruction, Type};
use crate::ir::{ExtendedOp, Operand};

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was. The guard is the caller's business.
    pub(super) fn scalar(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        let mut words = Words::new(instruction);
        match instruction.opcode.text {
            "lop3" => {
                if !words.take("b32") {
                    return Err(self.unsupported(words.place(), format!("`{}`", super::written(instruction))));
                }
                self.finish_words(&words, instruction)?;
                let [dst, a, b, c, table] = self.operands::<5>(instruction)?;
                let crate::frontend::ptx::ast::Operand::Integer { bits, .. } = table else {
                    return Err(self.invalid(table.place(), "the table of `lop3` must be a constant"));
                };
                let sources = [self.read(a, Type::B32)?, self.read(b, Type::B32)?, self.read(c, Type::B32)?];
                let dst = self.write(dst, Type::B32)?;
                let table = u8::try_from(*bits & 0xff).unwrap_or(0);
                self.emitter.extended(ExtendedOp::Lop3(table), &sources.map(Operand::word), &[Operand::word(dst)]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
