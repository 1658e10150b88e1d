//! Operators on numbers, truth values and vectors.

use crate::{bits, body, ints, reals};

#[test]
fn integers() {
    let input = ints(&[-7, 2, 0, i32::MIN, -1]);
    let text = "
        let a = int(0u); let b = int(1u); let z = int(2u);
        puti(0u, a + b); puti(1u, a - b); puti(2u, a * b); puti(3u, a / b); puti(4u, a % b);
        puti(5u, a / z); puti(6u, a % z); puti(7u, int(3u) / int(4u)); puti(8u, int(3u) % int(4u)); puti(9u, -a);
        output[10] = input[0] / input[1]; output[11] = input[0] % input[1]; output[12] = input[0] / input[2];
        puti(13u, a >> 1u); output[14] = input[0] >> 1u; puti(15u, a << 2u); puti(16u, a & b); puti(17u, a | b);
        puti(18u, a ^ b); puti(19u, ~a); output[20] = input[0] * input[1];";
    let u = (-7_i32).cast_unsigned();
    let expected = [
        ints(&[-5, -9, -14, -3, -1, -7, 0, i32::MIN, 0, 7]),
        vec![u / 2, u % 2, u],
        ints(&[-4]),
        vec![u >> 1],
        ints(&[-28, -7 & 2, -7 | 2, -7 ^ 2, 6]),
        vec![u.wrapping_mul(2)],
    ];
    assert_eq!(body(text, &input, 21), expected.concat());
}

#[test]
fn comparisons_of_each_type() {
    let text = "
        var n = 0u;
        let a = int(0u); let b = int(1u); let x = real(2u); let y = real(3u);
        n |= select(0u, 1u, a < b); n |= select(0u, 2u, input[0] < input[1]); n |= select(0u, 4u, x < y);
        n |= select(0u, 8u, a <= a); n |= select(0u, 16u, a > b); n |= select(0u, 32u, x >= y);
        n |= select(0u, 64u, a == b); n |= select(0u, 128u, x != y); n |= select(0u, 256u, (a < b) == (x < y));
        n |= select(0u, 512u, (a < b) != (x < y)); output[0] = n;";
    assert_eq!(body(text, &[ints(&[-1, 1]), bits(&[-1.0, 2.0])].concat(), 1), [1 | 4 | 8 | 128 | 256]);
}

#[test]
fn truth_values() {
    let text = "
        let t = input[0] == 1u; let f = input[0] == 2u;
        output[0] = u32(t && f); output[1] = u32(t || f); output[2] = u32(!t); output[3] = u32(t & f); output[4] = u32(t | f);
        let v = vec3(t, f, t); output[5] = u32(all(v)); output[6] = u32(any(v)); output[7] = u32(all(!v)); output[8] = u32(all(vec2(t)));
        output[9] = u32(any(v & vec3(f, t, f)));";
    assert_eq!(body(text, &[1], 10), [0, 1, 0, 0, 1, 0, 1, 0, 1, 0]);
}

#[test]
fn vectors_and_scalars_mix() {
    let text = "
        let v = vec3(real(0u), real(1u), 3.0); let s = real(0u);
        let a = v * s; put(0u, a.z); let b = s / v; put(1u, b.y); let c = v - s; put(2u, c.y);
        let d = v.zyx.xy; put(3u, d.x); put(4u, d.y); var w = vec4(v, 9.0); w.y += 1.0; w[0] = 7.0; put(5u, w.x); put(6u, w.y);
        let e = select(v, vec3(1.0), v > vec3(2.5)); put(7u, e.y); put(8u, e.z);
        let k = input[2]; put(9u, v[k]); w[k] = 5.0; put(10u, w.z);
        put(11u, mat2x2(v.x, v.y, v.z, 4.0)[1][0]);";
    let actual = reals(&body(text, &[bits(&[2.0, 2.5]), vec![2]].concat(), 12));
    assert_eq!(actual, [6.0, 0.8, 0.5, 3.0, 2.5, 7.0, 3.5, 2.5, 1.0, 3.0, 5.0, 3.0]);
}

#[test]
fn the_right_operand_is_evaluated_only_where_it_counts() {
    let global = "fn touch(i: u32) -> bool { output[i] = 1u; return true; }";
    let text = "let t = input[0] == 1u; if t && touch(0u) { output[4] = 1u; } if t || touch(1u) { output[5] = 1u; }
        if !t && touch(2u) { output[6] = 1u; } if !t || touch(3u) { output[7] = 1u; }";
    assert_eq!(crate::items(global, text, &[1], 8), [1, 0, 0, 1, 1, 1, 0, 1]);
}

#[test]
fn constants_fold_to_what_they_mean() {
    let text = "
        const a = 5u; let b = a * 4u + 2u; output[0] = b; output[1] = select(1u, 2u, b > 20u);
        if b == 22u { output[2] = 3u; } else { output[2] = 4u; } var c = 0u; output[3] = c + input[0];
        c = 7u; output[4] = c; output[5] = (input[0] + 0u) * 1u; output[6] = 0u * input[0];";
    assert_eq!(body(text, &[9], 7), [22, 2, 3, 9, 7, 9, 0]);
}
