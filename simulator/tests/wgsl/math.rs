//! Built-in math functions.

use crate::{bits, body, close, ints, reals};

const SAMPLES: [f32; 10] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 3.5, 7.75, 0.001, 12.0];
const SIGNED: [f32; 10] = [-2.5, -1.5, -0.5, -0.25, 0.0, 0.25, 0.5, 1.5, 2.5, 3.75];

/// A function of one float, over samples, scalar and as part of a vector.
fn one(name: &str, samples: &[f32; 10], expected: fn(f32) -> f32) {
    let text = format!(
        "for (var k = 0u; k < 10u; k++) {{
            let x = real(k);
            put(k, {name}(x));
            put(10u + k, {name}(vec3(1.0, x, 2.0)).y);
         }}"
    );
    let actual = reals(&body(&text, &bits(samples), 20));
    let wanted: Vec<f32> = samples.iter().chain(samples).map(|&x| expected(x)).collect();
    println!("{name}");
    close(&actual, &wanted, 1e-5);
}

#[test]
fn functions_of_one_float() {
    one("abs", &SIGNED, f32::abs);
    one("sign", &SIGNED, |x| if x == 0.0 { 0.0 } else { x.signum() });
    one("ceil", &SIGNED, f32::ceil);
    one("floor", &SIGNED, f32::floor);
    one("round", &SIGNED, f32::round_ties_even);
    one("trunc", &SIGNED, f32::trunc);
    one("fract", &SIGNED, |x| x - x.floor());
    one("saturate", &SIGNED, |x| x.clamp(0.0, 1.0));
    one("sqrt", &SAMPLES, f32::sqrt);
    one("inverseSqrt", &SAMPLES, |x| 1.0 / x.sqrt());
    one("exp", &SIGNED, f32::exp);
    one("exp2", &SIGNED, f32::exp2);
    one("log", &SAMPLES, f32::ln);
    one("log2", &SAMPLES, f32::log2);
    one("sin", &SIGNED, f32::sin);
    one("cos", &SIGNED, f32::cos);
    one("tan", &SIGNED, f32::tan);
    one("sinh", &SIGNED, f32::sinh);
    one("cosh", &SIGNED, f32::cosh);
    one("tanh", &SIGNED, f32::tanh);
    one("asinh", &SIGNED, f32::asinh);
    one("atan", &SIGNED, f32::atan);
    one("degrees", &SIGNED, f32::to_degrees);
    one("radians", &SIGNED, f32::to_radians);
    one("quantizeToF16", &SIGNED, |x| x);
    let unit = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.125, 0.25, 0.5, 0.75, 0.99];
    one("asin", &unit, f32::asin);
    one("acos", &unit, f32::acos);
    let above = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 9.0, 100.0];
    one("acosh", &above, f32::acosh);
    let inside = [-0.9, -0.75, -0.5, -0.25, 0.0, 0.125, 0.25, 0.5, 0.75, 0.9];
    one("atanh", &inside, f32::atanh);
}

#[test]
fn functions_of_two_and_three_floats() {
    let input = bits(&[1.5, -2.0, 0.25, 3.0, 0.5]);
    let text = "
        let a = real(0u); let b = real(1u); let t = real(2u); let c = real(3u); let h = real(4u);
        put(0u, min(a, b)); put(1u, max(a, b)); put(2u, clamp(c, b, a)); put(3u, pow(a, c));
        put(4u, atan2(a, b)); put(5u, step(a, b)); put(6u, step(b, a)); put(7u, fma(a, b, c));
        put(8u, mix(a, b, t)); put(9u, smoothstep(b, c, h)); put(10u, ldexp(a, 3)); put(11u, ldexp(a, -2));
        let v = mix(vec2(a, b), vec2(c, h), t); put(12u, v.x); put(13u, v.y);
        let w = mix(vec2(a, b), vec2(c, h), vec2(t, h)); put(14u, w.x); put(15u, w.y);
        put(16u, a % h); put(17u, b % a);";
    let (a, b, t, c, h) = (1.5_f32, -2.0_f32, 0.25_f32, 3.0_f32, 0.5_f32);
    let s = (h - b) / (c - b);
    let expected = [
        b,
        a,
        a,
        a.powf(c),
        a.atan2(b),
        0.0,
        1.0,
        a.mul_add(b, c),
        a * (1.0 - t) + b * t,
        s * s * (3.0 - 2.0 * s),
        12.0,
        0.375,
        a * (1.0 - t) + c * t,
        b * (1.0 - t) + h * t,
        a * (1.0 - t) + c * t,
        b * (1.0 - h) + h * h,
        0.0,
        -0.5,
    ];
    close(&reals(&body(text, &input, 18)), &expected, 1e-6);
}

