"""Fixtures of the autoencoder's tests."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from sklearn_sae.sae.native import _calls


@pytest.fixture(scope="session")
def reference():
    """The plain dense autoencoder."""
    spec = importlib.util.spec_from_file_location("sae_reference", Path(__file__).with_name("reference.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def X():
    """Rows that are sparse sums of directions, with noise, off center."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(24, 20))
    weights = rng.exponential(size=(600, 24)) * (rng.random((600, 24)) < 0.12)
    return (weights @ directions + 0.1 * rng.normal(size=(600, 20)) + 1.0).astype(np.float32)


@pytest.fixture(params=[True, False], ids=["compiled", "not compiled"])
def maybe_compiled(request, monkeypatch):
    """With the compiled functions, where there are any, and without."""
    if not request.param:
        monkeypatch.setattr(_calls, "compiled", None)
    elif _calls.compiled is None:
        pytest.skip("installed without a C compiler")
