// spin_lock.wgsl in CUDA C++: a fence after taking the lock and one before giving it back order plain memory, so the
// words that the lock protects are plain.

// Wrong: no fences.
#ifndef NO_FENCE
#define NO_FENCE 0
#endif
// Wrong: the lock is given back before the fence.
#ifndef FENCE_AFTER
#define FENCE_AFTER 0
#endif
// Wrong: fences that order memory inside the block only.
#ifndef BLOCK_FENCE
#define BLOCK_FENCE 0
#endif
// Wrong: looks whether the lock is free and then takes it, so that two blocks can take it.
#ifndef TEST_THEN_SET
#define TEST_THEN_SET 0
#endif

static __device__ void fence() {
    if (BLOCK_FENCE) {
        __threadfence_block();
    } else if (!NO_FENCE) {
        __threadfence();
    }
}

static __device__ void acquire(unsigned int *lock) {
    if (TEST_THEN_SET) {
        while (*(volatile unsigned int *)lock != 0) {
        }
        *(volatile unsigned int *)lock = 1;
    } else {
        while (atomicCAS(lock, 0, 1) != 0) {
        }
    }
    fence();
}

static __device__ void release(unsigned int *lock) {
    if (!FENCE_AFTER) {
        fence();
    }
    atomicExch(lock, 0);
    if (FENCE_AFTER) {
        fence();
    }
}

extern "C" __global__ void spin_lock(unsigned int *lock, unsigned int *total) {
    unsigned int i = threadIdx.x;
    if (i == 0) {
        acquire(lock);
    }
    __syncthreads();
    total[i] += (blockIdx.x + 1) * (i + 1);
    __syncthreads();
    if (i == 0) {
        release(lock);
    }
}
