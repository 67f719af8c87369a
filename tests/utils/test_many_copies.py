"""Copies among many texts are those that are found among few."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae.datasets import ParquetTexts, make_concept_texts
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._many_copies import copies_of_many

pytest.importorskip("pyarrow")


@pytest.mark.parametrize("frame", ["", "Please read the review that a guest wrote and rate it from one to five: "])
def test_the_groups_are_those_of_copies(tmp_path, frame):
    reviews = make_concept_texts(1500, n_concepts=3, random_state=0).data
    near = [f"{text} Yes." for text in reviews[:60]]
    texts = [frame + text for text in [*reviews, *near, *reviews[50:80], "!", "?", "!", "😀", "good"]]
    texts = [texts[i] for i in np.random.RandomState(0).permutation(len(texts))]
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "a.parquet")
    expected = copies(texts)
    assert expected.max() < len(texts) - 90
    np.testing.assert_array_equal(copies_of_many(ParquetTexts(tmp_path, "text")), expected)
