//! `cvt`.
//!
//! The registers may be wider than the types: an operand's low bits count, and a result is extended by the sign of its
//! type (or by zeros) to its register's width.

use super::super::memory::scalar_of;
use super::super::words::Words;
use super::super::{Lowered, Lowerer, written};
use super::modifiers::Flags;
use crate::frontend::ptx::ast::{Instruction, Operand, Type};
use crate::ir::{
    BinaryOp, Clamp, Conversion, ExtendedOp, FloatOp, FloatOperation, Format, Instr, Lanes, Reg, Rounding, Scalar,
};

const TYPES: &[&str] = &["u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f16", "bf16", "f32", "f64"];
const FLAGS: &[&str] = &["rni", "rzi", "rmi", "rpi", "rn", "rz", "rm", "rp", "rna", "ftz", "sat", "relu", "satfinite"];

impl<'t> Lowerer<'_, 't> {
    /// `cvt`.
    pub(super) fn converted(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        if words.take("pack") {
            return self.pack_integers(instruction, words);
        }
        let flags = Flags::take(&mut words, FLAGS);
        let refusal = self.refuse(&words, instruction);
        let (Some(to), Some(from)) = (words.take_next(), words.take_next()) else { return Err(refusal) };
        self.finish_words(&words, instruction)?;
        let plain = |word: &str| Type::parse(word).filter(|_| TYPES.contains(&word));
        match (plain(from.text), plain(to.text)) {
            (Some(from), Some(to)) => self.convert_scalar(instruction, &flags, from, to),
            _ => self.convert_packed(instruction, &flags, [from.text, to.text]).and_then(|known| match known {
                true => Ok(()),
                false => Err(refusal),
            }),
        }
    }

    fn convert_scalar(&mut self, instruction: &Instruction<'t>, flags: &Flags, from: Type, to: Type) -> Lowered<()> {
        let [dst, src] = self.operands::<2>(instruction)?;
        let src = self.read_low(src, from)?;
        let (dst, declared) = self.write_wide(dst, to)?;
        let whole = scalar_of(to);
        // A row keeps what is unsigned zero-extended by itself.
        let wider = declared.bits() > to.bits() && (whole.is_signed() || declared.bits() == 64);
        let value = if wider { self.temporary(whole) } else { dst };
        match (is_float(from), is_float(to)) {
            (false, false) => self.integer_to_integer(flags, [scalar_of(from), whole], value, src),
            (false, true) => self.integer_to_float(flags, [scalar_of(from), whole], value, src),
            (true, false) => self.float_to_integer(instruction, flags, [from, to], value, src)?,
            (true, true) => self.float_to_float(instruction, flags, [from, to], value, src)?,
        }
        if wider {
            let narrow = match whole {
                Scalar::F16 | Scalar::Bf16 => Scalar::U16,
                Scalar::F32 => Scalar::U32,
                integer => integer,
            };
            self.convert_to(narrow, container(declared, narrow.is_signed()), dst, value);
        }
        Ok(())
    }

    fn integer_to_integer(&mut self, flags: &Flags, [from, to]: [Scalar; 2], dst: Reg, src: Reg) {
        if flags.has("sat") {
            self.extended_to(ExtendedOp::ClampInteger { from, to }, &[(src, from)], &[(dst, to)]);
        } else {
            self.convert_to(from, to, dst, src);
        }
    }

    fn integer_to_float(&mut self, flags: &Flags, [from, to]: [Scalar; 2], dst: Reg, src: Reg) {
        let rounding = flags.rounding().unwrap_or_default();
        let saturate = flags.has("sat");
        let value = if saturate { self.temporary(to) } else { dst };
        self.emitter.emit(Instr::Convert { from, to, rounding, dst: value, src });
        if saturate {
            let operation = FloatOperation { clamp: Clamp::Unit, ..FloatOperation::new(FloatOp::Pass, to) };
            self.extended_to(ExtendedOp::Float(operation), &[(value, to)], &[(dst, to)]);
        }
    }

    /// What is out of range saturates with and without `.sat`.
    fn float_to_integer(
        &mut self,
        instruction: &Instruction<'t>,
        flags: &Flags,
        [from, to]: [Type; 2],
        dst: Reg,
        src: Reg,
    ) -> Lowered<()> {
        let Some(rounding) = flags.to_integer() else {
            let message = format!("`{}` needs one of `.rni`, `.rzi`, `.rmi`, `.rpi`", written(instruction));
            return Err(self.invalid(instruction.opcode.place, message));
        };
        let (from, to) = (scalar_of(from), scalar_of(to));
        let mut src = src;
        if flags.has("ftz") && from == Scalar::F32 {
            src = self.unary(crate::ir::UnaryOp::Flush, from, src);
        }
        if from == Scalar::F64 || to.bits() == 64 {
            self.extended_to(ExtendedOp::ToInteger { from, to, rounding }, &[(src, from)], &[(dst, to)]);
        } else {
            self.emitter.emit(Instr::Convert { from, to, rounding, dst, src });
        }
        Ok(())
    }

    fn float_to_float(
        &mut self,
        instruction: &Instruction<'t>,
        flags: &Flags,
        [from, to]: [Type; 2],
        dst: Reg,
        src: Reg,
    ) -> Lowered<()> {
        let (source, result) = (scalar_of(from), scalar_of(to));
        let (flush, clamp) = (flags.has("ftz"), flags.clamp());
        let plain = !flush && clamp == Clamp::Free && !flags.has("satfinite");
        if source == result && plain && flags.to_integer().is_none() && source != Scalar::F16 {
            self.emitter.copy(dst, src, source.rows());
            return Ok(());
        }
        if source == result {
            let (op, rounding) = match flags.to_integer() {
                Some(rounding) => (FloatOp::Integral, rounding),
                None => (FloatOp::Pass, Rounding::default()),
            };
            let flush = flush && source == Scalar::F32;
            let operation = FloatOperation { rounding, flush, clamp, ..FloatOperation::new(op, source) };
            self.extended_to(ExtendedOp::Float(operation), &[(src, source)], &[(dst, result)]);
            return Ok(());
        }
        if flags.to_integer().is_some() || flags.has("rna") {
            return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction))));
        }
        let narrows = source.bits() > result.bits() || result == Scalar::Bf16 && source == Scalar::F16;
        if narrows && flags.rounding().is_none() {
            let message = format!("`{}` needs one of `.rn`, `.rz`, `.rm`, `.rp`", written(instruction));
            return Err(self.invalid(instruction.opcode.place, message));
        }
        let rounding = flags.rounding().unwrap_or_default();
        match (source, result) {
            // The plain conversion has PTX's NaN here; a bf16 is the upper half of an f32.
            (Scalar::F16, Scalar::F32) if plain => {
                self.emitter.emit(Instr::Convert { from: source, to: result, rounding, dst, src });
                return Ok(());
            }
            (Scalar::Bf16, Scalar::F32) if plain => {
                let count = self.emitter.constant(16);
                self.binary_to(BinaryOp::Shl, Scalar::U32, dst, src, count);
                return Ok(());
            }
            _ => {}
        }
        let (from, to) = (format_of(source), format_of(result));
        let conversion = conversion(flags, [from, to], Lanes::One);
        self.extended_to(ExtendedOp::Convert(conversion), &[(src, source)], &[(dst, result)]);
        Ok(())
    }

    /// Conversions with packed or uncommon formats. `false` where there is no such one.
    fn convert_packed(&mut self, instruction: &Instruction<'t>, flags: &Flags, [from, to]: [&str; 2]) -> Lowered<bool> {
        let narrow = |word: &str| {
            Some(match word {
                "e4m3x2" => Format::E4m3,
                "e5m2x2" => Format::E5m2,
                "e2m3x2" => Format::E2m3,
                "e3m2x2" => Format::E3m2,
                "e2m1x2" => Format::E2m1,
                _ => return None,
            })
        };
        let (from, to, lanes) = match (from, to) {
            ("f32", "tf32") => (Format::F32, Format::Tf32, Lanes::One),
            ("f32", "f16x2") => (Format::F32, Format::F16, Lanes::Join),
            ("f32", "bf16x2") => (Format::F32, Format::Bf16, Lanes::Join),
            (from, "f16x2") => match narrow(from) {
                Some(from) => (from, Format::F16, Lanes::Each),
                None => return Ok(false),
            },
            (from, to) => match (from, narrow(to)) {
                ("f32", Some(to)) => (Format::F32, to, Lanes::Join),
                ("f16x2", Some(to)) if matches!(to, Format::E4m3 | Format::E5m2) => (Format::F16, to, Lanes::Each),
                _ => return Ok(false),
            },
        };
        if !known_flags(flags, from, to) {
            return Ok(false);
        }
        let conversion = conversion(flags, [from, to], lanes);
        let (dst, sources) = self.packed_operands(instruction, conversion)?;
        let sources: Vec<(Reg, Scalar)> = sources.into_iter().map(|reg| (reg, Scalar::U32)).collect();
        self.extended_to(ExtendedOp::Convert(conversion), &sources, &[(dst, Scalar::U32)]);
        Ok(true)
    }

    fn packed_operands(&mut self, instruction: &Instruction<'t>, conversion: Conversion) -> Lowered<(Reg, Vec<Reg>)> {
        let width = |format: Format, count: u32| match format.stride() * count {
            8 => Type::B8,
            16 => Type::B16,
            _ => Type::B32,
        };
        let (dst, sources, to) = match conversion.lanes {
            Lanes::Join => {
                let [dst, a, b] = self.operands::<3>(instruction)?;
                (dst, vec![self.read(a, Type::F32)?, self.read(b, Type::F32)?], width(conversion.to, 2))
            }
            Lanes::Each => {
                let [dst, a] = self.operands::<2>(instruction)?;
                (dst, vec![self.read(a, width(conversion.from, 2))?], width(conversion.to, 2))
            }
            Lanes::One => {
                let [dst, a] = self.operands::<2>(instruction)?;
                (dst, vec![self.read(a, Type::F32)?], width(conversion.to, 1))
            }
        };
        Ok((self.write(dst, to)?, sources))
    }

    /// `cvt.pack`.
    fn pack_integers(&mut self, instruction: &Instruction<'t>, mut words: Words<'_, 't>) -> Lowered<()> {
        let refusal = self.refuse(&words, instruction);
        let sizes = ["u16", "s16", "u8", "s8", "u4", "s4", "u2", "s2"];
        let (true, Some(to)) = (words.take("sat"), words.take_any(&sizes)) else { return Err(refusal) };
        let refusal = self.refuse(&words, instruction);
        if !words.take("s32") {
            return Err(refusal);
        }
        let bits = to.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(16);
        let signed = to.starts_with('s');
        if bits != 16 && !words.take("b32") {
            return Err(self.refuse(&words, instruction));
        }
        self.finish_words(&words, instruction)?;
        let three: Vec<&Operand<'t>> = if bits == 16 {
            let [dst, a, b] = self.operands::<3>(instruction)?;
            vec![dst, a, b]
        } else {
            let [dst, a, b, c] = self.operands::<4>(instruction)?;
            vec![dst, a, b, c]
        };
        let mut sources = Vec::new();
        for operand in three.iter().skip(1) {
            sources.push((self.read(operand, Type::B32)?, Scalar::U32));
        }
        let Some(dst) = three.first() else { return Ok(()) };
        let dst = self.write(dst, Type::B32)?;
        let op = ExtendedOp::PackIntegers { from: Scalar::I32, bits, signed };
        self.extended_to(op, &sources, &[(dst, Scalar::U32)]);
        Ok(())
    }
}

