"""The compiled Top-K and the one through a bfloat16 product return what the plain ones do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sklearn_sae.sae import _kernels
from sklearn_sae.sae._kernels import linear, topk_linear
from sklearn_sae.sae.native import _calls

needs_compiled = pytest.mark.skipif(_calls.compiled is None, reason="installed without a C compiler")


def assert_topk(matrix, k, values, columns):
    """Check that these are the k largest entries of each row, each column named once."""
    assert torch.equal(values.sort(dim=1).values, matrix.topk(k, dim=1).values.flip(1))
    assert torch.equal(matrix.gather(1, columns), values)
    assert all(len(set(row)) == k for row in columns.tolist())


@needs_compiled
@settings(max_examples=200, deadline=None)
@given(
    matrix=npst.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 300)),
        elements=st.one_of(
            st.floats(width=32, allow_nan=False), st.sampled_from([0.0, -0.0, 1.0, 1.5, np.inf, -np.inf])
        ),
    ),
    share=st.floats(0, 1),
)
def test_compiled_topk_of_anything(matrix, share):
    matrix = torch.from_numpy(matrix)
    k = max(1, round(share * matrix.shape[1]))
    values, columns = _kernels._topk(matrix, k)
    assert_topk(matrix, k, values, columns)


@needs_compiled
@pytest.mark.parametrize(("n_columns", "k"), [(1, 1), (8, 8), (17, 3), (256, 8), (1000, 64), (5000, 32)])
def test_compiled_topk_of_noise_and_of_ties(n_columns, k):
    noise = torch.randn(50, n_columns)
    for matrix in (noise, noise.round(), torch.zeros_like(noise), noise.sort(1).values, noise.sort(1).values.flip(1)):
        values, columns = _kernels._topk(matrix, k)
        assert_topk(matrix, k, values, columns)


@needs_compiled
def test_compiled_topk_says_nan_for_rows_of_nan():
    matrix = torch.randn(3, 40)
    matrix[1] = torch.nan
    values, columns = _kernels._topk(matrix, 5)
    assert values[1].isnan().all()
    assert values[[0, 2]].isfinite().all()
    assert columns.max() < 40


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr(_calls, "compiled", None)
    for n_columns, k in [(5, 5), (40, 1), (63, 1), (300, 8), (900, 8)]:
        matrix = torch.randn(33, n_columns)
        values, columns = _kernels._topk(matrix, k)
        assert_topk(matrix, k, values, columns)


def rows_and_weights(kind, n_rows=200, n_neurons=1024, n_features=48):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(n_neurons, n_features, generator=generator)
    x, offset = torch.randn(n_rows, n_features, generator=generator), torch.randn(n_neurons, generator=generator)
    if kind == "close":  # the entries of a row differ by less than bfloat16 tells apart
        weight = weight[:1] + 1e-3 * weight
        offset *= 0
    elif kind == "equal":
        weight[:], offset[:] = weight[0], 0
    elif kind == "negative":
        offset -= 100
    elif kind == "far":
        x *= 1e15
    elif kind == "uneven":
        weight *= torch.logspace(-6, 6, n_neurons)[:, None]
    elif kind == "zero":
        x *= 0
    elif kind == "tiny":  # squares of it are below float32
        weight = weight[:1] + 1e-3 * weight
        x, offset = 1e-30 * x, 0 * offset
    elif kind == "halfway":  # roundings of x and of the weights add up; one neuron is the largest by little
        x[:], weight[:] = 1 + 3 / 256, -(1 + 3 / 256 + 2**-17)
        weight[500], offset[:] = -(1 + 3 / 256), n_features * (1 + 2**-5)
    return x, weight, offset


@needs_compiled
@pytest.mark.parametrize("kind", ["noise", "close", "equal", "negative", "far", "uneven", "tiny", "halfway"])
@pytest.mark.parametrize("n_features", [1, 48])
def test_topk_through_bfloat16_is_that_of_float32(kind, n_features):
    x, weight, offset = rows_and_weights(kind, n_features=n_features)
    values, columns, _ = _kernels._topk_through_bfloat16(x, weight, offset, 8)
    pre = linear(x, weight, offset)
    scale = x.double().norm(dim=1, keepdim=True) * weight.double().norm(dim=1).max() + offset.abs().max()
    if kind == "halfway":
        assert (columns == 500).any(1).all()
    torch.testing.assert_close(values.sort(1).values / scale, pre.topk(8).values.flip(1) / scale, rtol=0, atol=1e-6)
    torch.testing.assert_close(pre.gather(1, columns) / scale, values / scale, rtol=0, atol=1e-6)


@needs_compiled
def test_topk_of_rows_of_zeros_through_bfloat16():
    x, weight, offset = rows_and_weights("zero")
    values, columns, _ = _kernels._topk_through_bfloat16(x, weight, offset, 8)
    assert torch.equal(columns.sort(1).values, offset.topk(8).indices.sort().values.expand(len(x), 8))
    torch.testing.assert_close(values, offset[columns])


@needs_compiled
def test_another_default_type_does_not_matter():
    torch.set_default_dtype(torch.float64)
    try:
        values, _ = _kernels._topk(torch.randn(4, 30, dtype=torch.float32), 3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert values.dtype == torch.float32


@needs_compiled
@pytest.mark.parametrize("kind", ["noise", "close"])
def test_topk_through_bfloat16_does_not_depend_on_the_number_of_threads(kind):
    arguments, threads, results = (*rows_and_weights(kind, n_features=384), 8), torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append(_kernels._topk_through_bfloat16(*arguments))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@needs_compiled
def test_few_entries_are_computed_in_float32_unless_they_are_close():
    counts = [
        _kernels._topk_through_bfloat16(*rows_and_weights(kind, n_features=384), 8)[2]
        for kind in ("noise", "close", "equal")
    ]
    assert [count.min() >= 8 for count in counts] == [True] * 3
    assert counts[0].double().mean() < 12
    assert counts[1].double().mean() > 100
    assert (counts[2] == 1024).all()


@needs_compiled
def test_one_long_neuron_does_not_make_the_others_be_computed():
    x, weight, offset = rows_and_weights("noise", n_features=384)
    weight[7] *= 100
    assert _kernels._topk_through_bfloat16(x, weight, offset, 8)[2].double().mean() < 16


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize(("n_neurons", "k"), [(5, 5), (40, 3), (300, 8), (900, 8)])
def test_topk_linear_equals_the_plain_one(monkeypatch, n_neurons, k, bfloat16):
    monkeypatch.setattr(_kernels, "multiplies_bfloat16", lambda: bfloat16 and _calls.compiled is not None)
    x, weight, offset = torch.randn(33, 20), torch.randn(n_neurons, 20), torch.randn(n_neurons)
    values, neurons = topk_linear(x, weight, offset, k)
    pre = x @ weight.T + offset
    torch.testing.assert_close(values.sort().values, pre.topk(k).values.flip(1))
    torch.testing.assert_close(values, pre.gather(1, neurons))
