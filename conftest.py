"""What holds for all tests: those in tests/, the examples of the docstrings and those of docs/."""

import os

import pytest
from threadpoolctl import threadpool_limits

# Each process computes on one thread, and so do the programs that it starts. Threads that wait for each other spin, so
# on cores that are shared, as by the workers of pytest-xdist, a test takes ten times its time. Tests that need several
# threads ask torch for them; those sleep while they wait. Most libraries are loaded later and read the variables then;
# the limit is for those that a plugin of pytest has loaded already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
threadpool_limits(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch):
    """What is printed is as wide as where there is no terminal, also in a worker of pytest-xdist, which says 80."""
    monkeypatch.delenv("COLUMNS", raising=False)
