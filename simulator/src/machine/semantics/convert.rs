//! Conversions between types.

use gridproof_launch::Arithmetic;

use super::Class;
use super::format::Float;
use super::integer::Integer;
use crate::ir::Rounding;

#[inline]
pub(super) fn convert(from: Class, to: Class, rounding: Rounding, a: u64, arithmetic: Arithmetic) -> u64 {
    match (from, to) {
        (Class::Bool, Class::Bool | Class::Integer(_)) => u64::from(a != 0),
        (Class::Bool, Class::Float(_)) if a == 0 => 0,
        (Class::Bool, Class::Float(to)) => to.one(),
        (Class::Integer(from), Class::Bool) => u64::from(from.wrap(a) != 0),
        (Class::Integer(from), Class::Integer(to)) => to.wrap(from.extend(a)),
        (Class::Integer(from), Class::Float(to)) => integer_to_float(from, to, rounding, a),
        (Class::Float(from), Class::Bool) => u64::from(from.magnitude(from.flush(a, arithmetic)) != 0),
        (Class::Float(from), Class::Integer(to)) => {
            float_to_integer(from.to_f64(from.flush(a, arithmetic)), to, rounding)
        }
        (Class::Float(from), Class::Float(to)) if from == to => from.flush(a, arithmetic),
        (Class::Float(from), Class::Float(to)) => {
            to.flush(to.repack(from, from.flush(a, arithmetic), rounding), arithmetic)
        }
    }
}

fn integer_to_float(from: Integer, to: Float, rounding: Rounding, a: u64) -> u64 {
    let extended = from.extend(a);
    let negative = from.is_negative(extended);
    let magnitude = if negative { extended.wrapping_neg() } else { extended };
    to.pack(negative, magnitude, 0, rounding)
}

/// Saturates; NaN gives 0.
fn float_to_integer(value: f64, to: Integer, rounding: Rounding) -> u64 {
    let whole = match rounding {
        Rounding::NearestEven => value.round_ties_even(),
        Rounding::TowardsZero => value.trunc(),
        Rounding::Down => value.floor(),
        Rounding::Up => value.ceil(),
    };
    if to.signed {
        let largest = i64::MAX >> (i64::BITS - to.bits);
        to.wrap(saturating_i64(whole).clamp(-largest - 1, largest).cast_unsigned())
    } else {
        saturating_u64(whole).min(to.wrap(u64::MAX))
    }
}

#[inline]
#[expect(clippy::as_conversions, reason = "saturates and sends NaN to 0, as wanted")]
const fn saturating_i64(whole: f64) -> i64 {
    whole as i64
}

#[inline]
#[expect(clippy::as_conversions, reason = "saturates and sends NaN to 0, as wanted")]
const fn saturating_u64(whole: f64) -> u64 {
    whole as u64
}
