//! Emits instructions: fresh rows, shared constants, labels, and the cheap improvements that need no analysis.
//!
//! * Equal constants share their rows; operations on known integers are folded ([`super::fold`]).
//! * A pure operation already computed on a path that dominates this one is not computed again. What dominates
//!   follows the nesting of the source: [`Assembler::open`] and [`Assembler::close`] bracket a branch.
//! * The value last stored to a variable's row is known until control flow joins ([`Assembler::fork`]), so that
//!   loads right after stores cost nothing.
//! * Code that no path reaches is not emitted.
//!
//! Rows are of two kinds: a *temporary* is written by one instruction, a *variable* row by any number of
//! [`Instr::Copy`]. Operands are temporaries and constants only.

use std::collections::HashMap;

use super::fold::{self, Side};
use super::locate::saturating;
pub(super) use crate::frontend::finish::Label;
use crate::frontend::finish::{Node, Unfinished};
use crate::ir::{
    Access, AccessId, BinaryOp, BindingId, Builtin, Instr, Pc, Reg, Rounding, Scalar, SpanId, Tables, TernaryOp,
    UnaryOp,
};

/// Most instructions of a program, all calls inlined.
pub(super) const MAX_INSTRUCTIONS: usize = 1 << 20;
/// Most rows before they are shared.
const MAX_ROWS: u32 = 1 << 22;

/// Pure operations by what they compute.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Unary(UnaryOp, Scalar, Reg),
    Binary(BinaryOp, Scalar, Reg, Reg),
    Ternary(TernaryOp, Scalar, Reg, Reg, Reg),
    Select(Reg, Reg, Reg),
    Convert(Scalar, Scalar, Rounding, Reg),
    Builtin(Builtin),
    ArrayLength(BindingId, u32, u32),
}

/// What is known about variables at a fork of control flow.
#[derive(Clone)]
pub(super) struct Fork {
    known: HashMap<Reg, Reg>,
    clock: u64,
    reachable: bool,
}

/// The growing program.
pub(super) struct Assembler {
    nodes: Vec<Node>,
    /// Runs before `nodes`.
    prologue: Vec<Node>,
    tables: Tables,
    /// Constant rows with their values.
    constants: Vec<(Reg, u32)>,
    /// Whether a row is a variable's, by row.
    variables: Vec<bool>,
    sequences: HashMap<Vec<u32>, Reg>,
    values: HashMap<Reg, u32>,
    negations: HashMap<Reg, Reg>,
    scopes: Vec<HashMap<Key, Reg>>,
    known: HashMap<Reg, Reg>,
    stored: HashMap<Reg, u64>,
    clock: u64,
    rows: u32,
    labels: Vec<bool>,
    span: SpanId,
    reachable: bool,
    full: bool,
}

impl Assembler {
    pub(super) fn new(span: SpanId) -> Self {
        Self {
            nodes: Vec::new(),
            prologue: Vec::new(),
            tables: Tables::default(),
            constants: Vec::new(),
            variables: Vec::new(),
            sequences: HashMap::new(),
            values: HashMap::new(),
            negations: HashMap::new(),
            scopes: vec![HashMap::new()],
            known: HashMap::new(),
            stored: HashMap::new(),
            clock: 0,
            rows: 0,
            labels: Vec::new(),
            span,
            reachable: true,
            full: false,
        }
    }

    /// Whether the program has grown past [`MAX_INSTRUCTIONS`] or its rows past their limit.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether any path leads here.
    pub(super) const fn is_reachable(&self) -> bool {
        self.reachable
    }

    /// The place that following instructions come from.
    pub(super) const fn at(&mut self, span: SpanId) {
        self.span = span;
    }

    /// The place that instructions come from now.
    pub(super) const fn span(&self) -> SpanId {
        self.span
    }

    /// Following instructions go before the first one of the body. Gives what [`Self::end_prologue`] needs.
    pub(super) fn begin_prologue(&mut self) -> bool {
        std::mem::swap(&mut self.nodes, &mut self.prologue);
        std::mem::replace(&mut self.reachable, true)
    }

    /// Goes back to the body.
    pub(super) fn end_prologue(&mut self, reachable: bool) {
        std::mem::swap(&mut self.nodes, &mut self.prologue);
        self.reachable = reachable;
    }

