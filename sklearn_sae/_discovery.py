"""The result of a discovery, which prints as a table."""

from dataclasses import dataclass
from textwrap import fill, wrap

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_sae._baselines import n_words_in
from sklearn_sae.evaluation import HypothesisEvaluation
from sklearn_sae.utils._tables import WIDTH, numbers, percent, pvalue, table_lines
from sklearn_sae.utils._validation import counted

_MOST_NOTE_LINES = 5


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
        How well the pipeline predicts the texts held out, `r2` or `auc`, and how well others do: as many single words
        (`r2_words`), as many words as the names have (`r2_as_many_words`) and the embedding (`r2_embedding`), or where
        words or sentences were read all neurons (`r2_neurons`).

    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it, fitted on the texts in `train`. It predicts the target of any text;
        ``pipeline["hypotheses"]`` annotates any text.

    notes : list of str
        Sentences that say how the target was read and what is missing from the table or not reliable. Five lines of
        them are printed.

    evaluation : HypothesisEvaluation
        The tests, with hypotheses in the order of the neurons.

    train, test : ndarray of int
        Row numbers of the texts on which hypotheses were found, and of those on which they were tested.

    target_name : str or None
        The name of the target.

    description : str
        The target and the split of the texts in words, in two or three lines.

    scale : tuple of str, default=()
        For ``task="ordinal"`` the answers whose places 1, 2, ... are the target.

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
    scale: tuple = ()

    def __repr__(self):
        description = "\n".join(fill(line, WIDTH) for line in self.description.splitlines())
        return f"{description}\n\n{findings(self)}"


def labelled_scores(discovery):
    """Return the name of the score, and the scores by what they are of."""
    metric = "r2" if discovery.evaluation.task == "regression" else "auc"
    names = discovery.evaluation.table["hypothesis"]
    n = discovery.evaluation.metrics["n_hypotheses"]
    n_words = discovery.pipeline["hypotheses"].encoder["select"].n_neurons
    return metric, {
        "this hypothesis" if n == 1 else f"these {n} hypotheses": discovery.scores[metric],
        f"{counted(n_words, 'word')} chosen by lasso": discovery.scores[f"{metric}_words"],
        f"{counted(n_words_in(names), 'word')}, as many as the names have": discovery.scores[f"{metric}_as_many_words"],
        **{
            f"{what} (ridge regression)": discovery.scores[f"{metric}_{of}"]
            for of, what in (("embedding", "the embedding"), ("neurons", "all neurons"))
            if f"{metric}_{of}" in discovery.scores
        },
    }


def findings(discovery, width=WIDTH):
    """Return the table with its legend and notes, and the scores, as lines of text."""
    evaluation = discovery.evaluation
    metrics = evaluation.metrics
    metric, scores = labelled_scores(discovery)
    lines, effect = _table(discovery, width)
    legend = (
        f"effect: {effect}, and its p-value; * significant. adds: the same beside all other hypotheses at once (those "
        "that go together share it), in log-odds for classes; + significant. texts: share in which it holds. fidelity: "
        "F1 of the name against its neuron, on texts held back from the naming."
    )
    of = ("hypothesis", "hypotheses")
    if evaluation.class_metrics is not None:
        of = ("pair of hypothesis and class", "pairs of hypothesis and class")
    return "\n".join(
        [
            *lines,
            fill(legend, width),
            *note_lines(discovery.notes, width),
            fill(
                f"{metrics['n_significant']} of {counted(len(evaluation.table), *of)} significant on their own (*), "
                f"{metrics['n_significant_jointly']} beside all others (+); alpha {evaluation.alpha:g}, "
                f"{evaluation.correction}",
                width,
            ),
            "",
            f"Held-out {metric.upper()}, fitted on the {counted(len(discovery.train), 'text')} and scored on the other "
            f"{len(discovery.test):,}:",
            *(f"  {score:6.3f}  {what}" for what, score in scores.items()),
        ]
    )


def note_lines(notes, width):
    """Return notes as a few lines: the first ones whole, one that is long by itself cut, the last ones counted."""
    lines = []
    for place, note in enumerate(notes):
        n_left = len(notes) - place
        wrapped = wrap(f"Note: {note}", width)
        room = _MOST_NOTE_LINES - len(lines) - (n_left > 1)  # one for the count of those that are left
        if len(wrapped) > room:
            if not lines:
                lines = wrap(f"Note: {note}", width, max_lines=room, placeholder=" …")
                n_left -= 1
            return lines + ([f"Note: {n_left} more, in the result's notes."] if n_left else [])
        lines += wrapped
    return lines


def _table(discovery, width):
    """Return the lines of the table, and what the effects in it are."""
    table, evaluation = discovery.table, discovery.evaluation
    if evaluation.class_metrics is not None:
        blocks = list(_by_best_class(table, evaluation.class_metrics))
        effect = (
            "share of the class where the hypothesis holds, minus where it does not, for the class that it says most "
            "of (.table has all)"
        )
    else:
        blocks, effect = [(None, table)], "mean target where the hypothesis holds, minus where it does not"
        if discovery.scale:
            low, high = discovery.scale[0], discovery.scale[-1]
            effect = f"mean place, from {low} (1) to {high} ({len(discovery.scale)}), where the hypothesis holds, minus"
            effect += " where it does not"
    rows = pd.concat([block for _, block in blocks])
    columns = [
        ("effect", numbers(rows["separation_score"])),
        ("p", _marked(rows["pvalue"], rows["significant"], "*")),
        ("adds", numbers(rows["regression_coef"])),
        ("p", _marked(rows["joint_pvalue"], rows["significant_jointly"], "+")),
        ("texts", [percent(share, 0) for share in rows["prevalence"]]),
        ("fidelity", ["-" if np.isnan(f1) else f"{f1:.2f}" for f1 in rows["fidelity_f1"]]),
    ]
    sentences = rows["hypothesis"].tolist()
    place = 0
    for title, block in blocks:
        if title is not None:
            for _, cells in columns:
                cells.insert(place, "")
            sentences.insert(place, title)
        place += len(block) + (title is not None)
    return table_lines(columns, sentences, width=width), effect


def _marked(pvalues, found, mark):
    return [f"{pvalue(p)}{mark if one else ' '}" for p, one in zip(pvalues, found, strict=True)]


def _by_best_class(table, class_metrics):
    """Yield each class with its size and AUC, and the rows of the hypotheses that say more of it than of any other."""
    best = table.sort_values("separation_score", ascending=False, kind="stable").drop_duplicates("hypothesis")
    for label, n_samples, auc in class_metrics[["class", "n_samples", "auc_cv"]].itertuples(index=False):
        score = "" if np.isnan(auc) else f", AUC {auc:.2f}"
        yield f"- {' '.join(str(label).split())} ({counted(n_samples, 'text')}{score})", best[best["class"] == label]
