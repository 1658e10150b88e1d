//! Constants and what operators make of them.
//!
//! PTX ISA, "Constant Expressions": integers have 64 bits and are signed unless they need or ask for an unsigned type
//! (`U`); every operation is defined. Remainders, complements and bitwise operators take their operands as unsigned,
//! shifts their second one. A hexadecimal 32-bit float is a value of its own and takes part in no operation. A
//! division by zero, which the ISA leaves open, is an error.

use super::lexer::Kind;

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// `.s64`.
    Signed(i64),
    /// `.u64`.
    Unsigned(u64),
    /// `0f...`, by bits.
    Single(u32),
    /// `.f64`.
    Double(f64),
}

use Value::{Double, Signed, Single, Unsigned};

impl Value {
    /// The bits of an integer.
    pub(super) const fn bits(self) -> Option<u64> {
        match self {
            Signed(value) => Some(value.cast_unsigned()),
            Unsigned(value) => Some(value),
            Single(_) | Double(_) => None,
        }
    }

    /// The value of an integer that is not negative.
    pub(super) const fn magnitude(self) -> Option<u64> {
        match self {
            Signed(value) if value < 0 => None,
            _ => self.bits(),
        }
    }

    const fn truth(value: bool) -> Self {
        Signed(if value { 1 } else { 0 })
    }

    fn is_true(self) -> Result<bool, String> {
        self.bits().map(|bits| bits != 0).ok_or_else(|| "a float where an integer is needed".to_owned())
    }
}

/// The value of one literal.
pub(super) fn literal(text: &str) -> Result<Value, String> {
    let digits = |from: usize| text.get(from..).unwrap_or_default();
    match text.as_bytes() {
        [b'0', b'f' | b'F', ..] => hexadecimal(text, 8).map(crate::cast::low).map(Single),
        [b'0', b'd' | b'D', ..] => hexadecimal(text, 16).map(f64::from_bits).map(Double),
        [b'0', b'x' | b'X', ..] => integer(text, digits(2), 16),
        [b'0', b'b' | b'B', ..] => integer(text, digits(2), 2),
        bytes if bytes.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => decimal_float(text),
        [b'0', b'0'..=b'9', ..] => integer(text, digits(1), 8),
        _ => integer(text, text, 10),
    }
}

fn hexadecimal(text: &str, digits: usize) -> Result<u64, String> {
    let given = text.get(2..).unwrap_or_default();
    match u64::from_str_radix(given, 16) {
        Ok(bits) if given.len() == digits => Ok(bits),
        _ => Err(format!("`{text}` is not a float: expected {digits} hexadecimal digits after `{}`", start(text))),
    }
}

fn start(text: &str) -> &str {
    text.get(..2).unwrap_or_default()
}

fn decimal_float(text: &str) -> Result<Value, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Double(value)),
        Ok(_) => Err(format!("`{}` is beyond the largest 64-bit float, {:e}", shorten(text), f64::MAX)),
        Err(_) => Err(format!("`{}` is not a number", shorten(text))),
    }
}

fn integer(text: &str, digits: &str, radix: u32) -> Result<Value, String> {
    let (digits, unsigned) = match digits.strip_suffix(['U', 'u']) {
        Some(digits) => (digits, true),
        None => (digits, false),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(format!("`{}` is not a number of base {radix}", shorten(text)));
    }
    let value = u64::from_str_radix(digits, radix)
        .map_err(|_| format!("`{}` needs more than 64 bits: the limit is {}", shorten(text), u64::MAX))?;
    Ok(match i64::try_from(value) {
        Ok(value) if !unsigned => Signed(value),
        _ => Unsigned(value),
    })
}

/// A text for a message: its first 40 characters.
pub(super) fn shorten(text: &str) -> String {
    let mut characters = text.chars();
    let short: String = characters.by_ref().take(40).collect();
    if characters.next().is_some() { short + "..." } else { short }
}

