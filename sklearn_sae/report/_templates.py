"""The templates of reports, in which every text is escaped, and how they write numbers."""

from functools import cache
from importlib.resources import files
from itertools import groupby

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from sklearn_sae.report._forest import in_type
from sklearn_sae.utils._decimals import written

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@cache
def environment():
    """Return the environment of all templates."""
    env = Environment(
        autoescape=True,
        loader=PackageLoader("sklearn_sae.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        runs=runs,
        signed=signed,
        plain_number=plain_number,
        interval=interval,
        pvalue=pvalue,
        typed=in_type,
        known=known,
    )
    return env


def source(name):
    """Return the text of a style or a script, which stands in a page as it is."""
    return files("sklearn_sae.report").joinpath("templates", name).read_text("utf-8")


def runs(parts):
    """Return the parts of a stretch as (whether they stand in a telling sentence, those parts)."""
    return [(in_sentence, list(some)) for in_sentence, some in groupby(parts, key=lambda part: part.in_sentence)]


def known(value):
    """Return whether a number is not NaN."""
    return not np.isnan(value)


def signed(value, form):
    """Return an effect with its sign."""
    return "–" if np.isnan(value) else in_type(written(value, f"+{form}"))


def plain_number(value, form):
    """Return a number without a plus sign."""
    return "–" if np.isnan(value) else in_type(written(value, form))


def interval(estimate, form):
    """Return the interval of an `Estimate`, or "" if it is not known."""
    ends = (estimate.low, estimate.high)
    return "" if np.isnan(ends).any() else " to ".join(plain_number(end, form) for end in ends)


def pvalue(value):
    """Return a p-value, small ones as powers of ten."""
    if np.isnan(value):
        return "–"
    if value >= 9.5e-4 or value == 0:
        return f"{value:.3f}"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit} × 10{str(int(power)).translate(_SUPERSCRIPT)}"
