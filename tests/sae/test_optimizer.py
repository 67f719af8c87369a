"""A step of Adam is torch's on the dense gradient, with and without a compiler."""

import numpy as np
import pytest
import torch

from sklearn_sae.sae._network import compute_gradient, compute_loss
from sklearn_sae.sae._optimizer import adam_step, dense_gradient
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._weights import Weights
from sklearn_sae.sae.native import _calls

RATE = 0.01
CASES = {
    "topk": Settings(k=3),
    "all active": Settings(k=37),
    "batch topk": Settings(k=3, batch_topk=True),
    "matryoshka": Settings(k=3, prefixes=(2, 9, 37)),
    "multi and aux": Settings(k=3, multi_k=9, multi_weight=0.3, aux_k=4, aux_weight=0.5),
    "signed": Settings(k=3, multi_k=9, multi_weight=0.3, aux_k=4, aux_weight=0.5, signed=True),
    "pursuit": Settings(k=3, pursuit=True),
    "pursuit and aux": Settings(k=3, pursuit=True, aux_k=2, aux_weight=0.5),
}


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def problem(settings, n_neurons=37, n_features=70, n_rows=30):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    n_encoded = 0 if settings.pursuit else n_neurons
    encoder = normal(n_encoded, n_features) / 8, 0.3 * normal(n_encoded)
    params = Weights(*encoder, unit(normal(n_neurons, n_features)), 0.3 * normal(n_features))
    return params, [normal(n_rows, n_features) for _ in range(4)]


def train(params, batches, settings):
    """Take a step a batch, and return parameters and moments."""
    params = Weights(*(p.clone() for p in params))
    first, second = ([torch.zeros_like(p) for p in params] for _ in range(2))
    dead = torch.tensor([1, 4, 5, 20])
    for step, x in enumerate(batches, start=1):
        gradient = compute_gradient(compute_loss(params, x, settings, dead=dead))
        adam_step(params, gradient, first, second, step=step, learning_rate=RATE)
    return [*params, *first, *second]


def train_with_torch(params, batches, settings):
    params = Weights(*(p.clone() for p in params))
    optimizer = torch.optim.Adam(params, lr=RATE)
    for x in batches:
        gradient = compute_gradient(compute_loss(params, x, settings, dead=torch.tensor([1, 4, 5, 20])))
        for p, g in zip(params, dense_gradient(params, gradient), strict=True):
            p.grad = g.clone()
        optimizer.step()
        params.components.copy_(unit(params.components))
    moments = [optimizer.state[p] for p in params]
    return [*params, *(m["exp_avg"] for m in moments), *(m["exp_avg_sq"] for m in moments)]


@pytest.mark.parametrize("case", CASES)
def test_steps_equal_those_of_torch(case, maybe_compiled):
    params, batches = problem(CASES[case])
    ours, theirs = train(params, batches, CASES[case]), train_with_torch(params, batches, CASES[case])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", ["topk", "multi and aux", "signed", "pursuit"])
def test_steps_do_not_depend_on_the_number_of_threads(case, maybe_compiled):
    params, batches = problem(CASES[case])
    results, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append(train(params, batches, CASES[case]))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 1), (16, 64, 5), (17, 63, 5), (33, 130, 40)])
def test_the_compiled_step_takes_any_shape(shape):
    if _calls.compiled is None:
        pytest.skip("installed without a C compiler")
    n_neurons, n_features, n_rows = shape
    params, batches = problem(Settings(k=1), n_neurons, n_features, n_rows)
    settings = Settings(k=min(3, n_neurons))
    ours, theirs = train(params, batches, settings), train_with_torch(params, batches, settings)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_tensors_of_weights_have_the_strides_of_their_moments():
    components = np.asfortranarray(np.eye(5, 3, dtype=np.float32))
    weights = Weights(components[:0], np.zeros(0, np.float32), components, np.zeros(3, np.float32)).tensors("cpu")
    strides = [tensor.stride() for tensor in weights]
    assert strides == [tensor.stride() for tensor in weights.zeros()]  # which Adam on a GPU requires, of empty ones too
    assert strides == [(3, 1), (1,), (3, 1), (1,)]
