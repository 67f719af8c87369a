"""The whole path with a reader in the place of an embedder: pipeline, discovery and command line."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sae import (
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    ReaderSAETransformer,
    discover,
    make_hypothesis_pipeline,
)
from sklearn_sae.cli import main
from sklearn_sae.pretrained import _reader

pytest.importorskip("torch")

SMALL = {"n_components": 16, "k": 2, "n_hypotheses": 3, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    """150 short reviews, whose stars are told by one word."""
    rng = np.random.default_rng(0)
    what = rng.choice(["great", "cold", "plain", "late"], 150)
    texts = [
        f"the {a} was {b} and {c}"
        for a, b, c in zip(*rng.choice(["soup", "food", "ship", "place"], (2, 150)), what, strict=True)
    ]
    stars = np.select([what == "great", what == "cold"], [5.0, 1.0], 3.0) + rng.normal(size=150).round(2) / 5
    return pd.DataFrame({"review": texts, "stars": stars})


@pytest.fixture
def reader(gpt2_reader):
    """The estimator with a tiny reader and parameters that the path does not set."""
    return ReaderSAETransformer(gpt2_reader, layer=2, overlap=8, sae_params={"max_epochs": 5})


def test_the_pipeline(reviews, reader, gpt2_reader):
    pipeline = make_hypothesis_pipeline(reader=reader, target_weight=0.5, **SMALL)
    encoder = pipeline["hypotheses"].encoder
    assert list(encoder.named_steps) == ["read", "select"]
    step = encoder["read"]
    assert (step.n_components, step.k, step.target_weight, step.random_state) == (16, 2, 0.5, 0)
    assert (step.layer, step.overlap, reader.n_components) == (2, 8, "auto")
    pipeline.fit(reviews["review"], reviews["stars"])
    assert pipeline.score(reviews["review"], reviews["stars"]) > 0.3
    names = pipeline["hypotheses"].get_feature_names_out()
    assert any("cold" in name or "great" in name for name in names)
    by_name = make_hypothesis_pipeline(reader="all-MiniLM-L6-v2")["hypotheses"].encoder["read"]
    assert (by_name.model, by_name.stop_words, by_name.n_components, by_name.k) == (
        "all-MiniLM-L6-v2",
        "english",
        "auto",
        "auto",
    )
    german = make_hypothesis_pipeline(reader=gpt2_reader, naming=KeywordHypothesisAnnotator(stop_words="german"))
    assert german["hypotheses"].encoder["read"].stop_words == "german"
    with pytest.raises(ValueError, match=r"^reader is in the place of embedder; pass one of them\.$"):
        make_hypothesis_pipeline(EmbeddingTransformer(len), reader=reader)


def test_what_cannot_end_is_refused_before_texts_are_read(reviews, reader, monkeypatch):
    monkeypatch.setattr(_reader, "_load_model", None)
    for params, y, message in [
        ({"k": 17}, reviews["stars"], r"^k=17 is larger than n_components=16"),
        ({"n_hypotheses": 17}, reviews["stars"], r"^n_neurons=17 is more than the 16 neurons"),
        ({}, None, r"requires y to be passed"),
        ({}, np.ones(150), r"^y is constant"),
    ]:
        pipeline = make_hypothesis_pipeline(reader=reader, **SMALL | params)
        with pytest.raises(ValueError, match=message):
            pipeline["hypotheses"].fit(reviews["review"], y)
    twice = clone(reader).set_params(aggregation=["max", "mean"])  # two columns for each neuron
    pipeline = make_hypothesis_pipeline(reader=twice, **SMALL | {"n_hypotheses": 33})
    with pytest.raises(ValueError, match=r"^n_neurons=33 is more than the 32 neurons"):
        pipeline["hypotheses"].fit(reviews["review"], reviews["stars"])
    pipeline = make_hypothesis_pipeline(reader=twice, **SMALL | {"n_hypotheses": 17})
    with pytest.raises(TypeError):  # from loading the model, which the checks have let pass
        pipeline["hypotheses"].fit(reviews["review"], reviews["stars"])
    for params, message in [
        ({"k": 17}, r"^k=17 is larger than n_components=16"),
        ({"n_hypotheses": 17}, r"^n_hypotheses is too large: n_neurons=17"),
        ({"reader": clone(reader).set_params(sae_params={"depth": 1})}, r"^sae_params holds 'depth'"),
        ({"embedder": "a/model"}, r"^reader is in the place of embedder"),
    ]:
        with pytest.raises(ValueError, match=message):
            discover(reviews["review"], reviews["stars"], **{"reader": reader, **SMALL} | params)


@pytest.mark.filterwarnings("ignore")
def test_a_discovery(reviews, reader, gpt2_reader):
    found = discover(reviews["review"], reviews["stars"], reader=reader, **SMALL)
    assert list(found.scores) == ["r2", "r2_words", "r2_as_many_words", "r2_neurons"]
    assert found.scores["r2_neurons"] > 0.3
    assert found.description.endswith(f"\nTheir words are read in context by {gpt2_reader}.")
    assert "all neurons" in repr(found)
    assert "the embedding" not in repr(found)
    read = found.pipeline["hypotheses"].encoder_["read"]
    activations = read.transform(reviews["review"].to_numpy()[found.test])
    assert activations.shape == (len(found.test), 16)
    more = discover(reviews["review"], reviews["stars"], reader=reader, n_hypotheses=18, random_state=0)
    assert more.pipeline["hypotheses"].encoder_["read"].n_components_ == 18  # by the number of words it would be 16
    assert more.pipeline["hypotheses"].encoder_["read"].target_weight == 0.2


def test_a_language_model_sees_the_words_that_fire(reviews, reader, openai_server):
    pipeline = make_hypothesis_pipeline(
        reader=reader.set_params(aggregation=["max", "mean"]),
        naming=LLMHypothesisAnnotator(base_url=openai_server.base_url, n_scoring_examples=4, n_examples=4),
        **SMALL,
    )
    pipeline["hypotheses"].fit(reviews["review"], reviews["stars"])
    asked = json.dumps([str(request) for request in openai_server.requests])
    assert "<<" in asked


@pytest.mark.filterwarnings("ignore")
def test_the_command_line(reviews, llama_reader, tmp_path, capsys):
    reviews.to_csv(tmp_path / "reviews.csv", index=False)
    file, model = str(tmp_path / "reviews.csv"), str(tmp_path / "model.json")
    columns = ["discover", file, "--text", "review", "--target", "stars"]
    small = ["-M", "16", "-K", "2", "--n-hypotheses", "3"]
    assert main([*columns, "--reader", llama_reader, "--embedder", "a/model"]) == 1
    assert "--reader is in the place of --embedder; give one of them." in capsys.readouterr().err
    assert main([*columns, "--reader", str(tmp_path / "none"), *small]) == 1
    assert "none" in capsys.readouterr().err
    assert main([*columns, "--reader", llama_reader, "--save", model, "--verbose", *small]) == 0
    said = capsys.readouterr()
    assert f"Their words are read in context by {llama_reader}." in " ".join(said.out.split())  # it is wrapped
    assert " texts, then training" in said.err.partition("Reading 1")[2]
    assert "all neurons" in said.out
    assert main(["apply", model, file, "--text", "review", "--output", str(tmp_path / "out.csv")]) == 0
    assert "prediction" in pd.read_csv(tmp_path / "out.csv")