#[test]
fn modf_and_frexp() {
    let text = "
        let m = modf(real(0u)); put(0u, m.fract); put(1u, m.whole);
        let v = modf(vec3(real(0u), real(1u), 4.5)); put(2u, v.fract.y); put(3u, v.whole.z);
        let f = frexp(real(1u)); put(4u, f.fract); puti(5u, f.exp);
        let g = frexp(vec2(real(1u), real(2u))); put(6u, g.fract.y); puti(7u, g.exp.y);
        let z = frexp(0.0 * real(0u)); put(8u, z.fract); puti(9u, z.exp);";
    let actual = body(text, &bits(&[-3.75, 6.5, 0.3125]), 10);
    close(&reals(&actual[..5]), &[-0.75, -3.0, 0.5, 4.0, 0.8125], 0.0);
    assert_eq!(actual[5], 3);
    assert_eq!((f32::from_bits(actual[6]), actual[7].cast_signed()), (0.625, -1));
    assert_eq!((f32::from_bits(actual[8]), actual[9]), (0.0, 0));
}

#[test]
fn geometry() {
    let input = bits(&[1.0, 2.0, 3.0, -4.0, 5.0, 0.5]);
    let text = "
        let a = vec3(real(0u), real(1u), real(2u)); let b = vec3(real(3u), real(4u), real(5u));
        put(0u, dot(a, b)); put(1u, length(a)); put(2u, distance(a, b)); put(3u, length(real(3u)));
        let c = cross(a, b); put(4u, c.x); put(5u, c.y); put(6u, c.z);
        let n = normalize(a); put(7u, n.x); put(8u, n.z);
        let r = reflect(a, b); put(9u, r.x); put(10u, r.y);
        let f = faceForward(a, b, b); put(11u, f.x);
        let g = faceForward(a, b, -b); put(12u, g.x);
        let d = refract(normalize(a), normalize(b), 0.5); put(13u, d.x); put(14u, d.z);
        let e = refract(normalize(a), vec3(1.0, 0.0, 0.0), 4.0); put(15u, e.x);
        put(16u, f32(dot(vec3(1i, 2i, i32(real(1u))), vec3(4i, 5i, -6i)))); put(17u, distance(real(0u), real(3u)));";
    let (a, b) = ([1.0_f32, 2.0, 3.0], [-4.0_f32, 5.0, 0.5]);
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let length = |a: [f32; 3]| dot(a, a).sqrt();
    let normal = |a: [f32; 3]| a.map(|x| x / length(a));
    let (na, nb) = (normal(a), normal(b));
    let k = 1.0 - 0.25 * (1.0 - dot(nb, na) * dot(nb, na));
    let bend = 0.5 * dot(nb, na) + k.sqrt();
    let expected = [
        dot(a, b),
        length(a),
        length([5.0, -3.0, 2.5]),
        4.0,
        2.0 * 0.5 - 3.0 * 5.0,
        3.0 * -4.0 - 1.0 * 0.5,
        1.0 * 5.0 - 2.0 * -4.0,
        na[0],
        na[2],
        1.0 - 2.0 * dot(b, a) * -4.0,
        2.0 - 2.0 * dot(b, a) * 5.0,
        -1.0,
        1.0,
        0.5 * na[0] - bend * nb[0],
        0.5 * na[2] - bend * nb[2],
        0.0,
        4.0 + 10.0 - 12.0,
        5.0,
    ];
    close(&reals(&body(text, &input, 18)), &expected, 1e-5);
}

