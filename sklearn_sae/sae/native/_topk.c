/* The k largest entries of each row of a matrix. The matrix may be a product that is known only coarsely.

   torch.topk copies a row into pairs of value and index, and passes most of them through a heap. That can take as long
   as the product that made the row. This file divides a row into groups of entries instead. The k largest entries lie
   in the groups with the k largest maxima, whatever the groups are. A group holds every S-th entry, because compilers
   then vectorize the loop that computes all maxima. Bisection, which is vectorized too, finds a bound that k maxima
   reach and few others do. Only the entries of the groups that reach the bound are visited one by one, and only the
   entries that reach it pass through the heap.

   The matrix must have no NaN: the result for a row with NaN is unspecified. */

#include "_compiled.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP 16  /* the most entries of a group; a group has fewer if a row has not many times k entries */
#define ROUNDS 12 /* the rounds of bisection; the heap removes the candidates that they leave too many */

typedef struct {
    float value;
    int32_t column;
} Entry;

/* Restore the order of a heap whose least entry is on top, after the entry at `parent` has changed. */
INLINED void sift_down(Entry *heap, ptrdiff_t k, ptrdiff_t parent)
{
    Entry entry = heap[parent];
    for (;;) {
        ptrdiff_t child = 2 * parent + 1;
        if (child >= k)
            break;
        if (child + 1 < k && heap[child + 1].value < heap[child].value)
            child++;
        if (!(heap[child].value < entry.value))
            break;
        heap[parent] = heap[child];
        parent = child;
    }
    heap[parent] = entry;
}

/* Move the k largest entries to the front of the array. */
INLINED void move_largest(Entry *entries, ptrdiff_t count, ptrdiff_t k)
{
    if (count == k)
        return;
    for (ptrdiff_t i = k / 2; i-- > 0;)
        sift_down(entries, k, i);
    for (ptrdiff_t i = k; i < count; i++)
        if (entries[i].value > entries[0].value) {
            Entry least = entries[0];
            entries[0] = entries[i];
            entries[i] = least;
            sift_down(entries, k, 0);
        }
}

/* Return into how many groups a row is divided: at least 4 * k, unless the row is shorter. */
INLINED ptrdiff_t count_groups(ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t groups = n / GROUP > 4 * k ? n / GROUP : 4 * k;
    return groups < n ? groups : n;
}

/* Write the maximum of each group. Group i has the entries i, i + stride, i + 2 * stride, ... */
INLINED void group_maxima(const float *__restrict row, ptrdiff_t n, ptrdiff_t stride, float *__restrict maxima)
{
    memcpy(maxima, row, stride * sizeof(float));
    for (ptrdiff_t start = stride; start < n; start += stride) {
        ptrdiff_t length = n - start < stride ? n - start : stride;
        for (ptrdiff_t i = 0; i < length; i++)
            maxima[i] = row[start + i] > maxima[i] ? row[start + i] : maxima[i];
    }
}

/* Return a bound that at least k of the values reach, and few others. */
INLINED float bound_reached_by_k(const float *__restrict values, ptrdiff_t n, ptrdiff_t k)
{
    float low = values[0], high = values[0];
#pragma omp simd reduction(min : low) reduction(max : high)
    for (ptrdiff_t i = 1; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    for (int round = 0; round < ROUNDS; round++) {
        float middle = low + (high - low) / 2;
        int32_t count = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            count += values[i] >= middle ? 1 : 0;
        if (count >= k)
            low = middle;
        else
            high = middle;
        if (count == k)
            break;
    }
    return low;
}

/* The memory that a thread needs for a row of n entries. */
typedef struct {
    Entry *found;
    float *wide, *maxima;
    int32_t *groups;
} Scratch;

#define SCRATCH_SIZE (sizeof(Entry) + 2 * sizeof(float) + sizeof(int32_t)) /* the bytes for each of the n entries */

INLINED Scratch scratch_of(char *memory, int thread, ptrdiff_t n)
{
    Entry *found = (Entry *)(memory + thread * SCRATCH_SIZE * n);
    float *wide = (float *)(found + n), *maxima = wide + n;
    return (Scratch){found, wide, maxima, (int32_t *)(maxima + n)};
}

/* Find the k largest entries of a row, and write them first. After them, write all entries that rounding may have put
   below the k-th largest, and maybe more. An entry is off by `slack` and by its own size times `ulp` at most, so these
   entries are below the k-th largest by no more than twice that. Return how many entries are found. */
INLINED ptrdiff_t find_largest(const float *row, ptrdiff_t n, ptrdiff_t k, float slack, float ulp, Scratch scratch)
{
    ptrdiff_t stride = count_groups(n, k), n_groups = 0, count = 0;
    group_maxima(row, n, stride, scratch.maxima);
    float bound = bound_reached_by_k(scratch.maxima, stride, k);
    if (ulp > 0)
        bound -= 2.1f * (slack + fabsf(bound) * ulp); /* more than twice, because the errors have errors */
    for (ptrdiff_t i = 0; i < stride; i++) { /* without branches, because no processor could predict them */
        scratch.groups[n_groups] = (int32_t)i;
        n_groups += scratch.maxima[i] >= bound;
    }
    for (ptrdiff_t g = 0; g < n_groups; g++)
        for (ptrdiff_t i = scratch.groups[g]; i < n; i += stride) {
            scratch.found[count] = (Entry){row[i], (int32_t)i};
            count += row[i] >= bound;
        }
    if (count < k) /* happens only with NaN */
        for (count = 0; count < k; count++)
            scratch.found[count] = (Entry){NAN, (int32_t)count};
    move_largest(scratch.found, count, k);
    return count;
}

/* Write the values and columns of the first k entries. */
INLINED void write_entries(const Entry *found, ptrdiff_t k, float *values, int64_t *columns)
{
    for (ptrdiff_t i = 0; i < k; i++) {
        values[i] = found[i].value;
        columns[i] = found[i].column;
    }
}

typedef struct {
    const float *matrix;
    ptrdiff_t n, k;
    float *values;
    int64_t *columns;
    char *memory;
} Task;

FOR_EACH_CPU static void topk_rows(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const Task t = *(const Task *)task;
    Scratch scratch = scratch_of(t.memory, thread, t.n);
    for (ptrdiff_t i = start; i < stop; i++) {
        find_largest(t.matrix + i * t.n, t.n, t.k, 0, 0, scratch);
        write_entries(scratch.found, t.k, t.values + i * t.k, t.columns + i * t.k);
    }
}

int topk(const float *matrix, ptrdiff_t n_rows, ptrdiff_t n, ptrdiff_t k, float *values, int64_t *columns,
         int n_threads)
{
    Task task = {matrix, n, k, values, columns, malloc(n_threads * SCRATCH_SIZE * n)};
    if (!task.memory)
        return -1;
    in_threads(topk_rows, &task, n_rows, ROWS, n_threads);
    free(task.memory);
    return 0;
}

/* Convert bfloat16 to float32. The bits of bfloat16 are the upper half of those of float32. */
INLINED void widen(const uint16_t *__restrict row, ptrdiff_t n, float *__restrict wide)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)row[i] << 16;
        memcpy(wide + i, &bits, sizeof(float));
    }
}

