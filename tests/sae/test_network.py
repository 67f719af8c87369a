"""The sparse forward pass, losses and gradients equal the plain dense ones, in float64."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_sae.sae._initialization import initial_gain
from sklearn_sae.sae._kernels import (
    Active,
    by_neuron,
    decode,
    decode_residual,
    dots,
    linear,
    sum_by_neuron,
    take_rows,
    transposed_product,
    vector_product,
)
from sklearn_sae.sae._network import compute_gradient, compute_loss
from sklearn_sae.sae._optimizer import dense_gradient
from sklearn_sae.sae._rows import Rows, split_evenly
from sklearn_sae.sae._scaling import Scaling
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._training import State, evaluate, training_step
from sklearn_sae.sae._weights import Weights

B, D, M, K = 30, 7, 20, 3
DEAD = torch.tensor([1, 4, 5, 12, 13, 19])


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    components = normal(M, D)
    components /= components.norm(dim=1, keepdim=True)
    return Weights(normal(M, D), 0.3 * normal(M), components, 0.3 * normal(D)), normal(B, D)


def assert_same_gradient(ours, plain, params):
    """Compare a gradient with autograd's, of which the part along the rows of the decoder is taken off."""
    theirs = torch.autograd.grad(plain, tuple(params.values()), allow_unused=True, materialize_grads=True)
    for name, a, b in zip(Weights._fields, ours, theirs, strict=True):
        if name == "components":
            rows = params[name].detach()
            b = b - (b * rows).sum(1, keepdim=True) * rows
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11, msg=lambda m, name=name: f"{name}: {m}")


CASES = {
    "topk": Settings(k=K),
    "all active": Settings(k=M),
    "batch topk": Settings(k=K, batch_topk=True),
    "matryoshka": Settings(k=K, prefixes=(2, 9, M)),
    "batch matryoshka": Settings(k=K, prefixes=(5, M), batch_topk=True),
    "multi": Settings(k=K, multi_k=9, multi_weight=0.3),
    "aux": Settings(k=K, aux_k=4, aux_weight=0.5),
    "aux, more than dead": Settings(k=K, aux_k=11, aux_weight=0.5),
    "all": Settings(
        k=K,
        prefixes=(2, 9, M),
        multi_k=9,
        multi_weight=0.3,
        aux_k=4,
        aux_weight=0.5,
        batch_topk=True,
    ),
}
CASES |= {f"signed {case}": settings._replace(signed=True) for case, settings in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_equal_the_plain_ones(case, reference):
    s = CASES[case]
    params, x = parameters()
    ours = compute_loss(params, x, s, dead=DEAD if s.aux_weight else None)

    p = {name: tensor.clone().requires_grad_() for name, tensor in params._asdict().items()}
    pre = reference.pre_activations(p, x)
    codes = (reference.batch_topk if s.batch_topk else reference.topk)(pre, s.k, s.signed)
    plain = reference.matryoshka(p, x, codes, s.prefixes or (M,))
    torch.testing.assert_close(ours.fit, plain)
    if s.multi_weight:
        plain = plain + s.multi_weight * reference.multi(p, x, s.multi_k, s.signed)
    if s.aux_weight:
        plain = plain + s.aux_weight * reference.aux(p, x, codes, DEAD, s.aux_k, s.signed)
    torch.testing.assert_close(ours.total, plain, rtol=1e-10, atol=1e-12)
    assert_same_gradient(dense_gradient(params, compute_gradient(ours)), plain, p)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.8, 1e9])
def test_loss_above_a_threshold_equals_the_plain_one(threshold, signed, reference):
    params, x = parameters()
    settings = Settings(k=K, batch_topk=True, signed=signed)
    ours = compute_loss(params, x, settings, threshold=torch.tensor(threshold))
    p = params._asdict()
    codes = reference.above(reference.pre_activations(p, x), threshold, signed)
    plain = reference.mse(x, reference.reconstruct(p, codes))
    torch.testing.assert_close(ours.total, plain)


