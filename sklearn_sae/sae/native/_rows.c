/* The rows of a batch: before they are encoded, and after they are decoded. */

#include "_compiled.h"

typedef struct {
    const float *x, *center;
    const int64_t *rows;
    float factor;
    ptrdiff_t n;
    float *taken;
} Taking;

FOR_EACH_CPU static void take_some(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const Taking t = *(const Taking *)task;
    (void)thread;
    for (ptrdiff_t i = start; i < stop; i++) {
        const float *__restrict row = t.x + t.rows[i] * t.n, *__restrict center = t.center;
        float *__restrict taken = t.taken + i * t.n;
        for (ptrdiff_t j = 0; j < t.n; j++)
            taken[j] = (row[j] - center[j]) * t.factor;
    }
}

void take_rows(const float *x, const int64_t *rows, const float *center, float factor, ptrdiff_t n_rows, ptrdiff_t n,
               float *taken, int n_threads)
{
    Taking task = {x, center, rows, factor, n, taken};
    in_threads(take_some, &task, n_rows, ROWS, n_threads);
}

typedef struct {
    const float *values, *weight, *target;
    const int64_t *neurons, *starts;
    ptrdiff_t n;
    float *residuals, *squares;
} Decoding;

FOR_EACH_CPU static void decode_rows(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const Decoding t = *(const Decoding *)task;
    (void)thread;
    for (ptrdiff_t i = start; i < stop; i++) {
        const float *__restrict target = t.target + i * t.n;
        float *__restrict residual = t.residuals + i * t.n;
        for (ptrdiff_t j = 0; j < t.n; j++)
            residual[j] = -target[j];
        for (int64_t first = t.starts[i]; first < t.starts[i + 1]; first += AT_ONCE) {
            float values[AT_ONCE];
            const float *rows[AT_ONCE];
            for (int e = 0; e < AT_ONCE; e++) {
                int real = first + e < t.starts[i + 1];
                values[e] = real ? t.values[first + e] : 0;
                rows[e] = t.weight + t.neurons[real ? first + e : first] * t.n;
            }
            add_rows(residual, 0, values, rows, t.n);
        }
        t.squares[i] = dot(residual, residual, t.n);
    }
}

void residuals(const float *values, const int64_t *neurons, const int64_t *starts, const float *weight,
               const float *target, ptrdiff_t n_rows, ptrdiff_t n, float *residuals, float *squares, int n_threads)
{
    Decoding task = {values, weight, target, neurons, starts, n, residuals, squares};
    in_threads(decode_rows, &task, n_rows, ROWS, n_threads);
}
