// residual_writeback.wgsl in CUDA C++: every workgroup reads all of `residual`, and workgroup 0 writes the sum back in
// the same launch, so a workgroup that starts late adds `hidden` twice.

constexpr unsigned int INVOCATIONS = 64;

__shared__ float partial[INVOCATIONS];

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    writeback(const float *__restrict__ hidden, float *residual, const float *__restrict__ weight, float *output,
              unsigned int k_elements) {
    unsigned int row = blockIdx.x;
    unsigned int i = threadIdx.x;
    float sum = 0.0f;
#pragma unroll 1
    for (unsigned int k = i; k < k_elements; k += INVOCATIONS) {
        float added = hidden[k] + residual[k];
        sum += added * weight[row * k_elements + k];
        if (row == 0) {
            residual[k] = added;
        }
    }
    partial[i] = sum;
    __syncthreads();
    if (i == 0) {
        float total = 0.0f;
        for (unsigned int j = 0; j < INVOCATIONS; j++) {
            total += partial[j];
        }
        output[row] = total;
    }
}
