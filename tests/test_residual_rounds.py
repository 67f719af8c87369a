"""discover in several rounds, each for what the hypotheses before leave."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import f1_score

from sklearn_sae import discover, explain, show_neurons
from sklearn_sae._persistence import load_model, save_model
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

OPTIONS = {"n_hypotheses": 8, "residual_rounds": 1, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(800, n_concepts=6, noise=0.2, random_state=1)


@pytest.fixture(scope="module", params=["numbers", "two classes"])
def found(request, reviews):
    y = reviews.target if request.param == "numbers" else np.where(reviews.target > 3, "good", "bad")
    return y, discover(reviews.data, y, **OPTIONS)


def test_all_rounds_are_named_tested_and_predicted_with(found, reviews):
    y, discovery = found
    annotator, texts = discovery.pipeline["hypotheses"], np.array(reviews.data, dtype=object)
    table = annotator.hypotheses_
    assert set(table["round"]) == {1, 2}
    assert (table["round"] == 1).sum() == 4
    assert len(table) <= 8
    assert len(discovery.table) == len(discovery.evaluation.table) == len(table) == len(annotator.examples_)
    A = annotator.transform(texts[discovery.train])
    between = np.corrcoef(A, rowvar=False)[:4, 4:]
    assert np.abs(between).max() <= 0.7
    if isinstance(y[0], float):
        model = LinearRegression().fit(A, y[discovery.train])
        predicted = model.predict(annotator.transform(texts[discovery.test]))
        np.testing.assert_allclose(discovery.pipeline.predict(texts[discovery.test]), predicted, atol=1e-8)
    assert len(explain(discovery, reviews.data[0]).table) == len(table)


def test_the_neurons_are_those_of_one_encoder(found, reviews):
    annotator = found[1].pipeline["hypotheses"]
    activations, table = annotator.encoder_.transform(reviews.data), annotator.hypotheses_
    assert activations.shape[1] == annotator.encoder_[-1].get_support().sum()
    features = annotator.encoder_.get_feature_names_out()
    assert features[table["neuron"]].tolist() == table["feature"].tolist()
    says = annotator.transform(reviews.data)
    active = activations[:, table["neuron"]].toarray() > 0
    overlap = [f1_score(own, one > 0) for own, one in zip(active.T, says.T, strict=True)]
    assert np.mean(overlap) > table["fidelity_f1"].mean() - 0.1  # their own texts, and not those of other neurons
    assert len(show_neurons(found[1], reviews.data[:100], n=1).neurons) == table["neuron"].nunique()


def test_the_first_round_is_what_one_round_of_as_many_finds(found, reviews):
    y, discovery = found
    alone = discover(reviews.data, y, **{**OPTIONS, "n_hypotheses": 4, "residual_rounds": 0})
    table = discovery.pipeline["hypotheses"].hypotheses_
    assert (
        table["interpretation"][table["round"] == 1].tolist()
        == alone.pipeline["hypotheses"].hypotheses_["interpretation"].tolist()
    )
    assert "round" not in alone.table
    assert "round" not in str(alone)


def test_it_is_said_printed_and_saved(found, reviews, tmp_path):
    _, discovery = found
    for width in (80, 100):
        printed = discovery.to_text(width=width)
        assert max(map(len, printed.splitlines())) <= width
        assert any("round" in line.split() for line in printed.splitlines())
        assert "in the second for what those before leave of the target" in " ".join(printed.split())
    page = discovery.to_html(tmp_path / "report.html").read_text("utf-8")
    assert "It was found in round 2, for what those before leave." in page
    assert "This was done in 2 rounds" in page
    save_model(discovery.pipeline, tmp_path / "model.json", {})
    loaded = load_model(tmp_path / "model.json")[0]
    np.testing.assert_array_equal(loaded.predict(reviews.data[:50]), discovery.pipeline.predict(reviews.data[:50]))


def test_notes_on_names_say_of_which_round_they_are():
    rng = np.random.default_rng(0)
    has = rng.random((300, 3)) < 0.4
    texts = [f"Visit {row}." + " rude" * a + " cold" * b + " loud" * c for row, (a, b, c) in enumerate(has.tolist())]
    y = has @ [2.0, -1.0, 0.5] + 0.3 * rng.random(300)
    found = discover(texts, y, n_components=8, k=2, n_hypotheses=8, residual_rounds=1, random_state=0)
    on_names = [note for note in found.notes if "passed over" in note]
    assert [note.partition("ed over")[0] for note in on_names] == [
        "Round 1: neurons were pass",
        "Round 2: neurons were pass",
    ]


def test_rounds_go_with_controls_offset_and_weights(reviews):
    rng = np.random.default_rng(0)
    controls, weights = rng.normal(size=(800, 2)), rng.gamma(2, size=800)
    offset = reviews.concepts[:, 0] + rng.normal(size=800)
    found = discover(reviews.data, reviews.target, controls=controls, sample_weight=weights, offset=offset, **OPTIONS)
    assert set(found.table["round"]) == {1, 2}
    assert found.table["controlled_pvalue"].between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": "classes"}, "residual_rounds needs a target of numbers or of two classes; this one has 3 classes"),
        ({"naming": "llm"}, "residual_rounds needs names that cost nothing"),
        ({"n_hypotheses": 1}, "n_hypotheses=1 is too few for 2 rounds"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(reviews, change, message):
    y = np.array(["few", "some", "many"])[np.digitize(reviews.target, [2.5, 3.5])] if "y" in change else reviews.target
    change = {name: value for name, value in change.items() if name != "y"}
    with pytest.raises(ValueError, match=message):
        discover(reviews.data, y, **{**OPTIONS, **change})


def test_the_command_line(capsys, tmp_path, reviews):
    file = tmp_path / "reviews.csv"
    pd.DataFrame({"text": reviews.data[:400], "stars": reviews.target[:400]}).to_csv(file, index=False)
    command = ["discover", str(file), "--text", "text", "--target", "stars", "--n-hypotheses", "4"]
    assert main([*command, "--residual-rounds", "1", "--output", str(tmp_path / "out.csv")]) == 0
    assert "They are found in 2 rounds" in capsys.readouterr().out
    assert set(pd.read_csv(tmp_path / "out.csv")["round"]) <= {1, 2}
