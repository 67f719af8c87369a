"""The result of a discovery, which prints as a table."""

from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_sae.evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._class_table import class_columns, class_lines
from sklearn_sae.utils._tables import WIDTH, numbers, percent, pvalue, table_lines


@dataclass(frozen=True, eq=False, repr=False)
class Discovery:
    """Hypotheses and their tests on texts held out, as `discover` returns them.

    It prints as the table of the command line, 100 columns wide. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis, highest separation first; for a multiclass target one block a class. Its columns are those
        of `HypothesisEvaluation.table`, on the texts held out, and those of the annotator's `hypotheses_`.

    scores : dict
        How well the pipeline predicts the texts held out, `r2` or `auc`, and how well as many single words do,
        `r2_words` or `auc_words`.

    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it, fitted on the texts in `train`. It predicts the target of any text;
        ``pipeline["hypotheses"]`` annotates any text.

    notes : list of str
        Sentences that say what is missing from the table or not reliable.

    evaluation : HypothesisEvaluation
        The tests, with hypotheses in the order of the neurons.

    train, test : ndarray of int
        Row numbers of the texts on which hypotheses were found, and of those on which they were tested.

    target_name : str or None
        The name of the target.

    description : str
        The target and the split of the texts in words, in two or three lines.

    See Also
    --------
    discover : Returns one.
    HypothesisEvaluation : The tests alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_sae import discover
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(600, n_concepts=4, random_state=0)
    >>> found = discover(reviews.data, pd.Series(reviews.target, name="stars"), n_hypotheses=3, random_state=0)
    >>> print(found.description)
    600 texts; the target 'stars' is numbers from 0.4209 to 5.851, mean 3.03.
    Hypotheses are found on 480 texts and tested on the other 120.
    >>> len(found.train), len(found.test)
    (480, 120)
    """

    table: pd.DataFrame
    scores: dict
    pipeline: Pipeline
    notes: list
    evaluation: HypothesisEvaluation
    train: np.ndarray
    test: np.ndarray
    target_name: str | None
    description: str

    def __repr__(self):
        return f"{self.description}\n\n{findings(self)}"


def labelled_scores(discovery):
    """Return the name of the score, and the scores by what they are of."""
    metric = "r2" if discovery.evaluation.task == "regression" else "auc"
    n_words = discovery.pipeline["hypotheses"].encoder["select"].n_neurons
    return metric, {
        f"these {discovery.evaluation.metrics['n_hypotheses']} hypotheses": discovery.scores[metric],
        f"{n_words} words chosen by lasso": discovery.scores[f"{metric}_words"],
    }


def findings(discovery, width=WIDTH):
    """Return the table with its legend and notes, and the scores, as lines of text."""
    table, evaluation = discovery.table, discovery.evaluation
    metric, scores = labelled_scores(discovery)
    lines, effect = _table(table, evaluation.class_metrics, width)
    legend = (
        f"effect: {effect}. adds: the same beside all other hypotheses at once (those that go together share it), "
        "in log-odds for classes; * significant. texts: share in which it holds. fidelity: F1 of the name against "
        "its neuron, on texts held back from the naming."
    )
    return "\n".join(
        [
            *lines,
            fill(legend, width),
            *(fill(f"Note: {note}", width) for note in evaluation.notes),
            f"{evaluation.metrics['n_significant']} of {len(table)} significant "
            f"({evaluation.correction}, p < {evaluation.metrics['threshold']:.2g})",
            "",
            f"Held-out {metric.upper()}, fitted on the {len(discovery.train):,} texts and scored on the other "
            f"{len(discovery.test):,}:",
            *(f"  {score:6.3f}  {what}" for what, score in scores.items()),
        ]
    )


def _table(table, class_metrics, width):
    """Return the lines of the table, and what the effects in it are."""
    if class_metrics is not None:
        table = _by_best_class(table)
    texts = [percent(share, 0) for share in table["prevalence"]]
    fidelity = ["-" if np.isnan(f1) else f"{f1:.2f}" for f1 in table["fidelity_f1"]]
    if class_metrics is not None:
        more = {"texts": texts, "fidelity": fidelity}
        lines = class_lines(class_columns(table, class_metrics, more, names=("effect", "adds")), width=width)
        return lines, "share of the class where the hypothesis holds, minus where it does not"
    stars = np.where(table["significant"], "*", " ")
    columns = [
        ("effect", numbers(table["separation_score"])),
        ("p", [pvalue(p) for p in table["separation_pvalue"]]),
        ("adds", numbers(table["regression_coef"])),
        ("p", [f"{pvalue(p)} {star}" for p, star in zip(table["regression_pvalue"], stars, strict=True)]),
        ("texts", texts),
        ("fidelity", fidelity),
    ]
    lines = table_lines(columns, table["hypothesis"], width=width)
    return lines, "mean target where the hypothesis holds, minus where it does not, and its p-value"


def _by_best_class(table):
    """Return the table ordered by the class for which a hypothesis speaks most, and by its effect on that class."""
    best = table.sort_values("separation_score", ascending=False, kind="stable").drop_duplicates("hypothesis")
    order = pd.Series(range(len(best)), index=best.sort_values("class", kind="stable")["hypothesis"])
    return table.sort_values("hypothesis", key=lambda names: names.map(order), kind="stable")
