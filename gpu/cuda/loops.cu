// Two loops that together make more than 65,535 iterations, counted so that no compiler can know the answer, as in
// loops.wgsl: the step is read from memory at a place that depends on a generator's state. And what the invocations of
// a workgroup are told about their warp, and how many of it really answer.

struct Iterations {
    unsigned int plain, outer, inner;
};

__device__ unsigned int advance(unsigned int state) { return state * 1664525u + 1013904223u; }

extern "C" __global__ void plain(Iterations iterations, const unsigned int *ones, unsigned int *counted) {
    unsigned int state = 1, count = 0;
    for (unsigned int i = 0; i < iterations.plain; i++) {
        state = advance(state);
        count += ones[state >> 31];
    }
    counted[0] = count;
}

extern "C" __global__ void nested(Iterations iterations, const unsigned int *ones, unsigned int *counted) {
    unsigned int state = 1, count = 0;
    for (unsigned int i = 0; i < iterations.outer; i++) {
        for (unsigned int j = 0; j < iterations.inner; j++) {
            state = advance(state);
            count += ones[state >> 31];
        }
    }
    counted[1] = count;
}

extern "C" __global__ void observe(unsigned int *told, unsigned int *answered) {
    told[threadIdx.x] = warpSize;
    answered[threadIdx.x] = __popc(__ballot_sync(0xFFFFFFFF, true));
}
