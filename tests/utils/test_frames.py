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
    assert columns_named(FRAME["text"], by="town") == ["town"]


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
