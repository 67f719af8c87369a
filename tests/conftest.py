"""Fixtures that several folders of tests use."""

import importlib.util
import json
import os
import pickle
import signal
import string
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import estimator_checks


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard():
    """Where the tests run in the background SIGINT is ignored, and programs started from them would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


def _load(name):
    """Import a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_OpenAIServer = _load("openai_server").OpenAIServer


@pytest.fixture
def openai_server(monkeypatch):
    """An OpenAI-compatible server on loopback (see openai_server.py), and a key for it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with _OpenAIServer() as server:
        yield server


@pytest.fixture(scope="session")
def tiny_sentence_transformer(tmp_path_factory):
    """Path of a real sentence-transformers model: a BERT with random weights, letters as tokens, 16 dimensions."""
    return str(make_sentence_transformer(tmp_path_factory.mktemp("tiny"), seed=0))


def make_sentence_transformer(folder, *, seed):
    import torch
    from sentence_transformers import SentenceTransformer

    try:
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    except ImportError:  # sentence-transformers 5
        from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters)]
    bert = folder / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join([*vocabulary, *string.punctuation]))
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = BertConfig(vocab_size=200, max_position_embeddings=128, **sizes)
        BertModel(config).save_pretrained(bert)
    modules = [Transformer(str(bert), max_seq_length=128), Pooling(16)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture
def check_without_texts():
    """scikit-learn's common checks that do not feed X: ``check(estimator)``."""
    return _check_without_texts


@pytest.fixture
def check_text_transformer():
    """The checks that every estimator from texts to numbers must pass: ``check(estimator, texts, y=None)``.

    scikit-learn's common checks that do not feed X, and text versions of the rest. `texts` are at
    least three distinct ones; `counters` names attributes that `transform` may change.
    """
    return _check_text_transformer


_CHECKS_WITHOUT_X = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
)


def _check_without_texts(estimator):
    for check in _CHECKS_WITHOUT_X:
        getattr(estimator_checks, check)(type(estimator).__name__, estimator)


def _check_text_transformer(estimator, texts, y=None, *, counters=()):
    _check_without_texts(estimator)

    def same(a, b):
        a, b = (np.asarray(x.todense() if issparse(x) else x) for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    def state(fitted):
        return joblib.hash({k: v for k, v in vars(fitted).items() if k not in counters})

    tags = estimator.__sklearn_tags__()
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array

    texts = list(texts)
    before = list(texts)
    fitted = clone(estimator)
    parameters = {key: getattr(fitted, key) for key in fitted.get_params(deep=False)}
    assert fitted.fit(texts, y) is fitted
    assert all(getattr(fitted, key) is value for key, value in parameters.items()), "fit changed a parameter"
    was = state(fitted)
    out = fitted.transform(texts)
    assert state(fitted) == was, "transform changed the estimator"
    assert texts == before, "the input was changed"
    assert out.shape[0] == len(texts)

    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names) == out.shape[1]
    assert all(isinstance(n, str) for n in names)

    same(clone(estimator).fit_transform(texts, y), out)
    same(clone(estimator).fit(texts, y).fit(texts, y).transform(texts), out)
    pickled = pickle.dumps(fitted)
    assert not any(text.encode() in pickled for text in texts), "a text is in the pickle"
    same(pickle.loads(pickled).transform(texts), out)
    same(fitted.transform(texts[::-1])[::-1], out)
    same(np.vstack([_dense(fitted.transform([text])) for text in texts]), out)
    same(fitted.transform([*texts, texts[0]])[: len(texts)], out)

    series = pd.Series(texts, index=[f"row {i}" for i in range(len(texts))], name="text")
    for form in (tuple(texts), np.array(texts), np.array(texts, dtype=object), series, series.to_frame()):
        same(fitted.transform(form), out)
    frame = clone(estimator).set_output(transform="pandas").fit(series, y).transform(series)
    assert list(frame.columns) == list(names)
    assert list(frame.index) == list(series.index)
    same(frame, out)

    bad = {
        "single string": (TypeError, "a text"),
        "sequence of texts": (TypeError, 3),
        "is empty": (ValueError, []),
        "one column": (ValueError, np.array([texts[:2], texts[:2]])),
        "empty text in row 1": (ValueError, [texts[0], " "]),
        "missing text in row 2": (ValueError, [*texts[:2], None]),
        "missing text in row 0": (ValueError, [np.nan, *texts[:2]]),
        "type int in row 1": (TypeError, [texts[0], 7]),
    }
    for message, (kind, X) in bad.items():
        for method in (lambda X: clone(estimator).fit(X, None), fitted.transform):
            with pytest.raises(kind, match=message):
                method(X)


def _dense(rows):
    return rows.toarray() if issparse(rows) else np.asarray(rows)