    /// Everything emitted, for the passes that finish a program.
    pub(super) fn into_unfinished(self) -> Unfinished {
        let mut nodes = self.prologue;
        nodes.extend(self.nodes);
        Unfinished { nodes, rows: self.rows, constants: self.constants, variables: self.variables, tables: self.tables }
    }

    /// Appends an instruction where a path leads here.
    pub(super) fn push(&mut self, instr: Instr) {
        if self.nodes.len() >= MAX_INSTRUCTIONS {
            self.full = true;
        }
        if self.reachable && !self.full {
            self.nodes.push(Node::Instr(instr, self.span));
        }
    }

    /// Adjacent fresh temporaries.
    pub(super) fn fresh(&mut self, rows: u32) -> Reg {
        let first = Reg(self.rows);
        if self.rows.saturating_add(rows) > MAX_ROWS {
            self.full = true;
            return Reg(0);
        }
        self.rows += rows;
        self.variables.resize(self.variables.len() + rows_usize(rows), false);
        first
    }

    /// Adjacent fresh variable rows.
    pub(super) fn variable(&mut self, rows: u32) -> Reg {
        let first = self.fresh(rows);
        (first.0..first.0 + rows).for_each(|row| {
            if let Some(flag) = self.variables.get_mut(rows_usize(row)) {
                *flag = true;
            }
        });
        first
    }

    /// Adjacent constant rows.
    pub(super) fn sequence(&mut self, bits: &[u32]) -> Reg {
        if let Some(&first) = self.sequences.get(bits) {
            return first;
        }
        let first = self.fresh(saturating(bits.len()));
        for (row, &value) in (first.0..).zip(bits) {
            self.constants.push((Reg(row), value));
            self.values.insert(Reg(row), value);
        }
        self.sequences.insert(bits.to_vec(), first);
        first
    }

    pub(super) fn constant(&mut self, bits: u32) -> Reg {
        self.sequence(&[bits])
    }

    /// A constant of any type, from its low 64 bits.
    pub(super) fn constant_of(&mut self, ty: Scalar, bits: u64) -> Reg {
        let [low, high] = words(bits);
        if ty.rows() == 2 { self.sequence(&[low, high]) } else { self.constant(low) }
    }

    /// The value of a constant row.
    pub(super) fn value(&self, row: Reg) -> Option<u32> {
        self.values.get(&row).copied()
    }

    /// Registers of type `ty` gathered into adjacent rows, by copying only where they are not adjacent yet.
    pub(super) fn adjacent(&mut self, parts: &[Reg], ty: Scalar) -> Reg {
        let Some(&first) = parts.first() else { return self.fresh(0) };
        let rows = ty.rows();
        let constant = |part: &Reg| self.value(*part).is_some();
        let mixed = parts.iter().any(constant) && !parts.iter().all(constant);
        if !mixed && parts.iter().zip((first.0..).step_by(rows_usize(rows))).all(|(part, row)| part.0 == row) {
            return first;
        }
        let all_rows = parts.iter().flat_map(|part| (part.0..part.0 + rows).map(Reg));
        if let Some(values) = all_rows.map(|row| self.value(row)).collect::<Option<Vec<_>>>() {
            return self.sequence(&values);
        }
        let target = self.fresh(rows * saturating(parts.len()));
        for (part, row) in parts.iter().zip((target.0..).step_by(rows_usize(rows))) {
            self.copy(Reg(row), *part, rows);
        }
        target
    }

    fn copy(&mut self, dst: Reg, src: Reg, rows: u32) {
        for row in 0..rows {
            self.push(Instr::Copy { dst: Reg(dst.0 + row), src: Reg(src.0 + row) });
        }
    }

