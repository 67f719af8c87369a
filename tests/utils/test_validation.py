"""What every stage asks of texts and targets."""

from collections import deque

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.utils._validation import (
    check_target,
    check_target_varies,
    check_texts,
    infer_task,
    refuse_texts,
    unique_names,
)

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


@pytest.mark.parametrize(
    ("y", "task"),
    [
        ([0, 1, 1], "binary"),
        ([True, True, True], "binary"),
        (["no", "yes"], "binary"),
        ([1.0, 2.0, 2.0], "binary"),
        ([1, 2, 3], "regression"),
        ([1, 1, 1], "regression"),
        (["a", "b", "c"], "multiclass"),
        (pd.Series([1, 2, 3], dtype="category"), "multiclass"),
        (np.array([1, 2, 3], dtype=object), "multiclass"),
    ],
)
def test_the_task_of_a_target(y, task):
    assert infer_task(y) == task
    assert check_target(y).task == task


def test_classes_are_in_order():
    target = check_target(["yes", "no", "yes"])
    assert target.values.tolist() == [1, 0, 1]
    assert target.classes.tolist() == ["no", "yes"]
    assert check_target(np.array([2, "b", 1], dtype=object)).classes.tolist() == [1, 2, "b"]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (None, {}, "y is required"),
        ([1, 2], {"n_samples": 3}, "2 values for 3 rows"),
        ([1.0, np.nan, 3.0], {}, "NaN"),
        ([1.0, np.inf, 3.0], {}, "infinity"),
        (["a", None, "b"], {}, "row 1 has no target"),
        (pd.Series(["a", pd.NA, "b"], dtype="string"), {}, "row 1 has no target"),
        (["a", "b"], {"task": "regression"}, "not numeric"),
        ([1, 2, 3], {"task": "binary"}, "3 classes where a binary"),
        ([[1, 2], [3, 4]], {}, "1d array"),
    ],
)
def test_bad_targets(y, options, message):
    with pytest.raises(ValueError, match=message):
        check_target(y, **options)


@pytest.mark.parametrize("y", [[1.0, 1.0], ["a", "a"], [True, True]])
def test_a_constant_target(y):
    with pytest.raises(ValueError, match="constant: all 2 rows"):
        check_target_varies(check_target(y))


@given(st.lists(st.one_of(st.integers(-5, 5), st.floats(-2, 2), st.booleans()), min_size=1, max_size=30))
def test_codes_point_at_their_classes(y):
    target = check_target(y)
    if target.classes is None:
        np.testing.assert_array_equal(target.values, np.asarray(y, dtype=float))
    else:
        assert [target.classes[code] for code in target.values] == np.asarray(y).tolist()


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
