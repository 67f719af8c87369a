"""A target of numbers on another scale, and predictions back on the scale of the file."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_sae.utils._targets import check_target
from sklearn_sae.utils._validation import counted

_MOST_KNOTS = 1001


class Transform(NamedTuple):
    """How a target was transformed: what is needed to go back."""

    name: str  # "log1p" or "rank"
    ranks: list  # of "rank": increasing, and the numbers that have them
    numbers: list

    def undo(self, predictions):
        """Return predictions on the scale of the target as it was."""
        if self.name == "log1p":
            return np.expm1(predictions)
        return np.interp(predictions, self.ranks, self.numbers)


def transform_target(y, how):
    """Return a target of numbers on another scale, the `Transform`, and notes on how the target was read.

    Parameters
    ----------
    y : Series
    how : {"log1p", "rank"}
        The logarithm of 1 + the number; or its rank, from 0 to 1, where equal numbers share one.

    Returns
    -------
    y : Series
        Its name says how it was transformed.
    transform : Transform
    notes : list of str

    Raises
    ------
    ValueError
        If the target holds classes, or a number that has no logarithm.
    """
    name = f"the target {y.name!r}"
    target = check_target(y, name=name)
    if target.task != "regression":
        try:
            target = check_target(y, task="regression", name=name)  # two distinct numbers are one, too
        except ValueError:
            n_classes = len(target.classes)
            raise ValueError(
                f"--transform is for a target of numbers; {name} holds {counted(n_classes, 'class', 'classes')}."
            ) from None
    values, ranks, numbers = target.values, [], []
    if how == "log1p":
        if values.min() <= -1:
            row = y.index[values.argmin()]
            raise ValueError(f"--transform log1p needs numbers above -1; {name} has {values.min():.10g} in row {row}.")
        changed = np.log1p(values)
    else:
        changed = (rankdata(values) - 0.5) / len(values)
        numbers, first = np.unique(values, return_index=True)
        some = np.unique(np.linspace(0, len(numbers) - 1, min(len(numbers), _MOST_KNOTS)).astype(int))
        ranks, numbers = changed[first][some].tolist(), numbers[some].tolist()
    # The long tail is why it is transformed.
    notes = [note[0].upper() + note[1:] for note in target.notes if "long tail" not in note]
    return pd.Series(changed, index=y.index, name=f"{how}({y.name})"), Transform(how, ranks, numbers), notes
