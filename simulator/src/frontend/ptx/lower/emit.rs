//! Emits instructions: fresh rows, shared constants, labels.

use std::collections::HashMap;

use crate::frontend::finish::{Label, Node, Unfinished};
use crate::frontend::source::saturating;
use crate::ir::{Access, AccessId, Extended, ExtendedId, ExtendedOp, Instr, Operand, Pc, Reg, SpanId, Tables};

/// Most instructions of a program, all calls inlined.
pub(super) const MAX_INSTRUCTIONS: usize = 1 << 20;
/// Most rows before they are shared.
pub(super) const MAX_ROWS: u32 = 1 << 22;

/// The growing program.
#[derive(Debug)]
pub(super) struct Emitter {
    pub(super) nodes: Vec<Node>,
    pub(super) tables: Tables,
    constants: Vec<(Reg, u32)>,
    words: HashMap<u32, Reg>,
    pairs: HashMap<u64, Reg>,
    carry: Option<Reg>,
    rows: u32,
    labels: u32,
    span: SpanId,
}

impl Emitter {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            tables: Tables::default(),
            constants: Vec::new(),
            words: HashMap::new(),
            pairs: HashMap::new(),
            carry: None,
            rows: 0,
            labels: 0,
            span: SpanId(0),
        }
    }

    /// Whether the program has grown past what anyone would write.
    pub(super) const fn is_full(&self) -> bool {
        self.nodes.len() > MAX_INSTRUCTIONS || self.rows > MAX_ROWS
    }

    /// The place that following instructions come from.
    pub(super) const fn at(&mut self, span: SpanId) {
        self.span = span;
    }

    /// The place that instructions come from now.
    pub(super) const fn span(&self) -> SpanId {
        self.span
    }

    /// Adjacent rows nobody has.
    pub(super) const fn fresh(&mut self, rows: u32) -> Reg {
        let reg = Reg(self.rows);
        self.rows = self.rows.saturating_add(rows);
        reg
    }

    /// Emits one instruction.
    pub(super) fn emit(&mut self, instr: Instr) {
        self.nodes.push(Node::Instr(instr, self.span));
    }

    /// A row that holds `word`.
    pub(super) fn constant(&mut self, word: u32) -> Reg {
        if let Some(&reg) = self.words.get(&word) {
            return reg;
        }
        let reg = self.fresh(1);
        self.constants.push((reg, word));
        self.words.insert(word, reg);
        reg
    }

    /// Two rows that hold `bits`, low word first.
    pub(super) fn constant64(&mut self, bits: u64) -> Reg {
        if let Some(&reg) = self.pairs.get(&bits) {
            return reg;
        }
        let reg = self.fresh(2);
        self.constants.push((reg, crate::cast::low(bits)));
        self.constants.push((reg.high(), crate::cast::high(bits)));
        self.pairs.insert(bits, reg);
        reg
    }

    /// The row of PTX's condition code: the carry that `.cc` leaves.
    pub(super) const fn carry(&mut self) -> Reg {
        match self.carry {
            Some(row) => row,
            None => {
                let row = self.fresh(1);
                self.carry = Some(row);
                row
            }
        }
    }

    /// The value of a constant row.
    pub(super) fn constant_value(&self, reg: Reg) -> Option<u32> {
        self.constants.iter().find(|(row, _)| *row == reg).map(|(_, word)| *word)
    }

    /// Emits an operation of the table.
    pub(super) fn extended(&mut self, op: ExtendedOp, sources: &[Operand], results: &[Operand]) {
        let id = ExtendedId(saturating(self.tables.extended.len()));
        self.tables.extended.push(Extended { op, sources: sources.to_vec(), results: results.to_vec() });
        self.emit(Instr::Extended(id));
    }

    /// Emits a memory access.
    pub(super) fn access(&mut self, access: Access) {
        let id = AccessId(saturating(self.tables.accesses.len()));
        self.tables.accesses.push(access);
        self.emit(Instr::Access(id));
    }

    /// A label that stands nowhere yet.
    pub(super) const fn label(&mut self) -> Label {
        let label = Label(self.labels);
        self.labels = self.labels.saturating_add(1);
        label
    }

    /// The label stands here.
    pub(super) fn place(&mut self, label: Label) {
        self.nodes.push(Node::Label(label));
    }

    /// Goes on at a label.
    pub(super) fn jump(&mut self, label: Label) {
        self.emit(Instr::Jump { target: Pc(label.0) });
    }

    /// Goes on at a label where the `bool` row `condition` is `when`.
    pub(super) fn jump_if(&mut self, condition: Reg, when: bool, label: Label) {
        self.emit(Instr::JumpIf { condition, when, target: Pc(label.0) });
    }

    /// Copies a register of one or two rows.
    pub(super) fn copy(&mut self, dst: Reg, src: Reg, rows: u32) {
        for row in 0..rows {
            self.emit(Instr::Copy { dst: Reg(dst.0 + row), src: Reg(src.0 + row) });
        }
    }

    /// What the passes take over. Every row counts as a variable until somebody knows better.
    pub(super) fn into_unfinished(self) -> Unfinished {
        let variables = vec![true; usize::try_from(self.rows).unwrap_or(0)];
        Unfinished { nodes: self.nodes, rows: self.rows, constants: self.constants, variables, tables: self.tables }
    }
}
