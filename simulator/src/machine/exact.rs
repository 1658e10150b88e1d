//! Exact integer arithmetic beside the machine's, for the registers that can reach an address.
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
//! tells a multi-round hash from an offset. Where signs are not known, so is a product with an odd constant of 2^24 or
//! more that does not fit 32 bits: hashes and random numbers have such factors, and strides do not. A constant of 2^31 or more that is added or subtracted may be meant
//! as a negative number; the reading under which nothing wraps is taken. Every other operation reads it by its type.
//! Compilers take constants modulo what a later shift leaves; such a constant of PTX has two readings
//! (`Program::narrowed`).
//!
//! # Values whose sign nobody knows
//!
//! PTX's integer types do not say what the program's author meant: compilers load with `.u32`, multiply with `.s32`, and
//! write unsigned constants as negative numbers. There, a loaded value of 2^31 or more has two *candidates*, and so has
//! what is computed from it; an instruction that reads its operand by sign (`shr`, `div`, `min`, `cvt`, `mul.wide`)
//! settles on the one it reads. An offset is wrong when no candidate agrees. A negative number that is shifted as an
//! unsigned one is taken for play with bits: the result is given.
//!
//! # 64 bits
//!
//! For a 64-bit register the *difference* between exact and computed value is kept, modulo 2^64. It starts where a
//! 32-bit value that wrapped is widened, and goes through 64-bit arithmetic from there; narrowing gives it back.
//!
//! # Strides of 2^31 and more
//!
//! A compiler may fold the factors of a stride into one constant, modulo 2^32: what a factor means as a negative number,
//! `x + i * -2147450880`, may have been the stride 2147516416, and is often written `x - i * 2147450880`. Where nothing
//! wraps as it is written, it may be either, and only what is then done with it can tell. So the distance to the other
//! reading goes along as a [`Doubt`]: an access that misses its buffer as it was computed, and meets it under
//! the other reading, has wrapped. One that stays inside says nothing. A factor from 2^31 to 3 * 2^30 has both
//! readings as candidates besides, as a kernel may well have such an unsigned stride. All this is done only where a launch
//! has a buffer of more than 2^31 bytes: in others no such stride ends inside.
//!
//! # What it does not see
//!
//! A folded stride of 2^31 or more, times an index so small that nothing wraps in the negative reading, which together
//! with a 64-bit part lands inside the buffer.
//! An offset that wrapped, was stored to memory and loaded again; one that wrapped and went through `%`; a
//! wrap in 64-bit arithmetic. In WGSL, a hash reduced to an index by a shift alone, after one multiplication, is
//! reported although it is meant.
//!
//! # How it stays cheap
//!
//! A row is *clean* when exact and computed value agree and are below 2^31 for every invocation; most rows
//! always are, and clean operands need one look at the result's top bits. Only rows that are not clean keep
//! 64-bit integers.

use super::registers::{Mask, Registers};
use crate::analysis::{destination, sources_that_keep_meaning};
use crate::cast::{at, low, narrow};
use crate::ir::{BinaryOp, Instr, Program, Reg, Scalar, TernaryOp, UnaryOp};
use crate::machine::semantics;

/// The exact integers that one invocation's value may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    candidates: [i64; MOST],
    count: usize,
    /// Program counter of the operation that first wrapped; `u32::MAX` for none.
    pub origin: u32,
    doubt: Doubt,
}

/// What to add to an exact integer for the reading in which a folded stride is 2^31 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The distance; zero where there is one reading.
    pub distance: i64,
    /// Program counter of the product; `u32::MAX` for none.
    pub origin: u32,
}

impl Doubt {
    const NONE: Self = Self { distance: 0, origin: NOWHERE };
}

/// What goes with the computed value of a 64-bit register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Exact minus computed value.
    pub difference: i64,
    /// Program counter of the operation that first wrapped; `u32::MAX` for none.
    pub origin: u32,
    /// The distance to the other reading of the exact value.
    pub doubt: Doubt,
}

impl Gap {
    const NONE: Self = Self { difference: 0, origin: NOWHERE, doubt: Doubt::NONE };

