//! Barriers of the workgroup and asynchronous copies.

use super::memory::Window;
use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Operand, StateSpace, Type};
use crate::frontend::source::saturating;
use crate::ir::{Instr, Reg, Rendezvous, RendezvousId, RendezvousKind, Transfer, TransferId, VoteMode, WarpOp};

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn synchronise(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        match instruction.opcode.text {
            "bar" | "barrier" => self.barrier(instruction)?,
            "cp" => self.copy_async(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn barrier(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let is_bar = instruction.opcode.text == "bar";
        if words.peek() == Some("cluster") {
            return Err(self.unsupported(words.place(), "`barrier.cluster`: clusters of workgroups"));
        }
        if words.take("warp") {
            if !words.take("sync") {
                return Err(self.unsupported(words.place(), format!("`{}`", written(instruction))));
            }
            self.finish_words(&words, instruction)?;
            let [mask] = self.operands::<1>(instruction)?;
            let mask = self.read(mask, Type::B32)?;
            self.emit_warp(WarpOp::Barrier, Some(mask), Vec::new(), Vec::new());
            return Ok(());
        }
        words.take("cta");
        let kind = match words.take_any(&["sync", "arrive", "red"]) {
            Some("sync") => RendezvousKind::Wait,
            Some("arrive") => RendezvousKind::Arrive,
            Some(_) => match words.take_any(&["popc", "and", "or"]) {
                Some("popc") => RendezvousKind::Reduce(VoteMode::Count),
                Some("and") => RendezvousKind::Reduce(VoteMode::All),
                Some(_) => RendezvousKind::Reduce(VoteMode::Any),
                None => return Err(self.unsupported(words.place(), format!("`{}`", written(instruction)))),
            },
            None => return Err(self.unsupported(words.place(), format!("`{}`", written(instruction)))),
        };
        let aligned = words.take("aligned") || is_bar;
        let ty = words.take_type();
        self.finish_words(&words, instruction)?;
        let mut operands = instruction.operands.as_slice();
        let result = match (kind, operands.split_first()) {
            (RendezvousKind::Reduce(mode), Some((first, rest))) => {
                operands = rest;
                let wanted = if mode == VoteMode::Count { Type::U32 } else { Type::Pred };
                if ty != Some(wanted) {
                    return Err(
                        self.invalid(instruction.place, format!("`{}` has the wrong type", written(instruction)))
                    );
                }
                Some(self.write(first, wanted)?)
            }
            _ => None,
        };
        let source = match (kind, operands.split_last()) {
            (RendezvousKind::Reduce(_), Some((last, rest))) => {
                operands = rest;
                Some(self.read(last, Type::Pred)?)
            }
            _ => None,
        };
        let (barrier, count) = match operands {
            [barrier] => (barrier, None),
            [barrier, count] => (barrier, Some(count)),
            _ => {
                let message = format!("`{}` has {} operands", written(instruction), instruction.operands.len());
                return Err(self.invalid(instruction.place, message));
            }
        };
        if kind == RendezvousKind::Arrive && count.is_none() {
            return Err(self.invalid(instruction.place, format!("`{}` needs a thread count", written(instruction))));
        }
        if let Operand::Integer { bits, place } = barrier
            && *bits > 15
        {
            return Err(self.invalid(*place, format!("barrier {bits}: there are barriers 0 to 15")));
        }
        let barrier = self.read(barrier, Type::U32)?;
        let count = match count {
            Some(count) => Some(self.read(count, Type::U32)?),
            None => None,
        };
        let id = RendezvousId(saturating(self.emitter.tables.rendezvous.len()));
        self.emitter.tables.rendezvous.push(Rendezvous { kind, barrier, count, aligned, source, result });
        self.emitter.emit(Instr::Rendezvous(id));
        Ok(())
    }

    fn transfer(&mut self, transfer: Transfer) {
        let id = TransferId(saturating(self.emitter.tables.transfers.len()));
        self.emitter.tables.transfers.push(transfer);
        self.emitter.emit(Instr::Transfer(id));
    }

    fn copy_async(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let place = words.place();
        if !words.take("async") {
            return Err(self.unsupported(place, format!("`{}`", written(instruction))));
        }
        match words.peek() {
            Some("commit_group") => {
                words.take_next();
                self.finish_words(&words, instruction)?;
                self.operands::<0>(instruction)?;
                self.transfer(Transfer::Commit);
            }
            Some("wait_all") => {
                words.take_next();
                self.finish_words(&words, instruction)?;
                self.operands::<0>(instruction)?;
                self.transfer(Transfer::WaitAll);
            }
            Some("wait_group") => {
                words.take_next();
                self.finish_words(&words, instruction)?;
                let [pending] = self.operands::<1>(instruction)?;
                let Operand::Integer { bits, .. } = pending else {
                    return Err(self.invalid(pending.place(), "`cp.async.wait_group` needs a constant"));
                };
                self.transfer(Transfer::Wait { pending: u32::try_from(*bits).unwrap_or(u32::MAX) });
            }
            Some("ca" | "cg") => self.start_copy(instruction, words)?,
            _ => return Err(self.unsupported(words.place(), format!("`{}`", written(instruction)))),
        }
        Ok(())
    }

    /// `cp.async.ca|cg.shared.global{.hint} [dst], [src], size{, src-size | ignore}{, policy}`.
    fn start_copy(&mut self, instruction: &Instruction<'t>, mut words: Words<'_, 't>) -> Lowered<()> {
        let whole_lines = words.take("cg");
        if !whole_lines {
            words.take("ca");
        }
        let shared = words.take("shared") || words.take("shared::cta");
        if !shared || !words.take("global") {
            return Err(self.unsupported(words.place(), format!("`{}`", written(instruction))));
        }
        while words.take_any(&["L2::cache_hint", "L2::64B", "L2::128B", "L2::256B"]).is_some() {}
        self.finish_words(&words, instruction)?;
        let [to, from, size, more @ ..] = instruction.operands.as_slice() else {
            return Err(self.invalid(instruction.place, format!("`{}` has too few operands", written(instruction))));
        };
        let bytes = match size {
            Operand::Integer { bits, .. } => u32::try_from(*bits).ok(),
            _ => None,
        };
        let Some(bytes) = bytes.filter(|bytes| if whole_lines { *bytes == 16 } else { matches!(bytes, 4 | 8 | 16) })
        else {
            let message = "the size of an asynchronous copy is 4, 8 or 16 bytes, and 16 for `.cg`";
            return Err(self.invalid(size.place(), message));
        };
        let destination = self.address(to, Window::Space(StateSpace::Shared))?;
        let source = self.address(from, Window::Space(StateSpace::Global))?;
        let (mut source_bytes, mut ignore): (Option<Reg>, Option<Reg>) = (None, None);
        if let Some(extra) = more.first() {
            let is_predicate = match extra {
                Operand::Not(_) => true,
                Operand::Name(name) => {
                    self.registers.find(name.text, &mut self.emitter).is_some_and(|register| register.ty == Type::Pred)
                }
                _ => false,
            };
            if is_predicate {
                ignore = Some(self.read(extra, Type::Pred)?);
            } else if !matches!(extra, Operand::Name(name) if self.registers.find(name.text, &mut self.emitter).is_some_and(|r| r.ty.bits() == 64))
            {
                source_bytes = Some(self.read(extra, Type::B32)?);
            }
        }
        let scratch = self.emitter.fresh(16);
        self.transfer(Transfer::Copy { destination, source, bytes, source_bytes, ignore, scratch });
        Ok(())
    }
}
