"""Where effects, scores and correlations stand on a page."""

import numpy as np
import pytest

from sklearn_sae.report._bars import bars_of
from sklearn_sae.report._content import Estimate, Score
from sklearn_sae.report._forest import MOST_ROWS, axis_of, forests_of
from sklearn_sae.report._matrix import MOST_IN_MATRIX, matrix_of, strongest_pairs
from sklearn_sae.report._templates import interval, pvalue, signed

NAN = float("nan")


def estimate(value, low, high, significant=False):
    return Estimate(value, low, high, 0.01, significant)


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1.0, 7.0, 3e5])
@pytest.mark.parametrize("n_ticks", [3, 4])
def test_axes_have_zero_and_round_numbers(scale, n_ticks):
    some = [estimate(scale * value, scale * (value - 0.4), scale * (value + 0.4)) for value in (-0.7, 0.1, 1.3)]
    axis = axis_of(some, n_ticks)
    assert (axis.low, axis.high) == pytest.approx((-1.1 * scale, 1.7 * scale))
    assert n_ticks <= len(axis.ticks) <= 1 + 2.5 * n_ticks
    numbers = [float(tick.text.replace("−", "-").replace(",", "")) for tick in axis.ticks]
    assert [tick.kind for tick in axis.ticks].count("zero") == 1
    assert numbers[[tick.kind for tick in axis.ticks].index("zero")] == 0
    for number, tick in zip(numbers, axis.ticks, strict=True):
        assert axis.place(number) == pytest.approx(tick.at, abs=0.02)
    assert 0 < axis.place(axis.low) < axis.place(0) < axis.place(axis.high) < 100
    assert axis.place(-10 * scale) == axis.place(axis.low)


@pytest.mark.parametrize("some", [[], [estimate(0, 0, 0)], [estimate(NAN, NAN, NAN)], [estimate(2, NAN, NAN)]])
def test_axes_of_hardly_anything(some):
    axis = axis_of(some, 4)
    assert axis.low < axis.high
    assert "zero" in [tick.kind for tick in axis.ticks]


def test_a_very_long_interval_is_cut_and_says_so(make_report):
    report = make_report(3)
    first = report.hypotheses[0]
    effects = (first.effects[0]._replace(own=estimate(0.1, -1000, 0.2)),)
    forest = forests_of(report._replace(hypotheses=(first._replace(effects=effects), *report.hypotheses[1:])))[0]
    axis = forest.panels[0].axis
    assert axis.low > -10
    marks = forest.panels[0].marks[[one.number for one in forest.hypotheses].index(1)]
    assert [mark.goes_on for mark in marks] == [(True, False), (False, False)]
    assert marks[0].start == axis.place(axis.low)


def test_effects_in_one_unit_share_a_panel(make_report):
    (forest,) = forests_of(make_report(6))
    assert [panel.unit for panel in forest.panels] == ["stars"]
    assert all([mark.kind for mark in marks] == ["own", "joint"] for marks in forest.panels[0].marks)
    values = [effect.own.value for effect in forest.effects]
    assert values == sorted(values, reverse=True)
    for marks, effect in zip(forest.panels[0].marks, forest.effects, strict=True):
        assert [mark.estimate for mark in marks] == [effect.own, effect.joint]
        assert all(mark.start < mark.at < mark.end for mark in marks)


def test_log_odds_have_a_panel_of_their_own(make_report):
    (forest,) = forests_of(make_report(6, ("bad", "good")))
    assert [panel.unit for panel in forest.panels] == ["points", "log-odds"]
    few = forests_of(make_report(6, ("a", "b", "c")))
    assert [[panel.unit for panel in forest.panels] for forest in few] == [["points"] * 3, ["log-odds"] * 3]
    assert len({panel.axis for panel in few[0].panels}) == 1  # so that classes can be compared
    many = forests_of(make_report(6, "abcdef"))
    assert [forest.title for forest in many] == [f"For “{one}”" for one in "abcdef"]


def test_the_strongest_of_many_are_drawn(make_report):
    report = make_report(100, n_examples=0)
    (forest,) = forests_of(report)
    assert (len(forest.hypotheses), forest.n_left) == (MOST_ROWS, 100 - MOST_ROWS)
    drawn = {one.number for one in forest.hypotheses}
    left = [one.effects[0].own for one in report.hypotheses if one.number not in drawn]
    n_significant = sum(one.effects[0].own.significant for one in report.hypotheses)
    assert not any(own.significant for own in left) or n_significant > MOST_ROWS


def test_an_effect_that_is_not_known_is_not_drawn(make_report):
    report = make_report(2)
    unknown = Estimate(NAN, NAN, NAN, NAN, False)
    first = report.hypotheses[0]
    first = first._replace(effects=(first.effects[0]._replace(own=unknown),))
    (forest,) = forests_of(report._replace(hypotheses=(first, report.hypotheses[1])))
    assert [one.number for one in forest.hypotheses] == [2, 1]
    assert [mark.kind for mark in forest.panels[0].marks[1]] == ["joint"]


def test_bars_begin_at_nothing_and_go_both_ways():
    scores = [Score("nothing", 0.0, "nothing"), Score("these", -0.1, "hypotheses"), Score("all", 0.3, "embedding")]
    bars = bars_of(scores)
    assert [bar.score.label for bar in bars.bars] == ["these", "nothing", "all"]
    assert [(bar.start, bar.width) for bar in bars.bars] == [(0, 25), (25, 0), (25, 75)]
    assert bars.nothing == 25
    assert bars_of([Score("nothing", 0.5, "nothing"), Score("these", NAN, "hypotheses")]).bars[0].width == 0


def test_hypotheses_that_go_together_stand_together(make_report):
    correlations = np.eye(4)
    correlations[0, 3] = correlations[3, 0] = 0.9
    correlations[1, 2] = correlations[2, 1] = -0.8
    report = make_report(4, correlations=correlations)
    matrix = matrix_of(report)
    order = [one.number for one in matrix.hypotheses]
    assert abs(order.index(1) - order.index(4)) == 1
    assert abs(order.index(2) - order.index(3)) == 1
    assert sorted(cell.value for cell in matrix.cells) == [-0.8, 0.9]
    assert all(cell.column < cell.row for cell in matrix.cells)
    assert [(value, one.number, other.number) for value, one, other in strongest_pairs(report)] == [
        (0.9, 1, 4),
        (-0.8, 2, 3),
    ]


@pytest.mark.parametrize("n", [1, MOST_IN_MATRIX + 1])
def test_one_hypothesis_and_very_many_have_no_matrix(make_report, n):
    assert matrix_of(make_report(n, n_examples=0)) is None


def test_annotations_that_do_not_vary_go_with_none(make_report):
    report = make_report(3, correlations=np.full((3, 3), NAN))
    assert matrix_of(report).cells == ()
    assert strongest_pairs(report) == []


def test_numbers_are_set_in_type():
    assert (signed(-1.25, ".1f"), signed(0.0, ".2f"), signed(NAN, ".2f")) == ("−1.2", "0.00", "–")
    assert interval(estimate(1, -0.5, 2.5), ".1f") == "−0.5 to 2.5"
    assert interval(estimate(1, NAN, NAN), ".1f") == ""
    assert [pvalue(value) for value in (0.04, 3e-8, 0.00096, NAN)] == ["0.040", "3 × 10⁻⁸", "0.001", "–"]
