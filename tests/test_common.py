"""What every public estimator of the package keeps to. They are found by walking the package."""

import inspect
import pickle
import pkgutil
import re
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_sae
from sklearn_sae import (
    ChunkTransformer,
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    PartitionTransformer,
    PretrainedSAETransformer,
    QuoteHypothesisAnnotator,
    ReaderSAETransformer,
    TopKSAETransformer,
)
from sklearn_sae.analysis import PropertyRetriever, TargetedClustering


def all_estimators():
    """Return the estimators that modules without an underscore export, in alphabetical order."""
    modules = [m.name for m in pkgutil.walk_packages(sklearn_sae.__path__, "sklearn_sae.") if "._" not in m.name]
    exported = {value for name in modules for value in vars(import_module(name)).values() if inspect.isclass(value)}
    found = [cls for cls in exported if issubclass(cls, BaseEstimator) and cls.__module__.startswith("sklearn_sae.")]
    return sorted(found, key=lambda cls: cls.__name__)


def lengths(texts):
    return np.array([[len(text), text.count("a")] for text in texts])


def cached_lengths(texts):
    return lengths(texts)


cached_lengths.cache_key = "lengths"

WORDS = CountVectorizer(vocabulary=["cheap", "cold", "rude"], dtype=np.float32)

# How to construct each estimator, once or with several settings. All of them go through every test here that suits
# what they take: numbers, texts, or something else.
EXAMPLES = {
    ChunkTransformer: [
        ChunkTransformer(TfidfVectorizer(), max_words=3, pooling="max"),
        ChunkTransformer(TfidfVectorizer(), max_words=3, pooling="mean"),
        ChunkTransformer(TfidfVectorizer(), unit="sentence"),
    ],
    EmbeddingTransformer: [
        EmbeddingTransformer(lengths),
        EmbeddingTransformer(cached_lengths),
        EmbeddingTransformer("a model of a server", base_url="http://localhost"),
        EmbeddingTransformer("a model on disk", normalize=True),
    ],
    KeywordHypothesisAnnotator: [KeywordHypothesisAnnotator(WORDS, random_state=0)],
    LLMHypothesisAnnotator: [
        LLMHypothesisAnnotator(hypotheses=["mentions rude", "mentions cold"], base_url="http://localhost")
    ],
    NeuronSelector: [
        NeuronSelector(n_neurons=1),
        NeuronSelector(n_neurons=1, method="stepwise"),
        NeuronSelector(n_neurons=1, method="correlation"),
        NeuronSelector(n_neurons=1, n_resamples=2, random_state=0),
    ],
    PairTransformer: [
        PairTransformer(CountVectorizer()),
        PairTransformer(make_pipeline(CountVectorizer(), MaxAbsScaler()), order="before"),
    ],
    PartitionTransformer: [
        PartitionTransformer(TopKSAETransformer(n_components=4, k=1, random_state=0)),
        PartitionTransformer(ChunkTransformer(CountVectorizer())),
    ],
    # One text at a time: beside others it is padded, and its last digits differ.
    PretrainedSAETransformer: [
        PretrainedSAETransformer("an SAE on disk", batch_size=1),
        PretrainedSAETransformer("an SAE on disk", batch_size=1, cache_dir=None),
    ],
    PropertyRetriever: [PropertyRetriever()],
    QuoteHypothesisAnnotator: [
        QuoteHypothesisAnnotator(WORDS, embedder=EmbeddingTransformer(lengths), random_state=0),
        QuoteHypothesisAnnotator(WORDS, quote=False, random_state=0),
    ],
    ReaderSAETransformer: [
        ReaderSAETransformer("a model on disk", n_components=8, k=1, batch_size=1, overlap=8, random_state=0),
        ReaderSAETransformer(
            "a model on disk",
            n_components=8,
            k=1,
            aggregation=["mean", "max"],
            batch_size=1,
            overlap=8,
            cache_dir=None,
            random_state=0,
        ),
    ],
    TargetedClustering: [
        TargetedClustering("x0"),
        TargetedClustering("x0", clusterer=AgglomerativeClustering(2)),
        TargetedClustering("x0", clusterer=GaussianMixture(2)),
    ],
    TopKSAETransformer: [
        TopKSAETransformer(n_components=4, k=1),
        TopKSAETransformer(n_components=4, k=1, sparsity="batch_topk"),
        TopKSAETransformer(n_components=4, k=1, target_weight=0.5),
        TopKSAETransformer(n_components=4, k=1, encoder="matching_pursuit"),
    ],
}
ALL = [estimator for estimators in EXAMPLES.values() for estimator in estimators]
OF_TEXTS = [estimator for estimator in ALL if get_tags(estimator).input_tags.one_d_array]
OF_NUMBERS = [estimator for estimator in ALL if not get_tags(estimator).input_tags.string]

