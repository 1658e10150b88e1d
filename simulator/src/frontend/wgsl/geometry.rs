//! Geometric functions, composed of arithmetic as the WGSL specification defines them: sums run from the first
//! component to the last, and no product is fused with a sum.

use std::rc::Rc;

use super::Lowering;
use crate::ir::{BinaryOp, Reg, Scalar, UnaryOp};
use crate::outcome::SimulateError;

impl Lowering<'_> {
    pub(super) fn dot(&mut self, ty: Scalar, a: &[Reg], b: &[Reg]) -> Result<Reg, SimulateError> {
        let products = self.each2(BinaryOp::Mul, ty, a, b);
        self.chain(BinaryOp::Add, ty, &products)
    }

    pub(super) fn cross(&mut self, ty: Scalar, a: &[Reg], b: &[Reg]) -> Result<Rc<[Reg]>, SimulateError> {
        let (&[a0, a1, a2], &[b0, b1, b2]) = (a, b) else { return Err(self.internal("cross of other than vec3")) };
        let plus = self.each2(BinaryOp::Mul, ty, &[a1, a2, a0], &[b2, b0, b1]);
        let minus = self.each2(BinaryOp::Mul, ty, &[a2, a0, a1], &[b1, b2, b0]);
        Ok(self.each2(BinaryOp::Sub, ty, &plus, &minus))
    }

    /// The absolute value of a scalar; the square root of a vector's product with itself.
    pub(super) fn length(&mut self, ty: Scalar, a: &[Reg]) -> Result<Reg, SimulateError> {
        if let &[a] = a {
            return Ok(self.asm.unary(UnaryOp::Abs, ty, a));
        }
        let square = self.dot(ty, a, a)?;
        Ok(self.asm.unary(UnaryOp::Sqrt, ty, square))
    }

    pub(super) fn distance(&mut self, ty: Scalar, a: &[Reg], b: &[Reg]) -> Result<Reg, SimulateError> {
        let difference = self.each2(BinaryOp::Sub, ty, a, b);
        self.length(ty, &difference)
    }

    pub(super) fn normalize(&mut self, ty: Scalar, a: &[Reg]) -> Result<Rc<[Reg]>, SimulateError> {
        let length = self.length(ty, a)?;
        Ok(self.each2(BinaryOp::Div, ty, a, &[length]))
    }

    /// `a` where `dot(b, c)` is negative, else `-a`.
    pub(super) fn face_forward(
        &mut self,
        ty: Scalar,
        a: &[Reg],
        b: &[Reg],
        c: &[Reg],
    ) -> Result<Rc<[Reg]>, SimulateError> {
        let dot = self.dot(ty, b, c)?;
        let zero = self.float(ty, 0.0);
        let negative = self.asm.binary(BinaryOp::Lt, ty, dot, zero);
        let turned = self.each1(UnaryOp::Neg, ty, a);
        Ok(a.iter().zip(turned.iter()).map(|(&a, &turned)| self.asm.select(ty, negative, a, turned)).collect())
    }

    /// `a - 2 * dot(b, a) * b`.
    pub(super) fn reflect(&mut self, ty: Scalar, a: &[Reg], b: &[Reg]) -> Result<Rc<[Reg]>, SimulateError> {
        let (dot, two) = (self.dot(ty, b, a)?, self.float(ty, 2.0));
        let twice = self.asm.binary(BinaryOp::Mul, ty, two, dot);
        let along = self.each2(BinaryOp::Mul, ty, &[twice], b);
        Ok(self.each2(BinaryOp::Sub, ty, a, &along))
    }

    /// With `k = 1 - r * r * (1 - dot(b, a) * dot(b, a))`: zero where `k < 0`, else
    /// `r * a - (r * dot(b, a) + sqrt(k)) * b`.
    pub(super) fn refract(&mut self, ty: Scalar, a: &[Reg], b: &[Reg], ratio: Reg) -> Result<Rc<[Reg]>, SimulateError> {
        let (dot, one, zero) = (self.dot(ty, b, a)?, self.float(ty, 1.0), self.float(ty, 0.0));
        let square = self.asm.binary(BinaryOp::Mul, ty, dot, dot);
        let rest = self.asm.binary(BinaryOp::Sub, ty, one, square);
        let ratio_square = self.asm.binary(BinaryOp::Mul, ty, ratio, ratio);
        let scaled = self.asm.binary(BinaryOp::Mul, ty, ratio_square, rest);
        let k = self.asm.binary(BinaryOp::Sub, ty, one, scaled);
        let none = self.asm.binary(BinaryOp::Lt, ty, k, zero);
        let root = self.asm.unary(UnaryOp::Sqrt, ty, k);
        let along = self.asm.binary(BinaryOp::Mul, ty, ratio, dot);
        let along = self.asm.binary(BinaryOp::Add, ty, along, root);
        let plus = self.each2(BinaryOp::Mul, ty, &[ratio], a);
        let minus = self.each2(BinaryOp::Mul, ty, &[along], b);
        let bent = self.each2(BinaryOp::Sub, ty, &plus, &minus);
        Ok(bent.iter().map(|&bent| self.asm.select(ty, none, zero, bent)).collect())
    }

    /// `a * (1 - t) + b * t`.
    pub(super) fn mix(&mut self, ty: Scalar, a: &[Reg], b: &[Reg], t: &[Reg]) -> Rc<[Reg]> {
        let one = self.float(ty, 1.0);
        let rest = self.each2(BinaryOp::Sub, ty, &[one], t);
        let left = self.each2(BinaryOp::Mul, ty, a, &rest);
        let right = self.each2(BinaryOp::Mul, ty, b, t);
        self.each2(BinaryOp::Add, ty, &left, &right)
    }

    /// `t * t * (3 - 2 * t)` with `t = clamp((x - low) / (high - low), 0, 1)`.
    pub(super) fn smooth_step(&mut self, ty: Scalar, low: &[Reg], high: &[Reg], x: &[Reg]) -> Rc<[Reg]> {
        let above = self.each2(BinaryOp::Sub, ty, x, low);
        let width = self.each2(BinaryOp::Sub, ty, high, low);
        let ratio = self.each2(BinaryOp::Div, ty, &above, &width);
        let t = self.each1(UnaryOp::Saturate, ty, &ratio);
        let (two, three) = (self.float(ty, 2.0), self.float(ty, 3.0));
        let twice = self.each2(BinaryOp::Mul, ty, &[two], &t);
        let factor = self.each2(BinaryOp::Sub, ty, &[three], &twice);
        let square = self.each2(BinaryOp::Mul, ty, &t, &t);
        self.each2(BinaryOp::Mul, ty, &square, &factor)
    }
}
