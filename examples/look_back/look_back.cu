// look_back.wgsl in CUDA C++ as in the paper's first form: status, aggregate and prefix of a tile are three words, and
// a fence on either side of the status orders the plain values.

// Wrong: no fences.
#ifndef NO_FENCE
#define NO_FENCE 0
#endif
// Wrong: the status is published before the value that it announces.
#ifndef FLAG_FIRST
#define FLAG_FIRST 0
#endif
// Wrong: aggregate and prefix share a word. Who reads `aggregate` and then the value can get the prefix.
#ifndef SHARED_VALUE
#define SHARED_VALUE 0
#endif
// Wrong: the tile is the block's index, so that a block can wait for one that has not started.
#ifndef TILE_IS_INDEX
#define TILE_IS_INDEX 0
#endif

constexpr unsigned int AGGREGATE = 1;
constexpr unsigned int PREFIX = 2;
constexpr unsigned int LARGEST_TILE = 32;

__shared__ unsigned int drawn;
__shared__ unsigned int before;
__shared__ unsigned int sums[LARGEST_TILE];

static __device__ void fence() {
    if (!NO_FENCE) {
        __threadfence();
    }
}

static __device__ void publish(volatile unsigned int *status, unsigned int *value, unsigned int reached,
                               unsigned int sum) {
    if (FLAG_FIRST) {
        *status = reached;
        fence();
        *value = sum;
    } else {
        *value = sum;
        fence();
        *status = reached;
    }
}

// The sum of all tiles before this one.
static __device__ unsigned int look_back(unsigned int tile, const unsigned int *status,
                                         const unsigned int *aggregates, const unsigned int *prefixes) {
    unsigned int sum = 0;
    while (tile > 0) {
        unsigned int reached = *(const volatile unsigned int *)&status[tile - 1];
        if (reached == 0) {
            continue;
        }
        fence();
        tile -= 1;
        if (reached == PREFIX) {
            return sum + prefixes[tile];
        }
        sum += aggregates[tile];
    }
    return sum;
}

extern "C" __global__ void look_back(const unsigned int *input, unsigned int *next_tile, unsigned int *status,
                                     unsigned int *aggregates, unsigned int *prefixes, unsigned int *output) {
    unsigned int i = threadIdx.x;
    if (i == 0) {
        drawn = TILE_IS_INDEX ? blockIdx.x : atomicAdd(next_tile, 1);
    }
    __syncthreads();
    unsigned int tile = drawn;
    sums[i] = input[tile * blockDim.x + i];
    __syncthreads();
    if (i == 0) {
        unsigned int *values = SHARED_VALUE ? prefixes : aggregates;
#pragma unroll 1
        for (unsigned int j = 1; j < blockDim.x; j++) {
            sums[j] += sums[j - 1];
        }
        unsigned int aggregate = sums[blockDim.x - 1];
        if (tile > 0) {
            publish(&status[tile], &values[tile], AGGREGATE, aggregate);
        }
        before = look_back(tile, status, values, prefixes);
        publish(&status[tile], &prefixes[tile], PREFIX, before + aggregate);
    }
    __syncthreads();
    output[tile * blockDim.x + i] = before + sums[i];
}
