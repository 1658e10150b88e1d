// Storage textures are not modelled.
//# grid = [1, 1, 1]
@group(0) @binding(1) var picture: texture_storage_2d<r32uint, write>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    textureStore(picture, vec2(0u, 0u), vec4(1u));
}
