// One float expression for each kernel, element by element, as in arithmetic.wgsl. With EXACT every operation is an
// intrinsic that rounds to nearest, which no compiler contracts or reorders: so the kernels of the catalogue are
// written. Without it the expressions are plain ones, and the compiler does with them as its options say.

#if EXACT
#define ADD(x, y) __fadd_rn(x, y)
#define SUBTRACT(x, y) __fsub_rn(x, y)
#define MULTIPLY(x, y) __fmul_rn(x, y)
#define DIVIDE(x, y) __fdiv_rn(x, y)
#define SQUARE_ROOT(x) __fsqrt_rn(x)
#else
#define ADD(x, y) ((x) + (y))
#define SUBTRACT(x, y) ((x) - (y))
#define MULTIPLY(x, y) ((x) * (y))
#define DIVIDE(x, y) ((x) / (y))
#define SQUARE_ROOT(x) sqrtf(x)
#endif

#define EXPRESSION(name, value)                                                                             \
    extern "C" __global__ void name(const float *a, const float *b, const float *c, float *result) {        \
        unsigned int at = blockIdx.x * blockDim.x + threadIdx.x;                                            \
        result[at] = value;                                                                                 \
    }

EXPRESSION(add, ADD(a[at], b[at]))
EXPRESSION(multiply, MULTIPLY(a[at], b[at]))
EXPRESSION(divide, DIVIDE(a[at], b[at]))
EXPRESSION(square_root, SQUARE_ROOT(a[at]))
EXPRESSION(multiply_then_add, ADD(MULTIPLY(a[at], b[at]), c[at]))
EXPRESSION(fused_multiply_add, __fmaf_rn(a[at], b[at], c[at]))
// b, as algebra has it; with rounding, what the addition left of b.
EXPRESSION(add_then_subtract, SUBTRACT(ADD(a[at], b[at]), a[at]))
// a * (b + c), as algebra has it; with rounding, three roundings instead of two.
EXPRESSION(sum_of_products, ADD(MULTIPLY(a[at], b[at]), MULTIPLY(a[at], c[at])))
