"""Fixtures that several folders of tests use."""

import json
import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real text; tests that want it skip where it is absent."""
    fallback = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKLEARN_SAE_DATA", fallback))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set SKLEARN_SAE_DATA")
    return folder


@pytest.fixture(scope="session")
def yelp(data_dir):
    """Texts, stars and MiniLM embeddings of 2,000 restaurant reviews."""
    rows = [json.loads(line) for line in (data_dir / "yelp.jsonl").open(encoding="utf-8")]
    texts = [row["text"] for row in rows]
    stars = np.array([row["target"] for row in rows])
    return texts, stars, np.load(data_dir / "yelp.minilm.npy").astype(np.float32)