/* What the error of a coarse entry depends on in its column. */
typedef struct {
    float norm, error, offset, offset_error;
} Column;

INLINED Column column_of(const CoarseProduct *c, ptrdiff_t j)
{
    float coarse_offset;
    widen(c->coarse_offset + j, 1, &coarse_offset);
    return (Column){c->weight.norms[j], c->weight.errors[j], fabsf(c->offset[j]), fabsf(coarse_offset - c->offset[j])};
}

/* Return the largest of each error over all columns. */
static Column largest_column(const CoarseProduct *c)
{
    Column largest = {0, 0, 0, 0};
    for (ptrdiff_t j = 0; j < c->n; j++) {
        Column column = column_of(c, j);
        largest.norm = fmaxf(largest.norm, column.norm);
        largest.error = fmaxf(largest.error, column.error);
        largest.offset = fmaxf(largest.offset, column.offset);
        largest.offset_error = fmaxf(largest.offset_error, column.offset_error);
    }
    return largest;
}

/* Return a bound of the error of a coarse entry before it is rounded itself. The error comes from rounding x and the
   weight, from rounding the offset, and from rounding the sum in float32. */
INLINED float slack_of(const CoarseProduct *c, ptrdiff_t row, Column column)
{
    float norm = c->x.norms[row], error = c->x.errors[row];
    return error * column.norm + (norm + error) * column.error + column.offset_error +
           ldexpf(1, -22) * c->n_features * (norm * column.norm + column.offset);
}

/* Return an entry of the product in float32. */
INLINED float exact(const CoarseProduct *c, ptrdiff_t row, int32_t column)
{
    return c->offset[column] +
           dot(c->x.exact + row * c->n_features, c->weight.exact + column * c->n_features, c->n_features);
}

typedef struct {
    CoarseProduct coarse;
    Column largest;
    ptrdiff_t k;
    float *values;
    int64_t *columns, *n_exact;
    char *memory;
} Refinement;

/* Compute the exact values of the k largest coarse entries, and of the others that may be larger than the least of
   these. Keep the k largest exact values. */
FOR_EACH_CPU static void refine_rows(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const Refinement t = *(const Refinement *)task;
    const CoarseProduct *c = &t.coarse;
    const float ulp = 1.0f / 250; /* a little more than the relative error of rounding to bfloat16, 1 / 256 */
    Scratch scratch = scratch_of(t.memory, thread, c->n);
    Entry *found = scratch.found;
    for (ptrdiff_t i = start; i < stop; i++) {
        widen(c->product + i * c->n, c->n, scratch.wide);
        ptrdiff_t n_found = find_largest(scratch.wide, c->n, t.k, slack_of(c, i, t.largest), ulp, scratch), count = t.k;
        float least = INFINITY;
        for (ptrdiff_t e = 0; e < t.k; e++) {
            found[e].value = exact(c, i, found[e].column);
            least = found[e].value < least ? found[e].value : least;
        }
        for (ptrdiff_t e = t.k; e < n_found; e++) {
            float slack = slack_of(c, i, column_of(c, found[e].column));
            if (!(found[e].value + fabsf(found[e].value) * ulp + slack < least))
                found[count++] = (Entry){exact(c, i, found[e].column), found[e].column};
        }
        move_largest(found, count, t.k);
        write_entries(found, t.k, t.values + i * t.k, t.columns + i * t.k);
        t.n_exact[i] = count;
    }
}

int refined_topk(const CoarseProduct *coarse, ptrdiff_t k, float *values, int64_t *columns, int64_t *n_exact,
                 int n_threads)
{
    Refinement task = {*coarse, largest_column(coarse), k, values, columns, n_exact,
                       malloc(n_threads * SCRATCH_SIZE * coarse->n)};
    if (!task.memory)
        return -1;
    in_threads(refine_rows, &task, coarse->n_rows, ROWS, n_threads);
    free(task.memory);
    return 0;
}