def test_a_prefix_without_active_neurons_reconstructs_nothing():
    params, x = parameters()
    params.encoder_bias[:9] = -100.0
    loss = compute_loss(params, x, Settings(k=K, prefixes=(9, M))).total
    whole = compute_loss(params, x, Settings(k=K)).total
    nothing = (x - params.bias).square().sum(1).mean()
    torch.testing.assert_close(loss, (whole + nothing) / 2)


def test_no_dead_neuron_means_no_auxiliary_work(monkeypatch):
    params, x = parameters()
    count = []
    monkeypatch.setattr("sklearn_sae.sae._network.decode_residual", lambda *a: count.append(1) or decode_residual(*a))
    settings = Settings(k=K, aux_k=4, aux_weight=0.5)
    for dead, expected in ((None, 1), (DEAD[:0], 1), (DEAD, 2)):
        count.clear()
        compute_loss(params, x, settings, dead=dead)
        assert len(count) == expected


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 32, 384), (30, 100, 20), (256, 100, 384), (128, 256, 384)])
def test_products_do_not_depend_on_the_number_of_threads(shape):
    n_rows, n_outputs, n_features = shape
    x, weight = torch.randn(n_rows, n_features), torch.randn(n_outputs, n_features)
    offset, threads = torch.randn(n_outputs), torch.get_num_threads()
    torch.testing.assert_close(linear(x, weight, offset), x @ weight.T + offset, rtol=1e-4, atol=1e-4)
    try:
        results = []
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append(linear(x, weight, offset))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_sparse_products_equal_dense_ones():
    dense = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    rows, neurons = dense.nonzero(as_tuple=True)
    values, active = dense[rows, neurons], Active.ragged(rows, neurons, len(dense))
    weight, other = torch.randn(3, 5), torch.randn(4, 5)
    torch.testing.assert_close(decode(values, active, weight), dense @ weight)
    torch.testing.assert_close(dots(other, weight, active), (other @ weight.T)[rows, neurons])
    torch.testing.assert_close(transposed_product(values, rows, by_neuron(neurons, 3), other), dense.T @ other)
    torch.testing.assert_close(sum_by_neuron(values, neurons, 3), dense.sum(0))


def test_entries_by_neuron_are_in_stable_order(maybe_compiled):
    neurons = torch.randint(40, (200,))
    order = by_neuron(neurons, 50)
    assert torch.equal(order.order, neurons.argsort(stable=True))
    assert torch.equal(order.starts.diff(), neurons.bincount(minlength=50))


