"""What is said of a device that is not there: one sentence, with the `set_params` that helps."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    NeuronSelector,
    ReaderSAETransformer,
    TopKSAETransformer,
    discover,
    make_hypothesis_pipeline,
)
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._device import check_device

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(120, n_concepts=4, random_state=0)


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)


def small(**params):
    return TopKSAETransformer(8, 2, max_epochs=1, random_state=0, **params)


def letters(texts):
    return np.array([[len(text), text.count("a"), text.count("e")] for text in texts], float)


def refused(call, *args):
    with pytest.raises(ValueError, match="cannot be used here") as caught:
        call(*args)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250, message
    return message


def names_in(message):
    return message[message.index("set_params(") + len("set_params(") : message.index(")", message.index("set_params("))]


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("cuda", "CUDA|GPU"),
        ("cuda:1", "CUDA|GPU"),
        ("mps", "no GPU of Apple's"),
        ("meta", "holds no numbers"),
        *[(device, "torch knows no such device") for device in ("gpu", "", "cuda:", "cuda:-1", "GPU 0", "xla", "hpu")],
    ],
)
def test_one_sentence_whatever_the_device(X, device, why):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU of Apple's")
    message = refused(small(device=device).fit, X)
    assert message.startswith(f"device={device!r} cannot be used here (")
    assert message.endswith('; call set_params(device="auto") of the TopKSAETransformer.')
    with pytest.raises(ValueError, match=why):
        check_device(device)


def test_another_gpu_than_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        ValueError, match=r"device='cuda:1' cannot be used here \(the only GPU is cuda:0\); pass 'auto'"
    ):
        check_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(ValueError, match=r"'cuda:4' cannot be used here \(the GPUs are cuda:0 to cuda:3\)"):
        check_device("cuda:4")


@pytest.mark.parametrize(
    "estimator",
    [
        EmbeddingTransformer("all-MiniLM-L6-v2", device="cuda"),
        ReaderSAETransformer("all-MiniLM-L6-v2", device="cuda"),
        TopKSAETransformer(device="cuda"),
    ],
)
def test_every_estimator_gives_its_own_name(estimator, reviews, X):
    message = refused(estimator.fit, X if isinstance(estimator, TopKSAETransformer) else reviews.data)
    assert message.endswith(f'call set_params(device="auto") of the {type(estimator).__name__}.')


def test_a_fitted_pipeline_that_is_opened_elsewhere(X):
    pipeline = make_pipeline(small(), NeuronSelector(2), LinearRegression()).fit(X, X[:, 0])
    pipeline.set_params(topksaetransformer__device="cuda")
    for call in (pipeline.predict, pipeline[:-1].transform):
        assert "call pipeline.set_params(topksaetransformer__device=" in refused(call, X)
    outer = make_pipeline(FrozenEstimator(pipeline[:-1]), LinearRegression())  # whose parts it gives no names
    assert refused(outer.fit, X, X[:, 0]).endswith('; call set_params(device="auto") of the TopKSAETransformer.')


def test_the_name_as_the_outermost_estimator_knows_it(reviews):
    pipeline = make_hypothesis_pipeline(n_hypotheses=3, n_components=8, random_state=0)
    pipeline.set_params(hypotheses__encoder__sae__device="cuda:1")
    message = refused(pipeline.fit, reviews.data, reviews.target)
    assert message.endswith('call pipeline.set_params(hypotheses__encoder__sae__device="auto").')
    search = GridSearchCV(clone(pipeline), {"hypotheses__encoder__sae__k": [2]}, cv=2, error_score="raise")
    message = refused(search.fit, reviews.data, reviews.target)
    assert 'set_params(estimator__hypotheses__encoder__sae__device="auto") of the GridSearchCV' in message
    exec(f"pipeline.set_params({names_in(refused(pipeline.fit, reviews.data, reviews.target))})")
    pipeline.fit(reviews.data, reviews.target)


def test_all_parts_on_that_device_are_named(reviews):
    encoder = make_pipeline(EmbeddingTransformer("all-MiniLM-L6-v2", device="cuda"), small(device="cuda"))
    message = refused(KeywordHypothesisAnnotator(encoder, neurons=2).fit, reviews.data)
    assert (
        names_in(message) == 'encoder__embeddingtransformer__device="auto", encoder__topksaetransformer__device="auto"'
    )


def test_a_part_that_the_parameters_no_longer_change(reviews):
    encoder = make_pipeline(EmbeddingTransformer(letters), small(), NeuronSelector(3))
    annotator = KeywordHypothesisAnnotator(encoder, judge="neuron", random_state=0).fit(reviews.data, reviews.target)
    annotator.encoder_.set_params(topksaetransformer__device="cuda")
    message = refused(annotator.transform, reviews.data)
    assert message.endswith('call set_params(device="auto") of the TopKSAETransformer.')


def test_nothing_is_embedded_for_an_autoencoder_that_cannot_be_trained(reviews):
    asked = []
    embedder = EmbeddingTransformer(lambda texts: asked.append(texts) or np.ones((len(texts), 4)))
    annotator = KeywordHypothesisAnnotator(make_pipeline(embedder, small(device="cuda")))
    refused(annotator.fit, reviews.data)
    assert not asked


def test_discover_says_so_before_the_work(reviews):
    embedder = EmbeddingTransformer("all-MiniLM-L6-v2", device="cuda")
    with pytest.raises(ValueError, match=r"__device='cuda' cannot be used here \(.*\); pass 'auto' or 'cpu'"):
        discover(reviews.data, reviews.target, embedder=embedder, random_state=0)
    with pytest.raises(ValueError, match="hypotheses__encoder__read__device='cuda' cannot be used here"):
        discover(reviews.data, reviews.target, reader=ReaderSAETransformer("all-MiniLM-L6-v2", device="cuda"))
