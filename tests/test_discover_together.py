"""Parameters of discover that act together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sae import LLMHypothesisAnnotator, NeuronSelector, discover, explain
from sklearn_sae.__main__ import main
from sklearn_sae._refits import refit
from sklearn_sae.datasets import ParquetTexts, make_concept_texts
from sklearn_sae.report._report_of import report_of_discovery
from sklearn_sae.utils import _parquet_texts

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(300, n_concepts=4, noise=0.2, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target})
    random = np.random.RandomState(0)
    return table.assign(town=random.choice(["Trier", "Ulm"], 300), age=random.normal(size=300))


def stored(reviews, folder):
    pytest.importorskip("pyarrow")
    reviews.to_parquet(folder / "reviews.parquet", index=False)
    return ParquetTexts(folder, "review")


def test_length_is_a_control_of_texts_on_disk(reviews, tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 200)
    found = discover(stored(reviews, tmp_path), reviews["stars"], control_length=True, **SMALL)
    assert found.evaluation.controls == ("length",)


def test_columns_of_parquet_files_can_be_named(reviews, tmp_path):
    texts = stored(reviews, tmp_path)
    named = discover(texts, "stars", by="town", controls=["age"], **SMALL)
    given = discover(reviews["review"], reviews["stars"], by=reviews["town"], controls=reviews[["age"]], **SMALL)
    pd.testing.assert_frame_equal(named.table, given.table)
    assert named.description == given.description
    with pytest.raises(ValueError, match="has no column 'city'; it has"):
        discover(texts, "stars", by="city", **SMALL)


def test_other_seeds_heed_weights_and_subgroups(reviews, monkeypatch):
    seen = []

    def watched(*args, params=None, **options):
        seen.append(params)
        return refit(*args, params=params, **options)

    monkeypatch.setattr("sklearn_sae._across_seeds.refit", watched)
    weights = np.linspace(0.5, 2, len(reviews))
    texts, y = reviews["review"], reviews["stars"]
    found = discover(texts, y, by=reviews["town"], sample_weight=weights, n_seeds=2, **SMALL)
    assert found.table["comes_back"].between(0, 1).all()
    np.testing.assert_allclose(seen[0]["sample_weight"], weights[found.train] / weights.mean())
    assert seen[0]["by"].tolist() == reviews["town"].iloc[found.train].tolist()


def test_the_same_seed_comes_back_with_weights(reviews):
    weights = np.where(reviews["stars"] > 3, 9.0, 0.2)
    texts, y = reviews["review"].tolist(), reviews["stars"].to_numpy()
    found = discover(texts, y, sample_weight=weights, **SMALL)
    annotator, train = found.pipeline["hypotheses"], found.train
    of_train = [texts[row] for row in train]
    again = refit(annotator, of_train, y[train], found.texts, params={"sample_weight": weights[train]})
    assert again.names == annotator.get_feature_names_out().tolist()
    assert refit(annotator, of_train, y[train], found.texts).names != again.names
    params = {"sample_weight": weights[train]}
    of_neurons = refit(annotator, of_train, y[train], found.texts, of="neurons", params=params)
    assert of_neurons.values.shape == (len(found.texts), 3)


def test_further_rounds_select_with_weights(reviews, monkeypatch):
    texts, y = reviews["review"].tolist(), reviews["stars"].to_numpy()
    weights, seen, fit = np.linspace(0.5, 2, len(y)), [], NeuronSelector.fit

    def watched(self, X, *args, sample_weight=None, **options):
        if X.shape[1] == 8:  # neurons, and not words
            seen.append(sample_weight)
        return fit(self, X, *args, sample_weight=sample_weight, **options)

    monkeypatch.setattr(NeuronSelector, "fit", watched)
    found = discover(texts, y, sample_weight=weights, residual_rounds=1, **SMALL | {"n_hypotheses": 4})
    assert set(found.table["round"]) == {1, 2}
    assert len(seen) == 2
    assert all(one is not None and np.ptp(one) > 1 for one in seen)


def test_weights_reach_the_selection_of_pairs(reviews, monkeypatch):
    pairs = np.array(reviews["review"], dtype=object).reshape(-1, 2)
    lead = reviews["stars"].to_numpy().reshape(-1, 2) @ [1, -1]
    weights, seen, fit = np.linspace(0.5, 2, len(lead)), [], NeuronSelector.fit

    def watched(self, X, *args, sample_weight=None, **options):
        seen.append(sample_weight)
        return fit(self, X, *args, sample_weight=sample_weight, **options)

    monkeypatch.setattr(NeuronSelector, "fit", watched)
    found = discover(pairs, lead, sample_weight=weights, **SMALL)
    of_train = weights[found.train] / weights[found.train].mean()
    np.testing.assert_allclose(seen[0], np.repeat(of_train, 2))  # no text stands in two pairs
    some = discover(pairs, lead, sample_weight=np.where(np.arange(len(lead)) < 3, 0, weights), **SMALL)
    assert "3 pairs are left out, of weight 0." in some.notes
    pipeline = clone(found.pipeline)
    pipeline.fit(pairs, lead, sample_weight=weights)
    np.testing.assert_allclose(seen[-1], np.repeat(weights / weights.mean(), 2))
    with pytest.raises(ValueError, match="by is for single texts"):
        pipeline.fit(pairs, lead, by=np.tile(["a", "b"], len(lead) // 2))


def test_weights_reach_the_selection_of_differences(reviews, openai_server, monkeypatch):
    openai_server.reply = lambda body: "mentions the wait" if body["model"] == "gpt-5.2" else "A"
    naming = LLMHypothesisAnnotator(
        base_url=openai_server.base_url, cache_dir=None, n_scoring_examples=4, max_retries=0, random_state=0
    )
    pairs = np.array(reviews["review"], dtype=object).reshape(-1, 2)
    lead = reviews["stars"].to_numpy().reshape(-1, 2) @ [1, -1]
    weights, seen, fit = np.linspace(0.5, 2, len(lead)), [], NeuronSelector.fit

    def watched(self, X, *args, sample_weight=None, **options):
        seen.append(sample_weight)
        return fit(self, X, *args, sample_weight=sample_weight, **options)

    monkeypatch.setattr(NeuronSelector, "fit", watched)
    found = discover(pairs, lead, sample_weight=weights, naming=naming, **SMALL | {"n_hypotheses": 1})
    of_train = weights[found.train] / weights[found.train].mean()
    np.testing.assert_allclose(seen[0], np.tile(of_train, 2))  # of both orders


def test_a_subgroup_that_only_left_out_texts_have_is_said_before_the_work(reviews):
    by, weights = np.repeat(["a", "b"], [20, 280]), np.repeat([0.0, 1.0], [20, 280])
    with pytest.raises(ValueError, match="by has fewer than two values among the rows that hypotheses are found on"):
        discover(reviews["review"], reviews["stars"], by=by, sample_weight=weights, embedder="no model", **SMALL)


def test_the_verb_after_the_predictions_is_plural(reviews):
    offset = reviews["stars"] + reviews["age"]
    found = discover(reviews["review"], reviews["stars"], offset=offset.rename("mine"), by=reviews["town"], **SMALL)
    assert "in what the predictions in 'mine' leave of the target" in found.description
    methods = report_of_discovery(found).methods
    assert "predict what is left of stars beyond the predictions in 'mine', or do so differently by town," in methods
    assert "All other figures are without the offset." in methods


def test_a_named_column_of_a_frame_of_pairs_is_no_text(reviews):
    first, second = np.array_split(np.array(reviews["review"], dtype=object), 2)
    frame = pd.DataFrame({"a": first, "b": second, "won": np.random.RandomState(0).choice(["first", "second"], 150)})
    named = discover(frame, "won", **SMALL)
    given = discover(frame[["a", "b"]], frame["won"], **SMALL)
    pd.testing.assert_frame_equal(named.table, given.table)
    assert discover(reviews[["review", "stars"]], "stars", **SMALL).target_name == "stars"
    with pytest.raises(TypeError, match="explain is for predictions of single texts"):
        explain(named.pipeline, (first[0], second[0]))


def test_a_second_column_of_texts_beside_text_is_noted(reviews):
    first, second = np.array_split(np.array(reviews["review"], dtype=object), 2)
    frame = pd.DataFrame({"text": first, "text_b": second, "town": "Ulm am See in S", "stars": reviews["stars"][:150]})
    with pytest.warns(UserWarning, match="The texts are the column 'text' alone; 'text_b' is not read"):
        found = discover(frame, "stars", **SMALL)
    assert sum("is not read" in note for note in found.notes) == 1


def test_one_column_is_not_both_texts_of_pairs_nor_text_and_target(tmp_path, capsys):
    pd.DataFrame({"a": ["tea", "soup"], "b": ["cake", "rice"], "won": [1, 0]}).to_csv(tmp_path / "a.csv", index=False)
    command = ["discover", str(tmp_path / "a.csv"), "--text", "a", "--target", "won"]
    for options, message in (
        (["--text-b", "a"], "--text-b and --text name the same column, 'a'"),
        (["--text-b", "won"], "--text-b and --target name the same column, 'won'"),
        (["--text-b", "b", "--prompt", "b"], "--prompt and --text-b name the same column, 'b'"),
    ):
        assert main([*command, *options]) == 1
        assert message in capsys.readouterr().err
