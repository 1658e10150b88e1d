//! What is refused, and where.

use gridproof_launch::{Constant, Dispatch, Module, ModuleId, Source};

use super::{lowered_with, refusal};

#[test]
fn syntax_and_type_errors_have_a_place() {
    assert!(refusal("fn main( {}").starts_with("t.wgsl:1:10: expected"), "{}", refusal("fn main( {}"));
    let message = refusal("@compute @workgroup_size(1)\nfn main() {\n    let x: u32 = 1.5;\n}");
    assert!(message.starts_with("t.wgsl:3:"), "{message}");
    let message = refusal("@compute @workgroup_size(1)\nfn main() {\n    é;\n    let y = nothing;\n}");
    assert!(message.starts_with("t.wgsl:3:") || message.starts_with("t.wgsl:4:13"), "{message}");
}

#[test]
fn validation_errors_say_why() {
    let message =
        refusal("@compute @workgroup_size(1) fn main() { let x = vec2<f32>(1.0) == vec2<f32>(2.0); if x { } }");
    assert!(message.starts_with("t.wgsl:1:") && message.contains("condition"), "{message}");
}

#[test]
fn entry_points_and_overrides_are_named() {
    let text =
        "override N: u32 = 1u; override M: u32; @compute @workgroup_size(N) fn first() {} @fragment fn shade() {}
        @compute @workgroup_size(1) fn second() { if N + M > 3u { return; } }";
    assert_eq!(refusal(text), "t.wgsl:0:0: no entry point `main`: the module has `first`, `shade`, `second`");
    let text = text.replace("second", "main");
    let given = |constants: &[(&str, Constant)]| lowered_with(&text, constants).unwrap_err().to_string();
    assert_eq!(given(&[("K", Constant::Int(3))]), "t.wgsl:0:0: no override `K`: the module has N, M");
    assert_eq!(given(&[]), "t.wgsl:0:0: override `M` has no default and is not given");
    assert!(given(&[("M", Constant::Int(-1))]).contains("fit"), "{}", given(&[("M", Constant::Int(-1))]));
    assert!(lowered_with(&text, &[("M", Constant::Int(1))]).is_ok());
    let shade = text.replace("main", "other").replace("shade", "main");
    assert_eq!(refusal(&shade), "unsupported: fragment stage of entry point `main` at t.wgsl:0:0");
}

#[test]
fn what_is_not_modelled_is_refused_at_its_place() {
    let check = |globals: &str, body: &str, construct: &str| {
        let text = format!("{globals}\n@compute @workgroup_size(1)\nfn main() {{\n    {body}\n}}");
        let message = refusal(&text);
        assert!(message.starts_with(&format!("unsupported: {construct} at t.wgsl:4:")), "{message}");
    };
    check("@group(0) @binding(0) var t: texture_2d<f32>;", "let x = textureLoad(t, vec2(0, 0), 0);", "texture load");
    check(
        "@group(0) @binding(0) var t: texture_storage_2d<rgba8unorm, write>;",
        "textureStore(t, vec2(0, 0), vec4(0.0));",
        "texture store",
    );
    check("", "textureBarrier();", "texture barrier");
    check("var<immediate> p: u32;", "let x = p;", "immediate (push constant) variable");
    let unused = "@group(0) @binding(0) var t: texture_2d<f32>; @compute @workgroup_size(1) fn main() {}";
    assert!(lowered_with(unused, &[]).is_ok(), "an unused texture does no harm");
}

#[test]
fn large_values_are_refused() {
    let text = "var<workgroup> a: array<u32, 8000>; var<workgroup> b: array<u32, 8000>; @compute @workgroup_size(1) fn main() { a = b; }";
    assert_eq!(refusal(text), "unsupported: value of 8000 scalars (at most 4096) at t.wgsl:1:117");
}

#[test]
fn hostile_modules_are_errors_and_not_crashes() {
    let nested = format!("fn f() -> u32 {{ return {}1u{}; }}", "(".repeat(250), ")".repeat(250));
    let _ = refusal(&nested);
    let long = format!("@compute @workgroup_size(1) fn main() {{ let x = 1u{}; }}", "+ 1u".repeat(8000));
    assert!(lowered_with(&long, &[]).is_ok());
    let chain = "else if x > 1u { } ".repeat(2000);
    let branches = format!(
        "@group(0) @binding(0) var<storage> d: array<u32>; @compute @workgroup_size(1) fn main() {{ let x = d[0]; if x > 0u {{ }} {chain} }}"
    );
    let _ = lowered_with(&branches, &[]);
    let words = |words: Vec<u32>| {
        let module = Module::new("t.spv", Source::SpirV(words.into()));
        super::super::lower(&module, &Dispatch::new(ModuleId(0), "main", [1, 1, 1])).unwrap_err().to_string()
    };
    assert_eq!(words(vec![]), "t.spv:0:0: incomplete data");
    assert_eq!(words(vec![1, 2, 3]), "t.spv:0:0: invalid header");
    assert!(words(vec![0x0723_0203, 0x0001_0000, 0, 100, 0, 0xFFFF_0017, 7]).starts_with("t.spv:0:0: "));
    let glsl = Module::new("t.comp", Source::Glsl("#version 450\nvoid main() { int x = ; }".into()));
    let message = super::super::lower(&glsl, &Dispatch::new(ModuleId(0), "main", [1, 1, 1])).unwrap_err().to_string();
    assert!(message.starts_with("t.comp:2:"), "{message}");
}
