/* What the C files share. They work on float32 arrays in C order, and get their addresses and sizes. `_calls.py` checks
   these, and `_compiled.c` checks that indices are in range. */

#ifndef SKLEARN_SAE_COMPILED_H
#define SKLEARN_SAE_COMPILED_H

#include <stddef.h>
#include <stdint.h>

/* Such a function is compiled for several instruction sets, of which the loader takes the best that the CPU has. */
#if defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_CPU
#endif

/* A function that is inlined is compiled for the instruction set of its caller. */
#ifdef __GNUC__
#define INLINED static inline __attribute__((always_inline))
#else
#define INLINED static inline
#endif

/* A function that works on the items from `start` up to `stop`. `thread` is the number of the calling thread, from 0 up
   to n_threads; it tells apart the memory of the threads. */
typedef void (*Work)(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop);

#define LANES 64 /* the sums that are formed side by side, because additions to one sum must wait for each other */

INLINED float dot(const float *__restrict a, const float *__restrict b, ptrdiff_t n)
{
    float sums[LANES] = {0}, sum = 0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
#pragma omp simd reduction(+ : sum)
    for (ptrdiff_t rest = i; rest < n; rest++)
        sum += a[rest] * b[rest];
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            sums[lane] += sums[lane + half];
    return sum + sums[0];
}

#define AT_ONCE 4 /* the entries that are added together, so that their sum is loaded and stored once */

/* Add multiples of four rows of a matrix to a sum, or set the sum to them. */
INLINED void add_rows(float *__restrict sum, int set, const float *factors, const float *const *rows, ptrdiff_t n)
{
    const float *__restrict a = rows[0], *__restrict b = rows[1], *__restrict c = rows[2], *__restrict d = rows[3];
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] = (set ? 0 : sum[i]) + factors[0] * a[i] + factors[1] * b[i] + factors[2] * c[i] + factors[3] * d[i];
}

/* Run loops in the threads of an OpenMP, by its function GOMP_parallel, or in the calling thread if that is NULL. */
void use_threads_of(void *gomp_parallel);

#define ROWS 16    /* the rows that a thread takes at once */
#define NEURONS 16 /* the neurons that a thread takes at once */

/* Do the work on n items, block by block. */
void in_threads(Work work, const void *task, ptrdiff_t n, ptrdiff_t block, int n_threads);

/* Write the k largest entries of each row of a matrix (n_rows, n) and their columns, in no order. Return 0, or -1 if
   memory has run out. */
int topk(const float *matrix, ptrdiff_t n_rows, ptrdiff_t n, ptrdiff_t k, float *values, int64_t *columns,
         int n_threads);

/* Write a matrix (n_rows, n) rounded to bfloat16, the norms of its rows, and the norms of the rounding errors of its
   rows. Both norms are a little too large, so that they are bounds although squares of the least numbers vanish. */
void round_rows(const float *matrix, ptrdiff_t n_rows, ptrdiff_t n, uint16_t *rounded, float *norms, float *errors,
                int n_threads);

/* A matrix, and the norms that `round_rows` writes for it. */
typedef struct {
    const float *exact, *norms, *errors;
} Rounded;

/* The product of x (n_rows, n_features) with a weight (n, n_features), plus an offset (n,). `product` is computed from
   all three rounded to bfloat16, and is rounded to bfloat16 itself. */
typedef struct {
    const uint16_t *product, *coarse_offset;
    Rounded x, weight;
    const float *offset;
    ptrdiff_t n_rows, n, n_features;
} CoarseProduct;

/* Write the k largest entries of each row of x @ weight.T + offset, their columns, and how many entries of the row were
   computed in float32. Return what `topk` returns. */
int refined_topk(const CoarseProduct *coarse, ptrdiff_t k, float *values, int64_t *columns, int64_t *n_exact,
                 int n_threads);

/* Write the rows (x[rows[i]] - center) * factor, for a matrix x with n columns. */
void take_rows(const float *x, const int64_t *rows, const float *center, float factor, ptrdiff_t n_rows, ptrdiff_t n,
               float *taken, int n_threads);

/* Write the product of a sparse matrix with a dense one, minus a target (n_rows, n), and the squared norms of its rows.
   Row i of the sparse matrix has the entries from starts[i] up to starts[i + 1]. */
void residuals(const float *values, const int64_t *neurons, const int64_t *starts, const float *weight,
               const float *target, ptrdiff_t n_rows, ptrdiff_t n, float *residuals, float *squares, int n_threads);

/* Write the positions of the entries neuron by neuron, ascending for each neuron, and where each neuron's start. */
void sort_by_neuron(const int64_t *neurons, ptrdiff_t n_active, ptrdiff_t n_neurons, int64_t *order, int64_t *starts);

/* A weight (M, n), and its two moments. */
typedef struct {
    float *weight, *first, *second;
} Parameter;

/* A step of Adam: see `adam_step` of `_optimizer.py`. */
typedef struct {
    ptrdiff_t n_neurons, n_rows, n;
    const int64_t *order, *starts;     /* what `sort_by_neuron` writes */
    const int64_t *rows;               /* the row of each entry in `output_gradient`; modulo n_rows, its row in x */
    const float *codes;                /* the value of each entry */
    const float *output_gradient, *x;
    Parameter encoder, decoder;        /* the pointers of `encoder` are NULL without an encoder */
    float *encoder_bias;               /* (M,), where the gradient of the encoder bias is written */
    float *input_gradient;             /* (M / NEURONS rounded up, n) of zeros; see `_calls.py` */
    float step_size, inverse_root, beta1, beta2, eps;
} AdamStep;

/* Take the step. Return 0, or -1 if memory has run out. */
int adam_step(const AdamStep *step, int n_threads);

#endif