    /// Emits a pure operation with a fresh result of `rows` rows, or finds the one that computed it before.
    fn pure(&mut self, key: Key, rows: u32, make: impl FnOnce(Reg) -> Instr) -> Reg {
        if let Some(&known) = self.scopes.iter().rev().find_map(|scope| scope.get(&key)) {
            return known;
        }
        let dst = self.fresh(rows);
        self.push(make(dst));
        if self.reachable
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.insert(key, dst);
        }
        dst
    }

    pub(super) fn unary(&mut self, op: UnaryOp, ty: Scalar, a: Reg) -> Reg {
        if op == UnaryOp::Not && ty == Scalar::Bool {
            if let Some(value) = self.value(a) {
                return self.constant(u32::from(value == 0));
            }
            if let Some(&inner) = self.negations.get(&a) {
                return inner;
            }
        }
        let rows = match op {
            UnaryOp::IsNan | UnaryOp::IsInf | UnaryOp::FrexpExponent => 1,
            _ => ty.rows(),
        };
        let dst = self.pure(Key::Unary(op, ty, a), rows, |dst| Instr::Unary { op, ty, dst, a });
        if op == UnaryOp::Not && ty == Scalar::Bool {
            self.negations.insert(dst, a);
        }
        dst
    }

    pub(super) fn binary(&mut self, op: BinaryOp, ty: Scalar, a: Reg, b: Reg) -> Reg {
        let (left, right) = (self.value(a), self.value(b));
        if let (Some(left), Some(right)) = (left, right)
            && let Some(bits) = fold::binary(op, ty, left, right)
        {
            return self.constant(bits);
        }
        match fold::identity(op, ty, left, right) {
            Some(Side::Left) => return a,
            Some(Side::Right) => return b,
            None => {}
        }
        let rows = if is_comparison(op) { 1 } else { ty.rows() };
        self.pure(Key::Binary(op, ty, a, b), rows, |dst| Instr::Binary { op, ty, dst, a, b })
    }

    pub(super) fn ternary(&mut self, op: TernaryOp, ty: Scalar, a: Reg, b: Reg, c: Reg) -> Reg {
        self.pure(Key::Ternary(op, ty, a, b, c), ty.rows(), |dst| Instr::Ternary { op, ty, dst, a, b, c })
    }

    /// `if condition { accept } else { reject }` on a value of type `ty`.
    pub(super) fn select(&mut self, ty: Scalar, condition: Reg, accept: Reg, reject: Reg) -> Reg {
        match self.value(condition) {
            Some(0) => return reject,
            Some(_) => return accept,
            None if accept == reject => return accept,
            None => {}
        }
        let key = Key::Select(condition, accept, reject);
        if ty.rows() == 1 {
            return self.pure(key, 1, |dst| Instr::Select { condition, dst, accept, reject });
        }
        let dst = self.pure(key, 2, |dst| Instr::Select { condition, dst, accept, reject });
        let written =
            matches!(self.nodes.last(), Some(Node::Instr(Instr::Select { dst: last, .. }, _)) if *last == dst);
        if written {
            let (accept, reject) = (accept.high(), reject.high());
            self.push(Instr::Select { condition, dst: dst.high(), accept, reject });
        }
        dst
    }

    pub(super) fn convert(&mut self, from: Scalar, to: Scalar, rounding: Rounding, src: Reg) -> Reg {
        // An i32, a u32 and a truth value turn into each other without a change of bits.
        let word = |ty| matches!(ty, Scalar::I32 | Scalar::U32);
        if from == to || (word(to) && (word(from) || matches!(from, Scalar::Bool | Scalar::U8 | Scalar::U16))) {
            return src;
        }
        if to == Scalar::Bool && word(from) {
            let zero = self.constant(0);
            return self.binary(BinaryOp::Ne, Scalar::U32, src, zero);
        }
        let key = Key::Convert(from, to, rounding, src);
        self.pure(key, to.rows(), |dst| Instr::Convert { from, to, rounding, dst, src })
    }

    pub(super) fn builtin(&mut self, which: Builtin) -> Reg {
        self.pure(Key::Builtin(which), 1, |dst| Instr::Builtin { dst, which })
    }

    pub(super) fn array_length(&mut self, binding: BindingId, first: u32, stride: u32) -> Reg {
        let key = Key::ArrayLength(binding, first, stride);
        self.pure(key, 1, |dst| Instr::ArrayLength { dst, binding, first, stride })
    }

    pub(super) fn check_index(&mut self, index: Reg, signed: bool, limit: u32) -> Reg {
        if self.value(index).is_some_and(|value| value < limit) {
            return index;
        }
        let dst = self.fresh(1);
        self.push(Instr::CheckIndex { dst, index, signed, limit });
        dst
    }

    pub(super) fn access(&mut self, access: Access) {
        if self.reachable {
            let id = AccessId(saturating(self.tables.accesses.len()));
            self.tables.accesses.push(access);
            self.push(Instr::Access(id));
        }
    }

    /// The value of a variable of type `ty` now.
    pub(super) fn read(&mut self, variable: Reg, ty: Scalar) -> Reg {
        if let Some(&value) = self.known.get(&variable) {
            return value;
        }
        let value = self.fresh(ty.rows());
        self.copy(value, variable, ty.rows());
        self.known.insert(variable, value);
        value
    }

    /// Gives a variable of type `ty` a value.
    pub(super) fn write(&mut self, variable: Reg, ty: Scalar, value: Reg) {
        if self.known.get(&variable) == Some(&value) {
            return;
        }
        self.copy(variable, value, ty.rows());
        self.remember(variable, value);
    }

    /// Notes what a variable holds without code: rows hold zero before the first instruction.
    pub(super) fn remember(&mut self, variable: Reg, value: Reg) {
        self.clock += 1;
        self.stored.insert(variable, self.clock);
        self.known.insert(variable, value);
    }

    /// Forgets what the named variables hold, because a loop stores to them.
    pub(super) fn forget(&mut self, variables: &[Reg]) {
        for variable in variables {
            self.known.remove(variable);
        }
    }

    /// Starts a branch: what it computes is not available after [`Self::close`].
    pub(super) fn open(&mut self) {
        self.scopes.push(HashMap::new());
    }

    /// Ends a branch.
    pub(super) fn close(&mut self) {
        if self.scopes.len() > 1 {
            self.scopes.pop();
        }
    }

    /// What is known here, to come back to.
    pub(super) fn fork(&self) -> Fork {
        Fork { known: self.known.clone(), clock: self.clock, reachable: self.reachable }
    }

    /// Goes back to what was known at the fork, for the next branch.
    pub(super) fn rewind(&mut self, fork: &Fork) {
        self.known.clone_from(&fork.known);
    }

    /// Joins branches: only variables not stored to since the fork are still known.
    pub(super) fn join(&mut self, fork: &Fork) {
        let stored = &self.stored;
        self.known = fork
            .known
            .iter()
            .filter(|(variable, _)| stored.get(variable).is_none_or(|&clock| clock <= fork.clock))
            .map(|(&variable, &value)| (variable, value))
            .collect();
    }

    /// What is known at the end of a branch that reaches the join alone.
    pub(super) fn adopt(&mut self, end: &Fork) {
        self.known.clone_from(&end.known);
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(false);
        Label(saturating(self.labels.len() - 1))
    }

    /// Places a label here. Code after it is reachable if any jump to it was, or if the code before it is.
    pub(super) fn bind(&mut self, label: Label) {
        let used = self.labels.get(rows_usize(label.0)).copied().unwrap_or(false);
        self.reachable |= used;
        if self.reachable {
            self.nodes.push(Node::Label(label));
        }
    }

    /// Whether some reachable jump goes to the label.
    pub(super) fn is_used(&self, label: Label) -> bool {
        self.labels.get(rows_usize(label.0)).copied().unwrap_or(false)
    }

    fn mark(&mut self, label: Label) {
        if self.reachable
            && let Some(used) = self.labels.get_mut(rows_usize(label.0))
        {
            *used = true;
        }
    }

    pub(super) fn jump(&mut self, label: Label) {
        self.mark(label);
        self.push(Instr::Jump { target: Pc(label.0) });
        self.reachable = false;
    }

    /// Jumps where `condition` is `when`; always or never where it is known.
    pub(super) fn jump_if(&mut self, condition: Reg, when: bool, label: Label) {
        if let Some(value) = self.value(condition) {
            if (value != 0) == when {
                self.jump(label);
            }
            return;
        }
        let (condition, when) = match self.negations.get(&condition) {
            Some(&inner) => (inner, !when),
            None => (condition, when),
        };
        self.mark(label);
        self.push(Instr::JumpIf { condition, when, target: Pc(label.0) });
    }

    pub(super) fn exit(&mut self) {
        self.push(Instr::Exit);
        self.reachable = false;
    }
}

impl Fork {
    /// Whether a path led to the fork.
    pub(super) const fn is_reachable(&self) -> bool {
        self.reachable
    }
}

/// Low and high word.
pub(super) fn words(bits: u64) -> [u32; 2] {
    [bits & u64::from(u32::MAX), bits >> 32].map(|word| u32::try_from(word).unwrap_or(0))
}

pub(super) fn rows_usize(rows: u32) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// Whether the result is a truth value.
pub(super) const fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}
