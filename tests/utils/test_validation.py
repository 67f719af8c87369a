"""What every stage asks of texts and targets."""

import warnings
from collections import deque

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.utils._validation import check_alignment, check_texts, refuse_texts, unique_names

TEXTS = ["a", "bb", "ccc é"]


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        deque(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, None],
        [[text] for text in TEXTS],
        pd.Series(TEXTS, index=[7, 7, 7]),
        pd.Series(TEXTS, dtype="category"),
        pd.Series(TEXTS, dtype="string"),
        pd.DataFrame({"text": TEXTS}),
        pd.Index(TEXTS),
    ],
)
def test_forms_of_texts(X):
    texts = check_texts(X)
    assert texts == TEXTS
    assert all(type(text) is str for text in texts)


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        ("a text", TypeError, "single string"),
        (b"a text", TypeError, "single string"),
        (None, TypeError, "sequence of texts; got NoneType"),
        (3, TypeError, "sequence of texts; got int"),
        ({"a", "b"}, TypeError, "sequence of texts; got set"),
        ({"a": "b"}, TypeError, "sequence of texts; got dict"),
        ((text for text in TEXTS), TypeError, "sequence of texts; got generator"),
        ([], ValueError, "is empty"),
        (pd.Series([], dtype=object), ValueError, "is empty"),
        (pd.DataFrame({"a": TEXTS, "b": TEXTS}), ValueError, r"one column of texts; got an array of shape \(3, 2\)"),
        (np.array("a"), ValueError, "one column"),
        (["a", ""], ValueError, "empty text in row 1"),
        (["a", " \n\t"], ValueError, "empty text in row 1"),
        (["a", None], ValueError, "missing text in row 1"),
        (["a", float("nan")], ValueError, "missing text in row 1"),
        (pd.Series(["a", None], dtype="string"), ValueError, "missing text in row 1"),
        (["a", pd.NaT], ValueError, "missing text in row 1"),
        (["a", 1], TypeError, "type int in row 1"),
        (["a", b"b"], TypeError, "type bytes in row 1"),
        (["a", ["b", "c"]], TypeError, "type list in row 1"),
        (["a", np.arange(2)], TypeError, "type ndarray in row 1"),
        (np.arange(3), TypeError, "type int in row 0"),
        (["a", "\ud800"], ValueError, "row 1 that is not valid Unicode"),
    ],
)
def test_bad_texts(X, kind, message):
    with pytest.raises(kind, match=message):
        check_texts(X)


def test_long_texts_take_no_more_memory_than_they_are():
    import tracemalloc

    texts = ["x" * 1_000_000, *("short" for _ in range(2000))]  # as a NumPy string array: 8 GB
    tracemalloc.start()
    check_texts(texts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_the_argument_is_named():
    with pytest.raises(ValueError, match="documents is empty"):
        check_texts([], name="documents")


@pytest.mark.parametrize("value", ["a secret", b"a secret", "half \ud800"])
def test_texts_in_place_of_numbers_are_not_quoted(value):
    with (
        pytest.raises(ValueError, match=r"^X_val holds texts where numbers are needed; embed them first\.$"),
        refuse_texts("X_val"),
    ):
        np.asarray([value, value], dtype=float)
    with pytest.raises(ValueError, match="another matter"), refuse_texts():
        raise ValueError("another matter")


@given(st.lists(st.sampled_from(["a", " a", "a (2)", "a (2) (2)", "b\n c", "b c", "A"]), max_size=12))
def test_unique_names(names):
    unique = unique_names(names).tolist()
    assert len(set(unique)) == len(names)
    for label, name in zip(names, unique, strict=True):
        assert name.startswith(" ".join(label.split()))


def test_an_index_in_another_order_is_refused_and_another_index_noted():
    X = pd.Series(["a", "b", "c"], index=[5, 6, 7])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_alignment(X, pd.Series([1, 2, 3], index=[5, 6, 7]))
        check_alignment(X, [1, 2, 3])
        check_alignment(X, pd.Series([1, 2], index=[5, 6]))  # lengths are checked elsewhere
    with pytest.raises(ValueError, match="different orders: row 0 is 5 in texts and 7 in y"):
        check_alignment(X, pd.Series([1, 2, 3], index=[7, 6, 5]), name="texts")
    with pytest.warns(UserWarning, match="different indexes: row 1 is 6 in X and 8 in y"):
        check_alignment(X, pd.DataFrame({"y": [1, 2, 3]}, index=[5, 8, 7]))


def test_indexes_that_are_equal_in_another_form_align():
    utc = pd.date_range("2024-01-01", periods=3, tz="UTC")
    texts, y = pd.Series(TEXTS, index=utc), pd.Series([1, 2, 3], index=utc.tz_convert("Europe/Berlin"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_alignment(texts, y)
    with pytest.warns(UserWarning, match="different indexes"):
        check_alignment(pd.Series(TEXTS, index=pd.Index([1, pd.NA, 3], dtype=object)), pd.Series([1, 2, 3]))
