"""The estimator as a user meets it: against plain references, in searches, with bad input, saved and killed."""

import json
import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    EmbeddingTransformer,
    NeuronSelector,
    PairTransformer,
    ReaderSAETransformer,
    TopKSAETransformer,
)
from sklearn_sae.analysis import diff_features, feature_correlations, top_documents
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.pretrained import _reader
from sklearn_sae.pretrained._load import load_sparse_encoder
from sklearn_sae.pretrained._tokens import tokenize_texts
from sklearn_sae.pretrained._word_store import WordActivations
from sklearn_sae.pretrained._word_table import word_tables
from sklearn_sae.utils._minilm import minilm_folder

torch = pytest.importorskip("torch")

WHO = ("the waiter", "the captain", "a ship", "this place", "the soup", "some food")
WHAT = ("was kind", "was cold", "saw a storm", "will not come back", "was great", "is plain and late")
TEXTS = [f"{a} {b}, {c}" for a in WHO for b in WHAT for c in ("so good", "too late")]
COLD = np.array(["cold" in text for text in TEXTS])
FEW = {
    "n_components": 16,
    "k": 2,
    "random_state": 0,
    "overlap": 8,
    "sae_params": {"max_epochs": 3, "validation_fraction": None},
}


@pytest.fixture
def reader(gpt2_reader):
    """``reader(**params)``: the estimator with a tiny reader, small and quick."""
    return lambda **params: ReaderSAETransformer(**{"model": gpt2_reader, "layer": 2, **FEW, **params})


@pytest.fixture
def n_read(monkeypatch):
    """How many texts each run of the model was given."""
    calls = []
    run = _reader.Reader._run

    def count(self, ids, mask):
        calls.append(len(ids))
        return run(self, ids, mask)

    monkeypatch.setattr(_reader.Reader, "_run", count)
    # What is asked of a model to see whether it is causal is no text.
    is_causal = _reader.Reader.is_causal.func

    def ask(self):
        answer = is_causal(self)
        del calls[-2:]
        return answer

    monkeypatch.setattr(_reader.Reader, "is_causal", property(ask))
    return calls


def n_stored(name):
    path = Path(os.environ["SKLEARN_SAE_CACHE_DIR"]) / f"{name}.sqlite"
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT COUNT(*) FROM store").fetchone()[0]


# What comes out


@pytest.mark.parametrize("model", ["bert", "llama", "gpt2"])
def test_every_aggregation_is_that_of_the_activations_of_words(request, model):
    folder = request.getfixturevalue(f"{model}_reader")
    aggregations = ["max", "mean", "sum", "count", "binarize"]
    transformer = ReaderSAETransformer(folder, aggregation=aggregations, **FEW)
    texts = [*TEXTS, "the and of", "cold cold food"]
    X = transformer.fit(TEXTS).transform(texts)
    assert X.shape == (len(texts), 80) == (len(texts), transformer.n_features_out_)
    assert X.nnz > 0
    assert (X.dtype, X.indices.dtype) == (np.float32, np.int32)
    names = transformer.get_feature_names_out()
    assert names[[0, 15, 16, 79]].tolist() == [
        "neuron 0, max",
        "neuron 15, max",
        "neuron 0, mean",
        "neuron 15, binarize",
    ]
    blocks = dict(zip(aggregations, np.split(X.toarray(), 5, axis=1), strict=True))
    assert not X[[len(TEXTS)]].nnz, "a text without a word that counts"
    for neuron in range(16):
        for row, frame in enumerate(transformer.token_activations(texts, neuron)):
            found = frame["activation"].to_numpy() if len(frame) else np.zeros(1)
            expected = {
                "max": found.max(),
                "mean": found.mean(),
                "sum": found.sum(),
                "count": (found > 0).sum(),
                "binarize": float((found > 0).any()),
            }
            for aggregation, value in expected.items():
                assert blocks[aggregation][row, neuron] == pytest.approx(value, rel=1e-5, abs=1e-7)
    single = clone(transformer).set_params(aggregation="mean").fit(TEXTS)
    np.testing.assert_array_equal(single.transform(texts).toarray(), blocks["mean"])
    assert single.get_feature_names_out()[7] == "neuron 7"


def test_a_reader_may_be_spread_over_devices(reader, monkeypatch):
    spread = reader(cache_dir=None, model_kwargs={"device_map": "auto"})
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"device_map='auto' needs the package 'accelerate': pip install"):
        spread.fit(TEXTS)
    monkeypatch.undo()
    pytest.importorskip("accelerate")
    expected = reader(cache_dir=None).fit_transform(TEXTS)
    np.testing.assert_allclose(spread.fit_transform(TEXTS).toarray(), expected.toarray(), atol=1e-5)


