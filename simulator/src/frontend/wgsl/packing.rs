//! Packing of small numbers into a 32-bit word and back, by the formulas of the WGSL specification.

use std::rc::Rc;

use super::Lowering;
use crate::ir::{BinaryOp, Reg, Scalar, TernaryOp, UnaryOp};
use crate::outcome::SimulateError;

/// How small numbers lie in a word.
#[derive(Clone, Copy)]
pub(super) struct Packing {
    /// Bits of one number.
    pub(super) bits: u32,
    pub(super) signed: bool,
}

impl Packing {
    pub(super) const fn new(bits: u32, signed: bool) -> Self {
        Self { bits, signed }
    }

    const fn count(self) -> u32 {
        32 / self.bits
    }

    /// What 1.0 becomes.
    const fn scale(self) -> f64 {
        match (self.bits, self.signed) {
            (8, true) => 127.0,
            (8, false) => 255.0,
            (_, true) => 32767.0,
            (_, false) => 65535.0,
        }
    }

    const fn mask(self) -> u32 {
        (1 << self.bits) - 1
    }

    const fn integer(self) -> Scalar {
        if self.signed { Scalar::I32 } else { Scalar::U32 }
    }
}

impl Lowering<'_> {
    /// The low bits of each number, first number lowest.
    pub(super) fn pack_integers(&mut self, packing: Packing, data: &[Reg]) -> Result<Reg, SimulateError> {
        let mask = self.asm.constant(packing.mask());
        let low = self.each2(BinaryOp::And, Scalar::U32, data, &[mask]);
        self.join_bits(packing, &low)
    }

    fn join_bits(&mut self, packing: Packing, low: &[Reg]) -> Result<Reg, SimulateError> {
        let mut parts = Vec::with_capacity(low.len());
        for (&part, position) in low.iter().zip(0..packing.count()) {
            let shift = self.asm.constant(position * packing.bits);
            parts.push(self.asm.binary(BinaryOp::Shl, Scalar::U32, part, shift));
        }
        self.chain(BinaryOp::Or, Scalar::U32, &parts)
    }

    /// Each number clamped to what fits.
    pub(super) fn pack_clamped(&mut self, packing: Packing, data: &[Reg]) -> Result<Reg, SimulateError> {
        let half = 1_u32 << (packing.bits - 1);
        let clamped = if packing.signed {
            let (low, high) = (self.asm.constant(half.wrapping_neg()), self.asm.constant(half - 1));
            self.each3(TernaryOp::Clamp, Scalar::I32, data, &[low], &[high])
        } else {
            let high = self.asm.constant(packing.mask());
            self.each2(BinaryOp::Min, Scalar::U32, data, &[high])
        };
        self.pack_integers(packing, &clamped)
    }

    /// `floor(0.5 + scale * min(1, max(low, e)))` with `low` -1 or 0.
    pub(super) fn pack_normalised(&mut self, packing: Packing, data: &[Reg]) -> Result<Reg, SimulateError> {
        let ty = Scalar::F32;
        let lowest = if packing.signed { -1.0 } else { 0.0 };
        let (low, one) = (self.float(ty, lowest), self.float(ty, 1.0));
        let (scale, half) = (self.float(ty, packing.scale()), self.float(ty, 0.5));
        let bounded = self.each2(BinaryOp::Max, ty, data, &[low]);
        let bounded = self.each2(BinaryOp::Min, ty, &bounded, &[one]);
        let scaled = self.each2(BinaryOp::Mul, ty, &[scale], &bounded);
        let shifted = self.each2(BinaryOp::Add, ty, &[half], &scaled);
        let rounded = self.each1(UnaryOp::Floor, ty, &shifted);
        let integers = self.each_converted(ty, packing.integer(), &rounded);
        self.pack_integers(packing, &integers)
    }

    /// The bits of each number as an f16.
    pub(super) fn pack_halves(&mut self, data: &[Reg]) -> Result<Reg, SimulateError> {
        let halves = self.each_converted(Scalar::F32, Scalar::F16, data);
        self.join_bits(Packing::new(16, false), &halves)
    }

    pub(super) fn unpack_integers(&mut self, packing: Packing, word: Reg) -> Rc<[Reg]> {
        let count = self.asm.constant(packing.bits);
        let positions: Vec<_> = (0..packing.count()).map(|at| self.asm.constant(at * packing.bits)).collect();
        self.each3(TernaryOp::ExtractBits, packing.integer(), &[word], &positions, &[count])
    }

    /// `e / scale`, and at least -1.
    pub(super) fn unpack_normalised(&mut self, packing: Packing, word: Reg) -> Rc<[Reg]> {
        let ty = Scalar::F32;
        let integers = self.unpack_integers(packing, word);
        let numbers = self.each_converted(packing.integer(), ty, &integers);
        let scale = self.float(ty, packing.scale());
        let divided = self.each2(BinaryOp::Div, ty, &numbers, &[scale]);
        if !packing.signed {
            return divided;
        }
        let low = self.float(ty, -1.0);
        self.each2(BinaryOp::Max, ty, &divided, &[low])
    }

    pub(super) fn unpack_halves(&mut self, word: Reg) -> Rc<[Reg]> {
        let halves = self.unpack_integers(Packing::new(16, false), word);
        self.each_converted(Scalar::F16, Scalar::F32, &halves)
    }

    /// The sum of the products of four packed numbers each.
    pub(super) fn packed_dot(&mut self, packing: Packing, a: Reg, b: Reg) -> Result<Reg, SimulateError> {
        let (a, b) = (self.unpack_integers(packing, a), self.unpack_integers(packing, b));
        self.dot(packing.integer(), &a, &b)
    }
}
