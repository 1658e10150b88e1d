//! Packing and unpacking.

use crate::{bits, body, close, ints, reals};

#[test]
fn normalised() {
    let input = bits(&[-1.5, -0.5, 0.25, 2.0]);
    let text = "
        let v = vec4(real(0u), real(1u), real(2u), real(3u));
        output[0] = pack4x8snorm(v); output[1] = pack4x8unorm(v);
        output[2] = pack2x16snorm(v.yz); output[3] = pack2x16unorm(v.yz);";
    let byte = |value: i32| value.cast_unsigned() & 0xFF;
    let short = |value: i32| value.cast_unsigned() & 0xFFFF;
    let round = |value: f32| (0.5 + value).floor();
    let to_int = |value: f32| format!("{value:.0}").parse::<i32>().unwrap();
    let snorm = [-127, to_int(round(-63.5)), to_int(round(31.75)), 127].map(byte);
    let unorm = [0, 0, to_int(round(63.75)), 255].map(byte);
    let join = |parts: [u32; 4]| parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24;
    let expected = [
        join(snorm),
        join(unorm),
        short(to_int(round(-0.5 * 32767.0))) | short(to_int(round(0.25 * 32767.0))) << 16,
        short(to_int(round(0.25 * 65535.0))) << 16,
    ];
    assert_eq!(body(text, &input, 4), expected);
}

#[test]
fn unpacking() {
    let text = "
        let s = unpack4x8snorm(input[0]); put(0u, s.x); put(1u, s.y); put(2u, s.z); put(3u, s.w);
        let u = unpack4x8unorm(input[0]); put(4u, u.x); put(5u, u.w);
        let a = unpack2x16snorm(input[1]); put(6u, a.x); put(7u, a.y);
        let b = unpack2x16unorm(input[1]); put(8u, b.x); put(9u, b.y);";
    let actual = reals(&body(text, &[0x80_7F_FF_01, 0x8000_4000], 10));
    let expected = [
        1.0 / 127.0,
        -1.0 / 127.0,
        1.0,
        -1.0,
        1.0 / 255.0,
        128.0 / 255.0,
        16384.0 / 32767.0,
        -1.0,
        16384.0 / 65535.0,
        32768.0 / 65535.0,
    ];
    close(&actual, &expected, 1e-6);
}

#[test]
fn halves() {
    let text = "
        output[0] = pack2x16float(vec2(real(0u), real(1u)));
        let h = unpack2x16float(output[0]); put(1u, h.x); put(2u, h.y);";
    let actual = body(text, &bits(&[1.5, -0.333_25]), 3);
    let pair = [1.5_f32, -0.333_25].map(half::f16::from_f32);
    assert_eq!(actual[0], u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16);
    assert_eq!(reals(&actual[1..]), pair.map(half::f16::to_f32));
}

#[test]
fn integers() {
    let input = ints(&[-1, 200, -300, 5, 0x0102_03FF, -2]);
    let text = "
        let v = vec4(int(0u), int(1u), int(2u), int(3u)); let u = bitcast<vec4<u32>>(v);
        output[0] = pack4xI8(v); output[1] = pack4xU8(u); output[2] = pack4xI8Clamp(v); output[3] = pack4xU8Clamp(u);
        let s = unpack4xI8(input[4]); puti(4u, s.x); puti(5u, s.w);
        let w = unpack4xU8(input[4]); output[6] = w.x; output[7] = w.y;
        puti(8u, dot4I8Packed(input[4], input[5])); output[9] = dot4U8Packed(input[4], input[5]);";
    let low = [-1_i32, 200, -300, 5].map(|value| value.cast_unsigned() & 0xFF);
    let join = |parts: [u32; 4]| parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24;
    let expected = [
        join(low),
        join(low),
        join([0xFF, 127, 0x80, 5]),
        join([255, 200, 255, 5]),
        u32::MAX,
        1,
        255,
        3,
        (2 - 3 - 2 - 1_i32).cast_unsigned(),
        255 * 254 + (3 + 2 + 1) * 255,
    ];
    assert_eq!(body(text, &input, 10), expected);
}
