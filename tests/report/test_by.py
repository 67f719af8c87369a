"""What is said of effects by subgroup and period."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import evaluate_hypotheses
from sklearn_sae.evaluation._by_lines import by_lines
from sklearn_sae.report._by import By, ByRow, Part, fact_by
from sklearn_sae.report._content import Estimate
from sklearn_sae.report._page import page_of
from sklearn_sae.report._report_of import report_of_evaluation

NAN = float("nan")


def row(effects, *, pvalue, differs, turns=False, trend=None):
    parts = tuple(
        Part(50, Estimate(20, 10, 30, NAN, False), Estimate(one, one - 1, one + 1, 0.01, True)) for one in effects
    )
    trends = () if trend is None else (Estimate(*trend[:1], NAN, NAN, *trend[1:]),)
    return ByRow(1, "wait", "", parts, pvalue, differs, turns, trends)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (row([1, -2], pvalue=0.001, differs=True), "differs (p = 0.001): "),
        (row([1, -2], pvalue=0.001, differs=True, turns=True), "differs and turns its sign (p = 0.001): "),
        (
            row([1, -2], pvalue=0.2, differs=False, turns=True),
            "turns its sign (that it differs is not significant, p = 0.200): ",
        ),
        (row([1, -2], pvalue=NAN, differs=False, turns=True), "turns its sign: "),
    ],
)
def test_a_fact_says_no_more_than_was_found(one, said):
    by = By("town", ("Trier", "Ulm"), False, "", (one,))
    assert fact_by(one, by, ".0f") == f"By town its effect {said}−2 in Ulm, +1 in Trier."


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (row([1, 2], pvalue=NAN, differs=False, trend=(1, 0.002, True)), "changes"),
        (row([1, 2], pvalue=0.3, differs=False, trend=(1, 0.002, True)), "changes"),
        (row([1, 2], pvalue=0.003, differs=True, trend=(1, 0.002, True)), "differs (p = 0.003); it changes"),
    ],
)
def test_a_fact_on_a_trend_says_no_more_than_was_found(one, said):
    by = By("month", ("2025-01", "2025-02"), True, "", (one,))
    assert fact_by(one, by, ".0f") == f"By month its effect {said} by +1 from one month to the next (p = 0.002)."


@pytest.fixture(scope="module")
def months():
    """An evaluation in which the effect of the last hypothesis grows, with too few rows a month to compare months."""
    rng = np.random.default_rng(0)
    A = (rng.random((240, 3)) < 0.3).astype(float)
    month = pd.Series(pd.date_range("2025-01-01", periods=240, freq="36h"), name="month").dt.to_period("M")
    y = pd.Series(np.linspace(0, 5, 240) * A[:, 2] + rng.normal(size=240), name="stars")
    return evaluate_hypotheses(A, y, hypotheses=["mentions tea", "mentions rice", "mentions soup"], by=month)


def test_nothing_is_counted_as_none_and_trends_come_first(months):
    assert months.table["interaction_pvalue"].isna().all()
    report = report_of_evaluation(months)
    assert report.by.said == (
        "After correction the effect of none of 3 differs, and no sign turns. The effect has a trend in 1 of them, the "
        "share of texts in none."
    )
    assert report.by.rows[0].short == "soup"
    page = page_of(report)
    assert "p = –" not in page[page.index('id="by"') : page.index('id="hypotheses"')]
    assert page.count("trend +") + page.count("trend −") == 3
    lines = " ".join(by_lines(months, 100))
    assert "the effect of none differs, no sign turns; a trend in the effect of 1, in the texts of none." in lines
