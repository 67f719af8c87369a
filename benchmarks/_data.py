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
    folder = Path(os.environ.get("SKLEARN_SAE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    embeddings = np.load(folder / f"{name}.minilm.npy").astype(np.float32)
    return np.array([row["text"] for row in rows], dtype=object), np.array([row["target"] for row in rows]), embeddings
