// ticket_lock.wgsl in CUDA C++ with PTX's own acquire and release: a block sees what the block before it did because
// its load of `serving` acquires what that block's store has released. The ticket itself orders nothing and is drawn
// with a relaxed atomic.

// Wrong: the load and the store of `serving` are relaxed.
#ifndef RELAXED
#define RELAXED 0
#endif
// Wrong: they are ordered inside the block only.
#ifndef BLOCK_SCOPE
#define BLOCK_SCOPE 0
#endif
// Wrong: the threads that did not wait go on without the one that does.
#ifndef MISSING_SYNC
#define MISSING_SYNC 0
#endif
// Wrong: the ticket is the block's index, so that a block can wait for one that has not started.
#ifndef TICKET_IS_INDEX
#define TICKET_IS_INDEX 0
#endif

static __device__ unsigned int draw(unsigned int *next) {
    if (TICKET_IS_INDEX) {
        return blockIdx.x;
    }
    unsigned int ticket;
    asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], 1;" : "=r"(ticket) : "l"(next) : "memory");
    return ticket;
}

static __device__ unsigned int served(const unsigned int *serving) {
    unsigned int ticket;
    if (RELAXED) {
        asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(ticket) : "l"(serving) : "memory");
    } else if (BLOCK_SCOPE) {
        asm volatile("ld.acquire.cta.global.u32 %0, [%1];" : "=r"(ticket) : "l"(serving) : "memory");
    } else {
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(ticket) : "l"(serving) : "memory");
    }
    return ticket;
}

static __device__ void serve(unsigned int *serving, unsigned int ticket) {
    if (RELAXED) {
        asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(serving), "r"(ticket) : "memory");
    } else if (BLOCK_SCOPE) {
        asm volatile("st.release.cta.global.u32 [%0], %1;" ::"l"(serving), "r"(ticket) : "memory");
    } else {
        asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(serving), "r"(ticket) : "memory");
    }
}

extern "C" __global__ void ticket_lock(unsigned int *next, unsigned int *serving, unsigned int *total) {
    unsigned int i = threadIdx.x;
    unsigned int ticket = 0;
    if (i == 0) {
        ticket = draw(next);
        while (served(serving) != ticket) {
        }
    }
    if (!MISSING_SYNC) {
        __syncthreads();
    }
    total[i] += (blockIdx.x + 1) * (i + 1);
    __syncthreads();
    if (i == 0) {
        serve(serving, ticket + 1);
    }
}