@pytest.mark.parametrize("n_features", [1, 63, 64, 200])
def test_residuals_and_their_squares(n_features, maybe_compiled):
    codes = torch.randn(40, 30).relu() * (torch.rand(40, 30) < 0.2)
    codes[:2] = 0
    rows, neurons = codes.nonzero(as_tuple=True)
    weight, target = torch.randn(30, n_features), torch.randn(40, n_features)
    residual, squares = decode_residual(codes[rows, neurons], Active.ragged(rows, neurons, 40), weight, target)
    torch.testing.assert_close(residual, codes @ weight - target, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(squares, residual.square().sum(1))


def test_rows_are_taken_centered_and_divided(maybe_compiled):
    matrix, center = torch.randn(50, 7), torch.randn(7)
    rows = torch.randint(50, (33,))
    torch.testing.assert_close(take_rows(matrix, rows, center, 0.3), (matrix[rows] - center) * 0.3)
    torch.testing.assert_close(take_rows(matrix, rows[::3], center, 0.3), (matrix[rows[::3]] - center) * 0.3)
    half = matrix.half()
    torch.testing.assert_close(take_rows(half, rows, center, 0.3), (half[rows].float() - center) * 0.3)


@pytest.mark.parametrize("n_rows", [1, 64, 200])
def test_vector_product(n_rows):
    vector, matrix = torch.randn(n_rows), torch.randn(n_rows, 5)
    torch.testing.assert_close(vector_product(vector, matrix), vector @ matrix)


def start(params):
    """Return the state before the first step, in float64."""
    state = State.start(params.arrays(), "cpu")
    state.weights = Weights(*(p.clone() for p in params))
    state.first, state.second = params.zeros(), params.zeros()
    state.threshold_sum = state.threshold_sum.double()
    return state


def test_a_step_moves_along_the_spheres_of_the_decoder(reference):
    params, x = parameters()
    state, p = start(params), {name: t.requires_grad_() for name, t in params._asdict().items()}
    loss = reference.mse(x, reference.reconstruct(p, reference.topk(reference.pre_activations(p, x), K)))
    gradient = torch.autograd.grad(loss, p["components"])[0]
    rows = params.components.detach()
    along = (gradient * rows).sum(1, keepdim=True)
    assert along.abs().max() > 0.01
    training_step(state, x, Settings(k=K), learning_rate=0.01, dead_after=9)
    torch.testing.assert_close(state.first.components, 0.1 * (gradient - along * rows))
    torch.testing.assert_close(state.weights.components.norm(dim=1), torch.ones(M, dtype=torch.float64))


def test_only_positive_picks_count_as_activity(reference):
    params, x = parameters()
    params.encoder_bias[:] = -6.0
    state, codes = start(params), reference.topk(reference.pre_activations(params._asdict(), x), M)
    training_step(state, x, Settings(k=M), learning_rate=0.01, dead_after=9)
    silent = (codes == 0).all(0)
    assert 0 < silent.sum() < M
    assert torch.equal(state.inactive_steps, silent.long())


def test_the_threshold_is_the_debiased_average_of_the_smallest_activations(reference):
    params, _ = parameters()
    state, smallest = start(params), []
    for seed in range(3):
        x = parameters(seed=seed + 1)[1]
        codes = reference.batch_topk(reference.pre_activations(state.weights._asdict(), x), K)
        smallest.append(codes[codes > 0].min())
        training_step(state, x, Settings(k=K, batch_topk=True), learning_rate=0.01, dead_after=9)
        weights = 0.99 ** torch.arange(seed, -1, -1, dtype=torch.float64)
        torch.testing.assert_close(state.threshold, (weights * torch.stack(smallest)).sum() / weights.sum())


def test_evaluation_encodes_above_the_threshold(reference):
    params, x = parameters()
    params = Weights(*(p.float() for p in params))
    state = State.start(params.arrays(), "cpu")
    rows = Rows(x.numpy(), Scaling(np.zeros(D, np.float32), 1.0), "cpu")
    for threshold in (0.1, 1.5):
        state.threshold_sum, state.threshold_weight = torch.tensor(threshold / 2), 0.5
        p, plain = params._asdict(), x.float()
        codes = reference.above(reference.pre_activations(p, plain), threshold)
        expected = float(reference.mse(plain, reference.reconstruct(p, codes)))
        assert evaluate(state, rows, Settings(k=K, batch_topk=True)) == pytest.approx(expected, rel=1e-5)


@given(n=st.integers(1, 5000), batch_size=st.integers(1, 600))
@example(n=7636, batch_size=128)
def test_batches_are_few_and_nearly_equal(n, batch_size):
    parts = split_evenly(np.arange(n), batch_size)
    sizes = np.array([len(part) for part in parts])
    assert np.array_equal(np.concatenate(parts), np.arange(n))
    assert len(parts) == -(-n // batch_size)
    assert sizes.max() <= batch_size
    assert np.ptp(sizes) <= 32
    if batch_size % 16 == 0:
        assert not (sizes[:-1] % 16).any()


def test_the_initial_gain_reconstructs_best(reference):
    params, x = parameters()
    x, directions = x.float(), params.components.float()
    gain = initial_gain(Rows(x.numpy(), Scaling(np.zeros(D, np.float32), 1.0), "cpu"), directions.numpy(), K)
    sums = reference.topk(x @ directions.T, K) @ directions
    errors = [reference.mse(x, factor * sums) for factor in (gain - 0.01, gain, gain + 0.01)]
    assert 0 < gain < 1
    assert errors[1] < min(errors[0], errors[2])
