/* The k largest entries of each row of a float32 or bfloat16 matrix.

   torch.topk copies a row into pairs and sifts most of it through a heap, which can take as long as the product that
   made the row. But the k largest entries are among the groups of entries with the k largest maxima, whatever the
   groups. With groups of every S-th entry all maxima come from a loop that compilers vectorize, and so does, by
   bisection, a bound that k maxima reach and hardly more. Only the entries of these groups are looked at one by one,
   and only those that reach the bound go through a heap. The matrix shall have no NaN: what is returned for a row that
   has is unspecified. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _MSC_VER
#define restrict __restrict
#endif

#define GROUP 16  /* entries of a group, at most; fewer where a row has not many times k */
#define ROUNDS 12 /* of bisection; what they leave too much is for the heap */

typedef struct {
    float value;
    int32_t column;
} Entry;

/* Let the entry at `parent` sink in a heap whose least entry is on top. */
static void sift_down(Entry *heap, Py_ssize_t k, Py_ssize_t parent)
{
    Entry entry = heap[parent];
    for (;;) {
        Py_ssize_t child = 2 * parent + 1;
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

/* Move the k largest entries to the front. */
static void keep_largest(Entry *entries, Py_ssize_t count, Py_ssize_t k)
{
    if (count == k)
        return;
    for (Py_ssize_t i = k / 2; i-- > 0;)
        sift_down(entries, k, i);
    for (Py_ssize_t i = k; i < count; i++)
        if (entries[i].value > entries[0].value) {
            entries[0] = entries[i];
            sift_down(entries, k, 0);
        }
}

static Py_ssize_t count_groups(Py_ssize_t n, Py_ssize_t k)
{
    Py_ssize_t groups = n / GROUP > 4 * k ? n / GROUP : 4 * k;
    return groups < n ? groups : n;
}

/* Write the maximum of each group: of the entries i, i + stride, i + 2 * stride, ... */
static void group_maxima(const float *restrict row, Py_ssize_t n, Py_ssize_t stride, float *restrict maxima)
{
    memcpy(maxima, row, stride * sizeof(float));
    for (Py_ssize_t start = stride; start < n; start += stride) {
        Py_ssize_t length = n - start < stride ? n - start : stride;
        for (Py_ssize_t i = 0; i < length; i++)
            maxima[i] = row[start + i] > maxima[i] ? row[start + i] : maxima[i];
    }
}

/* Return a bound that at least k of the values reach, and hardly more. */
static float bound_reached_by_k(const float *restrict values, Py_ssize_t n, Py_ssize_t k)
{
    float low = values[0], high = values[0];
    for (Py_ssize_t i = 1; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    for (int round = 0; round < ROUNDS; round++) {
        float middle = low + (high - low) / 2;
        int32_t count = 0;
        for (Py_ssize_t i = 0; i < n; i++)
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

static void topk_row(const float *row, Py_ssize_t n, Py_ssize_t k, float *maxima, int32_t *groups, Entry *found,
                     float *values, int64_t *columns)
{
    Py_ssize_t stride = count_groups(n, k), count = 0;
    group_maxima(row, n, stride, maxima);
    float bound = bound_reached_by_k(maxima, stride, k);
    Py_ssize_t n_groups = 0;
    for (Py_ssize_t i = 0; i < stride; i++) { /* without branches, for no processor could predict them */
        groups[n_groups] = (int32_t)i;
        n_groups += maxima[i] >= bound;
    }
    for (Py_ssize_t g = 0; g < n_groups; g++)
        for (Py_ssize_t i = groups[g]; i < n; i += stride) {
            found[count] = (Entry){row[i], (int32_t)i};
            count += row[i] >= bound;
        }
    if (count >= k)
        keep_largest(found, count, k);
    else /* only with NaN */
        for (Py_ssize_t i = 0; i < k; i++)
            found[i] = (Entry){NAN, (int32_t)i};
    for (Py_ssize_t i = 0; i < k; i++) {
        values[i] = found[i].value;
        columns[i] = found[i].column;
    }
}

/* bfloat16 is the upper half of float32. */
static void widen(const uint16_t *restrict row, Py_ssize_t n, float *restrict wide)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)row[i] << 16;
        memcpy(wide + i, &bits, sizeof(float));
    }
}

static PyObject *topk(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer matrix, values, columns;
    Py_ssize_t itemsize, k;
    if (!PyArg_ParseTuple(args, "y*nnw*w*", &matrix, &itemsize, &k, &values, &columns))
        return NULL;
    Py_ssize_t n_rows = k > 0 ? values.len / (Py_ssize_t)sizeof(float) / k : 0;
    int fits = n_rows > 0 && (itemsize == 2 || itemsize == 4);
    Py_ssize_t n = fits ? matrix.len / itemsize / n_rows : 0;
    fits = fits && k <= n && n <= INT32_MAX && n_rows * n * itemsize == matrix.len &&
           n_rows * k * (Py_ssize_t)sizeof(float) == values.len && n_rows * k * (Py_ssize_t)sizeof(int64_t) == columns.len;
    float *wide = fits ? malloc(n * sizeof(float)) : NULL;
    float *maxima = fits ? malloc(n * sizeof(float)) : NULL;
    int32_t *groups = fits ? malloc(n * sizeof(int32_t)) : NULL;
    Entry *found = fits ? malloc(n * sizeof(Entry)) : NULL;
    if (wide && maxima && groups && found) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < n_rows; i++) {
            const float *row = wide;
            if (itemsize == 2)
                widen((const uint16_t *)matrix.buf + i * n, n, wide);
            else
                row = (const float *)matrix.buf + i * n;
            topk_row(row, n, k, maxima, groups, found, (float *)values.buf + i * k, (int64_t *)columns.buf + i * k);
        }
        Py_END_ALLOW_THREADS
    }
    else if (fits)
        PyErr_NoMemory();
    else
        PyErr_SetString(PyExc_ValueError, "the matrix, k, the values and the columns do not fit each other.");
    free(wide);
    free(maxima);
    free(groups);
    free(found);
    PyBuffer_Release(&matrix);
    PyBuffer_Release(&values);
    PyBuffer_Release(&columns);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"topk", topk, METH_VARARGS,
     "topk(matrix, itemsize, k, values, columns)\n--\n\n"
     "Write the k largest entries of each row of a C-contiguous matrix (n, M), float32 or, if itemsize is 2, bfloat16, in "
     "no order, into values (n, k), float32, and their columns into columns (n, k), int64."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_topk", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__topk(void)
{
    return PyModule_Create(&definition);
}
