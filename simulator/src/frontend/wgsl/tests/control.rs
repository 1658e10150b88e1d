//! Control flow: jumps in source order, loops tested at their end, functions inlined with their call sites.

use super::{body, code, lowered, without_rows};
use crate::ir::Instr;

#[test]
fn a_loop_keeps_its_variables_in_rows_and_is_tested_at_its_end() {
    let text = "var s = 0u; for (var k = 0u; k < 10u; k++) { s += data[k]; } data[i] = s;";
    let expected = "    0: r = local_invocation_index
    1: r = 0
    2: r = 0
    3: r = lt.u32 r, 10
    4: jump 10 unless r
>   5: r = load.u32 data[r * 4] where r < length
    6: r = add.u32 r, r
    7: r = add.u32 r, 1
    8: r = lt.u32 r, 10
    9: jump 5 if r
>  10: store.u32 data[r * 4], r where r < length
   11: exit
";
    assert_same(&body(text), expected);
}

/// Compares listings but for the numbers of rows.
#[track_caller]
fn assert_same(actual: &str, expected: &str) {
    let (actual, expected) = (without_rows(actual), without_rows(expected));
    assert!(actual == expected, "{actual}\ninstead of\n{expected}");
}

#[test]
fn a_guard_is_one_jump_and_an_exit() {
    let expected = "    0: r = local_invocation_index
    1: r = array_length data from 0 by 4
    2: r = ge.u32 r, r
    3: jump 5 unless r
    4: exit
>   5: store.u32 data[r * 4], 1 where r < length
    6: exit
";
    assert_same(&body("if (i >= arrayLength(&data)) { return; } data[i] = 1u;"), expected);
}

#[test]
fn a_negated_condition_takes_no_instruction() {
    let text = body("if (!(i < 4u)) { data[i] = 1u; }");
    assert!(!text.contains("not.bool"), "{text}");
    assert!(text.contains(" if r"), "{text}");
}

#[test]
fn a_switch_compares_and_falls_through_empty_cases() {
    let text = "switch (i) { case 1u, 2u: { data[0] = 1u; } default: { data[1] = 2u; } case 7u: { data[2] = 3u; } }";
    let expected = "    0: r = local_invocation_index
    1: r = eq.u32 r, 1
    2: jump 8 if r
    3: r = eq.u32 r, 2
    4: jump 8 if r
    5: r = eq.u32 r, 7
    6: jump 12 if r
    7: jump 10
>   8: store.u32 data[0], 1
    9: exit
>  10: store.u32 data[4], 2
   11: exit
>  12: store.u32 data[8], 3
   13: exit
";
    assert_same(&body(text), expected);
}

#[test]
fn overrides_and_constants_leave_no_branch() {
    let text = "const FAST = true; @group(0) @binding(0) var<storage, read_write> data: array<u32>;
        @compute @workgroup_size(1) fn main() { if FAST { data[0] = 1u; } else { data[0] = 2u; } }";
    assert_same(&code(text), "    0: store.u32 data[0], 1\n    1: exit\n");
}

#[test]
fn inlined_code_knows_its_calls() {
    let program = lowered(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
fn inner(x: u32) { data[x] = x; }
fn outer(x: u32) { inner(x + 1u); }
@compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32) {
    outer(i);
    outer(i * 2u);
}",
    );
    let text = program.to_string();
    assert!(text.contains("; 2:20 in 3:20 in 5:5"), "{text}");
    assert!(text.contains("; 2:20 in 3:20 in 6:5"), "{text}");
    assert!(program.code.iter().all(|instr| !matches!(instr, Instr::Jump { .. })), "{text}");
}

#[test]
fn every_instruction_has_a_place() {
    let program = lowered(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
fn f(x: u32) -> u32 { if x > 3u { return 1u; } var y = x; y += 2u; return y; }
@compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32) {
    var a = array<u32, 4>(); a[i] = f(i); var s = 0u;
    for (var k = 0u; k < a[1]; k++) { s += a[k] * k; }
    data[i] = s;
}",
    );
    for pc in 0..program.code.len() {
        let span = program.span(crate::ir::Pc(u32::try_from(pc).unwrap()));
        assert!(span.line > 0 && span.end > span.start, "{pc}\n{program}");
    }
}

#[test]
fn barriers_order_what_they_name() {
    let text = body("workgroupBarrier(); storageBarrier(); subgroupBarrier();");
    for barrier in ["workgroup, workgroup memory", "workgroup, storage memory", "subgroup, all memory"] {
        assert!(text.contains(&format!("barrier {barrier}")), "{text}");
    }
}
