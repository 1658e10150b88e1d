//! Operations across the invocations of a subgroup.

use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Operand as Written, Type};
use crate::frontend::source::saturating;
use crate::ir::{FloatReduction, Instr, Operand, Reduction, Reg, Scalar, ShuffleMode, VoteMode, Warp, WarpId, WarpOp};

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn warp(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        match instruction.opcode.text {
            "shfl" => self.shuffle(instruction)?,
            "vote" => self.vote(instruction)?,
            "match" => self.matching(instruction)?,
            "activemask" => self.active_mask(instruction)?,
            "elect" => self.elect(instruction)?,
            "redux" => self.reduce(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn emit_warp(&mut self, op: WarpOp, mask: Option<Reg>, sources: Vec<Operand>, results: Vec<Operand>) {
        let id = WarpId(saturating(self.emitter.tables.warps.len()));
        self.emitter.tables.warps.push(Warp { op, mask, sources, results });
        self.emitter.emit(Instr::Warp(id));
    }

    fn need_sync(&self, words: &mut Words<'_, 't>, instruction: &Instruction<'t>) -> Lowered<()> {
        if words.take("sync") {
            return Ok(());
        }
        let message = format!("`{}` without `.sync`, which no device since sm_70 has", written(instruction));
        Err(self.unsupported(instruction.opcode.place, message))
    }

    fn wrong(&self, words: &Words<'_, 't>, instruction: &Instruction<'t>) -> crate::outcome::SimulateError {
        self.unsupported(words.place(), format!("`{}`", written(instruction)))
    }

    /// One destination, or two as `d|p`.
    fn pair(&mut self, operand: &Written<'t>, ty: Type) -> Lowered<Vec<Operand>> {
        match operand {
            Written::Pair(parts) => {
                let [value, flag] = parts.as_ref();
                Ok(vec![Operand::word(self.write(value, ty)?), Operand::word(self.write(flag, Type::Pred)?)])
            }
            other => Ok(vec![Operand::word(self.write(other, ty)?)]),
        }
    }

    fn shuffle(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        self.need_sync(&mut words, instruction)?;
        let mode = match words.take_any(&["up", "down", "bfly", "idx"]) {
            Some("up") => ShuffleMode::Up,
            Some("down") => ShuffleMode::Down,
            Some("bfly") => ShuffleMode::Butterfly,
            Some(_) => ShuffleMode::Index,
            None => return Err(self.wrong(&words, instruction)),
        };
        if !words.take("b32") {
            return Err(self.wrong(&words, instruction));
        }
        self.finish_words(&words, instruction)?;
        let [dst, value, lane, clamp, mask] = self.operands::<5>(instruction)?;
        let sources = [self.read(value, Type::B32)?, self.read(lane, Type::B32)?, self.read(clamp, Type::B32)?];
        let mask = self.read(mask, Type::B32)?;
        let results = self.pair(dst, Type::B32)?;
        self.emit_warp(WarpOp::Shuffle(mode), Some(mask), sources.map(Operand::word).to_vec(), results);
        Ok(())
    }

    fn vote(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        self.need_sync(&mut words, instruction)?;
        let mode = match words.take_any(&["all", "any", "uni", "ballot"]) {
            Some("all") => VoteMode::All,
            Some("any") => VoteMode::Any,
            Some("uni") => VoteMode::Uniform,
            Some(_) => VoteMode::Ballot,
            None => return Err(self.wrong(&words, instruction)),
        };
        let ty = if mode == VoteMode::Ballot { Type::B32 } else { Type::Pred };
        if words.take_type() != Some(ty) {
            return Err(self.wrong(&words, instruction));
        }
        self.finish_words(&words, instruction)?;
        let [dst, predicate, mask] = self.operands::<3>(instruction)?;
        let (predicate, mask) = (self.read(predicate, Type::Pred)?, self.read(mask, Type::B32)?);
        let dst = self.write(dst, ty)?;
        self.emit_warp(WarpOp::Vote(mode), Some(mask), vec![Operand::word(predicate)], vec![Operand::word(dst)]);
        Ok(())
    }

    fn matching(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let op = match words.take_any(&["any", "all"]) {
            Some("any") => WarpOp::MatchAny,
            Some(_) => WarpOp::MatchAll,
            None => return Err(self.wrong(&words, instruction)),
        };
        self.need_sync(&mut words, instruction)?;
        let Some(ty @ (Type::B32 | Type::B64)) = words.take_type() else {
            return Err(self.wrong(&words, instruction));
        };
        self.finish_words(&words, instruction)?;
        let [dst, value, mask] = self.operands::<3>(instruction)?;
        let value = Operand { reg: self.read(value, ty)?, rows: ty.bits() / 32 };
        let mask = self.read(mask, Type::B32)?;
        let results = self.pair(dst, Type::B32)?;
        self.emit_warp(op, Some(mask), vec![value], results);
        Ok(())
    }

    fn active_mask(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        if !words.take("b32") {
            return Err(self.wrong(&words, instruction));
        }
        self.finish_words(&words, instruction)?;
        let [dst] = self.operands::<1>(instruction)?;
        let dst = self.write(dst, Type::B32)?;
        self.emit_warp(WarpOp::ActiveMask, None, Vec::new(), vec![Operand::word(dst)]);
        Ok(())
    }

    fn elect(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        self.need_sync(&mut words, instruction)?;
        self.finish_words(&words, instruction)?;
        let [dst, mask] = self.operands::<2>(instruction)?;
        let mask = self.read(mask, Type::B32)?;
        let results = self.pair(dst, Type::B32)?;
        self.emit_warp(WarpOp::Elect, Some(mask), Vec::new(), results);
        Ok(())
    }

    fn reduce(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        self.need_sync(&mut words, instruction)?;
        let reduction = match words.take_any(&["add", "min", "max", "and", "or", "xor"]) {
            Some("add") => Reduction::Add,
            Some("min") => Reduction::Min,
            Some("max") => Reduction::Max,
            Some("and") => Reduction::And,
            Some("or") => Reduction::Or,
            Some(_) => Reduction::Xor,
            None => return Err(self.wrong(&words, instruction)),
        };
        let float = FloatReduction { absolute: words.take("abs"), nan: words.take("NaN") };
        let bitwise = matches!(reduction, Reduction::And | Reduction::Or | Reduction::Xor);
        let scalar = match words.take_type() {
            Some(Type::B32) if bitwise => Scalar::U32,
            Some(Type::U32) if !bitwise => Scalar::U32,
            Some(Type::S32) if !bitwise => Scalar::I32,
            Some(Type::F32) if matches!(reduction, Reduction::Min | Reduction::Max) => Scalar::F32,
            _ => return Err(self.wrong(&words, instruction)),
        };
        self.finish_words(&words, instruction)?;
        let [dst, value, mask] = self.operands::<3>(instruction)?;
        let ty = if scalar == Scalar::F32 { Type::F32 } else { Type::B32 };
        let (value, mask) = (self.read(value, ty)?, self.read(mask, Type::B32)?);
        let dst = self.write(dst, ty)?;
        let op = WarpOp::Reduce(reduction, scalar, float);
        self.emit_warp(op, Some(mask), vec![Operand::word(value)], vec![Operand::word(dst)]);
        Ok(())
    }
}
