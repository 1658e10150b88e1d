//! Exact integer arithmetic beside the 32-bit kind, for the registers that can reach an address.
//!
//! # The rule (GP0005)
//!
//! Every address register has, besides its 32 bits, the integer that exact arithmetic gives for the same
//! expression over what the kernel read, was told or counted. An access whose index or offset differs from
//! that integer is a finding, wherever it lands. `+ - * << >> & | ^ ~ /`, negation, minimum, maximum, select
//! and integer conversions carry the exact integer on (bitwise operations as on infinite two's complement
//! numbers). So a sum that goes below zero and comes back, or a mask that cuts what wrapped, is silent.
//!
//! # Where it starts anew
//!
//! A value that is loaded, comes from a remainder, a float, a bit count, a bit field or another invocation is taken
//! as given. So is a result whose exact value leaves 64 bits: no address space has such an offset, which is what
//! tells a multi-round hash from an offset. A constant of 2^31 or more that is added or subtracted may be meant
//! as a negative number; the reading under which nothing wraps is taken. Every other operation reads it by its type.
//!
//! # What it does not see
//!
//! An offset that wrapped, was stored to memory and loaded again; one that wrapped and went through `%`; a
//! wrap in 64-bit arithmetic. A hash reduced to an index by a shift alone, after one multiplication, is
//! reported although it is meant.
//!
//! # How it stays cheap
//!
//! A row is *clean* when exact and computed value agree and are below 2^31 for every invocation; most rows
//! always are, and clean operands need one look at the result's top bits. Only rows that are not clean keep
//! 64-bit integers.

use super::registers::{Mask, Registers};
use crate::analysis::{destination, sources_that_keep_meaning};
use crate::cast::{at, narrow};
use crate::ir::{BinaryOp, Instr, Program, Reg, Scalar, TernaryOp, UnaryOp};

/// The exact integers of one row that is not clean.
#[derive(Clone, Debug)]
struct Row {
    values: Vec<i64>,
    /// Program counter of the operation that first wrapped, per invocation; `u32::MAX` for none.
    origins: Vec<u32>,
    /// A constant whose sign is open.
    open: bool,
}

/// Rows to use again, boxed as in the slots of [`Exact`] that they come from and go back to.
type Spare = Vec<Box<Row>>;

/// Exact values of one subgroup.
#[derive(Clone, Debug)]
pub struct Exact {
    rows: Vec<Option<Box<Row>>>,
    spare: Spare,
    lanes: usize,
}

/// One invocation's exact value and where it first wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The exact integer.
    pub exact: i64,
    /// Program counter of the operation that first wrapped; `u32::MAX` for none.
    pub origin: u32,
}

const NOWHERE: u32 = u32::MAX;
const TOP: u32 = 1 << 31;

/// What to do after an instruction ran.
pub enum Follow {
    /// The result is clean.
    Clean,
    /// The result is taken as given, read as signed or not.
    Fresh {
        /// How to read the top bit.
        signed: bool,
    },
    /// These exact values go with the result.
    Values(Vec<Value>),
}

impl Exact {
    /// All rows clean but the constants of 2^31 and more.
    pub fn new(program: &Program, address_registers: &[bool], lanes: u32) -> Self {
        let mut rows: Vec<Option<Box<Row>>> = vec![None; at(program.rows)];
        let lanes = at(lanes);
        for &(reg, word) in &program.constants {
            if word >= TOP && address_registers.get(at(reg.0)).copied().unwrap_or(false) {
                let row = Row { values: vec![sign_extended(word); lanes], origins: vec![NOWHERE; lanes], open: true };
                rows[at(reg.0)] = Some(Box::new(row));
            }
        }
        Self { rows, spare: Vec::new(), lanes }
    }

    /// Whether the row's exact and computed values agree and are below 2^31.
    #[inline(always)]
    pub fn is_clean(&self, reg: Reg) -> bool {
        self.rows[at(reg.0)].is_none()
    }

