// split_k.wgsl in CUDA C++, where parts and sums that pass between blocks are plain memory: `semaphore` orders them with
// fences, `last_arriver` with an atomic that acquires and releases.

#ifndef PER_SLICE
#define PER_SLICE 2
#endif
// Wrong, `semaphore`: nobody waits for the turn.
#ifndef NO_TURN
#define NO_TURN 0
#endif
// Wrong, `semaphore`: no fence; `last_arriver`: the atomic is relaxed.
#ifndef NO_FENCE
#define NO_FENCE 0
#endif
// Wrong, `semaphore`: fences that order memory inside the block only.
#ifndef BLOCK_FENCE
#define BLOCK_FENCE 0
#endif
// Wrong, `last_arriver`: as the old sample of CUDA has it, a fence before a relaxed atomic and none after it.
#ifndef NO_ACQUIRE
#define NO_ACQUIRE 0
#endif
// Wrong, `last_arriver`: counts up before all threads of the block have stored their parts.
#ifndef MISSING_SYNC
#define MISSING_SYNC 0
#endif

__shared__ unsigned int is_last;

// This slice's part of a row's sum.
static __device__ float part(const float *matrix, const float *vector, unsigned int row) {
    float sum = 0.0f;
#pragma unroll 1
    for (unsigned int k = blockIdx.x * PER_SLICE; k < (blockIdx.x + 1) * PER_SLICE; k++) {
        sum = __fmaf_rn(matrix[row * gridDim.x * PER_SLICE + k], vector[k], sum);
    }
    return sum;
}

static __device__ void fence() {
    if (BLOCK_FENCE) {
        __threadfence_block();
    } else if (!NO_FENCE) {
        __threadfence();
    }
}

extern "C" __global__ void semaphore(const float *matrix, const float *vector, unsigned int *turns, float *parts,
                                     float *output) {
    unsigned int slice = blockIdx.x;
    unsigned int row = blockIdx.y * blockDim.x + threadIdx.x;
    float own = part(matrix, vector, row);
    if (threadIdx.x == 0 && !NO_TURN) {
        while (*(volatile unsigned int *)&turns[blockIdx.y] != slice) {
        }
        fence();
    }
    __syncthreads();
    float sum = __fadd_rn(parts[row], own);
    parts[row] = sum;
    if (slice == gridDim.x - 1) {
        output[row] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        fence();
        *(volatile unsigned int *)&turns[blockIdx.y] = slice + 1;
    }
}

static __device__ unsigned int arrive(unsigned int *count) {
    unsigned int before;
    if (NO_FENCE) {
        asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(count) : "memory");
    } else if (NO_ACQUIRE) {
        __threadfence();
        before = atomicAdd(count, 1);
    } else {
        asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(count) : "memory");
    }
    return before;
}

extern "C" __global__ void last_arriver(const float *matrix, const float *vector, unsigned int *turns, float *parts,
                                        float *output) {
    unsigned int i = threadIdx.x;
    unsigned int tile = blockIdx.y;
    unsigned int row = tile * blockDim.x + i;
    parts[(tile * gridDim.x + blockIdx.x) * blockDim.x + i] = part(matrix, vector, row);
    if (!MISSING_SYNC) {
        __syncthreads();
    }
    if (i == 0) {
        is_last = arrive(&turns[tile]) == gridDim.x - 1;
    }
    __syncthreads();
    if (is_last) {
        float sum = 0.0f;
#pragma unroll 1
        for (unsigned int slice = 0; slice < gridDim.x; slice++) {
            sum = __fadd_rn(sum, parts[(tile * gridDim.x + slice) * blockDim.x + i]);
        }
        output[row] = sum;
    }
}