    fn is_none(&self) -> bool {
        self.difference == 0 && self.doubt.distance == 0
    }
}

/// Candidates kept at most; a value with more is taken as given.
const MOST: usize = 4;
const NOWHERE: u32 = u32::MAX;
/// Odd factors from here on mix bits.
const SMALLEST_MIXER: u32 = 1 << 24;
const TOP: u32 = 1 << 31;
/// Factors from here on that are read as unsigned are negative numbers.
const SURELY_NEGATIVE: u32 = 3 << 30;

impl Value {
    const fn one(exact: i64, origin: u32) -> Self {
        Self { candidates: [exact; MOST], count: 1, origin, doubt: Doubt::NONE }
    }

    /// What a word that is taken as given stands for; without `signed`, both readings.
    fn given(word: u32, signed: Option<bool>) -> Self {
        let (plain, extended) = (i64::from(word), sign_extended(word));
        match signed {
            Some(true) => Self::one(extended, NOWHERE),
            None if word >= TOP => {
                Self { candidates: [plain, extended, plain, plain], count: 2, ..Self::one(plain, NOWHERE) }
            }
            _ => Self::one(plain, NOWHERE),
        }
    }

    fn candidates(&self) -> &[i64] {
        self.candidates.get(..self.count).unwrap_or(&self.candidates)
    }

    fn doubted(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }

    /// The exact value, or the first of several.
    pub const fn exact(&self) -> i64 {
        self.candidates[0]
    }

    /// Whether it can be this integer.
    pub fn may_be(&self, integer: i64) -> bool {
        self.candidates().contains(&integer)
    }

    /// Adds a candidate; whether there was room.
    fn add(&mut self, exact: i64) -> bool {
        if self.may_be(exact) {
            return true;
        }
        let Some(slot) = self.candidates.get_mut(self.count) else { return false };
        *slot = exact;
        self.count += 1;
        true
    }
}

/// The exact integers of one 32-bit row that is not clean.
#[derive(Clone, Debug)]
struct Row {
    values: Vec<Value>,
    /// A constant, which stays.
    constant: bool,
    /// A constant whose sign is open.
    open: bool,
}

/// Rows to use again, boxed as in the slots of [`Exact`] that they come from and go back to.
type Spare = Vec<Box<Row>>;

/// Exact values of one subgroup.
#[derive(Clone, Debug)]
pub struct Exact {
    rows: Vec<Option<Box<Row>>>,
    /// By the first row of a 64-bit register, and invocation: no gaps where `None`.
    wide: Vec<Option<Box<[Gap]>>>,
    spare: Spare,
    lanes: usize,
    signs_known: bool,
    /// Rows with a constant that can only be the factor of a hash.
    mixing: Vec<bool>,
}

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
    /// These gaps go with the 64-bit result.
    Wide(Vec<Gap>),
}

impl Exact {
    /// All rows clean but the constants of 2^31 and more.
    pub fn new(program: &Program, address_registers: &[bool], lanes: u32) -> Self {
        let mut rows: Vec<Option<Box<Row>>> = vec![None; at(program.rows)];
        let lanes = at(lanes);
        for &(reg, word) in &program.constants {
            if word >= TOP && address_registers.get(at(reg.0)).copied().unwrap_or(false) {
                let values = vec![Value::one(sign_extended(word), NOWHERE); lanes];
                rows[at(reg.0)] = Some(Box::new(Row { values, constant: true, open: true }));
            }
        }
        for &(reg, other) in &program.narrowed {
            let word = program.constants.iter().find(|(row, _)| *row == reg).map(|(_, word)| *word);
            let mut value = Value::given(word.unwrap_or(0), None);
            value.add(other);
            rows[at(reg.0)] = Some(Box::new(Row { values: vec![value; lanes], constant: true, open: false }));
        }
        for &(reg, other) in &program.folded {
            let word = program.constants.iter().find(|(row, _)| *row == reg).map_or(0, |(_, word)| *word);
            let exact = sign_extended(word);
            let doubt = Doubt { distance: other.wrapping_sub(exact), origin: NOWHERE };
            let mut value = Value::one(exact, NOWHERE).doubted(doubt);
            if other > 0 && word < SURELY_NEGATIVE {
                value.add(other);
            }
            let values = vec![value; lanes];
            rows[at(reg.0)] = Some(Box::new(Row { values, constant: true, open: word >= TOP }));
        }
        let wide = vec![None; at(program.rows)];
        let mut mixing = vec![false; at(program.rows)];
        for &(reg, word) in program.constants.iter().filter(|_| !program.signs_known) {
            mixing[at(reg.0)] = word & 1 == 1 && word.cast_signed().unsigned_abs() >= SMALLEST_MIXER;
        }
        Self { rows, wide, spare: Vec::new(), lanes, signs_known: program.signs_known, mixing }
    }

