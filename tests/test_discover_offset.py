"""discover and evaluate_hypotheses beyond the predictions of a model of one's own."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from sklearn_sae import discover, evaluate_hypotheses
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._offset import check_offset, notes_on_scale
from sklearn_sae.utils._targets import check_target

OPTIONS = {"n_hypotheses": 5, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    """Return reviews with stars, and predictions of a model that does not know the concept that counts most."""
    made = make_concept_texts(1200, n_concepts=6, noise=0.3, random_state=1)
    missed = int(np.abs(made.coef).argmax())
    known = np.delete(made.concepts, missed, axis=1)
    table = pd.DataFrame({"review": made.data, "stars": made.target, "good": made.target > 3})
    table["p_stars"] = cross_val_predict(LinearRegression(), known, made.target)
    p = cross_val_predict(LogisticRegression(), known, table["good"], method="predict_proba")
    return table.assign(p_good=p[:, 1], missed=made.concepts[:, missed])


@pytest.fixture(scope="module", params=["stars", "good"])
def found(request, reviews):
    y = request.param
    return y, discover(reviews["review"], reviews[y], offset=reviews[f"p_{y}"], **OPTIONS)


def test_what_the_model_misses_is_found(found, reviews):
    _, discovery = found
    assert discovery.pipeline["hypotheses"].encoder_["select"].task_ == "regression"
    called = discovery.evaluation.table["significant_controlled"].to_numpy()
    missed = reviews["missed"].to_numpy()[discovery.test]
    assert any(abs(np.corrcoef(says, missed)[0, 1]) > 0.35 for says in discovery.evaluation.annotations[:, called].T)
    assert discovery.table["controlled_score"].is_monotonic_decreasing


def test_the_effect_is_that_on_what_is_left(found, reviews):
    y, discovery = found
    left = (reviews[y].astype(float) - reviews[f"p_{y}"]).to_numpy()[discovery.test]
    for says, row in zip(discovery.evaluation.annotations.T, discovery.evaluation.table.itertuples(), strict=True):
        holds = says > 0.5
        assert row.controlled_score == pytest.approx(left[holds].mean() - left[~holds].mean())


def test_the_scores_are_those_of_the_predictions_and_of_both(found, reviews):
    y, discovery = found
    metric, score = ("r2", r2_score) if y == "stars" else ("auc", roc_auc_score)
    truth, p = (reviews[name].to_numpy()[discovery.test] for name in (y, f"p_{y}"))
    assert discovery.scores[f"{metric}_offset"] == pytest.approx(score(truth, p))
    assert discovery.scores[f"{metric}_offset_and_hypotheses"] > discovery.scores[f"{metric}_offset"]
    if y == "stars":
        texts, annotator = reviews["review"].to_numpy(), discovery.pipeline["hypotheses"]
        A, A_test = (annotator.transform(texts[rows]) for rows in (discovery.train, discovery.test))
        left = (reviews["stars"] - reviews["p_stars"]).to_numpy()[discovery.train]
        both = p + LinearRegression().fit(A, left).predict(A_test)
        assert discovery.scores["r2_offset_and_hypotheses"] == pytest.approx(score(truth, both))


def test_it_is_said_what_was_tested(found, tmp_path):
    y, discovery = found
    for width in (80, 100):
        printed = discovery.to_text(width=width)
        assert max(map(len, printed.splitlines())) <= width
        said = " ".join(printed.split())
        assert f"They are found in what the predictions in 'p_{y}' leave of the target, and tested beyond" in said
        assert f"controlled: the same beyond the predictions in 'p_{y}'" in said
        assert "the predictions, " in said
        assert " both." in said
    page = discovery.to_html(tmp_path / "report.html").read_text("utf-8")
    assert f"Beyond the predictions in &#39;p_{y}&#39; its effect is" in page
    assert "are an offset, which was subtracted from the target" in page
    assert f"Beyond the predictions in &#39;p_{y}&#39; " in page.partition("<h2")[2].partition("</section>")[0]


def test_the_evaluation_alone_is_the_same(found, reviews):
    y, discovery = found
    again = evaluate_hypotheses(
        discovery.evaluation.annotations,
        reviews[y].iloc[discovery.test].reset_index(drop=True),
        hypotheses=discovery.evaluation.table["hypothesis"].tolist(),
        offset=reviews[f"p_{y}"].iloc[discovery.test].reset_index(drop=True),
    )
    pd.testing.assert_frame_equal(again.table, discovery.evaluation.table)


def test_predictions_on_another_scale_are_noted():
    rng = np.random.default_rng(0)
    model = rng.normal(size=400)
    stars = check_target((3 + model + rng.normal(size=400)).clip(1, 5))
    wins = check_target(np.where(model + rng.normal(size=400) > 0, "won", "lost"))
    p = expit(1.7 * model)

    def notes(values, target):
        return notes_on_scale(check_offset(values, target), target)

    for right in (3 + model, 3 + 0.4 * model, 3.5 + model, np.full(400, 9.0), 9 + rng.normal(size=400)):
        assert notes(right, stars) == []
    for wrong in (model, 20 * (3 + model), 3 - model):
        assert re.search(r"explains [45]\d% of it: are they in another unit\?", notes(wrong, stars)[0])
    tiny = check_target(1e-200 * rng.normal(size=400))
    assert notes(1e-200 * rng.normal(size=400), tiny) == []
    assert notes(p, wins) == notes(np.full(400, 0.1), wins) == notes(rng.random(400), wins) == []
    assert notes(1 - p, wins)[0].endswith("are they probabilities of won? Calibrate them.")


def test_the_note_on_the_scale_reaches_the_user(reviews):
    z = (reviews["p_stars"] - reviews["p_stars"].mean()) / reviews["p_stars"].std()
    found = discover(reviews["review"], reviews["stars"], offset=z, n_components=8, k=2, n_hypotheses=2, random_state=0)
    assert any("are they in another unit?" in note for note in found.notes)
    with pytest.raises(
        ValueError, match=r"what the predictions \(offset\) miss of .*'stars' is a linear combination of"
    ):
        discover(
            reviews["review"], reviews["stars"], offset=np.zeros(len(z)), controls=reviews["stars"], random_state=0
        )


def test_controls_and_subgroups_are_of_what_is_left():
    rng = np.random.default_rng(0)
    A, control, p = rng.integers(0, 2, size=(400, 2)), rng.normal(size=400), 3 * rng.normal(size=400)
    half = np.repeat(["a", "b"], 200)
    y = p + control + A[:, 0] * (half == "a") + 0.1 * rng.normal(size=400)
    of_left = evaluate_hypotheses(A, y - p, controls=control, by=half)
    table = evaluate_hypotheses(A, y, controls=control, by=half, offset=p)
    columns = [name for name in of_left.table if "controlled" in name or "interaction" in name]
    pd.testing.assert_frame_equal(table.table[columns], of_left.table[columns])
    pd.testing.assert_frame_equal(table.by, of_left.by)
    assert "1 significant beyond the predictions and control 0" in table.summary()


@pytest.mark.parametrize(
    ("y", "change", "message"),
    [
        ("stars", lambda p: p[:3], "its shape is (3,) for 1,200 rows"),
        ("stars", lambda p: p.where(p.index != 7), "offset must be numbers; row 7 has nan"),
        ("stars", lambda p: p.map(lambda one: "good"), "offset must be numbers, the predictions of a model"),
        ("stars", lambda p: p[::-1], "have the same index in different orders"),
        ("good", lambda p: p + 1, "offset must be the probability of True, between 0 and 1"),
        ("many", lambda p: p, "one has 3 classes. Take one of them against the rest"),
        ("p_stars", lambda p: p, "miss nothing of the target 'p_stars'"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_work(reviews, y, change, message):
    table = reviews.assign(many=pd.cut(reviews["stars"], 3, labels=["few", "some", "many"]).astype(str))
    with pytest.raises(ValueError, match=re.escape(message)):
        discover(table["review"], table[y], offset=change(table["p_stars"]), **OPTIONS)


def test_certain_probabilities_and_ordinal_targets_are_taken(reviews):
    some = reviews.iloc[:400]
    certain = (some["p_good"] > 0.5).astype(int)
    found = discover(some["review"], some["good"], offset=certain, n_hypotheses=3, random_state=0)
    assert np.isfinite(found.scores["auc_offset_and_hypotheses"])
    places = some["stars"].round().clip(1, 5)
    found = discover(some["review"], places, task="ordinal", offset=some["p_stars"], n_hypotheses=3, random_state=0)
    assert found.scores["r2_offset"] > 0.2


def test_the_command_line_takes_a_column_of_predictions(reviews, tmp_path, capsys):
    file, out = tmp_path / "reviews.csv", tmp_path / "out.csv"
    reviews.iloc[:600].to_csv(file, index=False)
    command = ["discover", str(file), "--text", "review", "--target", "stars", "--n-hypotheses", "4"]
    assert main([*command, "--offset", "p_stars", "--output", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "They are found in what the predictions in 'p_stars' leave of the target" in said
    assert pd.read_csv(out)["controlled_pvalue"].between(0, 1).all()
    for options, message in (
        (["--offset", "stars"], "--offset and --target name the same column, 'stars'"),
        (["--offset", "review", "--target", "good"], "--offset and --text name the same column"),
        (["--offset", "p_stars", "--transform", "rank"], "leave --transform out"),
        (["--offset", "p_stars", "--target", "good"], "must be the probability of True"),
    ):
        assert main([*command, *options]) != 0
        assert message in capsys.readouterr().err
