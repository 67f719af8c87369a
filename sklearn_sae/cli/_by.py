"""The column of --by: subgroups, or periods of dates."""

import re

import pandas as pd

from sklearn_sae.cli._values import PERIODS
from sklearn_sae.utils._validation import is_missing, visible

_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(\D.*)?")
_YEAR_FIRST = re.compile(r"\d{4}")


def subgroups_of(values, period):
    """Return the subgroups of a column, or the periods of its dates, with what is blank missing.

    Parameters
    ----------
    values : Series
        With the name of the column.
    period : str or None
        A key of `PERIODS`.

    Raises
    ------
    ValueError
        If the column holds dates and no period is asked for, or a value that is no date where one is.
    """
    written = pd.Series(
        [None if is_missing(one) or not visible(str(one)) else visible(str(one)) for one in values],
        index=values.index,
        name=values.name,
        dtype=object,
    )
    known = written.dropna()
    if period is None:
        if len(known) and known.str.fullmatch(_DATE).all():
            raise ValueError(f"--by {values.name!r} holds dates; say by which periods, such as --period month.")
        return written if values.dtype == object else values
    dates = pd.to_datetime(known.where(known.str.match(_YEAR_FIRST)), errors="coerce", format="ISO8601", utc=True)
    if dates.isna().any():
        row = dates.index[dates.isna()][0]
        raise ValueError(
            f"--by {values.name!r} holds no date in row {row}; --period needs dates that begin with the year, as "
            "2025-03-31 does."
        )
    return dates.dt.tz_localize(None).dt.to_period(PERIODS[period]).reindex(values.index).rename(values.name)