    /// Forgets everything but constants, for the next workgroup.
    pub fn reset(&mut self) {
        for slot in &mut self.rows {
            if let Some(row) = slot.take_if(|row| !row.open) {
                self.spare.push(row);
            }
        }
    }

    /// The exact value of one invocation's register, which holds `word`.
    pub fn value(&self, reg: Reg, lane: u32, word: u32) -> Value {
        match &self.rows[at(reg.0)] {
            None => Value { exact: i64::from(word), origin: NOWHERE },
            Some(row) => Value { exact: row.values[at(lane)], origin: row.origins[at(lane)] },
        }
    }

    /// Looks at the operands of an instruction that is about to write an address register.
    #[inline(always)]
    pub fn before(&self, instr: &Instr, registers: &Registers, mask: &Mask, pc: u32) -> Follow {
        let [a, b, c] = sources_that_keep_meaning(instr);
        let Some(first) = a else { return Follow::Fresh { signed: result_is_signed(instr) } };
        let clean = [a, b, c].into_iter().flatten().all(|reg| self.is_clean(reg));
        if clean && stays_clean(instr, registers, mask, first, b.unwrap_or(first), c.unwrap_or(first)) {
            return Follow::Clean;
        }
        self.lane_by_lane(instr, registers, mask, pc)
    }

    #[inline(never)]
    fn lane_by_lane(&self, instr: &Instr, registers: &Registers, mask: &Mask, pc: u32) -> Follow {
        let mut values = vec![Value { exact: 0, origin: NOWHERE }; self.lanes];
        for lane in mask.lanes() {
            values[at(lane)] = self.one(instr, registers, lane, pc);
        }
        Follow::Values(values)
    }

