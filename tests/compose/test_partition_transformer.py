"""Collections of Dask and Ray Data, in and out."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    PartitionTransformer,
    TopKSAETransformer,
)
from sklearn_sae.datasets import make_concept_texts

REVIEWS = make_concept_texts(300, n_concepts=5, random_state=0)
TEXTS = np.array(REVIEWS.data, dtype=object)


@pytest.fixture(scope="module")
def encoder():
    """Texts to sparse activations, fitted."""
    embed = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(16, random_state=0))
    return make_pipeline(embed, TopKSAETransformer(32, 4, max_epochs=3, random_state=0)).fit(TEXTS)


@pytest.fixture(scope="module")
def vectors(encoder):
    return encoder[0].transform(TEXTS).astype(np.float32)


@pytest.fixture(scope="module")
def classifier(encoder):
    """Texts to classes, by hypotheses that have words as names."""
    annotator = KeywordHypothesisAnnotator(FrozenEstimator(encoder), neurons=3, random_state=0)
    return make_pipeline(annotator, LogisticRegression()).fit(TEXTS, np.where(REVIEWS.target > 3, "good", "bad"))


@pytest.fixture
def dask():
    """Dask, working in this process."""
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="threads"):
        yield dask


@pytest.fixture
def array(dask):
    return pytest.importorskip("dask.array")


@pytest.fixture
def frames(dask):
    return pytest.importorskip("dask.dataframe")


def assert_same(one, other):
    """Check that two arrays, sparse or frames, hold the same bits."""
    one, other = (np.asarray(each.todense() if sparse.issparse(each) else each) for each in (one, other))
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("chunks", [(300, 16), (7, 16), (100, 5)])
def test_an_array_of_numbers_has_blocks_of_csr(encoder, vectors, array, chunks):
    lazy = PartitionTransformer(encoder[1]).transform(array.from_array(vectors, chunks=chunks))
    assert isinstance(lazy, array.Array)
    assert lazy.chunks == (array.from_array(vectors, chunks=chunks).chunks[0], (32,))
    out, expected = lazy.compute(), encoder[1].transform(vectors)
    assert type(out) is type(lazy._meta) is type(expected)
    assert lazy.dtype == np.float32
    assert_same(out, expected)


def test_an_array_may_be_dense_or_hold_texts(encoder, vectors, array):
    dense = PartitionTransformer(encoder[0]).transform(array.from_array(TEXTS, chunks=64))
    assert type(dense._meta) is np.ndarray
    assert_same(dense.compute(), encoder[0].transform(TEXTS))
    back = PartitionTransformer(FrozenEstimator(encoder)).fit(array.from_array(TEXTS, chunks=64))
    assert_same(back.transform(array.from_array(TEXTS, chunks=64)).compute(), encoder.transform(TEXTS))


def test_a_bag_has_as_many_rows(encoder, dask):
    bags = pytest.importorskip("dask.bag")
    bag = bags.from_sequence(TEXTS.tolist(), npartitions=4)
    rows = PartitionTransformer(encoder).transform(bag).compute(scheduler="sync")
    assert len(rows) == len(TEXTS)
    assert_same(sparse.vstack(rows), encoder.transform(TEXTS))
    none = PartitionTransformer(encoder[0]).transform(bag.filter(lambda text: text == TEXTS[0]))
    assert_same(np.vstack(none.compute(scheduler="sync")), encoder[0].transform(TEXTS[:1]))


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_frame_keeps_its_index_and_has_the_names(encoder, frames, as_frame):
    texts = pd.Series(TEXTS, index=np.arange(300) * 2, name="review")
    lazy = PartitionTransformer(encoder).transform(
        frames.from_pandas(texts.to_frame() if as_frame else texts, npartitions=4)
    )
    assert isinstance(lazy, frames.DataFrame)
    out = lazy.compute()
    assert list(out.columns) == list(lazy.columns) == list(encoder.get_feature_names_out())
    assert (out.dtypes == lazy.dtypes).all()
    assert isinstance(out.dtypes.iloc[0], pd.SparseDtype)
    pd.testing.assert_index_equal(out.index, texts.index)
    assert_same(out.sparse.to_coo(), encoder.transform(TEXTS))


def test_a_partition_may_be_empty(encoder, classifier, frames):
    texts = frames.from_pandas(pd.Series(TEXTS), npartitions=3)
    few = texts[texts.index < 5]
    assert_same(
        PartitionTransformer(encoder).transform(few).compute().sparse.to_coo(), encoder.transform(TEXTS)[:5].tocoo()
    )
    assert PartitionTransformer(classifier).predict(few).compute().tolist() == classifier.predict(TEXTS[:5]).tolist()


def test_predictions(classifier, array, frames):
    lazy = PartitionTransformer(classifier)
    assert not hasattr(lazy, "transform")
    series = pd.Series(TEXTS)
    predicted = lazy.predict(frames.from_pandas(series, npartitions=3)).compute()
    assert predicted.name == "prediction"
    assert predicted.tolist() == classifier.predict(TEXTS).tolist() == lazy.predict(TEXTS).tolist()
    probabilities = lazy.predict_proba(frames.from_pandas(series, npartitions=3)).compute()
    assert list(probabilities.columns) == ["bad", "good"] == lazy.classes_.tolist()
    assert_same(probabilities, classifier.predict_proba(TEXTS))
    texts = array.from_array(TEXTS, chunks=100)
    assert_same(lazy.predict(texts).compute(), classifier.predict(TEXTS))
    assert_same(lazy.predict_proba(texts).compute(), classifier.predict_proba(TEXTS))


def test_predictions_of_several_targets(encoder, array, frames):
    targets = np.column_stack([REVIEWS.target, -REVIEWS.target])
    model = make_pipeline(FrozenEstimator(encoder), Ridge()).fit(TEXTS, targets)
    lazy = PartitionTransformer(model)
    texts = frames.from_pandas(pd.Series(TEXTS), npartitions=3)
    for some, rows in ((texts, slice(None)), (texts[texts.index < 5], slice(5))):  # of which partitions are empty
        predicted = lazy.predict(some)
        assert list(predicted.columns) == list(predicted.compute().columns) == ["prediction0", "prediction1"]
        assert_same(predicted.compute(), model.predict(TEXTS)[rows])
    assert_same(lazy.predict(array.from_array(TEXTS, chunks=100)).compute(), model.predict(TEXTS))


def test_probabilities_of_several_targets_are_refused(encoder, array, frames):
    bag = pytest.importorskip("dask.bag")
    targets = np.column_stack([REVIEWS.target > 0, REVIEWS.target > np.median(REVIEWS.target)])
    model = make_pipeline(FrozenEstimator(encoder), DummyClassifier()).fit(TEXTS, targets)
    lazy = PartitionTransformer(model)
    assert [len(one) for one in lazy.predict_proba(TEXTS)] == [len(TEXTS)] * 2
    for texts in (
        array.from_array(TEXTS, chunks=100),
        frames.from_pandas(pd.Series(TEXTS), npartitions=3),
        bag.from_sequence(list(TEXTS), npartitions=3),
    ):
        with pytest.raises(ValueError, match="predict_proba returns 2 arrays, one a target"):
            lazy.predict_proba(texts)


def test_nothing_is_asked_before_it_is_computed(array, openai_server):
    annotator = LLMHypothesisAnnotator(
        hypotheses=["mentions the staff", "mentions cold soup"], base_url=openai_server.base_url, cache_dir=None
    )
    openai_server.reply = lambda body: "yes"
    for transformer in (annotator, ChunkTransformer(FrozenEstimator(annotator), unit="sentence").fit(TEXTS[:1])):
        lazy = PartitionTransformer(transformer).transform(array.from_array(TEXTS[:6], chunks=3))
        assert lazy.shape == (6, 2)
        assert not openai_server.requests
    assert_same(lazy.compute(), np.ones((6, 2)))
    assert openai_server.requests


def test_what_is_in_memory_comes_out_as_without(encoder, vectors):
    for X, transformer in ((TEXTS, encoder), (vectors, encoder[1])):
        out = PartitionTransformer(transformer).transform(X)
        assert type(out) is type(transformer.transform(X))
        assert_same(out, transformer.transform(X))
    frame = PartitionTransformer(TopKSAETransformer(8, 2, max_epochs=1)).set_output(transform="pandas")
    frame = frame.fit(vectors).transform(vectors)
    assert frame.shape == (300, 8)


def test_fit_takes_data_in_memory(vectors, array):
    X = array.from_array(vectors, chunks=100)
    with pytest.raises(TypeError, match="fit takes data in memory"):
        PartitionTransformer(TopKSAETransformer(8, 2)).fit(X)
    with pytest.raises(NotFittedError):
        PartitionTransformer(TopKSAETransformer(8, 2)).transform(X)


def test_other_things_of_dask_are_refused(encoder, dask):
    with pytest.raises(TypeError, match="of dask; pass a Dask array"):
        PartitionTransformer(encoder).transform(dask.delayed(TEXTS))


@pytest.mark.slow
def test_neither_library_is_imported_for_what_is_in_memory():
    code = (
        "import sys, numpy as np, sklearn_sae as s; X = np.random.rand(20, 4); "
        "s.PartitionTransformer(s.TopKSAETransformer(4, 1, max_epochs=1)).fit(X).transform(X); "
        "print({'dask', 'ray', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Real workers, one of which is killed


def slow_transformer(inner, folder):
    """Return a transformer that takes a moment, and notes in a folder which process has got it and used it."""

    class Slow(TransformerMixin, BaseEstimator):  # inside a function, so that it is sent with its code
        def __init__(self, inner, folder):
            self.inner, self.folder = inner, folder

        def __setstate__(self, state):
            super().__setstate__(state)
            self._note("got")

        def __sklearn_is_fitted__(self):
            return True

        def fit(self, X, y=None):
            return self

        def transform(self, X):
            self._note("used")
            time.sleep(0.1)
            return self.inner.transform(X)

        def get_feature_names_out(self, input_features=None):
            return self.inner.get_feature_names_out()

        def _note(self, what):
            with open(os.path.join(self.folder, f"{what} {os.getpid()}"), "a") as file:
                file.write("x")

    return Slow(inner, str(folder))


def noted(folder, what):
    """Return how often each process has noted something."""
    return {int(path.name.split()[1]): path.stat().st_size for path in folder.glob(f"{what} *")}


def kill_one(folder, spared=()):
    """Kill a process that is at work, once it has begun its second partition; return its number."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for pid, n_partitions in noted(folder, "used").items():
            if pid not in spared and n_partitions > 1:
                os.kill(pid, signal.SIGKILL)
                return pid
        time.sleep(0.01)
    raise AssertionError("no process was at work")


