//! Built-in math functions: one IR operation where there is one, else the composition that WGSL defines.

use std::rc::Rc;

use naga::{Expression, Handle, MathFunction as Fun};

use super::Lowering;
use super::function::Frame;
use super::layout::TypeId;
use super::packing::Packing;
use super::value::Value;
use crate::ir::{BinaryOp, Instr, Reg, Rounding, Scalar, TernaryOp, UnaryOp};
use crate::outcome::SimulateError;

const BYTES: Packing = Packing::new(8, false);
const SIGNED_BYTES: Packing = Packing::new(8, true);
const SHORTS: Packing = Packing::new(16, false);
const SIGNED_SHORTS: Packing = Packing::new(16, true);

/// The arguments of a call, evaluated.
struct Arguments {
    /// Type of the first.
    ty: TypeId,
    /// What the first is made of.
    scalar: Scalar,
    values: [Rc<[Reg]>; 4],
    /// What the second is made of.
    second: Option<Scalar>,
}

impl Arguments {
    fn first(&self) -> &[Reg] {
        &self.values[0]
    }
}

impl<'m> Lowering<'m> {
    /// `Expression::Math`.
    pub(super) fn math(
        &mut self,
        frame: &mut Frame<'m>,
        result: Handle<Expression>,
        fun: Fun,
        handles: [Option<Handle<Expression>>; 4],
    ) -> Result<Value, SimulateError> {
        let arguments = self.arguments(frame, handles)?;
        if let Some(registers) = self.simple(fun, &arguments) {
            return Ok(Value::Data(registers));
        }
        let result = self.type_of(frame, result);
        let [a, b, c, d] = arguments.values.each_ref().map(|value| &**value);
        let ty = arguments.scalar;
        let first = |values: &[Reg]| values.first().copied();
        let word = || first(a).ok_or_else(|| self.internal("a function without its argument"));
        let registers: Rc<[Reg]> = match fun {
            Fun::Radians => self.scaled(ty, a, std::f64::consts::PI / 180.0),
            Fun::Degrees => self.scaled(ty, a, 180.0 / std::f64::consts::PI),
            Fun::Modf => {
                let whole = self.each1(UnaryOp::Trunc, ty, a);
                let fraction = self.each2(BinaryOp::Sub, ty, a, &whole);
                fraction.iter().chain(whole.iter()).copied().collect()
            }
            Fun::Frexp => self.frexp(result, ty, a),
            Fun::Ldexp => {
                let exponents = self.each_converted(arguments.second.unwrap_or(Scalar::I32), Scalar::I32, b);
                self.each2(BinaryOp::Ldexp, ty, a, &exponents)
            }
            Fun::Dot => [self.dot(ty, a, b)?].into(),
            Fun::Dot4I8Packed => [self.packed_dot(SIGNED_BYTES, word()?, first(b).unwrap_or(Reg(0)))?].into(),
            Fun::Dot4U8Packed => [self.packed_dot(BYTES, word()?, first(b).unwrap_or(Reg(0)))?].into(),
            Fun::Outer => self.outer_product(ty, a, b),
            Fun::Cross => self.cross(ty, a, b)?,
            Fun::Distance => [self.distance(ty, a, b)?].into(),
            Fun::Length => [self.length(ty, a)?].into(),
            Fun::Normalize => self.normalize(ty, a)?,
            Fun::FaceForward => self.face_forward(ty, a, b, c)?,
            Fun::Reflect => self.reflect(ty, a, b)?,
            Fun::Refract => self.refract(ty, a, b, first(c).unwrap_or(Reg(0)))?,
            Fun::Mix => self.mix(ty, a, b, c),
            Fun::SmoothStep => self.smooth_step(ty, a, b, c),
            Fun::Inverse => self.inverse(arguments.ty, ty, a)?,
            Fun::Transpose => self.transpose(arguments.ty, a),
            Fun::Determinant => [self.determinant(arguments.ty, ty, a)?].into(),
            Fun::QuantizeToF16 => {
                let halves = self.each_converted(Scalar::F32, Scalar::F16, a);
                self.each_converted(Scalar::F16, Scalar::F32, &halves)
            }
            Fun::ExtractBits => self.each3(TernaryOp::ExtractBits, ty, a, b, c),
            Fun::InsertBits => self.insert_bits(a, b, c, d),
            Fun::Pack4x8snorm => [self.pack_normalised(SIGNED_BYTES, a)?].into(),
            Fun::Pack4x8unorm => [self.pack_normalised(BYTES, a)?].into(),
            Fun::Pack2x16snorm => [self.pack_normalised(SIGNED_SHORTS, a)?].into(),
            Fun::Pack2x16unorm => [self.pack_normalised(SHORTS, a)?].into(),
            Fun::Pack2x16float => [self.pack_halves(a)?].into(),
            Fun::Pack4xI8 | Fun::Pack4xU8 => [self.pack_integers(BYTES, a)?].into(),
            Fun::Pack4xI8Clamp => [self.pack_clamped(SIGNED_BYTES, a)?].into(),
            Fun::Pack4xU8Clamp => [self.pack_clamped(BYTES, a)?].into(),
            Fun::Unpack4x8snorm => self.unpack_normalised(SIGNED_BYTES, word()?),
            Fun::Unpack4x8unorm => self.unpack_normalised(BYTES, word()?),
            Fun::Unpack2x16snorm => self.unpack_normalised(SIGNED_SHORTS, word()?),
            Fun::Unpack2x16unorm => self.unpack_normalised(SHORTS, word()?),
            Fun::Unpack2x16float => self.unpack_halves(word()?),
            Fun::Unpack4xI8 => self.unpack_integers(SIGNED_BYTES, word()?),
            Fun::Unpack4xU8 => self.unpack_integers(BYTES, word()?),
            other => return Err(self.unsupported_here(format!("math function {other:?}"))),
        };
        Ok(Value::Data(registers))
    }

