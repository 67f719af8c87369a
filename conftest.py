"""What holds for all tests: those in tests/, the examples of the docstrings and those of docs/."""

import os

import pytest
from threadpoolctl import threadpool_limits

# Each process computes on one thread, and so do the programs that it starts. Threads that wait for each other spin, so
# on cores that are shared, as by the workers of pytest-xdist, a test takes ten times its time. What holds for several
# threads is tested with `torch.set_num_threads`. Most libraries are loaded later and read the variable then; the limit
# is for those that a plugin of pytest has loaded already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threadpool_limits(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "cache"))
