"""Searches on a Dask cluster of two worker processes on this machine."""

import os
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_sae import EmbeddingTransformer, make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

pytestmark = pytest.mark.slow

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 2}


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
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
