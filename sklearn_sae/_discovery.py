"""The result of a discovery, which prints as a table."""

import math
from dataclasses import dataclass, field
from textwrap import wrap

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_sae._across_seeds import column_of_seeds, legend_of_seeds
from sklearn_sae._baselines import n_words_in
from sklearn_sae._text_pairs import annotator_of, is_of_pairs
from sklearn_sae.evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._by_lines import by_lines
from sklearn_sae.evaluation._more_lines import columns_of_tests, legend_of_controls, unit_of, what_of_pairs
from sklearn_sae.utils._decimals import written
from sklearn_sae.utils._tables import (
    PAGE,
    WIDTH,
    fitted_table,
    headed,
    lines_for,
    margins_in_words,
    names_cut,
    note_lines,
    percent,
    terminal_width,
)
from sklearn_sae.utils._validation import counted

_PARAMETERS = (".to_text(wide=True)", ".to_text(full=True)")
_SHORT = {  # what a score is of, by the end of its key
    "": "hypotheses",
    "_words": "as many words",
    "_as_many_words": "as many as in all names",
    "_embedding": "embedding",
    "_neurons": "all neurons",
    "_offset": "the predictions",
    "_offset_and_hypotheses": "both",
}
_MOST_NAME = 20  # Of the target, in the legend; a longer one is called the target.