    fn one(&self, instr: &Instr, registers: &Registers, lane: u32, pc: u32) -> Value {
        let operand = |reg: Reg| self.value(reg, lane, registers.word(reg, lane));
        let open = |reg: Reg| self.rows[at(reg.0)].as_ref().is_some_and(|row| row.open);
        match *instr {
            Instr::Copy { src, .. } | Instr::CheckIndex { index: src, .. } | Instr::Convert { src, .. } => operand(src),
            Instr::Select { condition, accept, reject, .. } => {
                operand(if registers.word(condition, lane) != 0 { accept } else { reject })
            }
            Instr::Unary { op, a, ty, .. } => {
                let a = operand(a);
                let exact = match op {
                    UnaryOp::Neg => -i128::from(a.exact),
                    UnaryOp::Not => !i128::from(a.exact),
                    _ => i128::from(a.exact).abs(),
                };
                settle(exact, ty, a.origin, pc)
            }
            Instr::Binary { op, ty, a, b, .. } => {
                let sums = matches!(op, BinaryOp::Add | BinaryOp::Sub);
                let by_type = |reg| if sums { operand(reg) } else { typed(operand(reg), open(reg), ty) };
                let (x, y) = (by_type(a), by_type(b));
                let origin = x.origin.min(y.origin);
                let exact = combine(op, x.exact, y.exact);
                let may_reopen = sums && (open(a) || open(b));
                if may_reopen && !is_representable(exact) {
                    let read = |reg, value: Value| if open(reg) { value.exact & 0xffff_ffff } else { value.exact };
                    let again = combine(op, read(a, x), read(b, y));
                    if is_representable(again) {
                        return settle(again, ty, origin, pc);
                    }
                }
                settle(exact, ty, origin, pc)
            }
            Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, a, b, c, .. } => {
                let (x, y, z) = (typed(operand(a), open(a), ty), typed(operand(b), open(b), ty), operand(c));
                let exact = i128::from(x.exact) * i128::from(y.exact) + i128::from(z.exact);
                settle(exact, ty, x.origin.min(y.origin).min(z.origin), pc)
            }
            Instr::Ternary { a, b, c, .. } => {
                let (x, low, high) = (operand(a), operand(b), operand(c));
                let raised = if x.exact < low.exact { low } else { x };
                if raised.exact > high.exact { high } else { raised }
            }
            _ => Value { exact: 0, origin: NOWHERE },
        }
    }

    /// Files what [`Self::before`] found, now that the result stands in `dst`.
    #[inline(always)]
    pub fn after(&mut self, dst: Reg, follow: Follow, registers: &Registers, mask: &Mask) {
        match follow {
            Follow::Clean if self.is_clean(dst) => {}
            Follow::Clean => {
                self.store(dst, registers, mask, |_, word| Value { exact: i64::from(word), origin: NOWHERE })
            }
            Follow::Fresh { signed } => self.fresh(dst, signed, registers, mask),
            Follow::Values(values) => self.store(dst, registers, mask, |lane, _| values[at(lane)]),
        }
    }

    /// Takes a row as given.
    #[inline(always)]
    pub fn fresh(&mut self, dst: Reg, signed: bool, registers: &Registers, mask: &Mask) {
        if self.is_clean(dst) && !any_top_bit(registers, dst, mask) {
            return;
        }
        self.store(dst, registers, mask, |_, word| Value {
            exact: if signed { sign_extended(word) } else { i64::from(word) },
            origin: NOWHERE,
        });
    }

    /// Takes a register as given, for invocations named by bits.
    pub fn given(&mut self, reg: Reg, rows: u32, lanes: u128, registers: &Registers, signs_known: bool) {
        let _ = (lanes, signs_known);
        for row in 0..rows {
            let row = Reg(reg.0 + row);
            let mut mask = Mask::new(narrow(self.lanes));
            mask.set(lanes, false);
            self.fresh(row, false, registers, &mask);
        }
    }

    #[inline(never)]
    fn store(&mut self, dst: Reg, registers: &Registers, mask: &Mask, value: impl Fn(u32, u32) -> Value) {
        let mut row = self.rows[at(dst.0)].take().unwrap_or_else(|| self.blank(dst, registers));
        row.open = false;
        for lane in mask.lanes() {
            let word = registers.word(dst, lane);
            let Value { exact, origin } = value(lane, word);
            let agrees = exact == i64::from(word) || exact == sign_extended(word);
            row.values[at(lane)] = exact;
            row.origins[at(lane)] = if agrees { NOWHERE } else { origin };
        }
        let everyone = if mask.whole { mask.bits } else { u128::MAX };
        let clean = (0..narrow(self.lanes)).filter(|lane| everyone >> lane & 1 == 1).all(|lane| {
            let word = registers.word(dst, lane);
            row.values[at(lane)] == i64::from(word) && word < TOP
        });
        if clean {
            self.spare.push(row);
        } else {
            self.rows[at(dst.0)] = Some(row);
        }
    }

    fn blank(&mut self, dst: Reg, registers: &Registers) -> Box<Row> {
        let mut row = self.spare.pop().unwrap_or_else(|| {
            Box::new(Row { values: vec![0; self.lanes], origins: vec![NOWHERE; self.lanes], open: false })
        });
        for lane in 0..narrow(self.lanes) {
            row.values[at(lane)] = i64::from(registers.word(dst, lane));
            row.origins[at(lane)] = NOWHERE;
        }
        row
    }
}

/// Whether the value an instruction produces is to be read as signed.
pub fn result_is_signed(instr: &Instr) -> bool {
    match *instr {
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } | Instr::Subgroup { ty, .. } => {
            ty.is_signed()
        }
        Instr::Convert { to, .. } => to.is_signed(),
        _ => false,
    }
}

/// Whether an instruction writes a 32-bit integer that this file follows.
pub fn is_followed(instr: &Instr, address_registers: &[bool]) -> bool {
    let narrow = match *instr {
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } => ty.bits() <= 32,
        Instr::Convert { from, to, .. } => from.bits() <= 32 && to.bits() <= 32,
        _ => true,
    };
    narrow && destination(instr).is_some_and(|dst| address_registers.get(at(dst.0)).copied().unwrap_or(false))
}