def test_the_activations_of_words_as_tables(reader):
    transformer = reader(aggregation=["max", "sum"]).fit(TEXTS)
    texts = ["Cold food, cold soup", "the", "COLD ship"]
    counts, vocabulary, active, times = transformer.word_activations(texts, [3, 19])
    assert vocabulary.tolist() == ["cold", "food", "soup", "ship"]
    assert counts.toarray().tolist() == [[2, 1, 1, 0], [0] * 4, [1, 0, 0, 1]]
    for table, again in ((active, active[1]), (times, times[1])):
        assert len(table) == 2
        np.testing.assert_array_equal(table[0].toarray(), again.toarray())  # 19 is neuron 3 under the second
    total = sum(table.sum() for table in transformer.word_activations(texts, range(16))[2])
    assert total == pytest.approx(transformer.set_params(aggregation="sum").transform(texts).sum(), rel=1e-5)
    n_active = sum(table.sum() for table in transformer.word_activations(texts, range(16))[3])
    assert 0 < n_active <= 2 * 6  # k of each of the six words that count
    for aggregation, n in (("sum", 16), (["max", "sum"], 32)):
        with pytest.raises(ValueError, match=rf"^latent={n} does not exist; there are columns 0 to {n - 1}\.$"):
            transformer.set_params(aggregation=aggregation).word_activations(texts, [n])


def test_the_tables_are_those_of_each_text_and_neuron():
    rng = np.random.default_rng(0)
    words = [[f"word {i}" for i in rng.integers(5, size=n)] for n in (0, 9, 40, 1)]
    activations = []
    for some in words:
        is_read = rng.random(len(some)) < 0.8
        n_active = rng.integers(4, size=is_read.sum())
        sizes = {"size": n_active.sum()}
        values = rng.random(**sizes).astype(np.float32)
        activations.append(WordActivations(is_read, n_active, rng.integers(6, **sizes).astype(np.int32), values))
    neurons = [4, 1, 4, 7]  # one again, and one that is never active
    counts, vocabulary, active, times = word_tables(words, iter(activations), neurons)
    assert counts.sum() == 50
    column = {word: i for i, word in enumerate(vocabulary)}
    for neuron, of_neuron, n_times in zip(neurons, active, times, strict=True):
        expected = np.zeros((2, *counts.shape), np.float32)
        for row, (some, one) in enumerate(zip(words, activations, strict=True)):
            for place, of, value in zip(one.words, one.neurons, one.values, strict=True):
                if of == neuron:
                    expected[:, row, column[some[place]]] += value, 1
        np.testing.assert_array_equal([of_neuron.toarray(), n_times.toarray()], expected)
        assert of_neuron.dtype == n_times.dtype == np.float32
    assert active[0].nnz
    assert not active[3].nnz


def test_highlighting(reader):
    transformer = reader().fit(TEXTS)
    text = "the waiter was cold <b>so</b> good"
    frame = next(f for f in (transformer.token_activations(text, i) for i in range(16)) if f["activation"].any())
    assert set(frame["token"]) <= {"waiter", "cold", "good"}
    neuron = next(i for i in range(16) if transformer.token_activations(text, i)["activation"].any())
    assert "<<" in transformer.highlight(text, neuron)
    shown = transformer.highlight([text, "the and of"], neuron, html=True)
    assert "&lt;b&gt;" in shown[0]
    assert transformer.highlight("the and of", neuron, html=True).count("background") == 0


def test_tokens_and_stop_words(reader):
    content, whole = reader().fit(TEXTS), reader(tokens="all").fit(TEXTS)
    chosen = reader(tokens=lambda word: word in ("cold", "kind")).fit(TEXTS)
    german = reader(stop_words="german").fit(TEXTS)
    assert chosen.n_words_ == sum(text.count("cold") + text.count("kind") for text in TEXTS)
    assert chosen.n_words_ < content.n_words_ < german.n_words_ < whole.n_words_
    assert not chosen.transform(["the soup was great"]).nnz


def test_white_space_other_alphabets_and_emoji(reader):
    texts = [
        "  cold\n\n\tsoup ",
        "cafe\u0301 froid",
        "caf\u00e9 froid",
        "\u6f22\u5b57\u306e\u672c",
        "\U0001f44d\U0001f3fd good",
    ]
    transformer = reader(aggregation="count").fit(TEXTS)
    assert (transformer.transform(texts).sum(axis=1) > 0).all()
    tokens = [set(frame["token"]) for frame in transformer.token_activations(texts, 0)]
    assert {"cold", "soup"} == tokens[0]
    assert {"cafe\u0301", "froid"} == tokens[1]
    assert "\U0001f44d\U0001f3fd" in tokens[4]


def test_long_texts(reader):
    long = " ".join(TEXTS[:30])
    transformer = reader(max_length=32, overlap=4, aggregation="count")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X = transformer.fit(TEXTS).transform([long])
    n_words = len(transformer.token_activations(long, 0))
    assert n_words > 60
    assert X.sum() > n_words
    cut = clone(transformer).set_params(overlap=None)
    with pytest.warns(
        UserWarning, match=r"^1 of 73 texts is longer .* pass overlap to read them in windows\.$"
    ) as said:
        cut.fit([*TEXTS, long])
    assert said[0].filename == __file__
    for call in (lambda: cut.transform([long, "cold soup"]), lambda: cut.transform([long, "cold soup"])):  # stored now
        with pytest.warns(UserWarning, match=r"^1 of 2 texts is longer") as said:
            assert call()[0].sum() < X.sum() / 3
        assert said[0].filename == __file__
    with pytest.warns(UserWarning, match=r"^1 of 73 texts is longer") as said:
        clone(cut).fit_transform([*TEXTS, long])
    assert len(said) == 1
    assert said[0].filename == __file__


