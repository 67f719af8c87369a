"""discover beyond controls and with weights."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import discover, evaluate_hypotheses
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}


def made(n, noise):
    """Return reviews of two kinds, of which those with a long wait are mostly of the kind that has fewer stars."""
    reviews = make_concept_texts(n, n_concepts=5, random_state=0)
    rng = np.random.default_rng(0)
    kind = np.where((reviews.concepts[:, 0] > 0) != (rng.random(n) < 0.1), "delivery", "table")
    stars = noise * rng.normal(size=n) + reviews.concepts[:, 1] - 3 * (kind == "delivery")
    table = pd.DataFrame({"review": reviews.data, "stars": stars, "kind": kind, "age": rng.integers(18, 80, size=n)})
    return table.assign(weight=rng.gamma(2, size=n))


@pytest.fixture(scope="module")
def reviews():
    return made(500, noise=1)


@pytest.mark.parametrize("target", ["regression", "binary", "multiclass"])
def test_the_tests_are_those_of_the_evaluation_beyond_the_controls(reviews, target):
    stars = reviews["stars"]
    y = {"regression": stars, "binary": stars > 0, "multiclass": pd.cut(stars, 3, labels=["few", "some", "many"])}
    controls, weights = reviews[["kind", "age"]], reviews["weight"].where(reviews.index >= 20, 0)
    found = discover(reviews["review"], y[target], controls=controls, sample_weight=weights, **SMALL)
    annotator, test = found.pipeline["hypotheses"], found.test
    again = evaluate_hypotheses(
        annotator.transform(reviews["review"].to_numpy()[test]),
        y[target].iloc[test].reset_index(drop=True),
        hypotheses=annotator.get_feature_names_out(),
        controls=controls.iloc[test].reset_index(drop=True),
        sample_weight=weights.to_numpy()[test],
    )
    pd.testing.assert_frame_equal(again.table, found.evaluation.table)
    assert {"controlled_score", "significant_controlled"} <= set(found.table)
    assert len(found.train) + len(test) == 480
    assert "20 texts are left out, of weight 0." in found.notes
    text = " ".join(str(found).split())
    assert "controlled: the same beyond kind and age" in text
    assert ("They are found in what kind and age leave of the target" in text) == (target != "multiclass")
    assert any("found without the controls" in note for note in found.notes) == (target == "multiclass")
    if target != "regression":
        assert set(found.pipeline.predict(reviews["review"][:20])) <= set(y[target])


def test_hypotheses_are_found_in_what_the_controls_leave():
    reviews = made(1500, noise=0.3)
    texts, y, options = reviews["review"], reviews["stars"], {"n_hypotheses": 5, "test_size": 0.4, "random_state": 0}
    plain = discover(texts, y, **options).table
    assert plain["hypothesis"][plain["significant"]].str.contains(r"\bwait\b|minutes|hour").any()
    found = discover(texts, y, controls=reviews["kind"], **options)
    names = found.table["hypothesis"][found.table["significant_controlled"]]
    assert names.str.contains("friendly|attentive").any()
    assert found.pipeline["hypotheses"].encoder_["select"].task_ == "regression"
    of_waits = plain["hypothesis"].str.contains(r"\bwait\b|minutes|hour").sum()
    assert found.table["hypothesis"].str.contains(r"\bwait\b|minutes|hour").sum() < of_waits


def test_weights_are_those_of_the_model(reviews):
    found = discover(reviews["review"], reviews["stars"], sample_weight=reviews["weight"], **SMALL)
    texts = reviews["review"].to_numpy()[found.train]
    A = np.nan_to_num(found.pipeline["hypotheses"].transform(texts))
    X, root = np.column_stack([np.ones(len(A)), A]), np.sqrt(reviews["weight"].to_numpy()[found.train])
    coef = np.linalg.lstsq(root[:, None] * X, root * reviews["stars"].to_numpy()[found.train], rcond=None)[0]
    np.testing.assert_allclose(found.pipeline.predict(texts), X @ coef, atol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"controls": [1, 2]}, "controls has 2 rows for the 500 rows of texts"),
        ({"sample_weight": [-1.0] * 500}, "sample_weight must be numbers from 0"),
        ({"controls": "stars"}, "is a linear combination of the controls"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_work(reviews, change, message):
    change = {name: reviews[value] if isinstance(value, str) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        discover(reviews["review"], reviews["stars"], **change, **SMALL)


def test_controls_and_weights_on_the_command_line(reviews, tmp_path, capsys):
    reviews = reviews.assign(kind=reviews["kind"].where(reviews.index % 50 > 0))
    file, out = tmp_path / "reviews.csv", tmp_path / "out.csv"
    reviews.to_csv(file, index=False)
    command = [
        "discover",
        str(file),
        "--text",
        "review",
        "--target",
        "stars",
        "--n-hypotheses",
        "3",
        "-M",
        "8",
        "-K",
        "2",
    ]
    options = ["--control", "kind", "--control", "age", "--weight", "weight", "--output", str(out)]
    assert main([*command, *options]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "They are found in what kind and age leave of the target, and tested beyond that." in printed
    assert "The control 'kind' is missing in 10 of 500 rows; they count as a category of their own." in printed
    table = pd.read_csv(out)
    assert table["controlled_pvalue"].between(0, 1).all()
    for options, message in (
        (["--control", "stars"], "--control and --target name the same column, 'stars'"),
        (["--control", "mood"], "has no column 'mood'"),
        (["--weight", "kind"], "--weight 'kind' has no number in row 2"),
    ):
        assert main([*command, *options]) == 1
        assert message in capsys.readouterr().err