#[inline(always)]
fn stays_clean(instr: &Instr, registers: &Registers, mask: &Mask, a: Reg, b: Reg, c: Reg) -> bool {
    match *instr {
        Instr::Binary { op: BinaryOp::Add, .. } => none(registers, mask, [a, b, b], |x, y, _| x.wrapping_add(y) & TOP),
        Instr::Binary { op: BinaryOp::Sub, .. } => none(registers, mask, [a, b, b], |x, y, _| x.wrapping_sub(y) & TOP),
        Instr::Binary { op: BinaryOp::Mul, .. } => {
            none(registers, mask, [a, b, b], |x, y, _| crate::cast::low((u64::from(x) * u64::from(y)) >> 31))
        }
        Instr::Binary { op: BinaryOp::Shl, .. } => {
            none(registers, mask, [a, b, b], |x, y, _| crate::cast::low((u64::from(x) << (y & 31)) >> 31))
        }
        Instr::Ternary { op: TernaryOp::MultiplyAdd, .. } => none(registers, mask, [a, b, c], |x, y, z| {
            crate::cast::low((u64::from(x) * u64::from(y) + u64::from(z)) >> 31)
        }),
        Instr::Unary { .. } => false,
        _ => true,
    }
}

/// Whether `test` is zero for every executing invocation.
#[inline(always)]
fn none(registers: &Registers, mask: &Mask, [a, b, c]: [Reg; 3], test: impl Fn(u32, u32, u32) -> u32) -> bool {
    let mut any = [0; super::registers::CHUNK];
    let rows = registers.row(a).iter().zip(registers.row(b)).zip(registers.row(c)).zip(mask.words());
    for (((x, y), z), keep) in rows {
        for (lane, any) in any.iter_mut().enumerate() {
            *any |= test(x.0[lane], y.0[lane], z.0[lane]) & keep.0[lane];
        }
    }
    any.iter().fold(0, |all, word| all | word) == 0
}

#[inline(always)]
fn any_top_bit(registers: &Registers, reg: Reg, mask: &Mask) -> bool {
    !none(registers, mask, [reg, reg, reg], |x, _, _| x & TOP)
}

fn sign_extended(word: u32) -> i64 {
    i64::from(word.cast_signed())
}

fn combine(op: BinaryOp, a: i64, b: i64) -> i128 {
    let (x, y) = (i128::from(a), i128::from(b));
    match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div if y != 0 => x / y,
        BinaryOp::Div => x,
        BinaryOp::Min => x.min(y),
        BinaryOp::Max => x.max(y),
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        BinaryOp::Xor => x ^ y,
        BinaryOp::Shl => x << (b & 31),
        _ => x >> (b & 31),
    }
}

/// A constant whose sign is open, read as its type says.
fn typed(value: Value, open: bool, ty: Scalar) -> Value {
    if open && !ty.is_signed() { Value { exact: value.exact & 0xffff_ffff, ..value } } else { value }
}

/// An exact result and whether it fits the 32 bits it is kept in. Beyond 64 bits it starts anew.
fn settle(exact: i128, ty: Scalar, origin: u32, pc: u32) -> Value {
    let Ok(fits) = i64::try_from(exact) else {
        let word = u32::try_from(exact & 0xffff_ffff).unwrap_or(0);
        let exact = if ty.is_signed() { sign_extended(word) } else { i64::from(word) };
        return Value { exact, origin: NOWHERE };
    };
    Value { exact: fits, origin: if is_representable(exact) { origin } else { origin.min(pc) } }
}

/// Whether 32 bits can hold it, read one way or the other.
fn is_representable(exact: i128) -> bool {
    (i128::from(i32::MIN)..=i128::from(u32::MAX)).contains(&exact)
}
