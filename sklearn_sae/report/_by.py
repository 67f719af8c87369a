"""What a report says of effects by subgroup or period."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_sae.evaluation._by_lines import subgroups_in
from sklearn_sae.report._content import Estimate
from sklearn_sae.report._effects import form_of, positions, signed
from sklearn_sae.report._excerpt import plain
from sklearn_sae.report._wording import is_share
from sklearn_sae.utils._tables import pvalue

_MOST_IN_FACT = 4  # subgroups of which a fact has the effects


class Part(NamedTuple):
    """A hypothesis in a subgroup or period."""

    n_samples: int
    share: Estimate  # of the rows where it holds, in per cent
    effect: Estimate


class ByRow(NamedTuple):
    """A hypothesis, or one on a class, in all subgroups."""

    number: int  # of the hypothesis
    short: str
    of: str  # the class; "" for a target without classes
    parts: tuple[Part, ...]
    pvalue: float  # that all effects are the same
    differs: bool
    turns: bool  # whether it is significant with either sign
    trends: tuple[Estimate, ...]  # of periods: of the effect and of the share, by period; their ends are NaN


class By(NamedTuple):
    """Effects by subgroup or period."""

    name: str
    labels: tuple[str, ...]
    are_periods: bool
    said: str  # how many differ, as a sentence
    rows: tuple[ByRow, ...]  # those that differ most clearly first


def by_of(evaluation, words, hypotheses, order):
    """Return the `By` of an evaluation; None without subgroups.

    Parameters
    ----------
    evaluation : HypothesisEvaluation
    words : Wording
    hypotheses : list of Hypothesis
    order : list of int
        The place in the evaluation of each.
    """
    if evaluation.by is None:
        return None
    name, labels = subgroups_in(evaluation)
    factor = words.sign * (100 if is_share(words) else 1)
    rows, places = [], positions(evaluation)
    for one, place in zip(hypotheses, order, strict=True):
        for row in places[place]:
            of_table = evaluation.table.iloc[row]
            parts = evaluation.by.iloc[row * len(labels) : (row + 1) * len(labels)]
            rows.append(
                ByRow(
                    one.number,
                    one.short,
                    plain(str(of_table["class"])) if "class" in of_table else "",
                    tuple(_part(part, factor) for _, part in parts.iterrows()),
                    float(of_table["interaction_pvalue"]),
                    bool(of_table["significant_interaction"]),
                    bool(of_table["sign_turns"]),
                    _trends(of_table, factor),
                )
            )
    rows.sort(key=_how_clearly)
    are_periods = isinstance(labels[0], pd.Period)
    return By(plain(name), tuple(plain(str(label)) for label in labels), are_periods, _said(evaluation), tuple(rows))


def fact_by(row, by, form):
    """Return a sentence on a hypothesis of which the effect differs, turns its sign or has a trend; "" for others."""
    trend = next(iter(row.trends), None)
    if not (row.differs or row.turns or (trend is not None and trend.significant)):
        return ""
    said = " and ".join(filter(None, [row.differs and "differs", row.turns and "turns its sign"]))
    if not np.isnan(row.pvalue):
        said += f" ({'' if row.differs else 'that it differs is not significant, '}p = {pvalue(row.pvalue)})" * bool(
            said
        )
    begin = f"By {by.name} its effect{f' on “{row.of}”' if row.of else ''}"
    if by.are_periods:
        changes = f"changes by {signed(trend.value, form)} from one {by.name} to the next (p = {pvalue(trend.pvalue)})"
        return f"{begin} {'; it '.join(filter(None, [said, '' if np.isnan(trend.value) else changes]))}."
    known = [(label, part.effect) for label, part in zip(by.labels, row.parts, strict=True)]
    known = sorted((one for one in known if not np.isnan(one[1].value)), key=lambda one: one[1].value)
    if len(known) > _MOST_IN_FACT:
        known = [known[0], known[-1]]
    told = ", ".join(f"{signed(effect.value, form)} in {label}" for label, effect in known)
    return f"{begin} {said}: {told}."


def with_facts(hypotheses, by):
    """Return hypotheses with a further fact on those of which the effect differs, turns its sign or has a trend."""
    if by is None:
        return hypotheses
    form = form_of([part.effect for row in by.rows for part in row.parts])
    facts = {}
    for row in by.rows:
        facts.setdefault(row.number, []).append(fact_by(row, by, form))
    return [one._replace(facts=(*one.facts, *filter(None, facts[one.number]))) for one in hypotheses]


def _part(row, factor):
    limits = sorted(factor * row[f"effect_ci_{side}"] for side in ("low", "high"))
    effect = Estimate(float(factor * row["effect"]), *limits, float(row["pvalue"]), bool(row["significant"]))
    share = (100 * row[name] for name in ("prevalence", "prevalence_ci_low", "prevalence_ci_high"))
    return Part(int(row["n_samples"]), Estimate(*map(float, share), np.nan, False), effect)


def _trends(row, factor):
    if "effect_trend" not in row:
        return ()
    return tuple(
        Estimate(
            float(unit * row[f"{what}_trend"]),
            np.nan,
            np.nan,
            float(row[f"{what}_trend_pvalue"]),
            bool(row[f"significant_{what}_trend"]),
        )
        for what, unit in (("effect", factor), ("prevalence", 100))
    )


def _how_clearly(row):
    """Return what sorts rows: the p-value that the effects are the same, then that of the trend, NaN last."""
    return [np.inf if np.isnan(p) else p for p in (row.pvalue, *(trend.pvalue for trend in row.trends[:1]))]


def _said(evaluation):
    m, n = evaluation.metrics, f"{len(evaluation.table):,}"
    said = (
        f"After correction the effect of {_or_none(m['n_significant_interaction'])} of {n} differs, and "
        f"{_or_none(m['n_sign_turns'], 'no')} {'sign turns' if m['n_sign_turns'] < 2 else 'signs turn'}."
    )
    if "n_significant_effect_trend" in m:
        said += (
            f" The effect has a trend in {_or_none(m['n_significant_effect_trend'])} of them, the share of texts in "
            f"{_or_none(m['n_significant_prevalence_trend'])}."
        )
    return said


def _or_none(n, none="none"):
    return f"{n:,}" if n else none