#[test]
fn matrices() {
    let input = bits(&[2.0, 1.0, 0.0, 0.5, 3.0, -1.0, 4.0, -2.0, 1.0]);
    let text = "
        let m = mat3x3(real(0u), real(1u), real(2u), real(3u), real(4u), real(5u), real(6u), real(7u), real(8u));
        put(0u, determinant(m));
        let t = transpose(m); put(1u, t[0].y); put(2u, t[2].x);
        let v = m * vec3(1.0, 2.0, 3.0); put(8u, v.x); put(9u, v.y); put(10u, v.z);
        let w = vec3(1.0, 2.0, 3.0) * m; put(11u, w.x); put(12u, w.y); put(13u, w.z);
        let s = m * 2.0 + m; put(14u, s[1].y);
        let r = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); let q = r * mat3x2(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
        put(15u, q[0].x); put(16u, q[2].z); put(17u, q[1].y);
        put(18u, (m - 2.0 * m)[1].y); put(19u, (2.0 * m - m)[2].x);";
    let m = [[2.0_f32, 1.0, 0.0], [0.5, 3.0, -1.0], [4.0, -2.0, 1.0]];
    let determinant = 2.0 * (3.0 - 2.0) - 0.5 - 4.0;
    let actual = reals(&body(text, &input, 20));
    let column = |v: [f32; 3]| [0, 1, 2].map(|row| (0..3).map(|k| m[k][row] * v[k]).sum::<f32>());
    let row = |v: [f32; 3]| [0, 1, 2].map(|c| (0..3).map(|k| m[c][k] * v[k]).sum::<f32>());
    let (v, w) = (column([1.0, 2.0, 3.0]), row([1.0, 2.0, 3.0]));
    close(&actual[..3], &[determinant, 0.5, 0.0], 1e-6);
    close(&actual[8..], &[v[0], v[1], v[2], w[0], w[1], w[2], 9.0, 9.0, 51.0, 26.0, -3.0, 4.0], 1e-6);
}

#[test]
fn bits_of_integers() {
    let input = [0, 1, 0x80, 0xFFFF_FFFF, 0x7F00_0010, 0x8000_0000];
    let text = "for (var k = 0u; k < 6u; k++) {
            let x = input[k]; let s = int(k); let o = k * 9u;
            output[o] = countOneBits(x); output[o + 1u] = countLeadingZeros(x); output[o + 2u] = countTrailingZeros(x);
            output[o + 3u] = reverseBits(x); output[o + 4u] = firstLeadingBit(x); output[o + 5u] = firstTrailingBit(x);
            puti(o + 6u, firstLeadingBit(s)); output[o + 7u] = extractBits(x, 4u, 8u); puti(o + 8u, extractBits(s, 4u, 4u));
        }";
    let first = |x: u32| if x == 0 { u32::MAX } else { 31 - x.leading_zeros() };
    let expected: Vec<u32> = input
        .iter()
        .flat_map(|&x| {
            let signed = if x >> 31 == 1 { first(!x) } else { first(x) };
            let trailing = if x == 0 { u32::MAX } else { x.trailing_zeros() };
            let field = (x << 24).cast_signed() >> 28;
            [
                x.count_ones(),
                x.leading_zeros(),
                x.trailing_zeros(),
                x.reverse_bits(),
                first(x),
                trailing,
                signed,
                x >> 4 & 0xFF,
                field.cast_unsigned(),
            ]
        })
        .collect();
    assert_eq!(body(text, &input, 54), expected);
}

#[test]
fn integer_functions_and_inserting_bits() {
    let input = ints(&[-5, 3, 7, i32::MIN]);
    let text = "
        puti(0u, abs(int(0u))); puti(1u, min(int(0u), int(1u))); puti(2u, max(int(0u), int(1u)));
        puti(3u, clamp(int(2u), int(0u), int(1u))); puti(4u, sign(int(0u))); puti(5u, abs(int(3u)));
        output[6] = min(input[0], input[1]); output[7] = max(input[0], input[1]); output[8] = clamp(input[0], 1u, 9u);
        output[9] = insertBits(0xFFFFFFFFu, input[2], 8u, 4u); output[10] = insertBits(0u, input[0], input[1], input[2]);
        let v = insertBits(vec2(0u, 1u), vec2(input[1], input[2]), 4u, 8u); output[11] = v.x; output[12] = v.y;
        output[13] = abs(input[0]); puti(14u, extractBits(int(0u), 0u, 32u)); output[15] = extractBits(input[0], 30u, 9u);";
    let expected = [
        5,
        (-5_i32).cast_unsigned(),
        3,
        3,
        u32::MAX,
        0x8000_0000,
        3,
        (-5_i32).cast_unsigned(),
        9,
        0xFFFF_F7FF,
        ((-5_i32).cast_unsigned() & 0x7F) << 3,
        0x30,
        0x71,
        (-5_i32).cast_unsigned(),
        (-5_i32).cast_unsigned(),
        3,
    ];
    assert_eq!(body(text, &input, 16), expected);
}

#[test]
fn nan_and_infinity_take_part_in_comparisons() {
    let text = "
        let nan = real(0u); let inf = real(1u);
        output[0] = select(0u, 1u, nan != nan); output[1] = select(0u, 1u, nan == nan);
        output[2] = select(0u, 1u, inf > 3.0); output[3] = select(0u, 1u, nan < inf);";
    assert_eq!(body(text, &bits(&[f32::NAN, f32::INFINITY]), 4), [1, 0, 1, 0]);
}
