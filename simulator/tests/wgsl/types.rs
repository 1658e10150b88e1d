//! Every kind of composite value, by value and through variables.

use crate::{items, parallel};

#[test]
fn nested_arrays_and_structures_through_variables() {
    let global = "struct A { x: array<vec2<i32>, 3>, y: f32 } struct B { a: array<A, 2>, z: u32 }";
    let text = "
        var b: B; b.a[1].x[2].y = -5; b.a[0].y = 2.5; b.z = 9u; let copy = b; b.a[1].x[2].y = 1;
        puti(0u, copy.a[1].x[2].y); puti(1u, b.a[1].x[2].y); put(2u, copy.a[0].y); output[3] = copy.z;
        let k = input[0]; b.a[k].x[k + 1u] = vec2(7, 8); puti(4u, b.a[1].x[2].x); var c = b.a[k]; c.y += 1.0; put(5u, c.y); puti(6u, c.x[2].y);
        b.a[0] = c; puti(7u, b.a[0].x[2].x); var grid: array<array<u32, 3>, 3>; grid[k][k + 1u] = 6u; output[8] = grid[1][2]; output[9] = grid[k + 1u][k];";
    let real = f32::to_bits;
    assert_eq!(items(global, text, &[1], 10), [(-5_i32).cast_unsigned(), 1, real(2.5), 9, 7, real(1.0), 8, 7, 6, 0]);
}

#[test]
fn matrices_with_dynamic_columns_and_rows() {
    let text = "
        var m = mat4x3<f32>(); let c = i % 4u; let r = i % 3u; m[c][r] = f32(i); m[3] += vec3(1.0); 
        let column = m[c]; output[i] = u32(column[r]) * 100u + u32(m[3].x) + u32(m[0].y);";
    let expected: Vec<u32> = (0..64_u32)
        .map(|i| {
            let (c, r) = (i % 4, i % 3);
            let own = i + u32::from(c == 3);
            let corner = 1 + if c == 3 && r == 0 { i } else { 0 };
            let other = if c == 0 && r == 1 { i } else { 0 };
            own * 100 + corner + other
        })
        .collect();
    assert_eq!(parallel("", text, &[], 64), expected);
}

#[test]
fn zero_values_and_constructors() {
    let text = "
        let z = vec4<f32>(); let a = array<vec2<u32>, 2>(); put(0u, z.w); output[1] = a[1].y;
        let s = vec4(vec2(1u, 2u), 3u, input[0]); output[2] = s.x + s.y * 10u + s.z * 100u + s.w * 1000u;
        let t = vec3(s.wzy); output[3] = t.x * 100u + t.y * 10u + t.z; let q = vec2(5u); output[4] = q.x + q.y;
        let m = mat2x2(vec2(1.0, 2.0), vec2(3.0, 4.0)); put(5u, m[1].x); output[6] = array(1u, input[0], 3u)[1];";
    let real = f32::to_bits;
    assert_eq!(items("", text, &[4], 7), [0, 0, 4321, 432, 10, real(3.0), 4]);
}