    /// Whether the row's exact and computed values agree and are below 2^31.
    #[inline(always)]
    pub fn is_clean(&self, reg: Reg) -> bool {
        self.rows[at(reg.0)].is_none()
    }

    /// Whether exact and computed value of a 64-bit register agree.
    #[inline(always)]
    pub fn is_clean_wide(&self, reg: Reg) -> bool {
        self.wide[at(reg.0)].is_none()
    }

    /// Forgets everything but constants, for the next workgroup.
    pub fn reset(&mut self) {
        for slot in &mut self.rows {
            if let Some(row) = slot.take_if(|row| !row.constant) {
                self.spare.push(row);
            }
        }
        self.wide.iter_mut().for_each(|slot| *slot = None);
    }

    /// The exact value of one invocation's register, which holds `word`.
    pub fn value(&self, reg: Reg, lane: u32, word: u32) -> Value {
        match &self.rows[at(reg.0)] {
            None => Value::given(word, self.signs_known.then_some(false)),
            Some(row) => row.values[at(lane)],
        }
    }

    /// What goes with one invocation's 64-bit register.
    pub fn gap(&self, reg: Reg, lane: u32) -> Gap {
        self.wide[at(reg.0)].as_ref().map_or(Gap::NONE, |row| row[at(lane)])
    }

    fn is_open(&self, reg: Reg) -> bool {
        self.rows[at(reg.0)].as_ref().is_some_and(|row| row.open)
    }

    /// Looks at the operands of an instruction that is about to write an address register.
    #[inline(always)]
    pub fn before(&self, instr: &Instr, registers: &Registers, mask: &Mask, pc: u32) -> Follow {
        let [a, b, c] = sources_that_keep_meaning(instr);
        let (from, to) = widths(instr);
        let Some(first) = a else {
            let fresh = Follow::Fresh { signed: result_is_signed(instr) };
            return if to == Width::Double { Follow::Clean } else { fresh };
        };
        let clean = |reg: Reg| match from {
            Width::Word => self.is_clean(reg),
            Width::Double => self.is_clean_wide(reg),
            Width::Either => self.is_clean(reg) && self.is_clean_wide(reg),
        };
        // A shift's count has one row, whatever the type.
        let second = b.filter(|_| !(from == Width::Double && is_shift(instr)));
        let all_clean = [a, second, c].into_iter().flatten().all(clean);
        if all_clean && (from == Width::Double || to == Width::Double) && to != Width::Word {
            return Follow::Clean;
        }
        let (b, c) = (b.unwrap_or(first), c.unwrap_or(first));
        if all_clean && from != Width::Double && stays_clean(instr, registers, mask, first, b, c) {
            return Follow::Clean;
        }
        self.lane_by_lane(instr, registers, mask, pc, to)
    }

    #[inline(never)]
    fn lane_by_lane(&self, instr: &Instr, registers: &Registers, mask: &Mask, pc: u32, to: Width) -> Follow {
        let is_wide = match to {
            Width::Word => false,
            Width::Double => true,
            // A copy of a row: of the first of a 64-bit register where that has a difference.
            Width::Either => sources_that_keep_meaning(instr).into_iter().flatten().any(|reg| !self.is_clean_wide(reg)),
        };
        if is_wide {
            let mut values = vec![Gap::NONE; self.lanes];
            for lane in mask.lanes() {
                values[at(lane)] = self.one_wide(instr, registers, lane, pc);
            }
            return Follow::Wide(values);
        }
        let mut values = vec![Value::one(0, NOWHERE); self.lanes];
        for lane in mask.lanes() {
            values[at(lane)] = self.one(instr, registers, lane, pc);
        }
        Follow::Values(values)
    }

