//! Constant expressions: precedence, types, and the ends of the ranges.

use super::{first_operand, refusal};

/// The bits of an integer expression.
fn bits(expression: &str) -> u64 {
    let debug = first_operand(&format!("mov {expression};"));
    let digits = debug.strip_prefix("Integer { bits: ").and_then(|rest| rest.split(',').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("`{expression}` is {debug}"))
}

fn signed(expression: &str) -> i64 {
    bits(expression).cast_signed()
}

#[test]
fn literals_of_every_base() {
    assert_eq!([bits("42"), bits("0x2A"), bits("0X2a"), bits("052"), bits("0b101010"), bits("0B101010")], [42; 6]);
    assert_eq!([bits("0"), bits("00"), bits("0U"), bits("0x0U")], [0; 4]);
    assert_eq!(bits("18446744073709551615"), u64::MAX);
    assert_eq!(bits("0xFFFFFFFFFFFFFFFFU"), u64::MAX);
    assert_eq!(signed("-9223372036854775808"), i64::MIN);
}

#[test]
fn floats_keep_their_bits() {
    assert_eq!(first_operand("mov 0f3F800000;"), "Float32 { bits: 1065353216, place: Place }");
    assert_eq!(first_operand("mov 0d3FF8000000000000;"), "Float64 { bits: 4609434218613702656, place: Place }");
    let float = |value: f64| format!("Float64 {{ bits: {}, place: Place }}", value.to_bits());
    for (text, value) in [("1.5", 1.5), ("1.", 1.0), ("1e-3", 1e-3), ("2.5E+2", 250.0), ("1e3", 1000.0), ("-0.5", -0.5)]
    {
        assert_eq!(first_operand(&format!("mov {text};")), float(value), "{text}");
    }
    assert_eq!(first_operand("mov 0x1e+1;"), "Integer { bits: 31, place: Place }", "no exponent in hexadecimal");
    assert_eq!(first_operand("mov 1.5 * 2.0 - 1.0;"), float(2.0));
    assert_eq!(first_operand("mov 1 ? 1.5 : 2.5;"), float(1.5));
    assert_eq!(bits("1.5 < 2.5"), 1);
}

#[test]
fn precedence_is_that_of_c() {
    assert_eq!(bits("1 + 2 * 3"), 7);
    assert_eq!(bits("(1 + 2) * 3"), 9);
    assert_eq!(signed("10 - 3 - 4"), 3);
    assert_eq!(bits("1 << 2 + 1"), 8);
    assert_eq!(bits("7 & 3 == 3"), 1);
    assert_eq!(bits("1 | 2 ^ 3 & 5"), 3);
    assert_eq!(bits("0 || 1 && 0"), 0);
    assert_eq!(bits("1 ? 2 : 0 ? 3 : 4"), 2);
    assert_eq!(bits("0 ? 2 : 0 ? 3 : 4"), 4);
    assert_eq!(bits("-1 < 0 == 1"), 1);
    assert_eq!(signed("-2 * -3"), 6);
    assert_eq!(bits("!0 + !5"), 1);
    assert_eq!(bits("WARP_SZ - 1"), 31);
    assert_eq!(bits("3 >= 3 && 2 <= 1 || 1 != 1"), 0);
}

#[test]
fn types_decide_division_comparison_and_shift() {
    assert_eq!(signed("-7 / 2"), -3);
    assert_eq!(bits("-7 / 2U"), u64::MAX / 2 - 3);
    assert_eq!(bits("-1 < 0U"), 0);
    assert_eq!(bits("-1 < (.s64) 0U"), 1);
    assert_eq!(bits("(.u64) -1 > 0"), 1);
    assert_eq!(signed("-8 >> 1"), -4);
    assert_eq!(bits("(.u64) -8 >> 1"), (u64::MAX - 7) / 2);
    assert_eq!(bits("~0 >> 60"), 15, "a complement is unsigned");
    assert_eq!(bits("-7 % 4"), 1, "a remainder is one of unsigned operands");
}

#[test]
fn every_operation_is_defined() {
    assert_eq!(signed("(.s64) 0x8000000000000000 / -1"), i64::MIN);
    assert_eq!(bits("9223372036854775807 + 1"), 1 << 63);
    assert_eq!((bits("1 << 64"), bits("1 << -1")), (0, 0));
    assert_eq!((signed("-1 >> 64"), bits("1U >> 64")), (-1, 0));
    assert_eq!(signed("-9223372036854775807 - 2"), i64::MAX);
    for text in ["1 / 0", "1U / 0", "1 % 0", "1 / (1 - 1)", "0 && 1 / 0"] {
        assert!(refusal(&format!("mov {text};")).message.contains("by zero"), "{text}");
    }
}
