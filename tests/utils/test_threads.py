"""Threads of processes that work side by side: no hang, and no more of them than cores."""

import os
import subprocess
import sys

import pytest

SEARCH = """
import sys
import joblib, numpy as np, torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn_sae import EmbeddingTransformer, TopKSAETransformer

class Search(Ridge):
    def score(self, X, y):
        return torch.get_num_threads()

backend, model = sys.argv[1:]
texts = [f"text number {i} of a few" for i in range(120)]
y = np.arange(120.0)
embed = EmbeddingTransformer(model, cache_dir=None)
pipeline = make_pipeline(embed, TopKSAETransformer(64, 4, max_epochs=2, random_state=0), Ridge())
grid = {"topksaetransformer__k": [2, 4]}
torch.set_num_threads(2)
torch.randn(500, 500) @ torch.randn(500, 500)  # the parent's threads are made
alone = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(texts, y).cv_results_["mean_test_score"]
threads = GridSearchCV(pipeline.set_params(ridge=Search()), grid, cv=2, error_score="raise")
with joblib.parallel_config(backend, n_jobs=2):
    n_threads = threads.fit(texts, y).cv_results_["mean_test_score"]
    together = GridSearchCV(pipeline.set_params(ridge=Ridge()), grid, cv=2, error_score="raise").fit(texts, y)
assert np.array_equal(alone, together.cv_results_["mean_test_score"])
assert torch.get_num_threads() == 2
print(*n_threads)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    ["loky", pytest.param("multiprocessing", marks=pytest.mark.skipif(sys.platform != "linux", reason="no fork"))],
)
def test_two_processes_compute_in_one_thread_each(backend, tiny_sentence_transformer):
    """A forked process whose parent has used the threads of torch would wait for them forever."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["LOKY_MAX_CPU_COUNT"] = "2"  # by which joblib divides the cores, whatever machine this is
    command = [sys.executable, "-c", SEARCH, backend, tiny_sentence_transformer]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1.0", "1.0"]