    /// What goes with a 64-bit result.
    fn one_wide(&self, instr: &Instr, registers: &Registers, lane: u32, pc: u32) -> Gap {
        match *instr {
            Instr::Copy { src, .. } => self.gap(src, lane),
            Instr::Select { condition, accept, reject, .. } => {
                self.gap(if registers.word(condition, lane) != 0 { accept } else { reject }, lane)
            }
            Instr::Convert { from, src, .. } if from.bits() <= 32 => {
                let widened = self.widened(src, from, registers, lane);
                gap([widened, Widened::NOTHING], pc, |[x, _]| x)
            }
            Instr::Convert { src, .. } => self.gap(src, lane),
            Instr::Binary { op: BinaryOp::MulWide, ty, a, b, .. } => {
                let factors = [a, b].map(|reg| self.widened(reg, ty, registers, lane));
                gap(factors, pc, |[x, y]| x.wrapping_mul(y))
            }
            _ => {
                let operand = |reg: Reg| Widened::new(registers.value(reg, 2, lane), self.gap(reg, lane));
                match *instr {
                    Instr::Unary { op, ty, a, .. } => {
                        gap([operand(a), Widened::NOTHING], pc, |[x, _]| semantics::unary(op, ty, x, FUSED))
                    }
                    Instr::Binary { op, ty, a, b, .. } => {
                        let count = || Widened::new(u64::from(registers.word(b, lane)), Gap::NONE);
                        let second = if is_shift(instr) { count() } else { operand(b) };
                        gap([operand(a), second], pc, |[x, y]| semantics::binary(op, ty, x, y, FUSED))
                    }
                    Instr::Ternary { op, ty, a, b, c, .. } => {
                        let operands = [a, b, c].map(operand);
                        gap(operands, pc, |[x, y, z]| semantics::ternary(op, ty, x, y, z, FUSED))
                    }
                    _ => Gap::NONE,
                }
            }
        }
    }

    /// A 32-bit register as an instruction widens it.
    fn widened(&self, reg: Reg, ty: Scalar, registers: &Registers, lane: u32) -> Widened {
        let word = registers.word(reg, lane);
        let (value, read) = (self.value(reg, lane, word), read_as(word, ty.is_signed()));
        let as_read = value.may_be(read) || self.is_open(reg);
        let difference = if as_read { 0 } else { value.exact().wrapping_sub(read) };
        Widened::new(read.cast_unsigned(), Gap { difference, origin: value.origin, doubt: value.doubt })
    }