def test_texts_so_long_that_all_neurons_are_active(reader):
    rng = np.random.default_rng(0)
    long = [" ".join(rng.choice(TEXTS, 60)) for _ in range(20)]
    with pytest.warns(UserWarning, match="nearly all texts") as said:
        reader().fit_transform(long)
    (note,) = (str(one.message) for one in said)
    n_active, rest = note.split(" of 16 neurons are active in nearly all texts, which have a median of ")
    assert 8 <= int(n_active) <= 16
    assert re.fullmatch(
        r"\d\d\d words that count, so that no name can tell the texts apart; cut them into shorter ones with "
        r'ChunkTransformer, or raise n_components; aggregation="mean" tells how active they are\.',
        rest,
    )
    assert said[0].filename == __file__
    with pytest.warns(UserWarning, match=r"or raise n_components\.$"):
        reader(aggregation=["max", "mean"]).fit_transform(long)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader().fit_transform(TEXTS)
        reader().fit_transform(long[:9])  # too few to say


# Reading once


def test_states_are_dropped_after_fit(reader, n_read):
    reader().fit(TEXTS)
    assert sum(n_read) == len(TEXTS)
    assert n_stored("states") == 0
    reader().fit_transform(TEXTS)
    assert n_stored("states") == 0
    assert sum(n_read) == 2 * len(TEXTS)
    reader(keep_states=np.False_).fit(TEXTS)
    assert n_stored("states") == 0


def test_kept_states_are_read_once(reader, n_read):
    first = reader(keep_states=True).fit(TEXTS)
    assert sum(n_read) == len(TEXTS) == n_stored("states")
    for sizes in ({"n_components": 8}, {"k": 1}, {"aggregation": "mean"}, {"random_state": 1}, {"target_weight": 0.5}):
        reader(keep_states=True, **sizes).fit_transform(TEXTS, COLD)
    first.transform(TEXTS[:5])
    assert sum(n_read) == len(TEXTS)
    first.transform(["another text"])
    assert sum(n_read) == len(TEXTS) + 1
    assert n_stored("states") == len(TEXTS) + 1


def test_several_layers_are_read_in_one_run(reader, n_read):
    layers = (1, 2, 3)
    found = {layer: reader(layer=layer, keep_states=layers).fit(TEXTS) for layer in layers}
    assert sum(n_read) == len(TEXTS)
    assert n_stored("states") == 3 * len(TEXTS)
    for layer, kept in found.items():
        alone = reader(layer=layer, cache_dir=None).fit(TEXTS)
        np.testing.assert_allclose(kept.sae_.components_, alone.sae_.components_, rtol=1e-4, atol=1e-5)
    assert reader(layer="auto").fit(TEXTS).layer_ == 3  # of 4


def test_a_text_that_is_repeated_is_read_once(reader, n_read):
    transformer = reader()
    X = transformer.fit_transform([*TEXTS, *TEXTS])
    assert sum(n_read) == len(TEXTS)
    assert transformer.n_words_ == 2 * reader().fit(TEXTS).n_words_
    np.testing.assert_array_equal(X[: len(TEXTS)].toarray(), X[len(TEXTS) :].toarray())


def test_activations_are_stored_without_texts(reader, n_read, tmp_path):
    transformer = reader().fit(TEXTS)
    transformer.transform(["never the same soup"])
    n = sum(n_read)
    transformer.transform(["never the same soup"])
    assert sum(n_read) == n
    held = b"".join(file.read_bytes() for file in Path(os.environ["SKLEARN_SAE_CACHE_DIR"]).iterdir())
    assert b"never the" not in held
    without = reader(cache_dir=None).fit(TEXTS)
    without.transform(TEXTS[:2])
    n = sum(n_read)
    without.transform(TEXTS[:2])
    assert sum(n_read) == n + 2


def test_some_texts_are_drawn(reader, n_read):
    with pytest.warns(
        UserWarning, match=r"texts drawn from 72, because all have .* words that count; raise max"
    ) as said:
        some = reader(max_tokens=100).fit(TEXTS)
    assert said[0].filename == __file__
    assert 100 <= some.n_words_ < 110
    assert sum(n_read) < 40
    with pytest.warns(UserWarning, match="drawn from 72"):
        again = reader(max_tokens=100, cache_dir=None).fit(TEXTS)
    np.testing.assert_array_equal(again.sae_.components_, some.sae_.components_)
    with pytest.warns(UserWarning, match="drawn from 72"):
        other = reader(max_tokens=100, random_state=1).fit(TEXTS)
    assert abs(other.scale_ - some.scale_).max() > 0


def test_same_seed_same_bits(reader):
    fits = [
        reader(**params).fit(TEXTS)
        for params in ({}, {"cache_dir": None}, {"keep_states": True}, {"keep_states": True})
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.sae_.components_, fits[0].sae_.components_)
        np.testing.assert_array_equal(fit.scale_, fits[0].scale_)
    assert abs(reader(random_state=1).fit(TEXTS).sae_.components_ - fits[0].sae_.components_).max() > 0.01


