"""Columns of a frame by their names."""

import pandas as pd
import pytest

from sklearn_sae.utils._frames import columns_named
from sklearn_sae.utils._validation import check_texts

FRAME = pd.DataFrame({"text": ["a", "b", "c"], "age": [1, 2, 3], "town": ["x", "y", "x"]})


def test_names_are_columns_and_all_else_stays():
    y, controls, by, weights = columns_named(FRAME, y="age", controls=["age", "town"], by=["x", "y", "x"], weights=None)
    assert y.tolist() == [1, 2, 3]
    assert list(controls.columns) == ["age", "town"]
    assert (by, weights) == (["x", "y", "x"], None)


@pytest.mark.parametrize("X", [["a", "b", "c"], FRAME["text"], FRAME[["text"]]])
def test_names_where_there_are_no_columns_are_said(X):
    for given, columns in (
        ("town", "column 'town'"),
        (["age"], "column 'age'"),
        (["age", "town"], "columns 'age', 'to"),
    ):
        with pytest.raises(ValueError, match=f"controls names the {columns}.* beside the texts there are no columns"):
            columns_named(X, controls=given)
    with pytest.raises(ValueError, match="columns 'id 0', 'id 1', 'id 2', 'id 3', 'id 4', …, and beside"):
        columns_named(X, controls=[f"id {i}" for i in range(100)])
    with pytest.raises(ValueError, match=r"by names the column 'month', .* pass a DataFrame"):
        columns_named(X, by="month")
    categories, labels = ["x", "y", "x", "y"], ["x", "y"]  # of another length than the texts, which others say
    assert columns_named(X, controls=categories, groups=labels) == [categories, labels]
    assert columns_named(X, controls=["x", "y", "z"], y=None) == [["x", "y", "z"], None]


def test_polars_frames_are_frames():
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(FRAME)
    assert columns_named(frame, y="age")[0].to_list() == [1, 2, 3]
    assert columns_named(frame, c=["age", "town"])[0].columns == ["age", "town"]
    assert check_texts(frame) == ["a", "b", "c"]


def test_what_is_no_column_and_frames_without_texts_are_said():
    with pytest.raises(ValueError, match="by names the column 'city'; X has 'text', 'age', 'town'"):
        columns_named(FRAME, by="city")
    with pytest.raises(ValueError, match=r"X must be one column of texts.*no column is called 'text'"):
        check_texts(FRAME.rename(columns={"text": "review"}))
    assert check_texts(FRAME) == check_texts(FRAME[["text"]]) == ["a", "b", "c"]