    fn one(&self, instr: &Instr, registers: &Registers, lane: u32, pc: u32) -> Value {
        let operand = |reg: Reg| self.value(reg, lane, registers.word(reg, lane));
        match *instr {
            Instr::Copy { src, .. } | Instr::CheckIndex { index: src, .. } => operand(src),
            Instr::Convert { from, to, src, .. } if from.bits() == 64 => {
                let gap = self.gap(src, lane);
                let exact = registers.value(src, 2, lane).cast_signed().wrapping_add(gap.difference);
                settle(i128::from(exact), to, gap.origin, pc).doubted(gap.doubt)
            }
            Instr::Convert { src, .. } => operand(src),
            Instr::Select { condition, accept, reject, .. } => {
                operand(if registers.word(condition, lane) != 0 { accept } else { reject })
            }
            Instr::Unary { op, a, ty, .. } => {
                self.each([operand(a), Value::one(0, NOWHERE), Value::one(0, NOWHERE)], ty, pc, |[x, _, _]| match op {
                    UnaryOp::Neg => -x,
                    UnaryOp::Not => !x,
                    _ => x.abs(),
                })
            }
            Instr::Binary { op, ty, a, b, .. } => self.binary(op, ty, [a, b], registers, lane, pc),
            Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, a, b, c, .. } => {
                let factor = |reg| self.factor(reg, registers, lane, ty);
                let product = self.each([factor(a), factor(b), operand(c)], ty, pc, |[x, y, z]| x * y + z);
                let word = |reg| u64::from(registers.word(reg, lane));
                self.unless_mixed(product, [a, b], || {
                    semantics::ternary(TernaryOp::MultiplyAdd, ty, word(a), word(b), word(c), FUSED)
                })
            }
            Instr::Ternary { a, b, c, .. } => {
                let (x, low, high) = (operand(a), operand(b), operand(c));
                let raised = if x.exact() < low.exact() { low } else { x };
                if raised.exact() > high.exact() { high } else { raised }
            }
            _ => Value::one(0, NOWHERE),
        }
    }

    /// An operand of a product: a constant whose sign is open is read as the type says where types mean something.
    fn factor(&self, reg: Reg, registers: &Registers, lane: u32, ty: Scalar) -> Value {
        let value = self.value(reg, lane, registers.word(reg, lane));
        if self.signs_known && self.is_open(reg) && !ty.is_signed() {
            return Value { candidates: [value.exact() & 0xffff_ffff; MOST], ..value };
        }
        value
    }

    fn binary(&self, op: BinaryOp, ty: Scalar, [a, b]: [Reg; 2], registers: &Registers, lane: u32, pc: u32) -> Value {
        let sums = matches!(op, BinaryOp::Add | BinaryOp::Sub);
        let plain = |reg: Reg| self.value(reg, lane, registers.word(reg, lane));
        if sums && (self.is_open(a) || self.is_open(b)) {
            return self.sum_with_constant(op, ty, [a, b], [plain(a), plain(b)], pc);
        }
        if sums {
            return self.each([plain(a), plain(b), Value::one(0, NOWHERE)], ty, pc, |[x, y, _]| combine(op, x, y));
        }
        if !self.signs_known && reads_by_sign(op) {
            let shift = matches!(op, BinaryOp::Shr | BinaryOp::ShrClamp);
            let word = registers.word(a, lane);
            let (x, read) = (plain(a), read_as(word, ty.is_signed()));
            let negative_as_unsigned = !ty.is_signed() && !x.may_be(read) && x.may_be(sign_extended(word));
            if shift && negative_as_unsigned {
                let result = semantics::binary(op, ty, u64::from(word), u64::from(registers.word(b, lane)), FUSED);
                return Value::given(low(result), None);
            }
            let settled = |value: Value, reg: Reg| {
                let read = read_as(registers.word(reg, lane), ty.is_signed());
                if value.may_be(read) { Value { candidates: [read; MOST], count: 1, ..value } } else { value }
            };
            let y = if shift { plain(b) } else { settled(plain(b), b) };
            return self.each([settled(x, a), y, Value::one(0, NOWHERE)], ty, pc, |[x, y, _]| combine(op, x, y));
        }
        let factor = |reg| self.factor(reg, registers, lane, ty);
        let result = self.each([factor(a), factor(b), Value::one(0, NOWHERE)], ty, pc, |[x, y, _]| combine(op, x, y));
        if op != BinaryOp::Mul {
            return result;
        }
        let word = |reg| u64::from(registers.word(reg, lane));
        self.unless_mixed(result, [a, b], || semantics::binary(op, ty, word(a), word(b), FUSED))
    }

    /// A product that does not fit is given where one factor is that of a hash.
    fn unless_mixed(&self, product: Value, factors: [Reg; 2], computed: impl Fn() -> u64) -> Value {
        let fits = product.candidates().iter().any(|&exact| is_representable(i128::from(exact)));
        if fits || !factors.iter().any(|reg| self.mixing[at(reg.0)]) {
            return product;
        }
        Value::given(low(computed()), None)
    }

    /// A constant of open sign is a negative number, unless only the other reading gives a result that fits.
    fn sum_with_constant(&self, op: BinaryOp, ty: Scalar, regs: [Reg; 2], values: [Value; 2], pc: u32) -> Value {
        let [x, y] = values;
        let zero = Value::one(0, NOWHERE);
        let first = self.each([x, y, zero], ty, pc, |[x, y, _]| combine(op, x, y));
        if first.candidates().iter().any(|&exact| is_representable(i128::from(exact))) {
            return first;
        }
        let other = |reg: Reg, value: Value| {
            if self.is_open(reg) { Value::one(value.exact() & 0xffff_ffff, value.origin) } else { value }
        };
        let again = self.each([other(regs[0], x), other(regs[1], y), zero], ty, pc, |[x, y, _]| combine(op, x, y));
        if again.candidates().iter().any(|&exact| is_representable(i128::from(exact))) { again } else { first }
    }

    /// The results for every combination of candidates.
    fn each(&self, operands: [Value; 3], ty: Scalar, pc: u32, compute: impl Fn([i128; 3]) -> i128) -> Value {
        let origin = operands.iter().map(|value| value.origin).min().unwrap_or(NOWHERE);
        let mut result: Option<Value> = None;
        for &x in operands[0].candidates() {
            for &y in operands[1].candidates() {
                for &z in operands[2].candidates() {
                    let exact = compute([i128::from(x), i128::from(y), i128::from(z)]);
                    let next = settle(exact, ty, origin, pc);
                    match &mut result {
                        None => result = Some(next),
                        Some(all) => {
                            all.origin = all.origin.min(next.origin);
                            if !all.add(next.exact()) {
                                return Value::given(u32::try_from(exact & 0xffff_ffff).unwrap_or(0), None);
                            }
                        }
                    }
                }
            }
        }
        result.unwrap_or(Value::one(0, NOWHERE)).doubted(doubt(&operands, pc, compute))
    }

    /// Files what [`Self::before`] found, now that the result stands in `dst`.
    #[inline(always)]
    pub fn after(&mut self, dst: Reg, follow: Follow, registers: &Registers, mask: &Mask) {
        if !matches!(follow, Follow::Wide(_)) && !self.is_clean_wide(dst) {
            self.forget_wide(dst, mask);
        }
        match follow {
            Follow::Clean if self.is_clean(dst) => {}
            Follow::Clean => {
                self.store(dst, registers, mask, |_, word| Value::one(i64::from(word), NOWHERE));
            }
            Follow::Fresh { signed } => self.fresh(dst, signed, registers, mask),
            Follow::Values(values) => self.store(dst, registers, mask, |lane, _| values[at(lane)]),
            Follow::Wide(values) => self.store_wide(dst, mask, &values),
        }
    }

    /// Takes a row as given.
    #[inline(always)]
    pub fn fresh(&mut self, dst: Reg, signed: bool, registers: &Registers, mask: &Mask) {
        if !self.is_clean_wide(dst) {
            self.forget_wide(dst, mask);
        }
        if self.is_clean(dst) && !any_top_bit(registers, dst, mask) {
            return;
        }
        let signed = self.signs_known.then_some(signed);
        self.store(dst, registers, mask, |_, word| Value::given(word, signed));
    }

    /// Takes a register of one or two rows as given.
    #[inline(always)]
    pub fn given(&mut self, reg: Reg, rows: u32, registers: &Registers, mask: &Mask) {
        if rows == 1 {
            return self.fresh(reg, false, registers, mask);
        }
        if !self.is_clean_wide(reg) {
            self.forget_wide(reg, mask);
        }
    }

    #[inline(never)]
    fn forget_wide(&mut self, dst: Reg, mask: &Mask) {
        self.store_wide(dst, mask, &vec![Gap::NONE; self.lanes]);
    }

    #[inline(never)]
    fn store_wide(&mut self, dst: Reg, mask: &Mask, values: &[Gap]) {
        let blank = || vec![Gap::NONE; self.lanes].into_boxed_slice();
        let mut row = self.wide[at(dst.0)].take().unwrap_or_else(blank);
        for lane in mask.lanes() {
            row[at(lane)] = values[at(lane)];
        }
        if !row.iter().all(Gap::is_none) {
            self.wide[at(dst.0)] = Some(row);
        }
    }

    #[inline(never)]
    fn store(&mut self, dst: Reg, registers: &Registers, mask: &Mask, value: impl Fn(u32, u32) -> Value) {
        let mut row = self.rows[at(dst.0)].take().unwrap_or_else(|| self.blank(dst, registers));
        row.open = false;
        for lane in mask.lanes() {
            let word = registers.word(dst, lane);
            let value = value(lane, word);
            let agrees = value.may_be(i64::from(word)) || value.may_be(sign_extended(word));
            row.values[at(lane)] = Value { origin: if agrees { NOWHERE } else { value.origin }, ..value };
        }
        let everyone = if mask.whole { mask.bits } else { u128::MAX };
        let clean = (0..narrow(self.lanes)).filter(|lane| everyone >> lane & 1 == 1).all(|lane| {
            let word = registers.word(dst, lane);
            let value = &row.values[at(lane)];
            value.candidates() == [i64::from(word)] && word < TOP && value.doubt.distance == 0
        });
        if clean {
            self.spare.push(row);
        } else {
            self.rows[at(dst.0)] = Some(row);
        }
    }

    fn blank(&mut self, dst: Reg, registers: &Registers) -> Box<Row> {
        let mut row = self.spare.pop().unwrap_or_else(|| {
            let values = vec![Value::one(0, NOWHERE); self.lanes];
            Box::new(Row { values, constant: false, open: false })
        });
        for lane in 0..narrow(self.lanes) {
            row.values[at(lane)] = Value::one(i64::from(registers.word(dst, lane)), NOWHERE);
        }
        row
    }
}

