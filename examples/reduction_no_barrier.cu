// The tree reduction of reduction_no_barrier.wgsl in CUDA C++: the barrier between the steps of the tree is missing.

constexpr unsigned int INVOCATIONS = 128;
constexpr unsigned int PER_WORKGROUP = 512;

__shared__ float partial[INVOCATIONS];

extern "C" __global__ void __launch_bounds__(INVOCATIONS) reduce(const float *__restrict__ input, float *sums) {
    unsigned int i = threadIdx.x;
    float sum = 0.0f;
    for (unsigned int k = i; k < PER_WORKGROUP; k += INVOCATIONS) {
        sum += input[blockIdx.x * PER_WORKGROUP + k];
    }
    partial[i] = sum;
    __syncthreads();
#pragma unroll 1
    for (unsigned int stride = INVOCATIONS / 2; stride > 0; stride /= 2) {
        if (i < stride) {
            partial[i] += partial[i + stride];
        }
    }
    if (i == 0) {
        sums[blockIdx.x] = partial[0];
    }
}