@pytest.mark.slow
def test_a_worker_of_dask_is_killed(encoder, vectors, tmp_path):
    distributed, array = pytest.importorskip("distributed"), pytest.importorskip("dask.array")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        X = array.from_array(vectors, chunks=(10, 16))
        lazy = PartitionTransformer(slow_transformer(encoder[1], tmp_path)).transform(X)
        here = set(noted(tmp_path, "used"))  # the made-up row
        future = client.compute(lazy)
        killed = kill_one(tmp_path, spared=here)
        assert_same(future.result(timeout=120), encoder[1].transform(vectors))
        used = noted(tmp_path, "used")
        assert used.keys() - here - {killed}
        got = [noted(tmp_path, "got")[pid] for pid in used.keys() - here]
        assert max(got) < X.numblocks[0] / 2  # Once each, again perhaps after the loss, and not once a partition.


@contextmanager
def local_ray():
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    try:
        yield ray
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_ray(encoder, vectors, tmp_path):
    with local_ray() as ray:
        texts = ray.data.from_pandas(pd.DataFrame({"review": TEXTS}))
        lazy = PartitionTransformer(encoder, ray_kwargs={"batch_size": 64}).transform(texts)
        assert isinstance(lazy, ray.data.Dataset)
        out = lazy.to_pandas()
        assert list(out.columns) == list(encoder.get_feature_names_out())
        assert_same(out.to_numpy(dtype=np.float64), encoder.transform(TEXTS).toarray())

        of_vectors = ray.data.from_numpy(vectors)
        several = Ridge().fit(vectors, np.column_stack([REVIEWS.target, -REVIEWS.target]))
        predicted = PartitionTransformer(several).predict(of_vectors).to_pandas()
        assert list(predicted.columns) == ["prediction0", "prediction1"]
        np.testing.assert_allclose(predicted.to_numpy(dtype=np.float64), several.predict(vectors), rtol=1e-5)
        classes = LogisticRegression().fit(vectors, np.where(REVIEWS.target > 3, "good", "bad"))
        assert list(PartitionTransformer(classes).predict_proba(of_vectors).to_pandas().columns) == ["bad", "good"]

        slow = slow_transformer(encoder[1], tmp_path)
        options = {"batch_size": 10, "compute": ray.data.ActorPoolStrategy(size=2)}
        lazy = PartitionTransformer(slow, ray_kwargs=options).transform(ray.data.from_numpy(np.split(vectors, 10)))
        assert not noted(tmp_path, "used")
        killer = Thread(target=kill_one, args=[tmp_path])
        killer.start()
        batches = [batch["data"] for batch in lazy.iter_batches(batch_format="numpy")]
        killer.join()
        assert_same(np.vstack(batches), encoder[1].transform(vectors).toarray())
        assert set(noted(tmp_path, "got").values()) == {1}
