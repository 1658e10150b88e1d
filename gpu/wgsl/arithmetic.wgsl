// One float expression for each entry point, element by element. The length of the arrays is a multiple
// of 64, and the grid covers it.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = a[at.x] + b[at.x];
}

@compute @workgroup_size(64)
fn multiply(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = a[at.x] * b[at.x];
}

@compute @workgroup_size(64)
fn divide(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = a[at.x] / b[at.x];
}

@compute @workgroup_size(64)
fn square_root(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = sqrt(a[at.x]);
}

@compute @workgroup_size(64)
fn multiply_then_add(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = a[at.x] * b[at.x] + c[at.x];
}

@compute @workgroup_size(64)
fn fused_multiply_add(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = fma(a[at.x], b[at.x], c[at.x]);
}

// b, as algebra has it; with rounding, what the addition left of b.
@compute @workgroup_size(64)
fn add_then_subtract(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = (a[at.x] + b[at.x]) - a[at.x];
}

// a * (b + c), as algebra has it; with rounding, three roundings instead of two.
@compute @workgroup_size(64)
fn sum_of_products(@builtin(global_invocation_id) at: vec3<u32>) {
    result[at.x] = a[at.x] * b[at.x] + a[at.x] * c[at.x];
}