const FUSED: gridproof_launch::Arithmetic = gridproof_launch::Arithmetic::FUSED;

/// How wide the operands or the result of an instruction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Word,
    Double,
    /// A row that may be the first of two.
    Either,
}

/// Widths of operands and result.
const fn widths(instr: &Instr) -> (Width, Width) {
    const fn of(ty: Scalar) -> Width {
        if ty.bits() == 64 { Width::Double } else { Width::Word }
    }
    match *instr {
        Instr::Copy { .. } | Instr::Select { .. } => (Width::Either, Width::Either),
        Instr::Binary { op: BinaryOp::MulWide, .. } => (Width::Word, Width::Double),
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } => (of(ty), of(ty)),
        Instr::Convert { from, to, .. } => (of(from), of(to)),
        _ => (Width::Word, Width::Word),
    }
}

const fn is_shift(instr: &Instr) -> bool {
    matches!(instr, Instr::Binary { op: BinaryOp::Shl | BinaryOp::Shr | BinaryOp::ShlClamp | BinaryOp::ShrClamp, .. })
}

/// Whether an operation's result depends on how the top bit of its operands is read.
const fn reads_by_sign(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Shr | BinaryOp::ShrClamp | BinaryOp::Div | BinaryOp::Min | BinaryOp::Max)
}