PROGRAM = """
import hashlib, os, sys, time
from sklearn_sae import ReaderSAETransformer
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.pretrained import _reader
from sklearn_sae.utils._minilm import minilm_folder
run, n = _reader.Reader._run, 0
def slow(self, ids, mask):
    global n
    n += 1
    if n > 2 + int(sys.argv[2]):
        print("reading", flush=True)
        time.sleep(600)
    return run(self, ids, mask)
_reader.Reader._run = slow
texts = [f"the soup of {i} was cold and number {i * 7} great {'food ' * (i % 9)}" for i in range(700)]
reader = ReaderSAETransformer(sys.argv[1], n_components=16, k=2, random_state=0, batch_size=8, overlap=8)
reader.fit(texts)
print(n - 2, hashlib.sha256(reader.sae_.components_.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_fit_that_is_killed_goes_on(gpt2_reader, tmp_path):
    def run(cache, n_batches):
        arguments = [sys.executable, "-c", PROGRAM, gpt2_reader, str(n_batches)]
        environment = os.environ | {"SKLEARN_SAE_CACHE_DIR": str(tmp_path / cache)}
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)

    whole = run("whole", 10**6).communicate()[0].split()
    killed = run("killed", 50)
    assert killed.stdout.readline() == "reading\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert sorted(file.suffix for file in (tmp_path / "killed").iterdir() if "lock" not in file.name)[0] == ".sqlite"
    rest = run("killed", 10**6).communicate()[0].split()
    assert int(whole[0]) == 50 + int(rest[0])
    assert rest[1] == whole[1]
    with sqlite3.connect(tmp_path / "killed" / "states.sqlite") as connection:
        assert connection.execute("SELECT COUNT(*) FROM store").fetchone() == (0,)


# The target


def test_targets(reader):
    numbers = np.where(COLD, 1.5, 4.0) + np.arange(len(TEXTS)) % 3
    kinds = {
        "numbers": numbers,
        "binary": np.where(COLD, "yes", "no"),
        "multiclass": np.array(["a", "b", "c"])[np.arange(len(TEXTS)) % 3],
        "bool": COLD,
    }
    without = reader().fit(TEXTS, numbers)
    np.testing.assert_array_equal(reader().fit(TEXTS).sae_.components_, without.sae_.components_)
    for kind, y in kinds.items():
        arrays = reader(target_weight=1.0).fit(TEXTS, y)
        assert abs(arrays.sae_.components_ - without.sae_.components_).max() > 1e-3, kind
        series = pd.Series(y, index=range(5, 5 + len(y)))
        forms = [series, list(y), pd.Series(y.astype(object))]
        if (polars := pytest.importorskip("polars")) is not None:
            forms.append(polars.Series(y.tolist()))
        for form in forms:
            other = reader(target_weight=1.0).fit(TEXTS, form)
            np.testing.assert_array_equal(other.sae_.components_, arrays.sae_.components_)
    frame = pd.Series(TEXTS, index=range(5, 5 + len(TEXTS)))
    with pytest.warns(UserWarning, match="different indexes"):
        reader(target_weight=1.0).fit(frame, pd.Series(numbers))
    with pytest.raises(ValueError, match="in different orders"):
        reader(target_weight=1.0).fit(frame, pd.Series(numbers, index=frame.index[::-1]))


def test_each_place_of_a_text_has_its_own_target(reader):
    y = np.concatenate([COLD, ~COLD]).astype(float)
    contradicted = reader(target_weight=1.0).fit([*TEXTS, *TEXTS], y)
    agreed = reader(target_weight=1.0).fit([*TEXTS, *TEXTS], np.concatenate([COLD, COLD]).astype(float))
    assert abs(contradicted.sae_.target_coef_).max() < abs(agreed.sae_.target_coef_).max()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"^target_weight=1\.0 requires y to be passed, but the target y is None\.$"),
        (COLD[:-1], r"inconsistent numbers of samples"),
        (np.ones(len(TEXTS)), r"^y is constant"),
        (np.where(COLD, np.nan, 1.0), r"^Input y contains NaN"),
    ],
    ids=["none", "short", "constant", "missing"],
)
def test_bad_targets_are_refused_before_the_model_is_loaded(reader, monkeypatch, y, message):
    monkeypatch.setattr(_reader, "_load_model", None)
    with pytest.raises(ValueError, match=message):
        reader(target_weight=1.0).fit(TEXTS, y)
    if y is not None and len(y) < len(TEXTS):
        with pytest.raises(ValueError, match=message):
            reader().fit(TEXTS, y)


def test_a_fit_that_fails_leaves_what_was_fitted(reader, monkeypatch):
    from sklearn.exceptions import NotFittedError

    from sklearn_sae.pretrained import _reader_sae_transformer

    transformer, first = reader().fit(TEXTS), reader()
    expected = transformer.transform(TEXTS).toarray()
    before = dict(vars(transformer))

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(_reader_sae_transformer, "check_enough", fail)  # after the words are read
    for estimator in (transformer.set_params(layer=1), first):
        with pytest.raises(MemoryError):
            estimator.fit(TEXTS)
    assert vars(transformer) == before | {"layer": 1}
    np.testing.assert_array_equal(transformer.transform(TEXTS).toarray(), expected)
    with pytest.raises(NotFittedError):
        first.transform(TEXTS)


# Bad parameters


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer": 5}, r"^layer=5 is beyond the model, which has 4 layers; 1 is the first\.$"),
        ({"keep_states": [0, 2]}, r"^0 in keep_states is beyond the model, which has 4 layers"),
        ({"keep_states": [1.5]}, r"^1\.5 in keep_states is beyond the model"),
        ({"k": 17}, r"^k=17 is larger than n_components=16"),
        ({"sae_params": {"n_components": 4}}, r"^sae_params holds 'n_components', which is a parameter of its own"),
        ({"sae_params": {"depth": 4}}, r"^sae_params holds 'depth', which is no parameter of TopKSAETransformer\.$"),
        ({"sae_params": {"max_epochs": -1}}, r"^The 'max_epochs' parameter"),
        ({"aggregation": ["max", "median"]}, r"^aggregation must be one or several"),
        ({"tokens": "none"}, r"^The 'tokens' parameter"),
        ({"stop_words": "klingon"}, r"^The 'stop_words' parameter"),
        ({"model_kwargs": {"token": "hf_secret"}}, r"^model_kwargs holds a token"),
        ({"model_kwargs": {"dtype": "float16"}}, r"^model_kwargs holds 'dtype'"),
        ({"tokens": lambda word: False}, r"^The texts have 0 words that count"),
        ({"cache_dir": ""}, r"^cache_dir is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),  # because a function has no fixed text
)
def test_bad_parameters_are_refused_before_anything_is_read(reader, n_read, params, message):
    with pytest.raises(ValueError, match=message):
        reader(**params).fit(TEXTS)
    assert not n_read


def test_a_window_that_is_too_long_or_too_short(reader, n_read):
    with pytest.raises(ValueError, match=r"^max_length=65 is more than the 64 tokens that the model takes\.$"):
        reader(max_length=65).fit(TEXTS)
    with pytest.raises(ValueError, match=r"^max_length=2 leaves no room for the text: .*overlap=1"):
        reader(max_length=2).fit(TEXTS)
    reader(max_length=8, overlap=64).fit(TEXTS)


@pytest.mark.parametrize("max_tokens", [10**6, 150])
def test_a_text_without_a_token(bert_reader, max_tokens):
    texts = [*TEXTS[:40], "\ue000\ue001", *TEXTS[40:]]
    transformer = ReaderSAETransformer(bert_reader, max_tokens=max_tokens, **FEW)
    message = r"^The text in row 40 has no token for the reader; drop it\.$"
    if max_tokens > 1000:
        with pytest.raises(ValueError, match=message):
            transformer.fit(texts)
    with pytest.raises(ValueError, match=message):
        transformer.set_params(max_tokens=10**6).fit(TEXTS).transform(texts)


def test_words_that_the_tokenizer_does_not_know(bert_reader):
    signs = ["\u4e00\u4e01", "\u4e02\u4e03\u4e04", "\u0b95 \u0b95\u0bae"]  # of none of which it has a word piece
    transformer = ReaderSAETransformer(bert_reader, **FEW)
    with pytest.raises(ValueError, match=r"tokenizer knows none of the words of the texts, such as '.+', so that they"):
        transformer.fit(signs * 10)
    with pytest.warns(UserWarning, match=r"does not know 50 of \d+ words of the texts, such as '\u4e05', which"):
        transformer.fit([*TEXTS, *["\u4e05 cold"] * 50])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer.fit([*TEXTS, "\u4e05 cold"])  # one of many


def test_states_that_are_no_numbers(gpt2_reader):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(gpt2_reader), AutoTokenizer.from_pretrained(gpt2_reader)
    transformer = ReaderSAETransformer(model, tokenizer=tokenizer, layer=1, **FEW).fit(TEXTS)
    with torch.no_grad():
        model.h[0].mlp.c_proj.bias[3] = torch.nan
    with pytest.raises(ValueError, match=r"^The reader's states are not all finite numbers"):
        clone(transformer).fit(TEXTS)
    with pytest.raises(ValueError, match=r"on the device 'meta', which holds no numbers"):
        ReaderSAETransformer(AutoModel.from_config(model.config).to("meta"), tokenizer=tokenizer, **FEW).fit(TEXTS)


def test_a_damaged_store(reader):
    transformer, keeping_none = reader(keep_states=True).fit(TEXTS), reader().fit(TEXTS[:20])
    keeping_none.transform(TEXTS[:3])
    for name in ("states", "word_activations"):
        with closing(sqlite3.connect(Path(os.environ["SKLEARN_SAE_CACHE_DIR"]) / f"{name}.sqlite")) as connection:
            connection.execute("UPDATE store SET value = substr(value, 2)")
            connection.commit()
    with pytest.raises(OSError, match=r"states\.sqlite holds damaged states; move it away, or pass another cache_dir"):
        clone(transformer).fit(TEXTS)
    with pytest.raises(OSError, match=r"word_activations\.sqlite holds damaged activations"):
        keeping_none.transform(TEXTS[:3])
    (Path(os.environ["SKLEARN_SAE_CACHE_DIR"]) / "states.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match=r"states\.sqlite is corrupt"):
        clone(transformer).fit(TEXTS)


# With scikit-learn and the rest of the package


@pytest.mark.slow
def test_grid_search_in_a_pipeline(reader, n_read):
    y = np.where(COLD, 1.0, 4.0) + np.random.default_rng(0).normal(size=len(TEXTS)) / 10
    pipeline = Pipeline(
        [
            ("read", reader(keep_states=[1, 2], sae_params={"max_epochs": 3})),
            ("select", NeuronSelector(5)),
            ("model", LinearRegression()),
        ]
    )
    grid = {
        "read__n_components": [16, 32],
        "read__layer": [1, 2],
        "read__aggregation": ["max", ["max", "mean"]],
        "read__target_weight": [0.5],
    }
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=folds, error_score="raise").fit(TEXTS, y)
    assert sum(n_read) == len(TEXTS)
    parallel = GridSearchCV(pipeline, grid, cv=folds, n_jobs=2, error_score="raise").fit(TEXTS, y)
    np.testing.assert_array_equal(parallel.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    assert len(set(search.cv_results_["mean_test_score"])) == 8  # random weights predict little, but each its own
    assert search.predict(TEXTS).shape == (len(TEXTS),)


@pytest.mark.slow
def test_processes_that_drop_what_others_read(reader):
    """Both fit the same texts at the same time, and each drops their states at its end."""
    pipeline = Pipeline([("read", reader()), ("select", NeuronSelector(3)), ("model", LinearRegression())])
    grid = {"read__n_components": [8, 10, 12, 14, 16, 18], "read__batch_size": [1]}
    y = COLD + np.random.default_rng(0).normal(size=len(TEXTS)) / 10
    scores = [
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
        .fit(TEXTS, y)
        .cv_results_["mean_test_score"]
        for n_jobs in (2, None)
    ]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_pickles_and_clones(reader, gpt2_reader):
    transformer = reader().fit(TEXTS)
    X = transformer.transform(TEXTS)
    pickled = pickle.dumps(transformer)
    assert len(pickled) < 30_000
    loaded = pickle.loads(pickled)
    np.testing.assert_array_equal(loaded.set_params(cache_dir=None).transform(TEXTS).toarray(), X.toarray())
    from transformers import AutoModel

    model = AutoModel.from_pretrained(gpt2_reader)
    given = reader(model=model)
    assert clone(given).model is model
    np.testing.assert_array_equal(clone(given).fit(TEXTS).sae_.components_, transformer.sae_.components_)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(given)


def test_pandas_output(reader):
    series = pd.Series(TEXTS, index=[f"row {i}" for i in range(len(TEXTS))])
    frame = reader().set_output(transform="pandas").fit_transform(series)
    assert list(frame.index) == list(series.index)
    assert list(frame.columns[:2]) == ["neuron 0", "neuron 1"]
    assert all(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes)
    X = reader().fit_transform(TEXTS)
    assert isinstance(X, sparse.csr_matrix)
    np.testing.assert_array_equal(frame.to_numpy(), X.toarray())


def test_pairs_and_chunks(reader):
    pairs = [(TEXTS[i], TEXTS[-1 - i]) for i in range(30)]
    pair = PairTransformer(reader(target_weight=0.5))
    y = np.where(np.arange(30) % 3, "first", "second")
    X = pair.fit_transform(pairs, y)
    single = pair.transformer_
    np.testing.assert_allclose(
        X.toarray(),
        single.transform([a for a, _ in pairs]).toarray() - single.transform([b for _, b in pairs]).toarray(),
        atol=1e-6,
    )
    assert abs(X).sum() > 1
    chunks = ChunkTransformer(reader(), max_words=4, pooling="max").fit(TEXTS)
    assert chunks.transform(TEXTS[:3]).shape == (3, 16)


def test_analysis_of_its_output(reader):
    transformer = reader(aggregation="count").fit(TEXTS)
    X, names = transformer.transform(TEXTS), transformer.get_feature_names_out()
    differences = diff_features(X[COLD], X[~COLD], labels=names)
    assert sorted(differences["label"]) == sorted(names)
    neuron = int(np.argmax(X.sum(axis=0)))
    found = top_documents(X, names[neuron], TEXTS, labels=names, n_documents=3, highlight=transformer.highlight)
    assert found["activation"].is_monotonic_decreasing
    assert found["activation"].iloc[0] == X.toarray()[:, neuron].max()
    pairs = feature_correlations(X, labels=names, min_count=1, min_npmi=0)
    assert len(pairs)


# Exchange


def assert_same_activations(loaded, transformer):
    expected = transformer.transform(TEXTS).toarray()
    np.testing.assert_allclose(loaded.transform(TEXTS).toarray(), expected, rtol=1e-4, atol=1e-4 * expected.max())


SAES = [{}, {"sparsity": "batch_topk"}, {"matryoshka_prefixes": [4, 16]}, {"encoder": "matching_pursuit"}]


@pytest.mark.parametrize("sae_params", SAES, ids=str)
@pytest.mark.parametrize("target_weight", [0, 1.0])
def test_the_hub_there_and_back(reader, gpt2_reader, hub_server, n_read, sae_params, target_weight):
    transformer = reader(sae_params=FEW["sae_params"] | sae_params, target_weight=target_weight).fit(TEXTS, COLD)
    expected = transformer.transform(TEXTS).toarray()
    transformer.set_params(model="me/reader")
    transformer.push_to_hub("me/words", trained_on="72 sentences")
    loaded = ReaderSAETransformer.from_pretrained("me/words")
    assert loaded.get_params() == transformer.get_params()
    del n_read[:]
    np.testing.assert_array_equal(loaded.set_params(model=gpt2_reader).transform(TEXTS).toarray(), expected)
    assert not n_read, "what is stored is found again"
    np.testing.assert_array_equal(loaded.set_params(cache_dir=None).transform(TEXTS).toarray(), expected)
    for name, array in vars(transformer.sae_).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(loaded.sae_, name), array, err_msg=name)
    assert (loaded.layer_, loaded.n_words_, loaded.n_components_, loaded.k_) == (2, transformer.n_words_, 16, 2)
    assert "ReaderSAETransformer.from_pretrained('me/words')" in hub_server.files("me/words")["README.md"].decode()


@pytest.mark.parametrize("model", ["bert", "llama"])
@pytest.mark.parametrize("sae_params", SAES[:3], ids=str)
def test_saelens_gives_the_same_activations(request, model, sae_params, tmp_path):
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is not installed")
    folder = request.getfixturevalue(f"{model}_reader")
    params = {**FEW, "sae_params": FEW["sae_params"] | sae_params}
    transformer = ReaderSAETransformer(Path(folder), layer=2, keep_states=True, **params).fit(TEXTS)
    transformer.to_saelens(tmp_path / "sae")
    theirs = sae_lens.SAE.load_from_disk(tmp_path / "sae")
    assert theirs.cfg.normalize_activations == "constant_norm_rescale"
    assert theirs.cfg.metadata.hook_name == "blocks.1.hook_resid_post"
    assert theirs.cfg.metadata.model_name == folder
    # Without a word of it the tokenizer of an encoder adds its [CLS] and [SEP].
    assert theirs.cfg.metadata.prepend_bos is (True if model == "llama" else None)
    read = [states[0] for _, found in transformer._reader(2).read(transformer._count(TEXTS)) for states in found]
    rows = np.concatenate([one.states for one in read]).astype(np.float32)
    rows *= 32**0.5 / np.linalg.norm(rows, axis=1, keepdims=True)  # again, because float16 has few digits
    expected = transformer.sae_.transform(rows / transformer.scale_).toarray()
    with torch.no_grad():
        found = theirs.encode(torch.from_numpy(7 * rows)).numpy()  # of states as they come, whatever their norm
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * expected.max())
    assert_same_activations(ReaderSAETransformer.from_pretrained(tmp_path / "sae"), transformer)


def test_an_encoder_is_read_as_it_was_trained(bert_reader, tmp_path):
    transformer = ReaderSAETransformer(bert_reader, layer=2, **FEW).fit(TEXTS)
    transformer.to_saelens(tmp_path / "sae")
    assert "prepend_bos" not in json.loads((tmp_path / "sae" / "cfg.json").read_text())["metadata"]
    encoder = load_sparse_encoder(tmp_path / "sae")
    tokenizer = transformer._reader(2).reader.tokenizer
    (window,) = tokenize_texts(TEXTS[:1], tokenizer, prepend_bos=encoder.prepend_bos, is_causal=False)[0]
    assert window.ids == tokenizer(TEXTS[0])["input_ids"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scale", lambda scale: scale[:-1]),
        ("scale", lambda scale: -scale),
        ("scale", lambda scale: scale * np.float32(np.nan)),
        ("scale", lambda scale: scale.astype(np.int64)),
        ("trained_components", lambda components: components.T),
        ("trained_bias", lambda bias: bias * np.float32(np.inf)),
    ],
)
def test_damaged_arrays_are_refused(reader, tmp_path, name, change):
    from safetensors.numpy import load_file, save_file

    reader().fit(TEXTS).to_saelens(tmp_path)
    arrays = load_file(tmp_path / "sklearn_sae.safetensors")
    arrays[name] = np.ascontiguousarray(change(arrays[name]))
    save_file(arrays, tmp_path / "sklearn_sae.safetensors")
    with pytest.raises(ValueError, match=r"is damaged, or was changed by hand"):
        ReaderSAETransformer.from_pretrained(tmp_path)


def test_what_no_file_can_hold(reader, gpt2_reader, hub_server, tmp_path):
    from transformers import AutoModel

    given = reader(model=AutoModel.from_pretrained(gpt2_reader)).fit(TEXTS)
    for save in (lambda: given.push_to_hub("me/words"), lambda: given.to_saelens(tmp_path / "sae")):
        with pytest.raises(TypeError, match=r"^This ReaderSAETransformer cannot be saved: its model is a GPT2Model"):
            save()
    assert "me/words" not in hub_server.repositories
    with pytest.raises(TypeError, match="its tokens is a function"):
        reader(tokens=lambda word: True).fit(TEXTS).push_to_hub("me/words")
    with pytest.raises(ValueError, match="no form for encoder='matching_pursuit'"):
        reader(sae_params={"encoder": "matching_pursuit", "max_epochs": 1}).fit(TEXTS).to_saelens(tmp_path / "sae")


def test_no_file_asks_for_code(reader, hub_server, tmp_path):
    asked = {"trust_remote_code": True, "revision": "main", "cache_dir": str(tmp_path / "mine")}
    transformer = reader().fit(TEXTS).set_params(model="me/reader", model_kwargs=asked)
    note = (
        r"^Of model_kwargs 'trust_remote_code', 'cache_dir' are not saved, because a file holds only revision and "
        r"subfolder; whoever loads it sets others with set_params\.$"
    )
    with pytest.warns(UserWarning, match=note) as said:
        transformer.push_to_hub("me/words")
    assert (len(said), said[0].filename) == (1, __file__)
    assert ReaderSAETransformer.from_pretrained("me/words").model_kwargs == {"revision": "main"}
    with pytest.warns(UserWarning, match=note):
        transformer.to_saelens(tmp_path / "sae")
    state = json.loads((tmp_path / "sae" / "sklearn_sae.json").read_text())
    state["facts"]["parameters"]["model_kwargs"] = asked | {"subfolder": "x", "revision": {"trust_remote_code": True}}
    state["facts"]["parameters"]["sae_params"]["checkpoint_dir"] = "/home/somebody"
    (tmp_path / "sae" / "sklearn_sae.json").write_text(json.dumps(state))
    loaded = ReaderSAETransformer.from_pretrained(tmp_path / "sae")
    assert loaded.model_kwargs == {"subfolder": "x"}
    assert loaded.sae_params == FEW["sae_params"]


def test_no_path_of_the_user_is_published(reader, gpt2_reader, hub_server, tmp_path):
    sae_params = FEW["sae_params"] | {"checkpoint_dir": str(tmp_path / "checkpoints")}
    transformer = reader(sae_params=sae_params, cache_dir=tmp_path / "cache").fit(TEXTS).set_params(model="me/reader")
    transformer.push_to_hub("me/words")
    assert str(tmp_path).encode() not in b"".join(hub_server.files("me/words").values())
    assert ReaderSAETransformer.from_pretrained("me/words").sae_params == FEW["sae_params"]
    for folder in (gpt2_reader, Path(gpt2_reader), str(tmp_path / "not there any more")):
        with pytest.raises(ValueError, match=r"^model is a folder, which others do not have and whose path would be"):
            transformer.set_params(model=folder).push_to_hub("me/other")
    assert "me/other" not in hub_server.repositories
    transformer.to_saelens(tmp_path / "sae")


# Memory, and a real model

MEMORY = """
import sys
from pathlib import Path
from sklearn_sae import ReaderSAETransformer
import threading, time
n = int(sys.argv[2])
texts = [" ".join(f"{w}{i * 31 % 977}" for w in ("soup", "food", "ship", "storm") * 12) for i in range(n)]
most, done = 0, False
def watch():
    global most
    while not done:
        status = Path("/proc/self/status").read_text()
        most = max(most, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.01)
