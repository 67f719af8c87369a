"""Searches on Dask and Ray, each with two worker processes on this machine."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_sae import EmbeddingTransformer, LLMHypothesisAnnotator, make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

pytestmark = pytest.mark.slow

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 2}
KEY = "sk-test-0123456789"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "cluster.md"


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)  # because workers get their key from the environment
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
        with cluster, distributed.Client(cluster) as client:
            client.amm.stop()
            yield client


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(60, n_concepts=4, random_state=0)


def make_logger(log, *, seconds=0.0):
    """Return a callable embedder that notes in the file `log` which process embeds which texts, and takes its time."""

    class Logger:  # not at module level, so that worker processes get it by value
        cache_key = "logger"

        def __call__(self, texts):
            import os
            import time
            import zlib

            import numpy as np

            with open(log, "a", encoding="utf-8") as file:
                file.write("".join(f"{os.getpid()}\t{text}\n" for text in texts))
            time.sleep(seconds)
            words = [[zlib.crc32(word.encode()) for word in text.split()] for text in texts]
            return np.array([np.sum([np.random.default_rng(w).random(16) for w in some], axis=0) for some in words])

    return Logger()


def calls(log):
    return [tuple(line.split("\t")) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def search(pipeline, grid, texts, **options):
    folds = [(train.tolist(), test.tolist()) for train, test in KFold(3).split(texts)]
    return GridSearchCV(pipeline, grid, cv=folds, scoring="r2", error_score="raise", **options)


def assert_same(first, second):
    """Check that the scores of two searches are the same bit for bit."""
    scores = [key for key in first.cv_results_ if "score" in key and "time" not in key]
    assert len(scores) >= 6
    for key in scores:
        np.testing.assert_array_equal(first.cv_results_[key], second.cv_results_[key])


def test_scores_are_those_of_one_process_and_each_text_is_embedded_once(client, reviews, tmp_path):
    texts, y = reviews.data, reviews.target
    grid = {"hypotheses__encoder__sae__k": [1, 2]}

    def pipeline(name):
        embed = EmbeddingTransformer(make_logger(tmp_path / f"{name}.log"), batch_size=8, cache_dir=tmp_path / name)
        return make_hypothesis_pipeline(embed, **SMALL, random_state=np.random.RandomState(0))

    alone = search(pipeline("alone"), grid, texts).fit(texts, y)
    with joblib.parallel_config("dask", scatter=[texts, y]):
        together = search(pipeline("together"), grid, texts).fit(texts, y)
    assert_same(alone, together)
    np.testing.assert_array_equal(alone.predict(texts), together.predict(texts))
    embedded = calls(tmp_path / "together.log")
    assert sorted(text for _, text in embedded) == sorted(set(texts))
    assert str(os.getpid()) not in {pid for pid, _ in embedded}


def test_machines_that_share_no_disk_embed_each_text_once_each(client, reviews, tmp_path):
    texts, y = reviews.data, reviews.target
    folder = str(tmp_path)

    def own_folder():
        os.environ["SKLEARN_SAE_CACHE_DIR"] = f"{folder}/{os.getpid()}"

    client.run(own_folder)
    embed = EmbeddingTransformer(make_logger(tmp_path / "log"), batch_size=8)
    pipeline = make_hypothesis_pipeline(embed, **SMALL, random_state=0)
    with joblib.parallel_config("dask", scatter=[texts, y]):
        search(pipeline, {"hypotheses__encoder__sae__k": [1, 2]}, texts, refit=False).fit(texts, y)
    embedded = calls(tmp_path / "log")
    assert max(Counter(embedded).values()) == 1
    assert {text for _, text in embedded} == set(texts)


def test_models_are_loaded_and_texts_arrive_once_a_worker(client, reviews, tiny_sentence_transformer, tmp_path):
    arrived = str(tmp_path / "arrived")

    def unpack(texts):
        with open(arrived, "a") as file:
            file.write(f"{os.getpid()}\n")
        return texts

    class Texts(list):
        def __reduce__(self):
            return unpack, (list(self),)

    def loads():
        from sklearn_sae.embedding._local import _load

        return _load.cache_info().misses

    texts, y = Texts(reviews.data), reviews.target
    embed = EmbeddingTransformer(tiny_sentence_transformer, cache_dir=None)
    pipeline = make_hypothesis_pipeline(embed, **SMALL, random_state=0, unit="document", naming="quotes")
    pipeline.set_params(hypotheses__embedder=embed)
    with joblib.parallel_config("dask", scatter=[texts, y]):
        search(pipeline, {"hypotheses__encoder__sae__k": [1, 2]}, texts, refit=False).fit(texts, y)
    assert set(client.run(loads).values()) == {1}
    assert Counter(Path(arrived).read_text().split()).most_common(1)[0][1] == 1


def reply(body):
    """Name a neuron by the word that most sets its texts apart, and judge by that word."""
    user = body["messages"][1]["content"]
    if "Group A" not in user:
        text = re.search(r"<text-\w+>\n(.*?)\n</text", user, re.DOTALL)[1]
        return "yes" if re.search(r'mentions (\w+)"', user)[1] in text.lower() else "no"
    count = Counter()
    for group, text in re.findall(r"<text-\w+ ([AB])\d+>\n(.*?)\n</text", user, re.DOTALL):
        for word in set(re.findall(r"[a-z]{4,}", text.lower())):
            count[word] += 1 if group == "A" else -1
    word = min(count, key=lambda word: (-count[word], word))
    return f"Property: mentions {word}\nHolds for: 9"


def test_no_answer_is_asked_for_twice(client, reviews, openai_server, tmp_path):
    texts, y = reviews.data, reviews.target
    openai_server.reply = reply
    openai_server.latency = 0.02  # so that two workers want an answer at the same moment
    grid = {"impute__fill_value": [0, 1], "model__fit_intercept": [True, False]}
    asked, found = [], []
    for name in ("alone", "together"):
        annotator = LLMHypothesisAnnotator(
            base_url=openai_server.base_url,
            cache_dir=tmp_path / name,
            n_examples=4,
            n_scoring_examples=8,
            random_state=0,
        )
        pipeline = make_hypothesis_pipeline(**SMALL, naming=annotator, model=LinearRegression(), random_state=0)
        on = {"backend": "dask", "scatter": [texts, y]} if name == "together" else {"n_jobs": 1}
        with joblib.parallel_config(**on):
            found.append(search(pipeline, grid, texts, refit=False).fit(texts, y))
        asked.append([json.dumps(request["body"], sort_keys=True) for request in openai_server.requests])
        openai_server.requests.clear()
    assert_same(*found)
    assert len(asked[1]) == len(set(asked[1]))
    assert sorted(asked[0]) == sorted(asked[1])


def search_with_a_kill(texts, y, tmp_path, **backend):
    """Check that a search in which a worker is killed finds what one without finds, and embeds little twice."""
    grid = {"hypotheses__encoder__sae__k": [1, 2]}

    def pipeline(name, seconds):
        embed = EmbeddingTransformer(
            make_logger(tmp_path / f"{name}.log", seconds=seconds), batch_size=2, cache_dir=tmp_path / name
        )
        return make_hypothesis_pipeline(embed, **SMALL, random_state=0)

    killed = []

    def kill_who_embeds():
        while len(embedded := calls(tmp_path / "together.log")) < 10:
            time.sleep(0.02)
        killed.append(int(embedded[-1][0]))
        os.kill(killed[0], signal.SIGKILL)

    alone = search(pipeline("alone", 0), grid, texts, refit=False).fit(texts, y)
    killer = threading.Thread(target=kill_who_embeds, daemon=True)
    killer.start()
    with joblib.parallel_config(**backend):
        together = search(pipeline("together", 0.1), grid, texts, refit=False).fit(texts, y)
    killer.join()
    assert_same(alone, together)
    assert killed[0] != os.getpid()
    embedded = [text for _, text in calls(tmp_path / "together.log")]
    assert set(embedded) == set(texts)
    assert len(embedded) <= len(texts) + 2  # a batch was lost


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_worker_that_is_killed_changes_nothing(client, reviews, tmp_path):
    texts, y = reviews.data, reviews.target
    search_with_a_kill(texts, y, tmp_path, backend="dask", scatter=[texts, y])
    client.wait_for_workers(2, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_worker_of_ray_that_is_killed_changes_nothing(reviews, tmp_path):
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        register_ray()
        again = {"max_restarts": 3, "max_task_retries": 3}
        search_with_a_kill(reviews.data, reviews.target, tmp_path, backend="ray", n_jobs=2, ray_remote_args=again)
    finally:
        ray.shutdown()


def test_a_fit_is_one_task(client, reviews):
    distributed = pytest.importorskip("distributed")
    pipeline = make_hypothesis_pipeline(**SMALL, random_state=0)
    with distributed.get_task_stream(client) as tasks, joblib.parallel_config("dask"):
        search(pipeline, {"hypotheses__encoder__sae__k": [1, 2]}, reviews.data, refit=False).fit(
            reviews.data, reviews.target
        )
    batches = [task["key"] for task in tasks.data if "batch_of" in task["key"]]
    assert batches
    assert all("fit_and_score" in key for key in batches)


def test_the_page_runs_and_dask_and_ray_find_the_same():
    """In one process, because the page is read from top to bottom."""
    pytest.importorskip("dask")
    pytest.importorskip("ray")
    on_dask, on_ray = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    compare = """
import numpy as np
keys = [key for key in search.cv_results_ if "score" in key and "time" not in key]
there = {key: search.cv_results_[key] for key in keys}
here = search.fit(texts, target).cv_results_
assert len(keys) >= 6 and all(np.array_equal(there[key], here[key]) for key in keys)
print("the same")
"""
    script = on_dask + compare + "client.shutdown()\n" + on_ray + compare
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("the same") == 2
