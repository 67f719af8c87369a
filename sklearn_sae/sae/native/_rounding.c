/* Rows that are rounded to bfloat16, with bounds of their errors. */

#include "_compiled.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    const float *matrix;
    ptrdiff_t n;
    uint16_t *rounded;
    float *norms, *errors;
} Rounding;

FOR_EACH_CPU static void round_some(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const Rounding t = *(const Rounding *)task;
    const float least = sqrtf(t.n * FLT_MIN); /* the norm of a row whose squares all vanish is smaller */
    (void)thread;
    for (ptrdiff_t i = start; i < stop; i++) {
        const float *__restrict row = t.matrix + i * t.n;
        uint16_t *__restrict rounded = t.rounded + i * t.n;
        float square = 0, error = 0;
#pragma omp simd reduction(+ : square, error)
        for (ptrdiff_t j = 0; j < t.n; j++) {
            uint32_t bits, upper;
            float near;
            memcpy(&bits, row + j, sizeof bits);
            upper = bits + 0x7fff + (bits >> 16 & 1); /* round to the nearest; halfway, to the even one */
            upper = row[j] == row[j] ? upper & 0xffff0000 : 0x7fc00000;
            memcpy(&near, &upper, sizeof near);
            rounded[j] = upper >> 16;
            square += row[j] * row[j];
            error += (near - row[j]) * (near - row[j]);
        }
        t.norms[i] = sqrtf(square) + least;
        t.errors[i] = sqrtf(error) + least;
    }
}

void round_rows(const float *matrix, ptrdiff_t n_rows, ptrdiff_t n, uint16_t *rounded, float *norms, float *errors,
                int n_threads)
{
    Rounding task = {matrix, n, rounded, norms, errors};
    in_threads(round_some, &task, n_rows, ROWS, n_threads);
}
