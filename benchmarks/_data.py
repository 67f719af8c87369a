"""Texts and targets to measure on."""

import json
import os
from pathlib import Path

import numpy as np

from sklearn_sae.datasets import make_concept_texts


def load(name):
    """Return texts (object array), targets and sentence embeddings or None.

    "planted" is made up; the others are read from the folder in SKLEARN_SAE_DATA.
    """
    if name == "planted":
        reviews = make_concept_texts(2000, random_state=0)
        return np.array(reviews.data, dtype=object), reviews.target, None
    with (folder() / f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts, targets = (
        np.array([row[key] for row in rows], dtype=dtype) for key, dtype in [("text", object), ("target", None)]
    )
    return texts, targets, load_array(f"{name}.minilm")


def load_array(name):
    """Return an array of the data folder as float32."""
    return np.load(folder() / f"{name}.npy").astype(np.float32)


def folder():
    """Return the data folder."""
    return Path(os.environ.get("SKLEARN_SAE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
