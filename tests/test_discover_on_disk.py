"""From parquet files to hypotheses: the same as from a list, and without the texts in memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

from sklearn_sae import (
    KeywordHypothesisAnnotator,
    NeuronSelector,
    discover,
    make_hypothesis_pipeline,
    match_hypotheses,
)
from sklearn_sae.__main__ import main
from sklearn_sae.datasets import ParquetTexts, make_concept_texts
from sklearn_sae.utils import _parquet_texts

pytest.importorskip("pyarrow")
SIZES = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}


def stored(folder, n_texts, *, task="regression", n_parts=3):
    reviews = make_concept_texts(n_texts, n_concepts=5, task=task, noise=0.2, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target, "city": np.arange(n_texts) % 50})
    for i, rows in enumerate(np.array_split(np.arange(n_texts), n_parts)):
        table.iloc[rows].to_parquet(folder / f"part-{i}.parquet", index=False)
    return reviews, ParquetTexts(folder, "review")


def test_few_texts_are_used_as_a_list_is(tmp_path):
    reviews, texts = stored(tmp_path, 300)
    on_disk, in_memory = (discover(some, reviews.target, **SIZES) for some in (texts, reviews.data))
    pd.testing.assert_frame_equal(on_disk.table, in_memory.table)
    assert on_disk.scores == in_memory.scores
    assert on_disk.notes == in_memory.notes


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_many_texts_stay_on_disk(tmp_path, monkeypatch, task):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 400)
    reviews, texts = stored(tmp_path, 900, task=task)
    with pytest.warns(UserWarning, match="learned from 400 of 720 texts"):
        found = discover(texts, reviews.target, **SIZES)
    assert any("learned from 400 of 720 texts" in note for note in found.notes)
    assert (len(found.train), len(found.test), len(found.texts)) == (720, 180, 180)
    assert len(found.table) <= 3
    pipeline, test = found.pipeline, texts[found.test]
    np.testing.assert_array_equal(pipeline.predict(test), pipeline.predict(test.tolist()))
    # Neurons are trained and counted on all texts, so that the share of texts is not one of 400.
    of_train = texts[found.train].tolist()
    codes = pipeline["hypotheses"].encoder_.transform(of_train)
    table = pipeline["hypotheses"].hypotheses_
    shares = np.ravel((codes[:, table["neuron"].to_numpy()] > 0).mean(axis=0))
    np.testing.assert_allclose(table["density"], shares)


def test_the_rows_of_examples_are_those_of_all_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 300)
    reviews, texts = stored(tmp_path, 700)
    pipeline = make_hypothesis_pipeline(**SIZES)
    with pytest.warns(UserWarning, match="learned from 300 of 700 texts"):
        pipeline.fit(texts, reviews.target)
    annotator = pipeline["hypotheses"]
    codes = annotator.encoder_.transform(reviews.data)
    for neuron, examples in zip(annotator.hypotheses_["neuron"], annotator.examples_, strict=True):
        assert (codes[examples["activating"]][:, [neuron]].toarray() > 0).all()
        assert (codes[examples["non_activating"]][:, [neuron]].toarray() == 0).all()


def test_groups_controls_and_weights_go_with_texts_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 400)
    reviews, texts = stored(tmp_path, 900)
    cities = texts.read(["city"])["city"]
    with pytest.warns(UserWarning, match="learned from 400"):
        found = discover(
            texts, reviews.target, groups=cities, controls=cities.to_numpy() % 7, sample_weight=np.ones(900), **SIZES
        )
    assert not set(cities[found.train]) & set(cities[found.test])
    pipeline = make_hypothesis_pipeline(**SIZES)
    with pytest.warns(UserWarning, match="learned from 400"):
        pipeline.fit(texts, reviews.target, controls=cities.to_numpy() % 7)
    assert pipeline.predict(texts).shape == (900,)


def test_an_encoder_without_an_embedding_gets_the_texts_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 100)
    reviews, texts = stored(tmp_path, 200)
    words = CountVectorizer(max_features=16, dtype=np.float32)
    encoder = Pipeline([("words", words), ("select", NeuronSelector(3))])
    with pytest.warns(UserWarning, match="All 200 texts were read into memory"):
        annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(texts, reviews.target)
    assert annotator.transform(texts).shape == (200, 3)


def test_the_command_line_takes_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 400)
    stored(tmp_path, 900)
    gaps = {"review": ["No stars here.", None], "stars": [np.nan, 3.0], "city": [1, 1]}
    pd.DataFrame(gaps).to_parquet(tmp_path / "part-9.parquet", index=False)
    options = ["--text", "review", "--target", "stars", "--n-hypotheses", "3", "-M", "8", "-K", "2", "--full"]
    report = tmp_path / "report.md"
    assert main(["discover", f"{tmp_path}/*.parquet", *options, "--groups", "city", "--report", str(report)]) == 0
    output = capsys.readouterr()
    printed = " ".join(output.out.split())
    assert "900 texts; the target 'stars' is numbers" in printed
    assert "Left out 2 of 902 rows: 1 without a text and 1 without a target." in " ".join(output.err.split())
    assert "learned from 400 of 72" in printed
    assert report.stat().st_size > 1000


def test_a_folder_without_the_column_is_refused(tmp_path, capsys):
    stored(tmp_path, 50)
    assert main(["discover", str(tmp_path), "--text", "text", "--target", "stars"]) != 0
    assert "has no column 'text'; it has 'review', 'stars', 'city'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_hypotheses_are_those_that_are_found_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 10_000)
    reviews, texts = stored(tmp_path, 30_000)
    in_memory = discover(reviews.data[:10_000], reviews.target[:10_000], n_hypotheses=10, random_state=0)
    with pytest.warns(UserWarning, match="learned from 10,000 of 2"):
        on_disk = discover(texts, reviews.target, n_hypotheses=10, random_state=0)
    others = make_concept_texts(4_000, n_concepts=5, random_state=1)
    of_disk, of_memory = (one.pipeline["hypotheses"].transform(others.data) for one in (on_disk, in_memory))
    assert match_hypotheses(of_disk, of_memory).metrics["n_recovered"] >= 7
    near = [match_hypotheses(of_one, others.concepts).metrics["mean_correlation"] for of_one in (of_disk, of_memory)]
    assert near[0] > near[1] - 0.03
    assert on_disk.scores["r2"] > in_memory.scores["r2"] - 0.06  # Each is of its own 2,000 rows or more: ± 0.02.