thread = threading.Thread(target=watch); thread.start()
reader = ReaderSAETransformer(sys.argv[1], layer=1, n_components=16, k=2, random_state=0, sae_params={"max_epochs": 1})
reader.fit(texts)
done = True
thread.join()
print(reader.n_words_, most)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_memory_does_not_grow_with_the_states(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<s>": 0, "soup": 1, "food": 2}, unk_token="<s>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>").save_pretrained(tmp_path / "reader")
    sizes = {"hidden_size": 512, "intermediate_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1}
    LlamaModel(LlamaConfig(vocab_size=3, max_position_embeddings=256, **sizes)).save_pretrained(tmp_path / "reader")
    found = []
    for n in (400, 3400):
        arguments = [sys.executable, "-c", MEMORY, str(tmp_path / "reader"), str(n)]
        environment = os.environ | {"SKLEARN_SAE_CACHE_DIR": str(tmp_path / f"cache {n}")}
        found.append(
            subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stdout.split()
        )
    (few, least), (many, most) = ([int(value) for value in line] for line in found)
    more = (many - few) * 2 * 512 / 1024  # KiB of states
    assert more > 100_000
    assert most - least < more / 2


@pytest.mark.slow
def test_a_real_reader_finds_what_one_vector_a_text_does_not():
    """Ten neurons of words in context predict planted concepts, of which one vector of the same model shows little."""
    if minilm_folder("all-MiniLM-L6-v2") is None:
        pytest.skip("the extra minilm is not installed")
    reviews = make_concept_texts(500, n_concepts=4, noise=0.1, random_state=0)
    first = {
        "words": [ReaderSAETransformer("all-MiniLM-L6-v2", random_state=0)],
        "vectors": [EmbeddingTransformer("all-MiniLM-L6-v2"), TopKSAETransformer(64, 4, random_state=0)],
    }
    r2 = {}
    for name, steps in first.items():
        model = make_pipeline(*steps, NeuronSelector(10), LinearRegression())
        model.fit(reviews.data[:300], reviews.target[:300])
        r2[name] = model.score(reviews.data[300:], reviews.target[300:])
    assert r2["words"] > r2["vectors"] + 0.15