/// `-a`, `+a`, `!a`, `~a`.
pub(super) fn unary(mark: u8, value: Value) -> Result<Value, String> {
    Ok(match (mark, value) {
        (_, Single(_)) => return Err(single()),
        (b'-', Signed(value)) => Signed(value.wrapping_neg()),
        (b'-', Unsigned(value)) => Unsigned(value.wrapping_neg()),
        (b'-', Double(value)) => Double(-value),
        (b'!', value) => Value::truth(!value.is_true()?),
        (b'~', Signed(_) | Unsigned(_)) => Unsigned(!value.bits().unwrap_or_default()),
        (b'~', Double(_)) => return Err("a float where an integer is needed".to_owned()),
        _ => value,
    })
}

/// `(.s64) a` and `(.u64) a`.
pub(super) fn cast(word: &str, value: Value) -> Result<Value, String> {
    let bits = value.bits().ok_or_else(|| format!("a float cannot be cast to `{word}`"))?;
    Ok(if word == ".s64" { Signed(bits.cast_signed()) } else { Unsigned(bits) })
}

/// `a ? b : c`.
pub(super) fn choose(condition: Value, yes: Value, no: Value) -> Result<Value, String> {
    let pair = Both::of(yes, no)?;
    let first = condition.is_true()?;
    Ok(match pair {
        Both::Signed(yes, no) => Signed(if first { yes } else { no }),
        Both::Unsigned(yes, no) => Unsigned(if first { yes } else { no }),
        Both::Double(yes, no) => Double(if first { yes } else { no }),
    })
}

/// How tightly a binary operator binds, as in C: larger is tighter.
pub(super) const fn precedence(kind: Kind) -> Option<u8> {
    Some(match kind {
        Kind::Operator([b'|', b'|']) => 1,
        Kind::Operator([b'&', b'&']) => 2,
        Kind::Mark(b'|') => 3,
        Kind::Mark(b'^') => 4,
        Kind::Mark(b'&') => 5,
        Kind::Operator([b'=' | b'!', b'=']) => 6,
        Kind::Mark(b'<' | b'>') | Kind::Operator([_, b'=']) => 7,
        Kind::Operator([b'<', b'<'] | [b'>', b'>']) => 8,
        Kind::Mark(b'+' | b'-') => ADDITIVE,
        Kind::Mark(b'*' | b'/' | b'%') => 10,
        _ => return None,
    })
}

/// Precedence of `+` and `-`.
pub(super) const ADDITIVE: u8 = 9;

/// Two operands after the usual conversions.
enum Both {
    Signed(i64, i64),
    Unsigned(u64, u64),
    Double(f64, f64),
}

impl Both {
    fn of(left: Value, right: Value) -> Result<Self, String> {
        match (left, right) {
            (Single(_), _) | (_, Single(_)) => Err(single()),
            (Signed(left), Signed(right)) => Ok(Self::Signed(left, right)),
            (Double(left), Double(right)) => Ok(Self::Double(left, right)),
            (Double(_), _) | (_, Double(_)) => Err("one operand is a float, the other an integer".to_owned()),
            _ => Ok(Self::Unsigned(left.bits().unwrap_or_default(), right.bits().unwrap_or_default())),
        }
    }

    fn compare(self, fits: impl Fn(Option<std::cmp::Ordering>) -> bool) -> Value {
        Value::truth(fits(match self {
            Self::Signed(left, right) => Some(left.cmp(&right)),
            Self::Unsigned(left, right) => Some(left.cmp(&right)),
            Self::Double(left, right) => left.partial_cmp(&right),
        }))
    }
}

fn single() -> String {
    "a float of the form `0f...` cannot be part of a constant expression".to_owned()
}