    fn arguments(
        &mut self,
        frame: &mut Frame<'m>,
        handles: [Option<Handle<Expression>>; 4],
    ) -> Result<Arguments, SimulateError> {
        let mut values: [Rc<[Reg]>; 4] = std::array::from_fn(|_| Rc::from([]));
        for (value, handle) in values.iter_mut().zip(handles) {
            if let Some(handle) = handle {
                *value = self.data(frame, handle)?;
            }
        }
        let [Some(first), second, ..] = handles else { return Err(self.internal("a function without its argument")) };
        let ty = self.type_of(frame, first);
        let scalar = self.component(frame, first)?;
        let second = second.map(|second| self.component(frame, second)).transpose()?;
        Ok(Arguments { ty, scalar, values, second })
    }

    /// Functions that are one operation per component.
    fn simple(&mut self, fun: Fun, arguments: &Arguments) -> Option<Rc<[Reg]>> {
        let ty = arguments.scalar;
        let [a, b, c, _] = &arguments.values;
        if fun == Fun::Abs && matches!(ty, Scalar::U16 | Scalar::U32 | Scalar::U64) {
            return Some(a.clone());
        }
        if let Some(op) = unary_op(fun) {
            return Some(self.each1(op, ty, arguments.first()));
        }
        let binary = match fun {
            Fun::Min => BinaryOp::Min,
            Fun::Max => BinaryOp::Max,
            Fun::Atan2 => BinaryOp::Atan2,
            Fun::Pow => BinaryOp::Pow,
            Fun::Step => BinaryOp::Step,
            Fun::Clamp => return Some(self.each3(TernaryOp::Clamp, ty, a, b, c)),
            Fun::Fma => return Some(self.each3(TernaryOp::MultiplyAdd, ty, a, b, c)),
            _ => return None,
        };
        Some(self.each2(binary, ty, a, b))
    }

    fn scaled(&mut self, ty: Scalar, a: &[Reg], factor: f64) -> Rc<[Reg]> {
        let factor = self.float(ty, factor);
        self.each2(BinaryOp::Mul, ty, a, &[factor])
    }

    /// Fractions, then exponents; naga gives exponents the width of the float.
    fn frexp(&mut self, result: TypeId, ty: Scalar, a: &[Reg]) -> Rc<[Reg]> {
        let fractions = self.each1(UnaryOp::FrexpFraction, ty, a);
        let exponents = self.each1(UnaryOp::FrexpExponent, ty, a);
        let leaves = self.types.leaves(result);
        let wanted = leaves.last().map_or(Scalar::I32, |leaf| leaf.scalar);
        let convert = |&row: &Reg| self.asm.convert(Scalar::I32, wanted, Rounding::default(), row);
        let exponents: Vec<_> = exponents.iter().map(convert).collect();
        fractions.iter().copied().chain(exponents).collect()
    }

    fn insert_bits(&mut self, base: &[Reg], new: &[Reg], offset: &[Reg], count: &[Reg]) -> Rc<[Reg]> {
        let place: Vec<_> = offset.iter().chain(count).copied().collect();
        let place = self.asm.adjacent(&place, Scalar::U32);
        let pairs = base.iter().zip(new);
        pairs
            .map(|(&base, &new)| {
                let dst = self.asm.fresh(1);
                self.asm.push(Instr::InsertBits { dst, base, new, place });
                dst
            })
            .collect()
    }
}

const fn unary_op(fun: Fun) -> Option<UnaryOp> {
    Some(match fun {
        Fun::Abs => UnaryOp::Abs,
        Fun::Saturate => UnaryOp::Saturate,
        Fun::Cos => UnaryOp::Cos,
        Fun::Cosh => UnaryOp::Cosh,
        Fun::Sin => UnaryOp::Sin,
        Fun::Sinh => UnaryOp::Sinh,
        Fun::Tan => UnaryOp::Tan,
        Fun::Tanh => UnaryOp::Tanh,
        Fun::Acos => UnaryOp::Acos,
        Fun::Asin => UnaryOp::Asin,
        Fun::Atan => UnaryOp::Atan,
        Fun::Asinh => UnaryOp::Asinh,
        Fun::Acosh => UnaryOp::Acosh,
        Fun::Atanh => UnaryOp::Atanh,
        Fun::Ceil => UnaryOp::Ceil,
        Fun::Floor => UnaryOp::Floor,
        Fun::Round => UnaryOp::Round,
        Fun::Fract => UnaryOp::Fract,
        Fun::Trunc => UnaryOp::Trunc,
        Fun::Exp => UnaryOp::Exp,
        Fun::Exp2 => UnaryOp::Exp2,
        Fun::Log => UnaryOp::Log,
        Fun::Log2 => UnaryOp::Log2,
        Fun::Sign => UnaryOp::Sign,
        Fun::Sqrt => UnaryOp::Sqrt,
        Fun::InverseSqrt => UnaryOp::InverseSqrt,
        Fun::CountTrailingZeros => UnaryOp::TrailingZeros,
        Fun::CountLeadingZeros => UnaryOp::LeadingZeros,
        Fun::CountOneBits => UnaryOp::CountOnes,
        Fun::ReverseBits => UnaryOp::ReverseBits,
        Fun::FirstTrailingBit => UnaryOp::FirstTrailingBit,
        Fun::FirstLeadingBit => UnaryOp::FirstLeadingBit,
        _ => return None,
    })
}
