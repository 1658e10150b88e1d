#version 450
// Every invocation owns one element: race-free.
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) readonly buffer Source { float source[]; };
layout(set = 0, binding = 1) buffer Target { float target_[]; };

void main() {
    target_[gl_GlobalInvocationID.x] = source[gl_GlobalInvocationID.x] * 2.0;
}
