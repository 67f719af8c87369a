"""Agreement of annotations and labels, beside scikit-learn and worked examples."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support

from sklearn_sae import agreement

NAN = np.nan


def _answers(n=300, seed=0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 2)) < 0.4).astype(float)
    return np.where(rng.random((n, 2)) < [0.05, 0.3], 1 - truth, truth), truth


def test_two_raters_beside_scikit_learn():
    annotations, human = _answers()
    human[::10, 0] = NAN
    table = agreement(annotations, human)
    for j in range(2):
        both = ~np.isnan(human[:, j])
        pair = human[both, j], annotations[both, j]
        assert table["n_labels"][j] == both.sum()
        assert table["kappa"][j] == pytest.approx(cohen_kappa_score(*pair))
        expected = precision_recall_fscore_support(*pair, average="binary")[:3]
        assert table.loc[j, ["precision", "recall", "f1"]].tolist() == pytest.approx(expected)
        assert table["prevalence"][j] == pytest.approx(pair[1].mean())
        assert table["human_prevalence"][j] == pytest.approx(pair[0].mean())
    assert (table["kappa_low"] < table["kappa"]).all()
    assert (table["kappa"] < table["kappa_high"]).all()


def test_alpha_of_the_textbook():
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section A: two observers, ten units."""
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    table = agreement(np.transpose([first]), np.transpose([second]))
    assert table["alpha"][0] == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_several_people_with_gaps():
    """The expected values are those of the package krippendorff 0.9."""
    annotations = np.array([[1, 0, 1, 1, 0, 0, 1, 0]]).T
    people = [
        np.array([[1, 0, 1, NAN, 0, 1, 1, NAN]]).T,
        np.array([[1, 0, 0, 1, 0, NAN, 1, NAN]]).T,
        np.array([[1, 1, 1, 1, NAN, 0, 1, NAN]]).T,
    ]
    table = agreement(annotations, people)
    assert table["alpha"][0] == pytest.approx(0.5)
    assert table["human_alpha"][0] == pytest.approx(0.2916666667)
    # On the sixth text two people differ, and on the last there is no label.
    assert table["n_labels"][0] == 6
    assert table["kappa"][0] == 1
    same = agreement(annotations, np.stack(people))
    pd.testing.assert_frame_equal(pd.DataFrame(same), pd.DataFrame(table))


def test_pairs_have_three_answers():
    annotations = np.array([[1, -1, 0, 1, -1, 0, 1, 1]]).T
    human = np.array([[1, -1, 0, -1, -1, 1, 0, 1]]).T
    table = agreement(annotations, human)
    assert table["kappa"][0] == pytest.approx(cohen_kappa_score(human[:, 0], annotations[:, 0]))
    assert table.loc[0, ["precision", "recall"]].tolist() == pytest.approx([4 / 6, 4 / 6])


def test_a_soft_annotation_holds_from_a_half_on():
    annotations, human = _answers()
    soft = np.where(annotations == 1, 0.6, 0.3)
    pd.testing.assert_frame_equal(pd.DataFrame(agreement(soft, human)), pd.DataFrame(agreement(annotations, human)))


def test_texts_of_a_stratum_count_for_as_many_as_they_stand_for():
    annotations, truth = _answers(20_000)
    everything = agreement(annotations, truth, n_resamples=1)
    sampled = np.where(annotations[:, 1] == 1, 0.2, 0.05)
    drawn = np.random.default_rng(1).random(len(truth)) < sampled
    human = np.where(drawn[:, None], truth, NAN)
    weighted = agreement(annotations, human, sampled, n_resamples=200)
    plain = agreement(annotations, human, n_resamples=1)
    for name in ("kappa", "recall", "human_prevalence"):
        assert weighted[name][1] == pytest.approx(everything[name][1], abs=0.04)
        assert abs(plain[name][1] - everything[name][1]) > 0.04
    assert weighted["kappa_low"][1] < everything["kappa"][1] < weighted["kappa_high"][1]


@pytest.mark.slow
def test_intervals_hold_the_agreement_of_all_texts():
    annotations, truth = _answers(50_000)
    everything = agreement(annotations, truth, n_resamples=1)
    held = []
    for draw in range(150):
        drawn = np.random.default_rng(draw).choice(len(truth), 200, replace=False)
        table = agreement(annotations[drawn], truth[drawn], n_resamples=300)
        for name in ("kappa", "alpha"):
            held.append((table[f"{name}_low"] <= everything[name]) & (everything[name] <= table[f"{name}_high"]))
    assert 0.91 < np.mean(held) < 0.98


def test_what_is_not_defined_is_nan():
    table = agreement(np.zeros((20, 2)), np.column_stack([np.zeros(20), np.full(20, NAN)]))
    assert table[["kappa", "alpha", "precision", "kappa_low"]].isna().all(axis=None)
    assert table["n_labels"].tolist() == [20, 0]
    assert table["human_prevalence"].tolist()[0] == 0
    assert np.isnan(table["human_prevalence"][1])
    assert repr(table).count(" - ") > 5


def test_it_is_a_frame_that_prints_within_a_hundred_columns():
    annotations, human = _answers(3000)
    names = ["complains that the staff were slow, rude or could not be found when they were needed", "short"]
    table = agreement(annotations, [human, human], hypotheses=names, confidence=0.9)
    assert isinstance(table, pd.DataFrame)
    lines = repr(table).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].count("90% CI") == 2
    assert "needed" in repr(table)
    assert type(table[["kappa", "alpha"]]) is pd.DataFrame
    assert table.set_index("hypothesis").loc["short", "kappa"] == table["kappa"][1]


def test_the_same_seed_gives_the_same_intervals():
    annotations, human = _answers()
    one, other, third = (agreement(annotations, human, random_state=seed) for seed in (0, 0, 1))
    assert one["kappa_low"].tolist() == other["kappa_low"].tolist() != third["kappa_low"].tolist()


@pytest.mark.parametrize(
    ("human", "message"),
    [
        (np.zeros((300, 3)), "human must have the shape of annotations"),
        (np.full((300, 2), NAN), "human has no label"),
        ([np.zeros((300, 2)), np.zeros((299, 2))], "human must have the shape of annotations"),
    ],
)
def test_what_is_wrong_is_said(human, message):
    with pytest.raises(ValueError, match=message):
        agreement(_answers()[0], human)
