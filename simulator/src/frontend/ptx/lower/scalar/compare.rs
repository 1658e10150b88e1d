//! Comparisons and selections.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer, written};
use super::floats::Form;
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{BinaryOp, Comparison, ExtendedOp, Reg, Relation, Scalar, UnaryOp};

const COMPARISONS: &[&str] = &[
    "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan",
];
const TYPES: &[&str] = &["b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64"];
const SELECTED: &[&str] =
    &["b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64", "f16", "bf16", "f16x2", "bf16x2"];

/// What an instruction compares, and how.
#[derive(Clone, Copy, Debug)]
struct Test {
    word: &'static str,
    combine: Option<BinaryOp>,
    flush: bool,
    ty: Type,
    float: Option<Form>,
}

/// A `bool` row, or two of them for the low and the high half.
#[derive(Clone, Copy, Debug)]
enum Truth {
    One(Reg),
    Two([Reg; 2]),
}

impl<'t> Lowerer<'_, 't> {
    /// `setp`.
    pub(super) fn compare_to_predicate(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let (word, combine, flush) = self.take_comparison(&mut words, instruction)?;
        let test = self.take_compared(words, instruction, (word, combine, flush))?;
        let (dst, truth, with) = self.compared(instruction, test)?;
        match (dst, truth) {
            (Operand::Pair(parts), truth) => {
                let [p, q] = parts.as_ref();
                let [first, second] = match truth {
                    Truth::One(truth) => [truth, self.unary(UnaryOp::Not, Scalar::Bool, truth)],
                    Truth::Two(both) => both,
                };
                let [first, second] = [first, second].map(|truth| self.combined(test, truth, with));
                let (p, q) = (self.write(p, Type::Pred)?, self.write(q, Type::Pred)?);
                self.emitter.copy(p, first, 1);
                self.emitter.copy(q, second, 1);
            }
            (dst, Truth::One(truth)) => {
                let dst = self.write(dst, Type::Pred)?;
                match (test.combine, with) {
                    (Some(op), Some(with)) => self.binary_to(op, Scalar::Bool, dst, truth, with),
                    _ => self.emitter.copy(dst, truth, 1),
                }
            }
            (dst, Truth::Two(_)) => {
                return Err(self.invalid(dst.place(), "a comparison of two halves writes `p|q`"));
            }
        }
        Ok(())
    }

    /// `set`.
    pub(super) fn compare_to_value(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let comparison = self.take_comparison(&mut words, instruction)?;
        let refusal = self.refuse(&words, instruction);
        let result = words.take_any(&["u32", "s32", "f32", "u16", "s16", "f16", "bf16", "f16x2", "bf16x2"]);
        let result = result.ok_or(refusal)?;
        let test = self.take_compared(words, instruction, comparison)?;
        let (dst, truth, with) = self.compared(instruction, test)?;
        let zero = self.emitter.constant(0);
        match truth {
            Truth::One(truth) => {
                let truth = self.combined(test, truth, with);
                let (ty, bits) = self.true_value(instruction, result)?;
                let dst = self.write(dst, ty)?;
                let accept = self.emitter.constant(bits);
                self.select_to(1, truth, dst, accept, zero);
            }
            Truth::Two(both) => {
                let bits = match result {
                    "f16x2" => 0x3c00,
                    "bf16x2" => 0x3f80,
                    "u32" | "s32" => 0xffff,
                    _ => return Err(self.refuse(&Words::new(instruction), instruction)),
                };
                let dst = self.write(dst, Type::B32)?;
                let [low, high] = both.map(|truth| self.combined(test, truth, with));
                let parts = [(low, bits), (high, bits << 16)].map(|(truth, bits)| {
                    let (part, accept) = (self.emitter.fresh(1), self.emitter.constant(bits));
                    self.select_to(1, truth, part, accept, zero);
                    part
                });
                self.binary_to(BinaryOp::Or, Scalar::U32, dst, parts[0], parts[1]);
            }
        }
        Ok(())
    }

    /// What `set` writes for true.
    fn true_value(&self, instruction: &Instruction<'t>, result: &str) -> Lowered<(Type, u32)> {
        Ok(match result {
            "u32" | "s32" => (Type::B32, u32::MAX),
            "u16" | "s16" => (Type::B16, 0xffff),
            "f32" => (Type::F32, 1_f32.to_bits()),
            "f16" => (Type::F16, 0x3c00),
            "bf16" => (Type::Bf16, 0x3f80),
            _ => return Err(self.refuse(&Words::new(instruction), instruction)),
        })
    }

    fn take_comparison(
        &self,
        words: &mut Words<'_, 't>,
        instruction: &Instruction<'t>,
    ) -> Lowered<(&'static str, Option<BinaryOp>, bool)> {
        let refusal = self.refuse(words, instruction);
        let word = words.take_any(COMPARISONS).ok_or(refusal)?;
        let combine = words.take_any(&["and", "or", "xor"]).map(|word| match word {
            "and" => BinaryOp::And,
            "or" => BinaryOp::Or,
            _ => BinaryOp::Xor,
        });
        Ok((word, combine, words.take("ftz")))
    }

    fn take_compared(
        &self,
        mut words: Words<'_, 't>,
        instruction: &Instruction<'t>,
        (word, combine, flush): (&'static str, Option<BinaryOp>, bool),
    ) -> Lowered<Test> {
        let float = Form::take(&mut words);
        let ty = match float {
            Some(form) => {
                self.finish_words(&words, instruction)?;
                form.register()
            }
            None => self.take_one_of(&mut words, instruction, TYPES)?,
        };
        let bits = matches!(ty, Type::B16 | Type::B32 | Type::B64) && float.is_none();
        let known = match word {
            "eq" | "ne" => true,
            "lt" | "le" | "gt" | "ge" => !bits,
            "lo" | "ls" | "hi" | "hs" => matches!(ty, Type::U16 | Type::U32 | Type::U64),
            _ => float.is_some(),
        };
        let flushes = float.is_some_and(|form| matches!(form.scalar, Scalar::F32 | Scalar::F16));
        if !known || flush && !flushes {
            let message = format!("`{}` compares what cannot be compared so", written(instruction));
            return Err(self.invalid(instruction.opcode.place, message));
        }
        Ok(Test { word, combine, flush, ty, float })
    }

    /// Reads the operands: the destination, the result of the comparison, and the predicate to combine it with.
    fn compared<'i>(
        &mut self,
        instruction: &'i Instruction<'t>,
        test: Test,
    ) -> Lowered<(&'i Operand<'t>, Truth, Option<Reg>)> {
        let (dst, a, b, with) = if test.combine.is_some() {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            (dst, a, b, Some(self.read(c, Type::Pred)?))
        } else {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            (dst, a, b, None)
        };
        let [a, b] = self.read_two(a, b, test.ty)?;
        let truth = match test.float {
            Some(form) => self.floats_compared(test, form, a, b),
            None => Truth::One(self.truth(plain(test.word), scalar_of(test.ty), a, b)),
        };
        Ok((dst, truth, with))
    }

    fn combined(&mut self, test: Test, truth: Reg, with: Option<Reg>) -> Reg {
        match (test.combine, with) {
            (Some(op), Some(with)) => self.binary(op, Scalar::Bool, truth, with),
            _ => truth,
        }
    }

    /// A plain comparison or its complement, where there is one; else an operation of the table.
    fn floats_compared(&mut self, test: Test, form: Form, a: Reg, b: Reg) -> Truth {
        let ty = form.scalar;
        let simple = match test.word {
            "eq" | "neu" | "lt" | "le" | "gt" | "ge" => Some((plain(test.word), false)),
            "ltu" => Some((BinaryOp::Ge, true)),
            "leu" => Some((BinaryOp::Gt, true)),
            "gtu" => Some((BinaryOp::Le, true)),
            "geu" => Some((BinaryOp::Lt, true)),
            _ => None,
        };
        if let Some((op, complement)) = simple.filter(|_| !(form.packed || test.flush && form.is_half())) {
            let [a, b] = [a, b].map(|reg| if test.flush { self.unary(UnaryOp::Flush, ty, reg) } else { reg });
            let truth = self.truth(op, ty, a, b);
            return Truth::One(if complement { self.unary(UnaryOp::Not, Scalar::Bool, truth) } else { truth });
        }
        let (relation, unordered) = relation(test.word);
        let comparison = Comparison { relation, unordered, ty, packed: form.packed, flush: test.flush };
        let container = scalar_of(test.ty);
        let both = [self.emitter.fresh(1), self.emitter.fresh(1)];
        let results = both.map(|reg| (reg, Scalar::Bool));
        let results = if form.packed { results.as_slice() } else { results.get(..1).unwrap_or_default() };
        self.extended_to(ExtendedOp::Compare(comparison), &[(a, container), (b, container)], results);
        if form.packed { Truth::Two(both) } else { Truth::One(both[0]) }
    }

    /// `selp`.
    pub(super) fn select(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let ty = self.take_one_of(&mut words, instruction, SELECTED)?;
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let condition = self.read(c, Type::Pred)?;
        let dst = self.write(dst, ty)?;
        self.select_to(scalar_of(ty).rows(), condition, dst, a, b);
        Ok(())
    }

    /// `slct`: the first where the third is not below zero (a NaN is).
    pub(super) fn select_by_sign(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let flush = words.take("ftz");
        let refusal = self.refuse(&words, instruction);
        let ty = words.take_any(SELECTED.get(..11).unwrap_or_default()).and_then(Type::parse).ok_or(refusal)?;
        let by = self.take_one_of(&mut words, instruction, if flush { &["f32"] } else { &["s32", "f32"] })?;
        let [dst, a, b, c] = self.operands::<4>(instruction)?;
        let [a, b] = self.read_two(a, b, ty)?;
        let mut sign = self.read(c, by)?;
        if flush {
            sign = self.unary(UnaryOp::Flush, Scalar::F32, sign);
        }
        let dst = self.write(dst, ty)?;
        // The bits of 0 and of 0.0 are the same.
        let zero = self.emitter.constant(0);
        let condition = self.truth(BinaryOp::Ge, scalar_of(by), sign, zero);
        self.select_to(scalar_of(ty).rows(), condition, dst, a, b);
        Ok(())
    }
}

/// The plain comparison of a word: for floats, of those that one instruction does.
fn plain(word: &str) -> BinaryOp {
    match word {
        "eq" => BinaryOp::Eq,
        "ne" | "neu" => BinaryOp::Ne,
        "lt" | "lo" => BinaryOp::Lt,
        "le" | "ls" => BinaryOp::Le,
        "gt" | "hi" => BinaryOp::Gt,
        _ => BinaryOp::Ge,
    }
}

/// A comparison of floats, and what it is for a NaN.
fn relation(word: &str) -> (Relation, bool) {
    match word {
        "num" => return (Relation::Number, false),
        "nan" => return (Relation::NotANumber, false),
        _ => {}
    }
    let (ordered, unordered) = match word.strip_suffix('u') {
        Some(ordered) => (ordered, true),
        None => (word, false),
    };
    let relation = match ordered {
        "eq" => Relation::Equal,
        "ne" => Relation::NotEqual,
        "lt" => Relation::Less,
        "le" => Relation::LessEqual,
        "gt" => Relation::Greater,
        _ => Relation::GreaterEqual,
    };
    (relation, unordered)
}
