//! The four f32 operations of every model, in the arithmetic profile of a device.
//!
//! `+`, `-` and `*` round to nearest even everywhere. Devices differ in how a multiply-add rounds and in
//! what happens to denormals ([`Arithmetic`]); both are decided here and nowhere else.
//!
//! [`Numerics`] is made from a value ([`Numerics::new`]) and then looks at its profile in every operation.
//! A loop over many elements names the profile in the type instead, once, outside the loop:
//! [`with_profile!`](crate::with_profile) turns the value into one of four [`Fixed`] types.
//!
//! Limits: flushing is decided on the rounded result. A device that decides before rounding differs for
//! exact results between 2^-126 - 2^-150 and 2^-126. NaN payloads are not specified: `+ - *` on NaN are
//! outside the contract of `numerics`.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

/// Where [`Numerics`] finds its arithmetic: in a value ([`Arithmetic`]) or in a type ([`Fixed`]).
pub trait Profile: Copy + Send + Sync + 'static {
    /// How a multiply-add rounds, and what happens to denormals.
    fn arithmetic(self) -> Arithmetic;
}

impl Profile for Arithmetic {
    #[inline(always)]
    fn arithmetic(self) -> Arithmetic {
        self
    }
}

/// A profile known to the compiler. `FUSED`: multiply-adds round once; `FLUSH`: denormals become zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed<const FUSED: bool, const FLUSH: bool>;

impl<const FUSED: bool, const FLUSH: bool> Profile for Fixed<FUSED, FLUSH> {
    #[inline(always)]
    fn arithmetic(self) -> Arithmetic {
        Arithmetic {
            multiply_add: if FUSED { MultiplyAdd::Fused } else { MultiplyAdd::Separate },
            denormals: if FLUSH { Denormals::Flush } else { Denormals::Keep },
        }
    }
}

/// f32 arithmetic and the functions built on it, in one profile.
///
/// Arguments and results are f32; units are those of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numerics<P: Profile = Arithmetic> {
    profile: P,
}

impl Numerics {
    /// Arithmetic in a profile known at run time.
    #[inline(always)]
    pub const fn new(arithmetic: Arithmetic) -> Self {
        Self { profile: arithmetic }
    }
}

impl<const FUSED: bool, const FLUSH: bool> Numerics<Fixed<FUSED, FLUSH>> {
    /// Arithmetic in a profile known at compile time.
    #[inline(always)]
    pub const fn fixed() -> Self {
        Self { profile: Fixed }
    }
}

impl<P: Profile> Numerics<P> {
    /// The profile.
    #[inline(always)]
    pub fn arithmetic(self) -> Arithmetic {
        self.profile.arithmetic()
    }

    /// `a + b`, rounded once.
    #[inline(always)]
    pub fn add(self, a: f32, b: f32) -> f32 {
        self.flush(self.flush(a) + self.flush(b))
    }

    /// `a - b`, rounded once.
    #[inline(always)]
    pub fn sub(self, a: f32, b: f32) -> f32 {
        self.flush(self.flush(a) - self.flush(b))
    }

    /// `a * b`, rounded once.
    #[inline(always)]
    pub fn mul(self, a: f32, b: f32) -> f32 {
        self.flush(self.flush(a) * self.flush(b))
    }

    /// `a * b + c`, rounded once (`Fused`) or after the product and after the sum (`Separate`).
    #[inline(always)]
    pub fn multiply_add(self, a: f32, b: f32, c: f32) -> f32 {
        match self.arithmetic().multiply_add {
            MultiplyAdd::Fused => self.flush(self.flush(a).mul_add(self.flush(b), self.flush(c))),
            MultiplyAdd::Separate => self.add(self.mul(a, b), c),
        }
    }

    /// `x`, or a zero of its sign if it is denormal and the profile flushes.
    #[inline(always)]
    fn flush(self, x: f32) -> f32 {
        match self.arithmetic().denormals {
            Denormals::Keep => x,
            Denormals::Flush => flushed(x),
        }
    }
}

/// `x`, or a zero of its sign if it is denormal.
#[inline(always)]
fn flushed(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits })
}

/// Runs an expression with the profile in the type: `with_profile!(numerics, |n| row(n, weights, x))`.
///
/// `numerics` is a [`Numerics`](crate::numerics::Numerics) made by `new`; inside, `n` has one of the four
/// `Numerics<Fixed<FUSED, FLUSH>>` types, so the body is compiled four times, without profile tests inside.
#[macro_export]
macro_rules! with_profile {
    ($numerics:expr, |$n:ident| $body:expr) => {{
        let profile = $numerics.arithmetic();
        let fused = profile.multiply_add == ::gridproof_launch::MultiplyAdd::Fused;
        let flush = profile.denormals == ::gridproof_launch::Denormals::Flush;
        match (fused, flush) {
            (true, false) => {
                let $n = $crate::numerics::Numerics::<$crate::numerics::Fixed<true, false>>::fixed();
                $body
            }
            (false, false) => {
                let $n = $crate::numerics::Numerics::<$crate::numerics::Fixed<false, false>>::fixed();
                $body
            }
            (true, true) => {
                let $n = $crate::numerics::Numerics::<$crate::numerics::Fixed<true, true>>::fixed();
                $body
            }
            (false, true) => {
                let $n = $crate::numerics::Numerics::<$crate::numerics::Fixed<false, true>>::fixed();
                $body
            }
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENORMAL: f32 = f32::from_bits(0x8000_1234);

    #[test]
    fn a_fused_multiply_add_rounds_once() {
        let x = 1.0 + f32::EPSILON;
        let tail = f32::EPSILON * f32::EPSILON;
        let product = 1.0 + 2.0 * f32::EPSILON;
        assert_eq!(Numerics::new(Arithmetic::FUSED).multiply_add(x, x, -product), tail);
        assert_eq!(Numerics::new(Arithmetic::SEPARATE).multiply_add(x, x, -product), 0.0);
    }

    #[test]
    fn denormals_are_flushed_in_and_out_with_their_sign() {
        let flush = Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED };
        let n = Numerics::new(flush);
        assert_eq!(n.add(DENORMAL, -0.0).to_bits(), 0x8000_0000);
        assert_eq!(n.mul(-f32::MIN_POSITIVE, 0.5).to_bits(), 0x8000_0000);
        assert_eq!(n.multiply_add(DENORMAL, 1e30, 0.0).to_bits(), 0);
        assert_eq!(n.sub(f32::MIN_POSITIVE, 0.0), f32::MIN_POSITIVE);
        assert_eq!(Numerics::new(Arithmetic::FUSED).add(DENORMAL, -0.0), DENORMAL);
    }

    #[test]
    fn the_macro_picks_the_type_of_the_profile() {
        for multiply_add in [MultiplyAdd::Fused, MultiplyAdd::Separate] {
            for denormals in [Denormals::Keep, Denormals::Flush] {
                let arithmetic = Arithmetic { multiply_add, denormals };
                let seen = with_profile!(Numerics::new(arithmetic), |n| n.arithmetic());
                assert_eq!(seen, arithmetic);
            }
        }
    }
}