/// `left operator right`.
pub(super) fn binary(operator: Kind, left: Value, right: Value) -> Result<Value, String> {
    match operator {
        Kind::Mark(mark @ (b'+' | b'-' | b'*' | b'/')) => arithmetic(mark, Both::of(left, right)?),
        Kind::Mark(mark @ (b'%' | b'&' | b'|' | b'^')) => bitwise(mark, Both::of(left, right)?),
        Kind::Operator([b'<', b'<'] | [b'>', b'>']) => shift(operator == Kind::Operator(*b"<<"), left, right),
        Kind::Operator([b'&', b'&']) => Ok(Value::truth(left.is_true()? & right.is_true()?)),
        Kind::Operator([b'|', b'|']) => Ok(Value::truth(left.is_true()? | right.is_true()?)),
        _ => Ok(comparison(operator, Both::of(left, right)?)),
    }
}

fn comparison(operator: Kind, both: Both) -> Value {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match operator {
        Kind::Mark(b'<') => both.compare(|order| order == Some(Less)),
        Kind::Mark(b'>') => both.compare(|order| order == Some(Greater)),
        Kind::Operator([b'<', _]) => both.compare(|order| matches!(order, Some(Less | Equal))),
        Kind::Operator([b'>', _]) => both.compare(|order| matches!(order, Some(Greater | Equal))),
        Kind::Operator([b'!', _]) => both.compare(|order| order != Some(Equal)),
        _ => both.compare(|order| order == Some(Equal)),
    }
}

fn arithmetic(mark: u8, both: Both) -> Result<Value, String> {
    let by_zero = || "division by zero".to_owned();
    Ok(match (mark, both) {
        (b'+', Both::Signed(left, right)) => Signed(left.wrapping_add(right)),
        (b'-', Both::Signed(left, right)) => Signed(left.wrapping_sub(right)),
        (b'*', Both::Signed(left, right)) => Signed(left.wrapping_mul(right)),
        (_, Both::Signed(_, 0)) | (b'/', Both::Unsigned(_, 0)) => return Err(by_zero()),
        (_, Both::Signed(left, right)) => Signed(left.wrapping_div(right)),
        (b'+', Both::Unsigned(left, right)) => Unsigned(left.wrapping_add(right)),
        (b'-', Both::Unsigned(left, right)) => Unsigned(left.wrapping_sub(right)),
        (b'*', Both::Unsigned(left, right)) => Unsigned(left.wrapping_mul(right)),
        (_, Both::Unsigned(left, right)) => Unsigned(left.checked_div(right).ok_or_else(by_zero)?),
        (b'+', Both::Double(left, right)) => Double(left + right),
        (b'-', Both::Double(left, right)) => Double(left - right),
        (b'*', Both::Double(left, right)) => Double(left * right),
        (_, Both::Double(left, right)) => Double(left / right),
    })
}

fn bitwise(mark: u8, both: Both) -> Result<Value, String> {
    let (left, right) = match both {
        Both::Signed(left, right) => (left.cast_unsigned(), right.cast_unsigned()),
        Both::Unsigned(left, right) => (left, right),
        Both::Double(..) => return Err("a float where an integer is needed".to_owned()),
    };
    Ok(match mark {
        b'&' => Unsigned(left & right),
        b'|' => Unsigned(left | right),
        b'^' => Unsigned(left ^ right),
        _ => Signed(left.checked_rem(right).ok_or_else(|| "remainder by zero".to_owned())?.cast_signed()),
    })
}

/// Shifts by 64 or more leave nothing but copies of the sign.
fn shift(to_left: bool, value: Value, by: Value) -> Result<Value, String> {
    let by = by.bits().ok_or_else(|| "a float where an integer is needed".to_owned())?;
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    Ok(match value {
        Signed(value) if to_left => Signed(value.checked_shl(by).unwrap_or(0)),
        Unsigned(value) if to_left => Unsigned(value.checked_shl(by).unwrap_or(0)),
        Signed(value) => Signed(value >> by.min(63)),
        Unsigned(value) => Unsigned(value.checked_shr(by).unwrap_or(0)),
        Single(_) => return Err(single()),
        Double(_) => return Err("a float where an integer is needed".to_owned()),
    })
}
