//! Memory: layouts, address spaces, atomics, barriers, run-time sized arrays.

use gridproof_simulator::finding::Rule;

use crate::{Run, items, module, parallel, words};

#[test]
fn structures_have_their_wgsl_layout() {
    let text = "
        struct Item { a: u32, b: vec3<u32>, c: array<vec3<u32>, 2>, d: mat3x2<f32>, @size(16) e: u32, @align(32) f: u32 }
        @group(0) @binding(0) var<storage, read> input: array<u32>;
        @group(0) @binding(1) var<storage, read_write> output: array<Item>;
        @compute @workgroup_size(1) fn main() {
            output[1].a = 1u; output[1].b = vec3(2u, 3u, 4u); output[1].c[1] = vec3(5u, 6u, 7u);
            output[1].d = mat3x2(bitcast<vec2<f32>>(vec2(8u, 9u)), bitcast<vec2<f32>>(vec2(10u, 11u)), bitcast<vec2<f32>>(vec2(12u, 13u)));
            output[1].e = 14u; output[1].f = 15u;
            output[0] = output[1];
            output[0].b.y = 30u; let k = input[0]; output[0].c[k - 1u].z = 70u; output[0].b[k] = 40u; output[0].d[k][k - 1u] = bitcast<f32>(99u);
        }";
    // a 0, b 16, c 32 and 48, d 64 to 88, e 88 (16 bytes), f 128, size 160.
    let words = module(text, &[2], 80);
    let item = |base: usize| {
        let at = |offset: usize| words[base + offset / 4];
        [
            [at(0), at(16), at(20), at(24), at(48)],
            [at(52), at(56), at(64), at(68), at(72)],
            [at(76), at(80), at(84), at(88), at(128)],
        ]
        .concat()
    };
    assert_eq!(item(40), (1..=15).collect::<Vec<u32>>());
    assert_eq!(item(0), [1, 2, 30, 40, 5, 6, 70, 8, 9, 10, 11, 12, 99, 14, 15]);
    assert_eq!(words[28 / 4], 0, "padding is not written");
}

#[test]
fn small_and_large_scalars_in_memory() {
    let text = "
        enable f16;
        struct Mixed { h: vec4<f16>, d: f64, l: array<i64, 2>, k: f16 }
        @group(0) @binding(0) var<storage, read> input: array<u32>;
        @group(0) @binding(1) var<storage, read_write> output: Mixed;
        var<workgroup> shared_halves: array<f16, 4>;
        @compute @workgroup_size(1) fn main() {
            output.h = vec4(1.0h, 2.0h, 3.0h, 4.0h); output.h.z += 0.5h; output.d = f64(input[0]) / 4.0lf;
            output.l[input[0] - 2u] = -2li; shared_halves[input[0]] = 1.5h; output.k = shared_halves[3] + shared_halves[0];
        }";
    let actual = module(text, &[3], 10);
    let half = |value: f32| u32::from(half::f16::from_f32(value).to_bits());
    let double = 0.75_f64.to_bits();
    let expected = [
        half(1.0) | half(2.0) << 16,
        half(3.5) | half(4.0) << 16,
        u32::try_from(double & 0xFFFF_FFFF).unwrap(),
        u32::try_from(double >> 32).unwrap(),
        0,
        0,
        0xFFFF_FFFE,
        0xFFFF_FFFF,
        half(1.5),
        0,
    ];
    assert_eq!(actual, expected);
}

#[test]
fn workgroup_memory_and_barriers() {
    let global = "struct Cell { flag: bool, v: vec3<f32>, on: vec2<bool> } var<workgroup> tile: array<Cell, 64>; var<workgroup> sum: array<array<u32, 8>, 8>;";
    let text = "
        tile[i].v.y = f32(i); tile[i].flag = i % 2u == 0u; tile[i].on = vec2(i > 5u, i > 6u); sum[i / 8u][i % 8u] = i;
        workgroupBarrier();
        let other = tile[63u - i]; let x = i % 8u; let y = i / 8u;
        output[i] = u32(other.v.y) + select(0u, 100u, other.flag) + select(0u, 1000u, other.on.y) + sum[x][y] * 10000u;";
    let expected: Vec<u32> = (0..64_u32)
        .map(|i| {
            let o = 63 - i;
            o + if o % 2 == 0 { 100 } else { 0 } + if o > 6 { 1000 } else { 0 } + ((i % 8) * 8 + i / 8) * 10_000
        })
        .collect();
    assert_eq!(parallel(global, text, &[], 64), expected);
}

