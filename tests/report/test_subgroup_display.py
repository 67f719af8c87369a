"""Pictures of effects by subgroup and period."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import SubgroupDisplay, evaluate_hypotheses

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def made(n_hypotheses, n_rows=600):
    rng = np.random.default_rng(0)
    A = (rng.random((n_rows, n_hypotheses)) < 0.4).astype(float)
    names = [f"mentions the staff, the kitchen and whatever else there is, number {i}" for i in range(n_hypotheses)]
    return rng, A, pd.Series(A[:, 1] * np.linspace(-2, 2, n_rows) + rng.normal(size=n_rows), name="stars"), names


def test_subgroups_are_dots_in_rows_and_what_is_not_known_a_cross():
    rng, A, y, names = made(5)
    town = pd.Series(rng.choice(["Trier", "Ulm"], size=600), name="town")
    A[town == "Ulm", 0] = 0
    y = y + np.where(town == "Ulm", 1, -1) * A[:, 2]
    evaluation = evaluate_hypotheses(A, y, hypotheses=names, by=town)
    display = SubgroupDisplay.from_evaluation(evaluation)
    assert display.hypotheses[0] == names[2]
    assert display.subgroups == ["Trier", "Ulm"]
    table = evaluation.by.query("hypothesis == @names[2]")
    np.testing.assert_allclose(display.effect[0, :, 0], table["effect"])
    assert [label.get_text().split("\n")[0][:8] for label in display.ax_.get_yticklabels()] == ["mentions"] * 5
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["Trier", "Ulm", "hollow: not significant", "not known"]
    assert "difference of stars" in display.ax_.get_xlabel()


def test_periods_and_many_subgroups_have_panels_of_effect_and_prevalence():
    rng, A, y, names = made(10)
    month = pd.Series(pd.date_range("2025-01-01", periods=600, freq="14h"), name="month").dt.to_period("M")
    display = SubgroupDisplay.from_predictions(A, y, by=month, hypotheses=names)
    assert display.axes_.shape == (8, 2)
    assert display.hypotheses[0] == names[1]
    drawn = next(line for line in display.axes_[0, 0].lines if len(line.get_xdata()) == 12)
    np.testing.assert_allclose(drawn.get_ydata(), display.effect[0, :, 0])
    drawn = next(line for line in display.axes_[0, 1].lines if len(line.get_xdata()) == 12)
    np.testing.assert_allclose(drawn.get_ydata(), 100 * display.prevalence[0, :, 0])
    region = rng.choice([f"region {i}" for i in range(9)], size=600)
    display = SubgroupDisplay.from_predictions(A, y > 0, by=region, hypotheses=names, max_hypotheses=3)
    assert display.axes_.shape == (3, 2)
    assert not display.are_periods
    assert [text.get_text() for text in display.axes_[-1, 0].get_xticklabels()] == [f"region {i}" for i in range(9)]


def test_it_draws_into_axes_and_several_classes_and_refuses_what_has_no_subgroups():
    rng, A, y, names = made(3)
    classes = pd.cut(y, 3, labels=["few", "some", "many"])
    figure, axes = pyplot.subplots(1, 2, layout="constrained")
    town = rng.choice(["Trier", "Ulm"], size=600)
    display = SubgroupDisplay.from_predictions(A, classes, by=town, hypotheses=names, ax=axes[0])
    assert display.figure_ is figure
    assert len(display.hypotheses) == 9
    assert display.hypotheses[0].split(":")[0] in ("few", "some", "many")
    figure.canvas.draw()
    with pytest.raises(ValueError, match="has no subgroups; evaluate with by="):
        SubgroupDisplay.from_evaluation(evaluate_hypotheses(A, y, hypotheses=names))
