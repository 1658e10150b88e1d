//! Calls, pointers, overrides, entry point arguments.

use gridproof_launch::Constant;

use crate::{Run, items, module, parallel};

#[test]
fn pointers_reach_the_caller_s_variables() {
    let global = "
        struct Pair { a: u32, b: array<u32, 4> }
        var<private> total: u32 = 5u;
        var<private> table: array<u32, 4>;
        fn add(p: ptr<function, u32>, x: u32) { *p += x; total += x; }
        fn fill(p: ptr<function, Pair>, at: u32) { (*p).a = at; (*p).b[at] = 7u; add(&(*p).a, 1u); }
        fn touch(p: ptr<private, array<u32, 4>>, at: u32) { (*p)[at] = at + 1u; }
        fn swap(p: ptr<function, u32>, q: ptr<function, u32>) { let t = *p; *p = *q; *q = t; }";
    let text = "
        var x = 1u; add(&x, 4u); output[0] = x; output[1] = total;
        var pair: Pair; fill(&pair, input[0]); output[2] = pair.a; output[3] = pair.b[2]; output[4] = pair.b[1];
        touch(&table, input[0]); output[5] = table[2]; output[6] = total;
        var y = 10u; swap(&x, &y); output[7] = x; output[8] = y;
        let p = &y; *p = *p + 1u; output[9] = y;
        var v = vec3(1u, 2u, 3u); let c = &v; (*c).y = 9u; output[10] = v.y;
        for (var k = 0u; k < 3u; k++) { add(&x, k); } output[11] = x; output[12] = total;";
    assert_eq!(items(global, text, &[2], 13), [5, 9, 3, 7, 0, 3, 10, 10, 5, 6, 9, 13, 13]);
}

#[test]
fn values_of_any_type_go_in_and_out() {
    let global = "
        struct Inner { v: vec2<f32>, n: i32 }
        struct Outer { inner: Inner, list: array<u32, 3>, m: mat2x2<f32>, flag: bool }
        fn make(n: i32) -> Outer { return Outer(Inner(vec2(1.0, f32(n)), n), array(1u, 2u, u32(n)), mat2x2(1.0, 2.0, 3.0, 4.0), n > 2); }
        fn change(o: Outer) -> Outer { var c = o; c.inner.v.x = 5.0; c.list[1] = 8u; c.m[1].y = 9.0; c.flag = !c.flag; return c; }";
    let text = "
        let o = change(make(int(0u)));
        put(0u, o.inner.v.x); put(1u, o.inner.v.y); puti(2u, o.inner.n); output[3] = o.list[1]; output[4] = o.list[2];
        put(5u, o.m[1].y); put(6u, o.m[0].y); output[7] = u32(o.flag); let k = input[0] - 1u; output[8] = o.list[k];";
    let real = f32::to_bits;
    assert_eq!(items(global, text, &[3], 9), [real(5.0), real(3.0), 3, 8, 3, real(9.0), real(2.0), 0, 3]);
}

#[test]
fn tables_are_indexed_by_value() {
    let global = "
        const TABLE = array(3u, 1u, 4u, 1u, 5u, 9u, 2u, 6u, 5u, 3u, 5u, 8u, 9u, 7u, 9u, 3u);
        const SMALL = array(vec2(1u, 2u), vec2(3u, 4u));
        fn pick(list: array<u32, 12>, at: u32) -> u32 { return list[at]; }";
    let text = "
        var list: array<u32, 12>; for (var k = 0u; k < 12u; k++) { list[k] = k * k; }
        let copy = list; list[i % 12u] = 1000u;
        output[i] = TABLE[i % 16u] + SMALL[i % 2u].y * 100u + copy[i % 12u] * 1000u + pick(list, i % 12u);";
    let table = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];
    let expected: Vec<u32> = (0..64_u32)
        .map(|i| {
            let small = if i % 2 == 0 { 2 } else { 4 };
            let square = (i % 12) * (i % 12);
            table[usize::try_from(i % 16).unwrap()] + small * 100 + square * 1000 + 1000
        })
        .collect();
    assert_eq!(parallel(global, text, &[], 64), expected);
}

#[test]
fn overrides_by_name_and_number() {
    let text = "
        override N: u32 = 4u; override SCALE: f32; @id(7) override FLAG: bool = false; @id(8) override M: i32 = 2;
        override WIDE = N * 2u;
        var<workgroup> tile: array<u32, WIDE>;
        @group(0) @binding(1) var<storage, read_write> output: array<u32>;
        @compute @workgroup_size(N, 2) fn main(@builtin(local_invocation_index) i: u32) {
            tile[i] = i * 3u; workgroupBarrier();
            output[i] = tile[WIDE - 1u - i];
            if i == 0u { output[20] = u32(SCALE * 4.0); output[21] = u32(FLAG); output[22] = u32(M); output[23] = arrayLength(&output); }
        }";
    let mut run = Run::wgsl(text, &[], 24);
    run.constants = vec![
        ("N", Constant::Int(8)),
        ("SCALE", Constant::Float(2.5)),
        ("7", Constant::Bool(true)),
        ("M", Constant::Int(-5)),
    ];
    let words = run.words();
    assert_eq!(words[..16], (0..16).map(|i| (15 - i) * 3).collect::<Vec<u32>>());
    assert_eq!(words[20..], [10, 1, (-5_i32).cast_unsigned(), 24]);
}

#[test]
fn entry_point_arguments() {
    let text = "
        struct In { @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32> }
        @group(0) @binding(1) var<storage, read_write> output: array<vec4<u32>>;
        @compute @workgroup_size(2, 3, 4) fn main(
            in: In, @builtin(global_invocation_id) global: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) index: u32
        ) {
            let group = in.group.x + groups.x * (in.group.y + groups.y * in.group.z);
            let local = in.local.x + 2u * in.local.y + 6u * in.local.z;
            output[group * 24u + index] = vec4(global, local);
        }";
    let mut run = Run::wgsl(text, &[], 4 * 24 * 6);
    run.grid = [1, 2, 3];
    let words = run.words();
    for (at, chunk) in (0_u32..).zip(words.chunks(4)) {
        let (group, local) = (at / 24, at % 24);
        let (y, z) = (group % 2, group / 2);
        let expected = [local % 2, y * 3 + local / 2 % 3, z * 4 + local / 6, local];
        assert_eq!(chunk, expected);
    }
}

#[test]
fn a_function_with_memory_starts_from_zero_at_every_call() {
    let text = "
        @group(0) @binding(1) var<storage, read_write> output: array<u32>;
        fn count(at: u32) -> u32 { var seen: array<u32, 4>; seen[at] += 1u; var s = 0u; s += seen[at]; var init = 3u; init++; return s + init; }
        @compute @workgroup_size(1) fn main() { for (var k = 0u; k < 4u; k++) { output[k] = count(k % 2u) + count(0u) * 10u; } }";
    assert_eq!(module(text, &[], 4), [55; 4]);
}
