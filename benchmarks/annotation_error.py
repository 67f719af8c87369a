"""How often intervals hold the true effect where annotations err, and how often chance is called significant.

``python -m benchmarks.annotation_error [--draws 500]`` prints two markdown tables. Each draw makes up 5,000 texts with
three hypotheses that hold for 30, 20 and 10 %, and annotations of which 15 % are wrong: of the texts with the lowest
target, 30 % of those where a hypothesis holds are missed, and of those with the highest, 30 % of the others are said to
have it. People label 300 texts, drawn at random or within strata of the annotations. Needs no data.
"""

import argparse

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from benchmarks._report import machine, print_table
from sklearn_sae.evaluation import correct_annotations, evaluate_hypotheses
from sklearn_sae.evaluation._sample_for_labelling import _draw, _strata

N_TEXTS, N_LABELS = 5000, 300
PREVALENCE = np.array([0.3, 0.2, 0.1])
EFFECTS = np.array([0.5, 0.0, -0.3])
N_TRUTH = 2_000_000
SETTINGS = {
    "numbers": {},
    "numbers, stratified labels": {"stratified": True},
    "numbers, ten texts an author": {"n_of_author": 10},
    "two classes": {"classes": True},
}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.annotation_error", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--draws", type=int, default=500, help="how many, 500 if not given")
    n_draws = parser.parse_args().draws
    shares = f"share of {n_draws} draws, mean (and range) over three hypotheses"
    print_table(
        f"Coverage of 95 % intervals: {shares}",
        (row for name, options in SETTINGS.items() for row in coverage(name, n_draws, **options)),
        f"{N_TEXTS:,} texts, 15 % of the annotations wrong depending on the target, {N_LABELS} labels. Width: of the "
        "interval of the first separation, mean. A single share of 500 draws has a standard error of 1 point.",
    )
    print_table(
        f"Null data: called significant at 0.05, {shares}",
        (row for name, options in SETTINGS.items() for row in coverage(name, n_draws, null=True, **options)),
        "The same with no effect of any hypothesis; the annotations go with the target all the same.",
    )
    print(f"\nMeasured on {machine()}")


def coverage(name, n_draws, *, null=False, stratified=False, n_of_author=1, classes=False):
    """Return the rows of a table: the share of intervals that hold the truth, or else of p-values below 0.05."""
    texts = {"null": null, "n_of_author": n_of_author, "classes": classes}
    separations, coefs = (np.zeros(3), np.zeros(3)) if null else _truth(texts)
    counted = {}
    for draw in range(n_draws):
        rng = np.random.default_rng([draw, int(null)])
        truth, annotations, y, authors = make(N_TEXTS, rng, **texts)
        sampled = draw_labels(annotations, rng, stratified)
        human = np.where(np.isnan(sampled)[:, None], np.nan, truth)
        groups = authors if n_of_author > 1 else None
        found = {
            "annotations alone": evaluate_hypotheses(annotations, y, groups=groups),
            "corrected, dsl": correct_annotations(annotations, human, sampled, y, groups=groups),
            "corrected, ppi": correct_annotations(annotations, human, sampled, y, groups=groups, method="ppi"),
        }
        for how, evaluation in found.items():
            counted.setdefault(how, []).append(_held(evaluation.table, separations, coefs, null))
    return [_row(name, how, np.array(some)) for how, some in counted.items()]


def make(n_texts, rng, *, null=False, n_of_author=1, classes=False):
    """Return truth, annotations, target and authors of made-up texts."""
    authors = np.arange(n_texts) // n_of_author
    share = 0.5 if n_of_author > 1 else 0.0  # of what an author has in common

    def with_authors(n_columns):
        of_author = rng.normal(size=(authors.max() + 1, n_columns))[authors]
        return np.sqrt(share) * of_author + np.sqrt(1 - share) * rng.normal(size=(n_texts, n_columns))

    truth = (with_authors(3) < norm.ppf(PREVALENCE)).astype(float)
    y = truth @ (EFFECTS * (not null)) + with_authors(1)[:, 0]
    if classes:
        y = (rng.random(n_texts) < expit(2 * truth @ (EFFECTS * (not null)) - 0.3)).astype(float)
    rank = ((y + 1e-6 * rng.normal(size=n_texts)).argsort().argsort() / n_texts)[:, None]
    wrong = rng.random(truth.shape) < 0.3 * np.where(truth == 1, 1 - rank, rank)
    return truth, np.where(wrong, 1 - truth, truth), y, authors


def draw_labels(annotations, rng, stratified):
    """Return the probabilities with which texts were drawn, NaN for those that were not."""
    strata = _strata(annotations, N_LABELS) if stratified else np.zeros(len(annotations), dtype=int)
    sampled = np.full(len(annotations), np.nan)
    for one in _draw(strata, N_LABELS, rng):
        sampled[one.row] = one.n_drawn / one.n_texts
    return sampled


def _truth(texts):
    """Return the effects in two million texts."""
    truth, _, y, _ = make(N_TRUTH, np.random.default_rng(12345), **texts)
    separations = [y[column == 1].mean() - y[column == 0].mean() for column in truth.T]
    return np.array(separations), 2 * EFFECTS if texts["classes"] else EFFECTS


def _held(table, separations, coefs, null):
    if null:
        held = [table[name] < 0.05 for name in ("pvalue", "joint_pvalue")]
    else:
        held = [
            (table[f"{name}_ci_low"] <= true) & (true <= table[f"{name}_ci_high"])
            for name, true in (("separation", separations), ("regression", coefs))
        ]
    return [*np.array(held, dtype=float), table["separation_ci_high"] - table["separation_ci_low"]]


def _row(name, how, counted):
    own, joint, widths = counted.mean(axis=0)
    return {
        "texts": name,
        "intervals from": how,
        "separation": _share(own),
        "coefficient": _share(joint),
        "width": f"{widths[0]:.2f}",
    }


def _share(values):
    values = 100 * values
    return f"{values.mean():.1f} % ({values.min():.1f} to {values.max():.1f})"


if __name__ == "__main__":
    main()
