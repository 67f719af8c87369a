/* The module `_compiled`. Its functions take addresses as int. Only `_calls.py` calls them, and it checks the arrays at
   these addresses. The indices in these arrays are checked here. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "_compiled.h"

#define AT(address) ((void *)(uintptr_t)(address))

typedef unsigned long long Address;

static PyObject *none_unless(int failed)
{
    if (failed)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Return whether all indices are at least 0 and below a bound. If not, set IndexError. */
static int within(const int64_t *indices, Py_ssize_t n, Py_ssize_t bound, const char *name)
{
    int outside = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        outside |= indices[i] < 0 || indices[i] >= bound;
    if (outside)
        PyErr_Format(PyExc_IndexError, "%s has an index that is not from 0 up to %zd.", name, bound);
    return !outside;
}

/* Return whether n + 1 starts ascend, and are at least 0 and at most `end`. If not, set IndexError. */
static int ascend(const int64_t *starts, Py_ssize_t n, Py_ssize_t end)
{
    int outside = starts[0] < 0 || starts[n] > end;
    for (Py_ssize_t i = 0; i < n; i++)
        outside |= starts[i] > starts[i + 1];
    if (outside)
        PyErr_Format(PyExc_IndexError, "The starts do not ascend from 0 to %zd.", end);
    return !outside;
}

static PyObject *use_threads_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address gomp_parallel;
    if (!PyArg_ParseTuple(args, "K", &gomp_parallel))
        return NULL;
    use_threads_of(AT(gomp_parallel));
    Py_RETURN_NONE;
}

static PyObject *topk_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address matrix, values, columns;
    Py_ssize_t n_rows, n, k;
    int n_threads, failed;
    if (!PyArg_ParseTuple(args, "KnnnKKi", &matrix, &n_rows, &n, &k, &values, &columns, &n_threads))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = topk(AT(matrix), n_rows, n, k, AT(values), AT(columns), n_threads);
    Py_END_ALLOW_THREADS
    return none_unless(failed);
}

static PyObject *refined_topk_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address product, offset, coarse_offset, x[3], weight[3], values, columns, n_exact;
    Py_ssize_t n_rows, n, n_features, k;
    int n_threads, failed;
    if (!PyArg_ParseTuple(args, "K(KKK)(KKK)KKnnnnKKKi", &product, x, x + 1, x + 2, weight, weight + 1, weight + 2,
                          &offset, &coarse_offset, &n_rows, &n, &n_features, &k, &values, &columns, &n_exact,
                          &n_threads))
        return NULL;
    CoarseProduct coarse = {AT(product), AT(coarse_offset),
                            {AT(x[0]), AT(x[1]), AT(x[2])},
                            {AT(weight[0]), AT(weight[1]), AT(weight[2])},
                            AT(offset), n_rows, n, n_features};
    Py_BEGIN_ALLOW_THREADS
    failed = refined_topk(&coarse, k, AT(values), AT(columns), AT(n_exact), n_threads);
    Py_END_ALLOW_THREADS
    return none_unless(failed);
}

