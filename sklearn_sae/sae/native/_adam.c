/* A step of Adam, neuron by neuron. A neuron's gradient is computed where it is used, so it never leaves the cache. */

#include "_compiled.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void sort_by_neuron(const int64_t *neurons, ptrdiff_t n_active, ptrdiff_t n_neurons, int64_t *order, int64_t *starts)
{
    memset(starts, 0, (n_neurons + 1) * sizeof(int64_t));
    for (ptrdiff_t e = 0; e < n_active; e++)
        starts[neurons[e] + 1]++;
    for (ptrdiff_t j = 0; j < n_neurons; j++)
        starts[j + 1] += starts[j];
    for (ptrdiff_t e = 0; e < n_active; e++)
        order[starts[neurons[e]]++] = e;
    memmove(starts + 1, starts, n_neurons * sizeof(int64_t)); /* the loop has advanced each start to the next one */
    starts[0] = 0;
}

/* Write the gradients of a neuron's component and encoder weight, and return the gradient of its encoder bias. */
INLINED float compute_gradients(const AdamStep *d, ptrdiff_t neuron, float *of_component, float *of_encoder)
{
    const float *component = d->decoder.weight + neuron * d->n;
    float of_bias = 0;
    int set = 1;
    for (int64_t start = d->starts[neuron]; set || start < d->starts[neuron + 1]; start += AT_ONCE, set = 0) {
        float codes[AT_ONCE], code_gradients[AT_ONCE];
        const float *output_gradient[AT_ONCE], *x[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            int real = start + i < d->starts[neuron + 1];
            int64_t entry = real ? d->order[start + i] : 0, row = real ? d->rows[entry] : 0;
            codes[i] = real ? d->codes[entry] : 0;
            output_gradient[i] = d->output_gradient + row * d->n;
            x[i] = d->x + row % d->n_rows * d->n;
            code_gradients[i] = d->encoder.weight && codes[i] != 0 ? dot(output_gradient[i], component, d->n) : 0;
            of_bias += code_gradients[i];
        }
        add_rows(of_component, set, codes, output_gradient, d->n);
        if (d->encoder.weight)
            add_rows(of_encoder, set, code_gradients, x, d->n);
    }
    return of_bias;
}

/* Update the two moments of a weight, and return what Adam subtracts from the weight. */
INLINED float adam_update(const AdamStep *d, float gradient, float *first, float *second)
{
    *first += (1 - d->beta1) * (gradient - *first);
    *second = d->beta2 * *second + (1 - d->beta2) * gradient * gradient;
    return d->step_size * *first / (sqrtf(*second) * d->inverse_root + d->eps);
}

/* Update a component, and bring it back to unit norm. */
INLINED void update_component(const AdamStep *d, ptrdiff_t neuron, const float *__restrict gradient)
{
    float *__restrict component = d->decoder.weight + neuron * d->n;
    float *__restrict first = d->decoder.first + neuron * d->n, *__restrict second = d->decoder.second + neuron * d->n;
    const AdamStep settings = *d;
    float along = dot(gradient, component, d->n), square = 0;
#pragma omp simd reduction(+ : square)
    for (ptrdiff_t i = 0; i < settings.n; i++) {
        component[i] -= adam_update(&settings, gradient[i] - along * component[i], first + i, second + i);
        square += component[i] * component[i];
    }
    float factor = 1 / sqrtf(square);
    for (ptrdiff_t i = 0; i < settings.n; i++)
        component[i] *= factor;
}

/* Update an encoder weight, and add a multiple of its value before the update to a sum. */
INLINED void update_encoder(const AdamStep *d, ptrdiff_t neuron, const float *__restrict gradient, float multiple,
                          float *__restrict sum)
{
    float *__restrict weight = d->encoder.weight + neuron * d->n;
    float *__restrict first = d->encoder.first + neuron * d->n, *__restrict second = d->encoder.second + neuron * d->n;
    const AdamStep settings = *d;
    for (ptrdiff_t i = 0; i < settings.n; i++) {
        sum[i] += multiple * weight[i];
        weight[i] -= adam_update(&settings, gradient[i], first + i, second + i);
    }
}

typedef struct {
    AdamStep step;
    float *gradients;
} Task;

FOR_EACH_CPU static void update_neurons(const void *task, int thread, ptrdiff_t start, ptrdiff_t stop)
{
    const AdamStep d = ((const Task *)task)->step;
    float *of_component = ((const Task *)task)->gradients + 2 * thread * d.n, *of_encoder = of_component + d.n;
    float *input_gradient = d.input_gradient + start / NEURONS * d.n;
    for (ptrdiff_t neuron = start; neuron < stop; neuron++) {
        float of_bias = compute_gradients(&d, neuron, of_component, of_encoder);
        update_component(&d, neuron, of_component);
        if (d.encoder.weight) {
            d.encoder_bias[neuron] = of_bias;
            update_encoder(&d, neuron, of_encoder, of_bias, input_gradient);
        }
    }
}

int adam_step(const AdamStep *step, int n_threads)
{
    Task task = {*step, malloc(n_threads * 2 * step->n * sizeof(float))};
    if (!task.gradients)
        return -1;
    in_threads(update_neurons, &task, step->n_neurons, NEURONS, n_threads);
    free(task.gradients);
    return 0;
}