fn read_as(word: u32, signed: bool) -> i64 {
    if signed { sign_extended(word) } else { i64::from(word) }
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

/// Whether an instruction writes an integer that this file follows.
pub fn is_followed(instr: &Instr, address_registers: &[bool]) -> bool {
    destination(instr).is_some_and(|dst| address_registers.get(at(dst.0)).copied().unwrap_or(false))
}

#[inline(always)]
fn stays_clean(instr: &Instr, registers: &Registers, mask: &Mask, a: Reg, b: Reg, c: Reg) -> bool {
    match *instr {
        Instr::Binary { op: BinaryOp::Add, .. } => none(registers, mask, [a, b, b], |x, y, _| x.wrapping_add(y) & TOP),
        Instr::Binary { op: BinaryOp::Sub, .. } => none(registers, mask, [a, b, b], |x, y, _| x.wrapping_sub(y) & TOP),
        Instr::Binary { op: BinaryOp::Mul, .. } => {
            none(registers, mask, [a, b, b], |x, y, _| crate::cast::low((u64::from(x) * u64::from(y)) >> 31))
        }
        Instr::Binary { op: BinaryOp::ShlClamp, .. } => {
            none(registers, mask, [a, b, b], |x, y, _| crate::cast::low((u64::from(x) << y.min(32)) >> 31))
        }
        Instr::Binary { op: BinaryOp::Shl, .. } => {
            none(registers, mask, [a, b, b], |x, y, _| crate::cast::low((u64::from(x) << (y & 31)) >> 31))
        }
        Instr::Ternary { op: TernaryOp::MultiplyAdd, .. } => none(registers, mask, [a, b, c], |x, y, z| {
            crate::cast::low((u64::from(x) * u64::from(y) + u64::from(z)) >> 31)
        }),
        Instr::Unary { .. } => false,
        Instr::Convert { from, .. } if from.bits() == 64 => {
            none(registers, mask, [a, a.high(), a], |low, high, _| high | low & TOP)
        }
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

fn combine(op: BinaryOp, x: i128, y: i128) -> i128 {
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
        BinaryOp::Shl => x << (y & 31),
        BinaryOp::ShlClamp => x << y.clamp(0, 64),
        BinaryOp::ShrClamp => x >> y.clamp(0, 64),
        _ => x >> (y & 31),
    }
}

/// A 64-bit operand: as it was computed, exact, and exact in the other reading.
#[derive(Clone, Copy, Debug)]
struct Widened {
    computed: u64,
    exact: u64,
    other: u64,
    origin: u32,
    doubted_at: u32,
}

impl Widened {
    const NOTHING: Self = Self { computed: 0, exact: 0, other: 0, origin: NOWHERE, doubted_at: NOWHERE };

    const fn new(computed: u64, gap: Gap) -> Self {
        let exact = computed.wrapping_add_signed(gap.difference);
        let other = exact.wrapping_add_signed(gap.doubt.distance);
        Self { computed, exact, other, origin: gap.origin, doubted_at: gap.doubt.origin }
    }
}

/// What goes with the result of a 64-bit operation.
fn gap<const N: usize>(operands: [Widened; N], pc: u32, compute: impl Fn([u64; N]) -> u64) -> Gap {
    let difference = |one: u64, other: u64| one.wrapping_sub(other).cast_signed();
    let first = |origins: [u32; N]| origins.into_iter().min().filter(|origin| *origin != NOWHERE).unwrap_or(pc);
    let exact = compute(operands.map(|operand| operand.exact));
    let wrapped = difference(exact, compute(operands.map(|operand| operand.computed)));
    let distance = difference(compute(operands.map(|operand| operand.other)), exact);
    let origin = if wrapped == 0 { NOWHERE } else { first(operands.map(|operand| operand.origin)) };
    let doubted_at = if distance == 0 { NOWHERE } else { first(operands.map(|operand| operand.doubted_at)) };
    Gap { difference: wrapped, origin, doubt: Doubt { distance, origin: doubted_at } }
}

/// The distance to the other reading of a 32-bit result. Beyond 64 bits there is none.
fn doubt(operands: &[Value; 3], pc: u32, compute: impl Fn([i128; 3]) -> i128) -> Doubt {
    if operands.iter().all(|value| value.doubt.distance == 0) {
        return Doubt::NONE;
    }
    let exact = operands.map(|value| i128::from(value.exact()));
    let other = operands.map(|value| i128::from(value.exact()) + i128::from(value.doubt.distance));
    let distance = i64::try_from(compute(other) - compute(exact)).unwrap_or(0);
    let begun = operands.iter().map(|value| value.doubt.origin).min().filter(|origin| *origin != NOWHERE);
    Doubt { distance, origin: begun.unwrap_or(pc) }
}

/// An exact result and whether it fits the 32 bits it is kept in. Beyond 64 bits it starts anew.
fn settle(exact: i128, ty: Scalar, origin: u32, pc: u32) -> Value {
    let Ok(fits) = i64::try_from(exact) else {
        let word = u32::try_from(exact & 0xffff_ffff).unwrap_or(0);
        return Value::one(read_as(word, ty.is_signed()), NOWHERE);
    };
    Value::one(fits, if is_representable(exact) { origin } else { origin.min(pc) })
}

/// Whether 32 bits can hold it, read one way or the other.
fn is_representable(exact: i128) -> bool {
    (i128::from(i32::MIN)..=i128::from(u32::MAX)).contains(&exact)
}
