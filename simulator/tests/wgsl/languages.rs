//! SPIR-V and GLSL through the same door.

use gridproof_launch::Source;

use crate::Run;

const WGSL: &str = "
    @group(0) @binding(0) var<storage, read> input: array<u32>;
    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
    var<workgroup> tile: array<u32, 32>;
    fn mixed(x: u32, n: u32) -> u32 { var r = x; for (var k = 0u; k < n; k++) { if (r & 1u) == 1u { r = r * 3u + 1u; continue; } r = r / 2u; if r > 1000u { break; } } return r; }
    @compute @workgroup_size(32) fn main(@builtin(local_invocation_index) i: u32) {
        tile[i] = mixed(i + input[0], 7u); workgroupBarrier();
        var v = vec2<f32>(f32(tile[31u - i]), 0.5); v = v * 2.0;
        switch i % 3u { case 0u: { v.x += 1.0; } case 1u: { v.y = 8.0; } default: { } }
        output[i] = u32(v.x + v.y) + atomicless(i);
    }
    fn atomicless(i: u32) -> u32 { if i > 20u { return 5u; } return 6u; }";

fn spirv() -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(WGSL).unwrap();
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    let info = validator.validate(&module).unwrap();
    naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None).unwrap()
}

#[test]
fn spirv_means_what_its_wgsl_means() {
    let wgsl = Run::wgsl(WGSL, &[11], 32).words();
    let mut run = Run::wgsl("", &[11], 32);
    run.source = Source::SpirV(spirv().into());
    assert_eq!(run.words(), wgsl);
    assert_eq!(wgsl[0], 2 * mixed(42) + 1 + 1 + 6);
}

fn mixed(x: u32) -> u32 {
    let mut r = x;
    for _ in 0..7 {
        if r & 1 == 1 {
            r = r * 3 + 1;
            continue;
        }
        r /= 2;
        if r > 1000 {
            break;
        }
    }
    r
}

#[test]
fn glsl_runs() {
    let text = "#version 450
        layout(local_size_x = 32) in;
        layout(set = 0, binding = 0) readonly buffer In { uint input_words[]; };
        layout(set = 0, binding = 1) buffer Out { uint output_words[]; };
        shared uint tile[32];
        uint twice(uint x) { if (x > 40u) { return 0u; } return x * 2u; }
        void main() {
            uint i = gl_LocalInvocationID.x;
            tile[i] = twice(i + input_words[0]);
            barrier();
            uint sum = 0u;
            for (uint k = 0u; k <= i; k++) { sum += tile[k]; }
            output_words[i] = sum;
        }";
    let mut launch = gridproof_launch::Launch::default();
    let module = launch.add_module(gridproof_launch::Module::new("t.comp", Source::Glsl(text.into())));
    let dispatch = gridproof_launch::Dispatch::new(module, "main", [1, 1, 1]);
    let program = gridproof_simulator::frontend::lower(&launch, &dispatch).unwrap();
    assert_eq!(program.workgroup_size, [32, 1, 1]);
    assert_eq!(program.bindings.len(), 2);
    let text = program.to_string();
    assert!(text.contains("barrier workgroup, all memory"), "{text}");
    assert!(text.contains("; 11:"), "{text}");
}

/// GLSL has what WGSL lacks: the inverse and the outer product of matrices (square only, in naga).
#[test]
fn glsl_matrices() {
    let text = "#version 450
        layout(local_size_x = 1) in;
        layout(set = 0, binding = 0) readonly buffer In { uint words_in[]; };
        layout(set = 0, binding = 1) buffer Out { float words_out[]; };
        void main() {
            float x = float(words_in[0]);
            mat2 a = mat2(x, 1.0, 3.0, 4.0);
            mat3 b = mat3(x, 1.0, 0.0, 0.5, 3.0, -1.0, 4.0, -2.0, 1.0);
            mat4 c = mat4(x, 1.0, 0.0, 1.0, 0.5, 3.0, -1.0, 0.0, 4.0, -2.0, 1.0, 2.0, 0.0, 1.0, 0.0, 5.0);
            mat2 p = a * inverse(a); mat3 q = inverse(b) * b; mat4 r = c * inverse(c);
            mat2 o = outerProduct(vec2(x, 3.0), vec2(6.0, 7.0));
            words_out[0] = p[0].x; words_out[1] = p[1].x; words_out[2] = p[1].y;
            words_out[3] = q[0].x; words_out[4] = q[2].y; words_out[5] = q[2].z;
            words_out[6] = r[0].x; words_out[7] = r[3].y; words_out[8] = r[3].w; words_out[9] = r[2].x;
            words_out[10] = o[1].x; words_out[11] = o[1].y; words_out[12] = determinant(c);
        }";
    let mut run = Run::wgsl("", &[2], 13);
    run.source = Source::Glsl(text.into());
    let actual = crate::reals(&run.words());
    crate::close(&actual[..10], &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 1e-4);
    crate::close(&actual[10..], &[14.0, 21.0, -12.0], 1e-5);
}
