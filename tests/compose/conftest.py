"""Pairs of texts."""

import json

import numpy as np
import pytest

from sklearn_sae.datasets import make_concept_texts


@pytest.fixture(scope="package")
def reviews():
    """Pairs of planted reviews and which of the two has more stars."""
    reviews = make_concept_texts(1200, n_concepts=6, noise=0.2, random_state=0)
    pairs = np.array(reviews.data, dtype=object).reshape(-1, 2)
    stars = reviews.target.reshape(-1, 2)
    return pairs, np.where(stars[:, 0] > stars[:, 1], "first", "second")


@pytest.fixture
def tweets(data_dir):
    """Embeddings of pairs of tweets and which of the two is shared more, to train on and to validate."""
    return tuple(
        (
            np.hstack([np.load(data_dir / f"retweet_{part}.{side}.minilm.npy") for side in "ab"]).astype(np.float32),
            [json.loads(line)["target"] for line in (data_dir / f"retweet_{part}.jsonl").open(encoding="utf-8")],
        )
        for part in ("train", "val")
    )