fn conversion(flags: &Flags, [from, to]: [Format; 2], lanes: Lanes) -> Conversion {
    Conversion {
        from,
        to,
        lanes,
        rounding: flags.rounding().unwrap_or_default(),
        ties_away: flags.has("rna"),
        flush: flags.has("ftz"),
        clamp: flags.clamp(),
        finite: flags.has("satfinite"),
    }
}

/// Whether PTX has the modifiers for the formats.
fn known_flags(flags: &Flags, from: Format, to: Format) -> bool {
    if flags.has("sat") || flags.has("ftz") || flags.to_integer().is_some() {
        return false;
    }
    let nearest = flags.rounding() == Some(Rounding::NearestEven);
    let truncates = flags.rounding() == Some(Rounding::TowardsZero);
    match to {
        Format::Tf32 => nearest || truncates || (flags.has("rna") && !flags.has("relu")),
        Format::F16 | Format::Bf16 if from == Format::F32 => nearest || truncates,
        Format::F16 => nearest && !flags.has("satfinite"),
        _ => nearest && flags.has("satfinite"),
    }
}

const fn is_float(ty: Type) -> bool {
    matches!(ty, Type::F16 | Type::Bf16 | Type::F32 | Type::F64)
}

const fn format_of(ty: Scalar) -> Format {
    match ty {
        Scalar::F16 => Format::F16,
        Scalar::Bf16 => Format::Bf16,
        Scalar::F64 => Format::F64,
        _ => Format::F32,
    }
}

/// The integer type of a register's width.
const fn container(declared: Type, signed: bool) -> Scalar {
    match (declared.bits(), signed) {
        (64, false) => Scalar::U64,
        (64, true) => Scalar::I64,
        (32, false) => Scalar::U32,
        (32, true) => Scalar::I32,
        (_, false) => Scalar::U16,
        (_, true) => Scalar::I16,
    }
}