@dataclass(frozen=True, eq=False, repr=False)
class Discovery:
    """Hypotheses and their tests on texts held out, as `discover` returns them.

    It prints as the table of the command line, as wide as the terminal, at most 120 columns (100 where there is none);
    `to_text` has more. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis, highest separation first (with an offset: beyond it); for a multiclass target one block a
        class. Its columns are those of `HypothesisEvaluation.table`, on the texts held out, and those of the
        annotator's `hypotheses_`. With ``n_seeds`` above 1 there is `comes_back`, the share of the other seeds with
        which the like of it is found.

    scores : dict
        How well the pipeline predicts the texts held out, `r2` or `auc`, and how well others do: as many single words
        (`r2_words`), as many words as the names have (`r2_as_many_words`) and the embedding (`r2_embedding`), or where
        words or sentences were read all neurons (`r2_neurons`). With an offset also the predictions
        (`r2_offset`) and these with the hypotheses (`r2_offset_and_hypotheses`).

    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it, fitted on the texts in `train`. It predicts the target of any text;
        ``pipeline["hypotheses"]`` annotates any text.

    notes : list of str
        Sentences that say how the target was read and what is missing from the table or not reliable. As many
        as a page has room for are printed.

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

    settings : dict, default={}
        Of the parameters of `discover` those that are not of the pipeline, for a report; "texts" is what the column of
        texts is called, and "groups" what that of groups is.

    texts : list of str or None, default=None
        The texts held out, for a report. They are in no pickle and no copy, where this is None.

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
    settings: dict = field(default_factory=dict)
    texts: list | None = None

    def to_html(self, path, *, texts="fragments"):
        """Write a page that shows the hypotheses, their tests and texts that tell what they are about.

        The page is one file that loads nothing. See docs/report.md.

        Parameters
        ----------
        path : str or path-like
            The file to write, in a folder that exists; a file that is there is replaced.
        texts : {"all", "fragments", "none"}, default="fragments"
            What is shown of example texts: all of each, some 30 words around what is marked, or no text at all. The
            names of hypotheses are shown in any case; where they are quotes, they are fragments of the texts.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If `texts` is another value, or texts are to be shown and this was loaded from a pickle, which has none.
        """
        from sklearn_sae.report._report_of import report_of_discovery
        from sklearn_sae.report._write import check_folder, write_page

        path = check_folder(path)
        return write_page(report_of_discovery(self, texts=texts), path)

    def _repr_html_(self):
        from sklearn_sae.report._notebook import discovery_html

        return discovery_html(self)

    def __getstate__(self):
        return {**vars(self), "texts": None}

    def to_text(self, *, width=None, wide=False, full=False):
        """Return what is printed, or more of it.

        Parameters
        ----------
        width : int or None, default=None
            The width of a line. None: that of the terminal, at most 120; 100 where there is none.
        wide : bool, default=False
            Whether to show also p-values, what each hypothesis adds to the others, and fidelity.
        full : bool, default=False
            Whether to show all that `wide` does, all names and notes whole, and scores with three decimals.

        Returns
        -------
        text : str
        """
        return text_of(self, terminal_width() if width is None else width, wide=wide, full=full)

    def __repr__(self):
        return self.to_text()


def text_of(discovery, width, **options):
    """Return what is printed of a discovery, with empty lines between its parts where a page has room for them.

    Parameters
    ----------
    discovery : Discovery
    width : int
    **options
        Those of `findings`.
    """
    parts = [described(discovery.description, width), *findings(discovery, width, **options)]
    is_short = sum(map(len, parts)) + len(parts) - 1 <= PAGE or options.get("full")
    return ("\n\n" if is_short else "\n").join("\n".join(lines) for lines in parts)


def described(description, width):
    """Return the lines of a description in lines of a width; a path in it can still be copied."""
    whole = {"break_on_hyphens": False, "break_long_words": False}
    return [part for line in description.splitlines() for part in wrap(line, width, **whole)]


def labelled_scores(discovery):
    """Return the name of the score, and the scores by what they are of."""
    metric = "r2" if discovery.evaluation.task == "regression" else "auc"
    names = discovery.evaluation.table["hypothesis"]
    n = discovery.evaluation.metrics["n_hypotheses"]
    n_words = annotator_of(discovery.pipeline).encoder["select"].n_neurons
    n_words = discovery.settings.get("n_hypotheses", n_words)
    return metric, {
        "this hypothesis" if n == 1 else f"these {n} hypotheses": discovery.scores[metric],
        f"{counted(n_words, 'word')} chosen by lasso": discovery.scores[f"{metric}_words"],
        f"{counted(n_words_in(names), 'word')}, as many as the names have": discovery.scores[f"{metric}_as_many_words"],
        **{
            f"{what} (ridge regression)": discovery.scores[f"{metric}_{of}"]
            for of, what in (("embedding", "the embedding"), ("neurons", "all neurons"))
            if f"{metric}_{of}" in discovery.scores
        },
        **{
            what: discovery.scores[f"{metric}_{of}"]
            for of, what in (
                ("offset", discovery.evaluation.offset),
                ("offset_and_hypotheses", "these and the hypotheses"),
            )
            if f"{metric}_{of}" in discovery.scores
        },
    }


def findings(discovery, width=WIDTH, *, wide=False, full=False, options=_PARAMETERS):
    """Return the table with its legend and notes, and the scores, as parts of lines of text.

    Parameters
    ----------
    discovery : Discovery
    width : int, default=100
    wide, full : bool, default=False
        As in `Discovery.to_text`.
    options : (str, str)
        How one gets what those two show.
    """
    evaluation = discovery.evaluation
    (n_cut, table), effect = _table(discovery, width, wide or full, full)
    n_significant, n_jointly = (evaluation.metrics[f"n_significant{how}"] for how in ("", "_jointly"))
    of = f"{len(evaluation.table)}{'' if evaluation.class_metrics is None else ' pairs of hypothesis and class'}"
    where = "differs" if evaluation.of_pairs else "texts"
    tests = f"alpha {evaluation.alpha:g}, {evaluation.correction}"
    if wide or full:
        legends = [
            f"effect: {effect}, ± its {100 * evaluation.confidence:g}% interval, and its p-value; * significant. adds: "
            "the same beside all other hypotheses at once (those that go together share it), in log-odds for classes, "
            f"and its p-value; + significant. {where}: share in which it holds. fidelity: F1 of the name against its "
            "neuron, on texts held back from the naming.",
            f"{n_significant} of {of} significant on their own (*), {n_jointly} beside all others (+); {tests}.",
        ]
    else:
        legends = [
            f"effect: {effect}"
            f"{margins_in_words(evaluation.table, unit=unit_of(evaluation.task), confidence=evaluation.confidence)}. "
            f"{where}: where it holds{' for one alone' if evaluation.of_pairs else ''}.",
            f"{n_significant} of {of} significant (*), {n_jointly} beside all others; {tests}. More: {options[0]}.",
        ]
    if evaluation.controls:
        n_beyond = evaluation.metrics["n_significant_controlled"]
        legends[-1] += f"{legend_of_controls(evaluation.controls)[:-1]}, {n_beyond} significant."
    legends[-1] += names_cut(n_cut, options[1])
    legends = [line for legend in legends for line in wrap(legend, width)]
    legends += legend_of_seeds(discovery.table, discovery.settings, width)
    scores = _score_lines(discovery, width, full)
    where = ".evaluation.by" if options == _PARAMETERS else "--report"
    by = by_lines(evaluation, width, full=full, where=where)
    scores_and_by = [*scores, *(by or ())]
    n_taken = len(described(discovery.description, width)) + len(table) + len(legends) + len(scores_and_by)
    notes = note_lines(discovery.notes, width, where=options[1], n_taken=0 if wide else n_taken, full=full)
    return [[*table, *legends, *notes], scores, *([] if by is None else [by])]


def _score_lines(discovery, width, full):
    """Return how well the texts held out are predicted: in a sentence, or as a list with more decimals."""
    metric, scores = labelled_scores(discovery)
    shown = metric.upper().replace("R2", "R²")
    if not full:
        listed = (
            f"{written(score, '.2f')} {_SHORT[key.removeprefix(metric)]}" for key, score in discovery.scores.items()
        )
        return wrap(f"Held-out {shown}: {', '.join(listed)}.", width)
    noun = "pair" if is_of_pairs(discovery.pipeline) else "text"
    return [
        f"Held-out {shown}, fitted on the {counted(len(discovery.train), noun)} and scored on the other "
        f"{len(discovery.test):,}:",
        *(f"  {score:6.3f}  {what}" for what, score in scores.items()),
    ]


def _table(discovery, width, wide, full):
    """Return how many names are cut and the lines of the table, and what the effects in it are."""
    table, evaluation = discovery.table, discovery.evaluation
    if evaluation.class_metrics is not None:
        blocks = list(_by_best_class(table, evaluation.class_metrics))
        effect = (
            "share of the class where it holds minus where not, in points of percentage, for the class that it says"
        )
        effect += " most of"
    else:
        blocks = [(None, table)]
        name = discovery.target_name or "target"
        effect = f"mean {name if len(name) <= _MOST_NAME else 'target'} where it holds minus where not"
        if evaluation.task == "binary":
            positive = discovery.pipeline["model"].classes_[1]
            effect = f"share of {positive} where it holds minus where not, in points of percentage"
        if discovery.scale:
            low, high = discovery.scale[0], discovery.scale[-1]
            effect = f"mean place, from {low} (1) to {high} ({len(discovery.scale)}), where it holds minus where not"
    effect = what_of_pairs(evaluation, discovery.target_name or "target") or effect
    rows = pd.concat([block for _, block in blocks])
    columns = columns_of_tests(rows, evaluation.task, own="effect", joint="adds", wide=wide)
    if "round" in rows:
        columns.append(("round", list(map(str, rows["round"]))))
    columns.append(("differs" if evaluation.of_pairs else "texts", [percent(share, 0) for share in rows["prevalence"]]))
    if wide:
        columns.append(("fidelity", [written(f1, ".2f") for f1 in rows["fidelity_f1"]]))
    columns += column_of_seeds(rows, discovery.settings)
    head, names = headed(rows["hypothesis"])
    place = 0
    for title, block in blocks:
        if title is not None:
            for _, cells in columns:
                cells.insert(place, "")
            names.insert(place, title)
        place += len(block) + (title is not None)
    n_lines = (math.inf, math.inf) if full else lines_for(len(names), width, wide)
    return fitted_table(columns, names, head=head, width=width, n_lines=n_lines), effect


def _by_best_class(table, class_metrics):
    """Yield each class with its size and AUC, and the rows of the hypotheses that say more of it than of any other."""
    best = table.sort_values("separation_score", ascending=False, kind="stable").drop_duplicates("hypothesis")
    for label, n_samples, auc in class_metrics[["class", "n_samples", "auc_cv"]].itertuples(index=False):
        score = "" if np.isnan(auc) else f", AUC {auc:.2f}"
        yield f"- {' '.join(str(label).split())} ({counted(n_samples, 'text')}{score})", best[best["class"] == label]
