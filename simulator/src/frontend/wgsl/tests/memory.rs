//! Accesses: one per run of adjacent scalars, with declared limits and alignments.

use super::{code, lowered, without_rows};

/// The accesses of a program whose `main` has this body, in order.
fn accesses(globals: &str, body: &str) -> Vec<String> {
    let text = code(&format!(
        "struct Inner {{ a: vec3<f32>, b: f32 }}
         struct Outer {{ n: u32, inner: Inner, m: mat3x3<f32>, tail: array<vec2<u32>> }}
         @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @group(0) @binding(1) var<storage, read_write> outer: Outer;
         {globals}
         @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
    ));
    let found =
        text.lines().filter(|line| line.contains("load.") || line.contains("store.") || line.contains("atomic_"));
    found.map(|line| without_rows(line.split_once(": ").map_or(line, |(_, rest)| rest))).collect()
}

fn shape(globals: &str, body: &str) -> String {
    accesses(globals, body).join("\n")
}

#[test]
fn vectors_are_one_access_and_padding_is_left_out() {
    let text = shape("", "let v = outer.inner; outer.inner.b = v.a.x + v.b;");
    assert_eq!(text, "r = load.f32x4 outer[16] align 16\nstore.f32 outer[28], r");
    let text = shape("", "outer.m[1] = outer.m[0];");
    assert_eq!(text, "r = load.f32x3 outer[32] align 16\nstore.f32x3 outer[48], r align 16");
    let text = shape("", "outer.m = outer.m;");
    assert!(
        text.starts_with(
            "r = load.f32x3 outer[32] align 16\nr = load.f32x3 outer[48] align 16\nr = load.f32x3 outer[64]"
        ),
        "{text}"
    );
}

#[test]
fn every_dynamic_index_has_its_limit() {
    let program = lowered(
        "var<workgroup> grid: array<array<vec4<f32>, 8>, 4>;
         struct S { n: u32, tail: array<array<u32, 3>> }
         @group(0) @binding(0) var<storage, read_write> s: S;
         @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            let k = s.n; grid[i][k][i + 1u] = 1.0; s.tail[k][i] = 2u; s.tail[i32(k) - 1][1] = 3u;
         }",
    );
    let text = program.to_string();
    let store = text.lines().find(|line| line.contains("store.f32")).unwrap();
    assert!(store.contains("* 128]") && store.contains("< 4, ") && store.contains("< 8, "), "{text}");
    assert_eq!(store.matches(" < ").count(), 3, "{text}");
    let last = text.lines().rfind(|line| line.contains("store.u32")).unwrap();
    assert!(last.contains("s[8 + i32 ") && last.contains("* 12], 3 where") && last.contains("< length"), "{text}");
    let tail = text.lines().find(|line| line.contains("store.u32 s[4 +")).unwrap();
    assert!(tail.contains("< length, ") && tail.contains("< 3"), "{text}");
}

#[test]
fn variables_with_static_indices_live_in_rows() {
    let text = shape("", "var a: array<u32, 4>; a[1] = i; a[3] = a[1] * 2u; data[i] = a[3] + a[0];");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = shape("var<private> p: vec4<u32>;", "p.y = i; data[i] = p.y + p.z;");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = shape("", "var a: array<u32, 4>; a[i % 4u] = i; data[i] = a[0];");
    assert_eq!(text.lines().filter(|line| line.contains("private[")).count(), 2, "{text}");
}

#[test]
fn atomics_name_their_scope_and_drop_unused_results() {
    let globals =
        "var<workgroup> w: atomic<u32>; @group(0) @binding(2) var<storage, read_write> g: array<atomic<i32>, 4>;";
    let text = shape(
        globals,
        "atomicAdd(&w, 2u); data[0] = u32(atomicMax(&g[i], -1)); atomicStore(&g[0], 3); let c = atomicCompareExchangeWeak(&w, 1u, i); data[1] = u32(c.exchanged);",
    );
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "atomic_add.workgroup.u32 workgroup[0] 2");
    assert!(
        lines[1].starts_with("r = atomic_max.device.i32 g[") && lines[1].contains("< 4") && lines[1].contains(" -1"),
        "{text}"
    );
    assert_eq!(lines[3], "atomic_store.device.i32 g[0] 3");
    assert!(lines[4].contains("atomic_compare_exchange.workgroup.u32 workgroup[0], 1 -> r"), "{text}");
}

#[test]
fn bindings_and_variables_are_described() {
    let program = lowered(
        "struct U { a: vec4<f32>, b: u32 } struct T { n: u32, rest: array<vec4<f32>> }
         @group(1) @binding(3) var<uniform> settings: U; @group(0) @binding(2) var<storage, read> table: T;
         @group(0) @binding(9) var<storage, read> unused: array<u32>;
         @group(0) @binding(0) var<storage, read_write> data: array<atomic<u32>>;
         var<workgroup> small: u32; var<workgroup> tile: array<vec3<f32>, 5>; var<workgroup> flags: array<bool, 3>;
         @compute @workgroup_size(8, 4, 2) fn main(@builtin(local_invocation_index) i: u32) {
            var scratch: array<u32, 7>; scratch[i] = 1u; small = 1u; tile[i].x = settings.a.x + table.rest[i].y; flags[i] = true;
            atomicAdd(&data[i], scratch[settings.b]);
         }",
    );
    let text = program.to_string();
    let head: Vec<_> = text.lines().take_while(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        head[1..],
        [
            "binding 0: `settings` @group(1) @binding(3), uniform read-only, at least 32 bytes",
            "binding 1: `table` @group(0) @binding(2), storage read-only, at least 32 bytes",
            "binding 2: `data` @group(0) @binding(0), storage read-write, at least 4 bytes",
            "workgroup `small`: bytes 0..4 by 4",
            "workgroup `tile`: bytes 16..96 by 16",
            "workgroup `flags`: bytes 96..108 by 4",
            "private `scratch`: bytes 0..28 by 4",
        ]
    );
    assert_eq!((program.workgroup_size, program.workgroup_bytes, program.private_bytes), ([8, 4, 2], 108, 28));
    assert!(program.workgroup_zeroed && program.private_zeroed && program.strict_barriers);
}

#[test]
fn uniform_loads_stand_between_barriers() {
    let text = code(
        "var<workgroup> w: array<u32, 4>; @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(4) fn main() { data[0] = workgroupUniformLoad(&w[data[1]]); }",
    );
    let order =
        ["load.u32 data", "barrier workgroup, workgroup memory", "assert_uniform", "load.u32 workgroup", "barrier"];
    let mut rest = text.as_str();
    for part in order {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("no {part} in\n{text}")).1;
    }
}