#[test]
fn atomics() {
    let text = "
        struct Counters { add: atomic<u32>, sub: atomic<i32>, and_: atomic<u32>, or_: atomic<u32>, xor_: atomic<u32>, low: atomic<i32>, high: atomic<u32>, swap: atomic<u32>, last: atomic<u32> }
        @group(0) @binding(1) var<storage, read_write> output: Counters;
        var<workgroup> tickets: atomic<u32>; var<workgroup> wins: array<atomic<u32>, 2>;
        @compute @workgroup_size(32) fn main(@builtin(local_invocation_index) i: u32) {
            if i == 0u { atomicStore(&output.and_, 0xFFu); }
            workgroupBarrier(); storageBarrier();
            atomicAdd(&output.add, i); atomicSub(&output.sub, 2i); atomicAnd(&output.and_, ~(1u << (i % 8u))); atomicOr(&output.or_, 1u << i);
            atomicXor(&output.xor_, i); atomicMin(&output.low, -i32(i)); atomicMax(&output.high, i); 
            let ticket = atomicAdd(&tickets, 1u);
            let old = atomicCompareExchangeWeak(&wins[0], 0u, ticket + 1u);
            if old.exchanged { atomicAdd(&wins[1], 1u + old.old_value); }
            workgroupBarrier();
            if i == 0u { atomicExchange(&output.swap, atomicLoad(&tickets)); atomicStore(&output.last, atomicLoad(&wins[1]) * 10u + min(atomicLoad(&wins[0]), 1u)); }
        }";
    let words = words(&Run::wgsl(text, &[], 9).outcome());
    let xor = (0..32).fold(0, |all, i| all ^ i);
    assert_eq!(words, [496, (-64_i32).cast_unsigned(), 0, u32::MAX, xor, (-31_i32).cast_unsigned(), 31, 32, 11]);
}

#[test]
fn uniform_loads_see_what_was_stored_before() {
    let global = "var<workgroup> bound: array<u32, 4>;";
    let text = "
        if i == 63u { bound[2] = 40u; }
        let at = input[0]; let limit = workgroupUniformLoad(&bound[at]); output[i] = select(0u, 1u, i < limit);
        if i == 0u { bound[2] = 1u; }";
    let expected: Vec<u32> = (0..64).map(|i| u32::from(i < 40)).collect();
    assert_eq!(parallel(global, text, &[2], 64), expected);
}

#[test]
fn run_time_sized_arrays() {
    let text = "
        struct Tail { n: u32, items: array<vec2<u32>> }
        @group(0) @binding(0) var<storage, read> input: array<u32>;
        @group(0) @binding(1) var<storage, read_write> output: Tail;
        @compute @workgroup_size(1) fn main() {
            output.n = arrayLength(&output.items) * 100u + arrayLength(&input);
            for (var k = 0; k < i32(arrayLength(&output.items)); k++) { output.items[k].y = u32(k) + 1u; }
        }";
    assert_eq!(module(text, &[1, 2, 3], 10), [403, 0, 0, 1, 0, 2, 0, 3, 0, 4]);
}

#[test]
fn indices_out_of_bounds_are_found() {
    let outcome = |text: &str| {
        let text = format!(
            "@group(0) @binding(0) var<storage, read> input: array<u32>;
             struct S {{ head: array<u32, 2>, tail: array<u32> }}
             @group(0) @binding(1) var<storage, read_write> output: S;
             var<workgroup> tile: array<array<u32, 4>, 4>; var<private> mine: array<u32, 4>;
             @compute @workgroup_size(1) fn main() {{ let k = input[0]; {text} }}"
        );
        let outcome = Run::wgsl(&text, &[5], 8).outcome();
        outcome.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(outcome("output.head[k] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("output.tail[k + 1u] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("output.tail[k] = 1u;"), []);
    assert_eq!(outcome("output.tail[i32(k) - 6] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("tile[0][k] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("tile[k - 4u][k] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("tile[k - 4u][k - 2u] = 1u;"), []);
    assert_eq!(outcome("mine[k] = 1u;"), [Rule::OutOfBounds]);
    assert_eq!(outcome("let v = vec3(k, 1u, 2u); output.tail[0] = v[k];"), [Rule::OutOfBounds]);
    assert_eq!(outcome("var v = vec3(k, 1u, 2u); v[k] = 3u; output.tail[0] = v.x;"), [Rule::OutOfBounds]);
}

#[test]
fn private_variables() {
    let global = "var<private> seen: array<u32, 8>; var<private> last: vec2<i32> = vec2(3, -4); fn visit(k: u32) { seen[k] += 1u; last.y = i32(k); }";
    let text = "visit(input[0]); visit(1u); visit(1u); output[0] = seen[1]; output[1] = seen[5]; puti(2u, last.x); puti(3u, last.y); if input[0] == 5u { last = vec2(8, 9); } puti(4u, last.y);";
    assert_eq!(items(global, text, &[5], 5), [2, 1, 3, 1, 9]);
}
