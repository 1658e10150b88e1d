// grid_barrier.wgsl in CUDA C++: fences around the counter order plain memory, so what blocks pass to each other across
// the barrier is plain. All blocks must be resident together.

#ifndef ROUNDS
#define ROUNDS 1
#endif
// Wrong: no fences.
#ifndef NO_FENCE
#define NO_FENCE 0
#endif
// Wrong: the fence before the arrival comes after it.
#ifndef FENCE_AFTER
#define FENCE_AFTER 0
#endif
// Wrong: the threads that did not wait go on without the one that does.
#ifndef MISSING_SYNC
#define MISSING_SYNC 0
#endif
// Wrong: the last to arrive sets the counter back to 0, and the others wait for that: whoever is slow misses it when
// a fast one has counted up for the next round.
#ifndef RESET_COUNTER
#define RESET_COUNTER 0
#endif

static __device__ void fence() {
    if (!NO_FENCE) {
        __threadfence();
    }
}

static __device__ void meet(unsigned int *arrived, unsigned int round) {
    volatile unsigned int *seen = arrived;
    if (!FENCE_AFTER) {
        fence();
    }
    unsigned int before = atomicAdd(arrived, 1);
    if (FENCE_AFTER) {
        fence();
    }
    if (RESET_COUNTER) {
        if (before == gridDim.x - 1) {
            atomicExch(arrived, 0);
        } else {
            while (*seen != 0) {
            }
        }
    } else {
        while (*seen < (round + 1) * gridDim.x) {
        }
    }
    fence();
}

extern "C" __global__ void grid_barrier(unsigned int *arrived, unsigned int *words, unsigned int *output) {
    unsigned int i = threadIdx.x;
    unsigned int value = blockIdx.x * blockDim.x + i + 1;
#pragma unroll 1
    for (unsigned int round = 0; round < ROUNDS; round++) {
        unsigned int first = round * gridDim.x;
        words[(first + blockIdx.x) * blockDim.x + i] = value;
        __syncthreads();
        if (i == 0) {
            meet(arrived, round);
        }
        if (!MISSING_SYNC) {
            __syncthreads();
        }
        value = blockIdx.x;
#pragma unroll 1
        for (unsigned int other = 0; other < gridDim.x; other++) {
            value += words[(first + other) * blockDim.x + i];
        }
    }
    output[blockIdx.x * blockDim.x + i] = value;
}
