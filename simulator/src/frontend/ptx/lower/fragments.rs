//! `ldmatrix` and `stmatrix`: 8 x 8 matrices of 16-bit elements between workgroup memory and the subgroup's registers.
//!
//! Lane `8 m + r` names the first byte of row `r` of matrix `m`; lane `l` holds elements `2 (l % 4)` and one more of row
//! `l / 4`, or of that column where transposed. So every lane gets the addresses it needs from other lanes, and makes
//! an ordinary access for each of its elements.

use super::memory::{Window, plain};
use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Operand as Written, StateSpace, Type};
use crate::ir::{Access, AccessKind, Address, BinaryOp, Builtin, Instr, Operand, Reg, Scalar, ShuffleMode, WarpOp};

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn fragments(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        match instruction.opcode.text {
            "ldmatrix" | "stmatrix" => self.matrix_access(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `ldmatrix.sync.aligned.shape.num{.trans}{.shared}.b16 r, [p]` and the same with operands turned around.
    fn matrix_access(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let wrong = |lowerer: &Self, words: &Words<'_, 't>| {
            lowerer.unsupported(words.place(), format!("`{}`", written(instruction)))
        };
        if !words.take("sync") || !words.take("aligned") {
            return Err(wrong(self, &words));
        }
        // Older texts have the shape after the count.
        let (mut shaped, mut count, mut transposed) = (false, None, false);
        loop {
            match words.take_any(&["m8n8", "x1", "x2", "x4", "trans"]) {
                Some("m8n8") if !shaped => shaped = true,
                Some("trans") if !transposed => transposed = true,
                Some("x1") if count.is_none() => count = Some(1_u32),
                Some("x2") if count.is_none() => count = Some(2),
                Some("x4") if count.is_none() => count = Some(4),
                None => break,
                Some(_) => return Err(wrong(self, &words)),
            }
        }
        let window = self.take_space(&mut words)?;
        let right = matches!(window, Window::Generic | Window::Space(StateSpace::Shared));
        let (Some(count), true, true) = (count, shaped && right, words.take("b16")) else {
            return Err(wrong(self, &words));
        };
        self.finish_words(&words, instruction)?;
        let [first, second] = self.operands::<2>(instruction)?;
        let is_load = instruction.opcode.text == "ldmatrix";
        let (registers, place) = if is_load { (first, second) } else { (second, first) };
        let parts: Vec<Written<'t>> = match registers {
            Written::Vector { parts, .. } => parts.clone(),
            other => vec![other.clone()],
        };
        if parts.len() != crate::cast::at(count) {
            let message = format!("{count} registers are needed here, not {}", parts.len());
            return Err(self.invalid(registers.place(), message));
        }
        let address = self.address(place, window)?;
        let (row, rows) = self.own_address(&address);
        let whole = self.emitter.constant(u32::MAX);
        let lanes = self.lanes();
        for (matrix, part) in (0..).zip(parts) {
            let register = if is_load { self.write(&part, Type::B32)? } else { self.read(&part, Type::B32)? };
            let halves = if transposed { vec![0, 1] } else { vec![0] };
            let pieces = [self.emitter.fresh(1), self.emitter.fresh(1)];
            if transposed && !is_load {
                self.split(register, pieces);
            }
            for half in halves {
                let source = self.source(&lanes, matrix, transposed, half);
                let from = self.address_of_lane(row, rows, source, whole);
                let mut access = Address { offset: Some(from), wide: rows == 2, ..address };
                access.displacement = 0;
                access.index = Some(if transposed { lanes.row } else { lanes.pair });
                access.scale = if transposed { 2 } else { 4 };
                let kind = if is_load { AccessKind::Load } else { AccessKind::Store };
                let (scalar, value) = if transposed {
                    (Scalar::U16, pieces.get(crate::cast::at(half)).copied().unwrap_or(register))
                } else {
                    (Scalar::U32, register)
                };
                // A row starts at a multiple of its 16 bytes.
                self.emitter.access(Access { alignment: 16, ..plain(kind, scalar, 1, value, access) });
            }
            if transposed && is_load {
                self.join(register, pieces);
            }
        }
        Ok(())
    }

    /// The address in registers of its own: a shuffle needs it there.
    fn own_address(&mut self, address: &Address) -> (Reg, u32) {
        let rows = if address.wide { 2 } else { 1 };
        let ty = if address.wide { Scalar::U64 } else { Scalar::U32 };
        let bits = address.displacement.cast_unsigned();
        let displacement =
            if rows == 2 { self.emitter.constant64(bits) } else { self.emitter.constant(crate::cast::low(bits)) };
        let Some(offset) = address.offset else { return (displacement, rows) };
        let sum = self.emitter.fresh(rows);
        self.emitter.emit(Instr::Binary { op: BinaryOp::Add, ty, dst: sum, a: offset, b: displacement });
        (sum, rows)
    }

    /// What every lane needs to know about its place in a matrix.
    fn lanes(&mut self) -> Lanes {
        let [lane, row, pair] = std::array::from_fn(|_| self.emitter.fresh(1));
        let (two, three) = (self.emitter.constant(2), self.emitter.constant(3));
        let word = |op, dst, a, b| Instr::Binary { op, ty: Scalar::U32, dst, a, b };
        self.emitter.emit(Instr::Builtin { dst: lane, which: Builtin::SubgroupInvocationId });
        self.emitter.emit(word(BinaryOp::Shr, row, lane, two));
        self.emitter.emit(word(BinaryOp::And, pair, lane, three));
        Lanes { row, pair }
    }

    /// The lane that holds the address of the row with this lane's element.
    fn source(&mut self, lanes: &Lanes, matrix: u32, transposed: bool, half: u32) -> Reg {
        let first = self.emitter.constant(matrix * 8 + half);
        let source = self.emitter.fresh(1);
        let word = |op, dst, a, b| Instr::Binary { op, ty: Scalar::U32, dst, a, b };
        if !transposed {
            self.emitter.emit(word(BinaryOp::Add, source, lanes.row, first));
            return source;
        }
        let (doubled, two) = (self.emitter.fresh(1), self.emitter.constant(2));
        self.emitter.emit(word(BinaryOp::Mul, doubled, lanes.pair, two));
        self.emitter.emit(word(BinaryOp::Add, source, doubled, first));
        source
    }

    fn address_of_lane(&mut self, address: Reg, rows: u32, lane: Reg, mask: Reg) -> Reg {
        let (result, clamp) = (self.emitter.fresh(rows), self.emitter.constant(31));
        for row in 0..rows {
            let (from, to) = (Reg(address.0 + row), Reg(result.0 + row));
            let sources = [from, lane, clamp].map(Operand::word).to_vec();
            self.emit_warp(WarpOp::Shuffle(ShuffleMode::Index), Some(mask), sources, vec![Operand::word(to)]);
        }
        result
    }

    /// The two halves of a word.
    fn split(&mut self, word: Reg, [low, high]: [Reg; 2]) {
        let (mask, sixteen) = (self.emitter.constant(0xffff), self.emitter.constant(16));
        self.emitter.emit(Instr::Binary { op: BinaryOp::And, ty: Scalar::U32, dst: low, a: word, b: mask });
        self.emitter.emit(Instr::Binary { op: BinaryOp::Shr, ty: Scalar::U32, dst: high, a: word, b: sixteen });
    }

    fn join(&mut self, word: Reg, [low, high]: [Reg; 2]) {
        let (shifted, sixteen) = (self.emitter.fresh(1), self.emitter.constant(16));
        self.emitter.emit(Instr::Binary { op: BinaryOp::Shl, ty: Scalar::U32, dst: shifted, a: high, b: sixteen });
        self.emitter.emit(Instr::Binary { op: BinaryOp::Or, ty: Scalar::U32, dst: word, a: low, b: shifted });
    }
}

/// Rows with a lane's place in a matrix.
struct Lanes {
    /// Its row, or its column where transposed.
    row: Reg,
    /// Which pair of elements of the row.
    pair: Reg,
}
