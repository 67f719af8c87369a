"""To which subgroup or period each row belongs."""

import datetime
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_sae.utils._validation import check_alignment, counted, is_missing, refuse_masked

_MOST_SUBGROUPS = 20
# The year comes first with four digits, or last with four or two; 4.12.0 is a version.
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}[-/]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))(\D.*)?", re.DOTALL
)
_TAKEN = ("class", "hypothesis", "n_samples", "prevalence", "effect", "pvalue", "significant")


class Subgroups(NamedTuple):
    """To which subgroup, or period, each row belongs."""

    name: str
    labels: list  # of the subgroups, in order
    codes: np.ndarray  # (n_samples,) of int, -1 for none
    times: np.ndarray | None  # (n_subgroups,) of float: the number of each period; None for subgroups

    def take(self, rows):
        """Return the subgroups of some rows."""
        return self._replace(codes=self.codes[rows])

    def of_rows(self):
        """Return the label of each row, None for none, as an array of objects, which any stage takes for the same."""
        labels = np.empty(len(self.labels) + 1, dtype=object)
        labels[:-1] = self.labels
        return labels[self.codes]


def check_by(by, n_samples, X=None, X_name="X"):
    """Return the `Subgroups` of a column; None stays None.

    Raises
    ------
    ValueError
        If `by` has another length, dates that are not periods, one value, or more than 20 that are not periods.
    """
    if by is None:
        return None
    check_alignment(X, by, name=X_name, other_name="by")
    refuse_masked(by, "by")
    if isinstance(by, pd.PeriodIndex | pd.Categorical):
        by = pd.Series(by)
    values = by if isinstance(by, pd.Series) else pd.Series(np.asarray(by, dtype=object).tolist()).infer_objects()
    if len(values) != n_samples or np.ndim(by) != 1:
        raise ValueError(f"by must be one value a row: its shape is {np.shape(by)} for {counted(n_samples, 'row')}.")
    name = values.name if isinstance(values.name, str) and values.name not in _TAKEN else "subgroup"
    if values.dtype.kind in "mM":
        raise ValueError("by holds dates; pass periods, such as its months: by=by.dt.to_period('M').")
    missing = np.array([is_missing(value) for value in values])
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values[~missing])
        labels = [label for label in values.dtype.categories if label in present]
    else:
        labels = sorted(pd.unique(values[~missing]).tolist(), key=lambda label: (isinstance(label, str), label))
    is_period = bool(labels) and all(isinstance(label, pd.Period) for label in labels)
    if len(labels) < 2:
        raise ValueError(f"by has {counted(len(labels), 'value')}; to compare subgroups it needs two or more.")
    if len(labels) > _MOST_SUBGROUPS and all(map(_is_date, labels)):
        raise ValueError(
            f"by has {len(labels):,} dates, too many for subgroups; pass periods, such as their months: "
            "by=pandas.to_datetime(pandas.Series(by)).dt.to_period('M')."
        )
    if len(labels) > _MOST_SUBGROUPS and not is_period:
        raise ValueError(
            f"by has {len(labels):,} values, too many for subgroups; cut numbers into ranges (pandas.cut), or join "
            "rare ones."
        )
    place = {label: code for code, label in enumerate(labels)}
    codes = np.array([-1 if gap else place[value] for value, gap in zip(values, missing, strict=True)])
    times = np.array([label.ordinal for label in labels], dtype=np.float64) if is_period else None
    return Subgroups(str(name), labels, codes, times)


def _is_date(label):
    """Return whether a label is a date, or text that is written as one."""
    return isinstance(label, datetime.date) or (isinstance(label, str) and _DATE.fullmatch(label.strip()) is not None)


def refuse_one_subgroup(by, rows):
    """Say that hypotheses are to be found on rows of one subgroup, before the work begins."""
    if by is not None and len(set(by.codes[rows].tolist()) - {-1}) < 2:
        raise ValueError(
            "by has fewer than two values among the rows that hypotheses are found on, so there is nothing to compare; "
            "join rare ones, or leave it out."
        )
