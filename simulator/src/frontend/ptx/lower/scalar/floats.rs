//! Arithmetic on f32 and f64, and what all floating-point types share.
//!
//! Operations on f32 that round to nearest are plain instructions, with denormals flushed and the result saturated by
//! instructions of their own. The others are operations of the table.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer, written};
use super::modifiers::Flags;
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{
    BinaryOp, ExtendedOp, FloatOp, FloatOperation, Instr, Reg, Rounding, Scalar, Signs, TernaryOp, UnaryOp,
};

/// A floating-point type as it stands in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Type of a value.
    pub(super) scalar: Scalar,
    /// Two 16-bit values in a register.
    pub(super) packed: bool,
}

impl Form {
    /// Takes a floating-point type.
    pub(super) fn take(words: &mut Words<'_, '_>) -> Option<Self> {
        let (scalar, packed) = match words.take_any(&["f32", "f64", "f16", "f16x2", "bf16", "bf16x2"])? {
            "f32" => (Scalar::F32, false),
            "f64" => (Scalar::F64, false),
            "f16" => (Scalar::F16, false),
            "f16x2" => (Scalar::F16, true),
            "bf16" => (Scalar::Bf16, false),
            _ => (Scalar::Bf16, true),
        };
        Some(Self { scalar, packed })
    }

    /// The type of a register that holds it.
    pub(super) const fn register(self) -> Type {
        match (self.scalar, self.packed) {
            (Scalar::F32, _) => Type::F32,
            (Scalar::F64, _) => Type::F64,
            (Scalar::F16, false) => Type::F16,
            (_, false) => Type::Bf16,
            (_, true) => Type::B32,
        }
    }

    /// Whether a value has 16 bits.
    pub(super) const fn is_half(self) -> bool {
        matches!(self.scalar, Scalar::F16 | Scalar::Bf16)
    }
}

/// A plain instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plain {
    Unary(UnaryOp),
    Binary(BinaryOp),
    MultiplyAdd,
}

impl Plain {
    /// Whether a result below the smallest normal number may round up to it. `.ftz` makes it a zero all the same, as it
    /// looks at the result before it is rounded (seen on an H200), where a plain instruction is flushed after. A sum of
    /// normal numbers is exact there.
    fn rounds_denormals(self) -> bool {
        matches!(self, Self::MultiplyAdd | Self::Binary(BinaryOp::Mul | BinaryOp::Div))
    }
}

