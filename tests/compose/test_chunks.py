"""The plain functions: text to chunks, and rows of chunks to rows of documents."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from sklearn_sae.compose._chunks import pool_max, pool_mean, split_words

words = st.lists(st.text("ab.!\n", min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=40)


@given(words=words, max_words=st.integers(1, 12), share=st.floats(0, 0.99), gap=st.sampled_from([" ", "\n", "  \t"]))
def test_chunks_cover_the_text_in_order(words, max_words, share, gap):
    overlap = int(share * max_words)
    text = gap.join(words)
    every = text.split()
    chunks = split_words(text, max_words, overlap)
    end = overlap  # of the chunk before, in words
    for chunk in chunks:
        assert chunk in text
        assert len(chunk.split()) <= max_words
        start = end - overlap
        assert start + len(chunk.split()) > end or len(chunks) == 1  # every chunk brings new words
        end = start + len(chunk.split())
        assert chunk.split() == every[start:end]
    assert end == len(every)


def test_a_short_text_is_left_as_it_is():
    assert split_words("  Good soup.\n ", 2) == ["  Good soup.\n "]


def test_chunks_end_with_sentences():
    text = 'We came late. "Why?" they asked (rudely!) The soup was cold'
    assert split_words(text, 5) == ['We came late. "Why?"', "they asked (rudely!)", "The soup was cold"]
    assert split_words("a b c. d e f g. h i", 4) == ["a b c.", "d e f g.", "h i"]
    assert split_words("a b c\nd e f g\nh i", 4) == ["a b c", "d e f g", "h i"]


def test_without_sentences_chunks_are_of_like_length():
    assert [len(chunk.split()) for chunk in split_words("word " * 100, 30)] == [25, 25, 25, 25]
    assert [len(chunk.split()) for chunk in split_words("word " * 100, 30, overlap=10)] == [28] * 5


def test_characters_of_chinese_are_words():
    chunks = split_words("汤很好喝。面包不新鲜。服务员很慢。", 7)
    assert chunks == ["汤很好喝。", "面包不新鲜。", "服务员很慢。"]


def test_long_documents_are_fast():
    text = "The soup was cold. " * 50_000
    chunks = split_words(text, 150, 10)
    assert all(re.search(r"\.$", chunk) for chunk in chunks)


runs = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@st.composite
def pooled_input(draw):
    lengths = draw(runs)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    shape = (sum(lengths), draw(st.integers(1, 4)))
    values = draw(arrays.arrays(dtype, shape, elements=st.sampled_from([0, 0, 0, -1, 0.5, 2])))
    return values, np.cumsum([0, *lengths[:-1]])


@given(pooled_input())
@settings(max_examples=200)
def test_pooling_is_that_of_numpy_in_every_container(given):
    values, starts = given
    for pool, reference in ((pool_max, np.max), (pool_mean, np.mean)):
        expected = np.array([reference(run, axis=0) for run in np.split(values, starts[1:])])
        for container in (np.asarray, sparse.csr_matrix, sparse.csr_array):
            out = pool(container(values), starts)
            assert type(out) is type(container(values))
            assert out.dtype == values.dtype
            np.testing.assert_allclose(out.toarray() if sparse.issparse(out) else out, expected, rtol=1e-6)


def test_sparse_pooling_keeps_to_the_stored_entries():
    columns = np.random.default_rng(0).integers(0, 10**6, 8000, dtype=np.int32)
    codes = sparse.csr_matrix(
        (np.ones(8000, np.float32), columns, np.arange(0, 8001, 2, dtype=np.int32)), shape=(4000, 10**6)
    )
    for pool in (pool_max, pool_mean):
        pooled = pool(codes, np.arange(0, 4000, 4))
        assert pooled.shape == (1000, 10**6)
        assert pooled.nnz <= codes.nnz
        assert pooled.indices.dtype == np.int32


@pytest.mark.parametrize("pool", [pool_max, pool_mean])
def test_missing_values_stay_missing(pool):
    values = np.array([[1, np.nan], [0, 0], [1, 1]])
    out = pool(values, np.array([0, 2]))
    np.testing.assert_array_equal(np.isnan(out), [[False, True], [False, False]])
    sparse_out = pool(sparse.csr_array(values), np.array([0, 2])).toarray()
    np.testing.assert_array_equal(sparse_out, out)
