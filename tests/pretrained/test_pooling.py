"""Pooling against a plain loop over dense tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_sae.pretrained._pooling import AGGREGATIONS, aggregate, pool, stack

N_LATENTS = 6
ACTIVATIONS = st.one_of(st.just(0.0), st.floats(2**-10, 2**10, width=32))
DOCUMENTS = st.lists(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(N_LATENTS)), elements=ACTIVATIONS),
    min_size=1,
    max_size=5,
)


def dense(documents, aggregation):
    """The plain loop: one document after the other, every token and latent."""
    functions = {
        "max": lambda tokens: tokens.max(axis=0),
        "sum": lambda tokens: tokens.sum(axis=0, dtype=np.float64),
        "mean": lambda tokens: tokens.mean(axis=0, dtype=np.float64),
        "count": lambda tokens: (tokens > 0).sum(axis=0),
        "binarize": lambda tokens: (tokens > 0).any(axis=0),
    }
    return np.array([functions[aggregation](tokens) for tokens in documents], dtype=np.float32)


def entries(documents):
    """The active entries of all tokens, row-major, and the document of each."""
    tokens = np.vstack(documents)
    owners = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    rows, latents = tokens.nonzero()
    return owners[rows], latents, tokens[rows, latents], [len(document) for document in documents]


def rows_of(pooled, aggregation):
    return stack(((one.latents, aggregate(one, aggregation)) for one in pooled), N_LATENTS)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@given(documents=DOCUMENTS)
def test_agrees_with_the_plain_loop(aggregation, documents):
    rows = rows_of(pool(*entries(documents)), aggregation)
    assert rows.dtype == np.float32
    assert rows.indices.dtype == rows.indptr.dtype == np.int32
    assert rows.has_canonical_format
    assert (rows.data != 0).all()
    np.testing.assert_allclose(rows.toarray(), dense(documents, aggregation), rtol=1e-6)


@given(documents=DOCUMENTS, order=st.randoms())
def test_entries_may_come_in_any_order(documents, order):
    owners, latents, values, n_tokens = entries(documents)
    shuffled = order.sample(range(len(owners)), len(owners))
    one = pool(owners, latents, values, n_tokens)
    other = pool(owners[shuffled], latents[shuffled], values[shuffled], n_tokens)
    for aggregation in AGGREGATIONS:
        a, b = (rows_of(pooled, aggregation).toarray() for pooled in (one, other))
        np.testing.assert_allclose(a, b, rtol=1e-6)


@given(documents=DOCUMENTS)
def test_a_document_does_not_depend_on_those_beside_it(documents):
    together = pool(*entries(documents))
    for document, one in zip(documents, together, strict=True):
        (alone,) = pool(*entries([document]))
        for a, b in zip(one, alone, strict=True):
            np.testing.assert_array_equal(a, b)


@given(documents=DOCUMENTS)
def test_relations_between_aggregations(documents):
    rows = {name: rows_of(pool(*entries(documents)), name).toarray() for name in AGGREGATIONS}
    n_tokens = np.array([len(document) for document in documents])[:, None]
    np.testing.assert_allclose(rows["mean"] * n_tokens, rows["sum"], rtol=1e-6)
    assert ((rows["count"] > 0) == rows["binarize"]).all()
    assert (rows["max"] <= rows["sum"] * (1 + 1e-6)).all()
    assert (rows["sum"] <= rows["max"] * rows["count"] * (1 + 1e-6)).all()
    assert (rows["count"] <= n_tokens).all()


def test_documents_on_which_nothing_is_active():
    none = np.empty(0, dtype=np.int64)
    pooled = pool(none, none, np.empty(0, dtype=np.float32), [3, 1])
    rows = rows_of(pooled, "mean")
    assert rows.shape == (2, N_LATENTS)
    assert rows.nnz == 0


def test_a_sum_of_many_small_activations_keeps_its_digits():
    n = 100_000
    zeros = np.zeros(n, dtype=np.int64)
    (one,) = pool(zeros, zeros, np.full(n, 0.1, dtype=np.float32), [n])
    assert one.total[0] == pytest.approx(n * np.float32(0.1), rel=1e-7)


def test_stack_takes_rows_of_any_length():
    lengths = [0, 3, 1000, 0, 1, 50_000, 2]
    given_rows = [(np.arange(n), np.full(n, n, dtype=np.float32)) for n in lengths]
    rows = stack(iter(given_rows), 50_000)
    assert np.diff(rows.indptr).tolist() == lengths
    assert len(rows.data) == len(rows.indices) == sum(lengths)
    assert rows.max(axis=1).toarray().ravel().tolist() == lengths