impl<'t> Lowerer<'_, 't> {
    /// `add`, `sub`, `mul`, `fma`, `mad`, `div`.
    pub(super) fn float_arithmetic(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let allowed = allowed(instruction.opcode.text);
        let flags = Flags::take(&mut words, allowed);
        let refusal = self.refuse(&words, instruction);
        let form = Form::take(&mut words).ok_or(refusal)?;
        let narrow = if form.scalar == Scalar::F32 { words.take_any(&["f16", "bf16"]) } else { None };
        self.finish_words(&words, instruction)?;
        self.check_flags(instruction, form, &flags)?;
        if let Some(narrow) = narrow {
            return self.mixed_arithmetic(instruction, &flags, narrow);
        }
        if form.is_half() {
            return self.half_arithmetic(instruction, form, &flags);
        }
        let (dst, sources) = self.float_operands(instruction, form.register(), form.register())?;
        self.float_to(instruction, form.scalar, &flags, dst, &sources);
        Ok(())
    }

    /// Refuses modifiers that PTX does not have for the type.
    fn check_flags(&self, instruction: &Instruction<'t>, form: Form, flags: &Flags) -> Lowered<()> {
        let opcode = instruction.opcode.text;
        let wrong = match form.scalar {
            Scalar::F64 => ["ftz", "sat", "relu", "oob", "approx", "full"].iter().find(|word| flags.has(word)),
            Scalar::F32 => ["relu", "oob"].iter().find(|word| flags.has(word)),
            _ if flags.has("oob") => ["rz", "rm", "rp", "ftz", "sat"].iter().find(|word| flags.has(word)),
            Scalar::Bf16 => ["rz", "rm", "rp", "ftz", "sat"].iter().find(|word| flags.has(word)),
            _ => ["rz", "rm", "rp"].iter().find(|word| flags.has(word)),
        };
        if let Some(word) = wrong {
            let construct = format!("`.{word}` of `{}`", written(instruction));
            return Err(self.unsupported(instruction.opcode.place, construct));
        }
        let needs = matches!(opcode, "fma" | "mad") || (opcode == "div" && !flags.has("approx") && !flags.has("full"));
        let unknown = form.is_half() && matches!(opcode, "div" | "mad");
        if needs && flags.rounding().is_none() || unknown {
            return Err(self.invalid(instruction.opcode.place, format!("`{}` has no such form", written(instruction))));
        }
        Ok(())
    }

    /// The destination and the operands: two, or three for `fma` and `mad`. The last one has its own type.
    fn float_operands(&mut self, instruction: &Instruction<'t>, ty: Type, last: Type) -> Lowered<(Reg, Vec<Reg>)> {
        let (dst, sources): (&Operand<'t>, Vec<&Operand<'t>>) = if matches!(instruction.opcode.text, "fma" | "mad") {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            (dst, vec![a, b, c])
        } else {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            (dst, vec![a, b])
        };
        let count = sources.len();
        let mut registers = Vec::with_capacity(count);
        for (position, source) in sources.into_iter().enumerate() {
            registers.push(self.read(source, if position + 1 == count { last } else { ty })?);
        }
        Ok((self.write(dst, last)?, registers))
    }

    /// `add.f32.f16` and the like: the narrow operands are widened, which is exact.
    fn mixed_arithmetic(&mut self, instruction: &Instruction<'t>, flags: &Flags, narrow: &str) -> Lowered<()> {
        let ty = if narrow == "f16" { Type::F16 } else { Type::Bf16 };
        let known = matches!(instruction.opcode.text, "add" | "sub" | "fma");
        if !known || flags.has("ftz") {
            return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction))));
        }
        let (dst, mut sources) = self.float_operands(instruction, ty, Type::F32)?;
        let count = sources.len();
        for source in sources.iter_mut().take(count.saturating_sub(1)) {
            let wide = self.temporary(Scalar::F32);
            self.convert_to(scalar_of(ty), Scalar::F32, wide, *source);
            *source = wide;
        }
        self.float_to(instruction, Scalar::F32, flags, dst, &sources);
        Ok(())
    }

    fn float_to(&mut self, instruction: &Instruction<'t>, ty: Scalar, flags: &Flags, dst: Reg, sources: &[Reg]) {
        let (plain, table) = match instruction.opcode.text {
            "add" => (Plain::Binary(BinaryOp::Add), FloatOp::Add),
            "sub" => (Plain::Binary(BinaryOp::Sub), FloatOp::Sub),
            "mul" => (Plain::Binary(BinaryOp::Mul), FloatOp::Mul),
            "div" => (Plain::Binary(BinaryOp::Div), FloatOp::Div),
            _ => (Plain::MultiplyAdd, FloatOp::MultiplyAdd),
        };
        if flags.has("approx") || flags.has("full") {
            self.approximate(instruction);
        }
        if flags.has("approx") {
            self.float_table_to(FloatOp::DivApproximate, ty, flags, dst, sources);
        } else if is_plain(ty, flags) && !(flags.has("ftz") && plain.rounds_denormals()) {
            self.plain_to(plain, ty, flags, dst, sources);
        } else {
            self.float_table_to(table, ty, flags, dst, sources);
        }
    }

    /// The operation of the table with the modifiers.
    pub(super) fn float_table_to(&mut self, op: FloatOp, ty: Scalar, flags: &Flags, dst: Reg, sources: &[Reg]) {
        let operation = FloatOperation {
            rounding: flags.rounding().unwrap_or_default(),
            flush: flags.has("ftz"),
            clamp: flags.clamp(),
            ..FloatOperation::new(op, ty)
        };
        let sources: Vec<(Reg, Scalar)> = sources.iter().map(|&reg| (reg, ty)).collect();
        self.extended_to(ExtendedOp::Float(operation), &sources, &[(dst, ty)]);
    }

    /// The plain instruction, with what `.ftz` and `.sat` add.
    pub(super) fn plain_to(&mut self, op: Plain, ty: Scalar, flags: &Flags, dst: Reg, sources: &[Reg]) {
        let flush = flags.has("ftz");
        let sources: Vec<Reg> =
            sources.iter().map(|&reg| if flush { self.unary(UnaryOp::Flush, ty, reg) } else { reg }).collect();
        let saturate = flags.has("sat");
        let exact = if flush || saturate { self.temporary(ty) } else { dst };
        match (op, sources.as_slice()) {
            (Plain::Unary(op), &[a]) => self.unary_to(op, ty, exact, a),
            (Plain::Binary(op), &[a, b]) => self.binary_to(op, ty, exact, a, b),
            (Plain::MultiplyAdd, &[a, b, c]) => {
                self.emitter.emit(Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst: exact, a, b, c });
            }
            _ => {}
        }
        match (flush, saturate) {
            (false, false) => {}
            (true, false) => self.unary_to(UnaryOp::Flush, ty, dst, exact),
            (false, true) => self.unary_to(UnaryOp::Saturate, ty, dst, exact),
            (true, true) => {
                let flushed = self.unary(UnaryOp::Flush, ty, exact);
                self.unary_to(UnaryOp::Saturate, ty, dst, flushed);
            }
        }
    }

    /// `min`, `max`.
    pub(super) fn float_extreme(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let flags = Flags::take(&mut words, &["ftz", "NaN", "xorsign", "abs"]);
        let refusal = self.refuse(&words, instruction);
        let form = Form::take(&mut words).ok_or(refusal)?;
        self.finish_words(&words, instruction)?;
        let three = instruction.operands.len() == 4;
        let modified = flags.has("NaN") || flags.has("xorsign") || flags.has("abs");
        let wrong = match form.scalar {
            Scalar::F64 => modified || flags.has("ftz") || three,
            Scalar::F32 => flags.has("xorsign") != (flags.has("abs") && !three),
            _ => flags.has("xorsign") != flags.has("abs") || three || (form.scalar == Scalar::Bf16 && flags.has("ftz")),
        };
        if wrong {
            return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction))));
        }
        let smallest = instruction.opcode.text == "min";
        let (dst, sources) = self.extreme_operands(instruction, form.register(), three)?;
        if form.scalar == Scalar::F32 && !modified && !three {
            let op = if smallest { BinaryOp::Min } else { BinaryOp::Max };
            self.plain_to(Plain::Binary(op), form.scalar, &flags, dst, &sources);
            return Ok(());
        }
        let op = match (smallest, three) {
            (true, false) => FloatOp::Min,
            (false, false) => FloatOp::Max,
            (true, true) => FloatOp::Min3,
            (false, true) => FloatOp::Max3,
        };
        let signs = match (flags.has("xorsign"), flags.has("abs")) {
            (true, _) => Signs::Product,
            (false, true) => Signs::Absolute,
            (false, false) => Signs::Count,
        };
        let (nan, flush) = (flags.has("NaN"), flags.has("ftz"));
        let operation =
            FloatOperation { packed: form.packed, nan, flush, signs, ..FloatOperation::new(op, form.scalar) };
        self.table_form_to(operation, form, dst, &sources);
        Ok(())
    }

    fn extreme_operands(&mut self, instruction: &Instruction<'t>, ty: Type, three: bool) -> Lowered<(Reg, Vec<Reg>)> {
        let (dst, sources) = if three {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            (dst, self.read_three(a, b, c, ty)?.to_vec())
        } else {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            (dst, self.read_two(a, b, ty)?.to_vec())
        };
        Ok((self.write(dst, ty)?, sources))
    }

    /// An operation of the table on registers of a form.
    pub(super) fn table_form_to(&mut self, operation: FloatOperation, form: Form, dst: Reg, sources: &[Reg]) {
        let container = scalar_of(form.register());
        let sources: Vec<(Reg, Scalar)> = sources.iter().map(|&reg| (reg, container)).collect();
        self.extended_to(ExtendedOp::Float(operation), &sources, &[(dst, container)]);
    }
}

/// Whether the program's plain instructions do it. Their NaN is not that of f64.
pub(super) fn is_plain(ty: Scalar, flags: &Flags) -> bool {
    ty == Scalar::F32 && flags.rounding().unwrap_or_default() == Rounding::NearestEven
}

/// The modifiers that an opcode may have for some type.
fn allowed(opcode: &str) -> &'static [&'static str] {
    match opcode {
        "div" => &["rn", "rz", "rm", "rp", "ftz", "approx", "full"],
        "fma" => &["rn", "rz", "rm", "rp", "ftz", "sat", "oob", "relu"],
        _ => &["rn", "rz", "rm", "rp", "ftz", "sat"],
    }
}
