"""Why a prediction is what it is, as it is shown."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import wcwidth

from sklearn_sae.report._excerpt import plain
from sklearn_sae.utils._decimals import number_form, written
from sklearn_sae.utils._tables import terminal_width
from sklearn_sae.utils._validation import counted

_LEAST = 40  # characters of a line


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Which hypotheses hold for a text and what each adds to its prediction, as `explain` returns it.

    It prints as text as wide as the terminal, at most 120 columns (100 where there is none), and shows as HTML in a
    notebook. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis, the largest contribution first. Columns:

        - `hypothesis`: its sentence or name.
        - `holds`: the annotation: 1, 0, a number between, or NaN where no answer came.
        - `contribution`: what it adds to `total`: its coefficient times its annotation.
        - `evidence`: where it holds, the part of the text that tells, in which words stand between ``*`` and a
          sentence between ``<<`` and ``>>``, or the reason that a language model gave; "" where it is not known.

    prediction : number or label
        What the pipeline predicts for the text.

    baseline : float
        The intercept: what is predicted where no hypothesis holds, for classes in `unit`.

    total : float
        The baseline and all contributions together: the predicted number, or the score of `target_class` in `unit`.

    target_class : label or None, default=None
        The class whose score is explained; None for a regression.

    probability : float or None, default=None
        That of the class.

    unit : str, default=""
        What contributions are measured in, if that is not the unit of the target: "log-odds", of more than
        two classes "logit", or the "decision" of a classifier whose probabilities are not those of its decisions.

    notes : tuple of str, default=()
        Sentences that say what is not known.

    See Also
    --------
    explain : Returns one.
    Discovery : Holds a pipeline whose predictions can be explained.

    Examples
    --------
    >>> from sklearn_sae import explain, make_hypothesis_pipeline
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(400, n_concepts=4, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0).fit(reviews.data, reviews.target)
    >>> one = explain(pipeline, reviews.data[0])
    >>> bool(abs(one.baseline + one.table["contribution"].sum() - one.prediction) < 1e-9)
    True
    """

    table: pd.DataFrame
    prediction: Any
    baseline: float
    total: float
    target_class: Any = None
    probability: float | None = None
    unit: str = ""
    notes: tuple = ()

    def to_text(self, *, width=None):
        """Return what is printed.

        Parameters
        ----------
        width : int or None, default=None
            The width of a line. None: that of the terminal, at most 120; 100 where there is none.

        Returns
        -------
        text : str
        """
        width = max(terminal_width() if width is None else width, _LEAST)
        wrap = partial(wcwidth.wrap, width=width, break_on_hyphens=False)
        lines = wrap(self.summary())
        for adds, name, evidence in parts_of(self):
            under = " " * (len(adds) + 2)
            lines += wrap(name, initial_indent=f"{adds}  ", subsequent_indent=under)
            lines += wrap(evidence, initial_indent=f"{under}| ", subsequent_indent=f"{under}| ") if evidence else []
        return "\n".join([*lines, *(line for note in rest_of(self) for line in wrap(note))])

    def __repr__(self):
        return self.to_text()

    def _repr_html_(self):
        from sklearn_sae.report._notebook import explanation_html

        return explanation_html(self)

    def summary(self):
        """Return the prediction and its parts in a sentence or two.

        Returns
        -------
        summary : str
        """
        form = _form(self)
        parts = f"{written(self.baseline, form)} where no hypothesis holds"
        added = f"{written(self.total - self.baseline, f'+{form}')} from those that do"
        if self.target_class is None:
            return f"Prediction {written(self.total, form)}: {parts}, {added}."
        likely = "" if self.probability is None else f" (probability {self.probability:.2f})"
        of = plain(str(self.target_class))
        same = self.prediction == self.target_class
        begin = f"Prediction {plain(str(self.prediction))}"
        begin += (
            likely if same else "" if self.probability is None else f"; {of} has probability {self.probability:.2f}"
        )
        return f"{begin}. {self.unit.capitalize()} of {of} {written(self.total, form)}: {parts}, {added}."


def _form(explanation):
    return number_form([*explanation.table["contribution"], explanation.baseline, explanation.total])


def parts_of(explanation):
    """Return the contribution, the name and the evidence of each hypothesis that holds, as three str."""
    shown = explanation.table[explanation.table["holds"].abs() > 0]
    adds = [written(value, f"+{_form(explanation)}") for value in shown["contribution"]]
    size = max(map(len, adds), default=0)
    names = map(plain, shown["hypothesis"])
    return list(zip((one.rjust(size) for one in adds), names, shown["evidence"], strict=True))


def rest_of(explanation):
    """Yield how many hypotheses hold, and the notes."""
    n, n_holds = len(explanation.table), int((explanation.table["holds"].abs() > 0).sum())
    yield f"{n_holds} of {counted(n, 'hypothesis', 'hypotheses')} {'holds' if n_holds == 1 else 'hold'}."
    yield from (f"Note: {note}" for note in explanation.notes)