static PyObject *round_rows_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address matrix, rounded, norms, errors;
    Py_ssize_t n_rows, n;
    int n_threads;
    if (!PyArg_ParseTuple(args, "KnnKKKi", &matrix, &n_rows, &n, &rounded, &norms, &errors, &n_threads))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    round_rows(AT(matrix), n_rows, n, AT(rounded), AT(norms), AT(errors), n_threads);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *take_rows_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address x, rows, center, taken;
    float factor;
    Py_ssize_t n_x, n_rows, n;
    int n_threads;
    if (!PyArg_ParseTuple(args, "KKKfnnnKi", &x, &rows, &center, &factor, &n_x, &n_rows, &n, &taken, &n_threads) ||
        !within(AT(rows), n_rows, n_x, "rows"))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    take_rows(AT(x), AT(rows), AT(center), factor, n_rows, n, AT(taken), n_threads);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *residuals_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address values, neurons, starts, weight, target, results, squares;
    Py_ssize_t n_active, n_neurons, n_rows, n;
    int n_threads;
    if (!PyArg_ParseTuple(args, "KKKKKnnnnKKi", &values, &neurons, &starts, &weight, &target, &n_active, &n_neurons,
                          &n_rows, &n, &results, &squares, &n_threads) ||
        !within(AT(neurons), n_active, n_neurons, "neurons") || !ascend(AT(starts), n_rows, n_active))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    residuals(AT(values), AT(neurons), AT(starts), AT(weight), AT(target), n_rows, n, AT(results), AT(squares),
              n_threads);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *sort_by_neuron_(PyObject *Py_UNUSED(module), PyObject *args)
{
    Address neurons, order, starts;
    Py_ssize_t n_active, n_neurons;
    if (!PyArg_ParseTuple(args, "KnnKK", &neurons, &n_active, &n_neurons, &order, &starts) ||
        !within(AT(neurons), n_active, n_neurons, "neurons"))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    sort_by_neuron(AT(neurons), n_active, n_neurons, AT(order), AT(starts));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *adam_step_(PyObject *Py_UNUSED(module), PyObject *args)
{
    AdamStep d;
    Py_ssize_t n_active, n_outputs, n_neurons, n_rows, n;
    Address order, starts, rows, codes, output_gradient, x, encoder[3], decoder[3], encoder_bias, input_gradient;
    int n_threads, failed;
    if (!PyArg_ParseTuple(args, "nnnnnKKKKKK(KKK)(KKK)KK(fffff)i", &n_active, &n_outputs, &n_neurons, &n_rows, &n,
                          &order, &starts, &rows, &codes, &output_gradient, &x, encoder, encoder + 1, encoder + 2,
                          decoder, decoder + 1, decoder + 2, &encoder_bias, &input_gradient, &d.step_size,
                          &d.inverse_root, &d.beta1, &d.beta2, &d.eps, &n_threads) ||
        !within(AT(order), n_active, n_active, "order") || !within(AT(rows), n_active, n_outputs, "rows") ||
        !ascend(AT(starts), n_neurons, n_active))
        return NULL;
    d.n_neurons = n_neurons, d.n_rows = n_rows, d.n = n;
    d.order = AT(order), d.starts = AT(starts), d.rows = AT(rows), d.codes = AT(codes);
    d.output_gradient = AT(output_gradient), d.x = AT(x);
    d.encoder_bias = AT(encoder_bias), d.input_gradient = AT(input_gradient);
    d.encoder = (Parameter){AT(encoder[0]), AT(encoder[1]), AT(encoder[2])};
    d.decoder = (Parameter){AT(decoder[0]), AT(decoder[1]), AT(decoder[2])};
    Py_BEGIN_ALLOW_THREADS
    failed = adam_step(&d, n_threads);
    Py_END_ALLOW_THREADS
    return none_unless(failed);
}

static PyMethodDef methods[] = {
    {"use_threads", use_threads_, METH_VARARGS, "use_threads(gomp_parallel)"},
    {"topk", topk_, METH_VARARGS, "topk(matrix, n_rows, n, k, values, columns, n_threads)"},
    {"refined_topk", refined_topk_, METH_VARARGS,
     "refined_topk(product, (x, norms, errors), (weight, norms, errors), offset, coarse_offset, n_rows, n, n_features,"
     " k, values, columns, n_exact, n_threads)"},
    {"round_rows", round_rows_, METH_VARARGS, "round_rows(matrix, n_rows, n, rounded, norms, errors, n_threads)"},
    {"take_rows", take_rows_, METH_VARARGS, "take_rows(x, rows, center, factor, n_x, n_rows, n, taken, n_threads)"},
    {"residuals", residuals_, METH_VARARGS,
     "residuals(values, neurons, starts, weight, target, n_active, n_neurons, n_rows, n, residuals, squares,"
     " n_threads)"},
    {"sort_by_neuron", sort_by_neuron_, METH_VARARGS, "sort_by_neuron(neurons, n_active, n_neurons, order, starts)"},
    {"adam_step", adam_step_, METH_VARARGS,
     "adam_step(n_active, n_outputs, n_neurons, n_rows, n, order, starts, rows, codes, output_gradient, x, encoder,"
     " decoder, encoder_bias, input_gradient, (step_size, inverse_root, beta1, beta2, eps), n_threads)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_compiled", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "NEURONS", NEURONS)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
