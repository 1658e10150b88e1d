//! Values: what costs instructions and what does not.

use super::{body, lowered};

fn count(text: &str, what: &str) -> usize {
    text.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn equal_operations_are_computed_once() {
    let text = body("data[i * 3u] = 1u; data[i * 3u + 1u] = 2u; if i > 2u { data[i * 3u] = 3u; }");
    assert_eq!(count(&text, "mul.u32"), 1, "{text}");
}

#[test]
fn what_a_branch_computes_is_computed_again_after_it() {
    let text = body("if i > 2u { data[i * 3u] = 3u; } data[i * 3u] = 4u;");
    assert_eq!(count(&text, "mul.u32"), 2, "{text}");
}

#[test]
fn a_multiply_add_is_one_operation_and_a_sum_of_a_product_two() {
    let text = body("reals[0] = fma(reals[1], reals[2], reals[3]); reals[4] = reals[1] * reals[2] + reals[3];");
    assert_eq!(
        (count(&text, "multiply_add.f32"), count(&text, "mul.f32"), count(&text, " add.f32")),
        (1, 1, 1),
        "{text}"
    );
}

#[test]
fn reinterpretation_and_equal_bits_take_no_instruction() {
    let text = body(
        "let a = bitcast<f32>(data[0]); let b = i32(data[1]); let c = u32(b < 3); reals[0] = a; data[1] = c + u32(b);",
    );
    assert_eq!(count(&text, "convert") + count(&text, " = r"), 0, "{text}");
}

#[test]
fn floats_are_not_computed_ahead_of_the_run() {
    let text = body("let x = 0.0 * reals[0]; reals[1] = x + 0.0;");
    assert_eq!((count(&text, "mul.f32"), count(&text, " add.f32")), (1, 1), "{text}");
}

#[test]
fn a_stored_vector_is_one_access_without_copies() {
    let program = lowered(
        "@group(0) @binding(0) var<storage, read_write> v: array<vec4<f32>>;
         @compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32) { v[i] = v[i + 1u] * 2.0 + v[i]; }",
    );
    let text = program.to_string();
    assert_eq!((count(&text, "load.f32x4"), count(&text, "store.f32x4"), count(&text, " = r")), (2, 1, 0), "{text}");
}

#[test]
fn a_table_of_constants_is_stored_once_before_everything_else() {
    let program = lowered(
        "const T = array(9u, 8u, 7u, 6u, 5u, 4u, 3u, 2u, 1u, 0u, 1u, 2u); @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         fn at(k: u32) -> u32 { return T[k]; }
         @compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32) { data[i] = at(i) + at(i + 1u); }",
    );
    let text = program.to_string();
    let first = text.lines().find(|line| line.starts_with(' ')).unwrap();
    assert!(first.contains("store.u32x12 private[0], 9 8 7 6 5 4 3 2 1 0 1 2"), "{text}");
    assert_eq!(count(&text, "store.u32x12"), 1, "{text}");
    assert!(text.contains("private `constant table`: bytes 0..48 by 4"), "{text}");
}

#[test]
fn rows_are_shared_by_values_that_never_meet() {
    let mut text = String::new();
    for k in 0..50 {
        text += &format!("data[i + {k}u * 64u] = (data[i] ^ {k}u) + data[i + {k}u];");
    }
    let program = lowered(&format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ {text} }}"
    ));
    let constants = u32::try_from(program.constants.len()).unwrap();
    assert!(program.rows - constants < 10, "{} rows, {constants} constants", program.rows);
}

#[test]
fn what_inlining_multiplies_is_limited() {
    let mut text =
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>; fn f0(x: u32) { data[x] += x; }".to_owned();
    for k in 1..40 {
        text += &format!("fn f{k}(x: u32) {{ f{0}(x); f{0}(x + 1u); }}", k - 1);
    }
    text += "@compute @workgroup_size(1) fn main() { f39(0u); }";
    let message = super::refusal(&text);
    assert!(message.contains("program of more than 1048576 instructions after inlining at t.wgsl:1:"), "{message}");
}