TEXTS = [
    f"{what} on {day}."
    for what in ("A cheap lunch", "Cold soup and a rude host", "A rude, rude waiter", "Cheap drinks", "All was well")
    for day in ("Monday", "Thursday", "the first Saturday")
]


def in_one_line(estimator):
    return " ".join(re.sub(" at 0x[0-9a-f]+", "", repr(estimator)).split())


each_class = pytest.mark.parametrize("cls", all_estimators(), ids=lambda cls: cls.__name__)


@each_class
def test_every_estimator_is_tested_here(cls):
    assert cls in EXAMPLES, (
        f"{cls.__name__} is public and not tested: add to EXAMPLES in tests/test_common.py how to construct it, so "
        "small that it is fitted in a moment."
    )


@each_class
def test_the_signature_says_what_may_be_passed(cls):
    parameters = inspect.signature(cls).parameters
    by_position = [name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    assert len(by_position) <= 2, "parameters are keyword-only after the first one or two"
    assert set(cls._parameter_constraints) == set(parameters), "_parameter_constraints has each parameter and no other"


@each_class
def test_the_docstring_has_every_parameter_and_an_example(cls):
    _, *parts = re.split(r"^(.+)\n-+\n", inspect.getdoc(cls), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    documented = ", ".join(re.findall(r"^(\w.*?) : ", sections["Parameters"], re.MULTILINE))
    assert documented.split(", ") == list(inspect.signature(cls).parameters)
    assert ">>> " in sections["Examples"]


@pytest.mark.parametrize("estimator", ALL, ids=in_one_line)
def test_checks_of_scikit_learn_without_data(check_without_texts, estimator):
    check_without_texts(estimator)
    for copy in (pickle.loads(pickle.dumps(estimator)), clone(estimator)):
        assert type(copy) is type(estimator)
        assert repr(copy) == repr(estimator)


@parametrize_with_checks(OF_NUMBERS)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", OF_TEXTS, ids=in_one_line)
def test_checks_of_a_text_transformer(check_text_transformer, request, estimator):
    check_text_transformer(with_models_at_hand(estimator, request.getfixturevalue), TEXTS, counters=("usage_",))


def with_models_at_hand(estimator, fixture):
    """Return a clone that uses a server of the tests, or tiny models, in place of those it names."""
    estimator = clone(estimator)
    if isinstance(estimator, PretrainedSAETransformer):
        sae = fixture("make_goodfire_file")(32, name="tiny-l2.pt")
        return estimator.set_params(sae=sae, model=fixture("gpt2_reader"))
    if isinstance(estimator, ReaderSAETransformer):
        return estimator.set_params(model=fixture("gpt2_reader"))
    if "base_url" in estimator.get_params() and estimator.base_url is not None:
        return estimator.set_params(base_url=fixture("openai_server").base_url)
    if isinstance(estimator, EmbeddingTransformer) and isinstance(estimator.model, str):
        return estimator.set_params(model=fixture("tiny_sentence_transformer"))
    return estimator
