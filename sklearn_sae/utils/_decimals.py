"""Numbers written with as many digits as they are known to."""

import numpy as np

_PLAIN = 1e9  # From here on a number is written as 1.2e+09.
_MOST_DECIMALS = 5  # A number that needs more is written as 1.2e-07.


def number_form(values, errors=()):
    """Return the format of a column of numbers: three digits of the largest, of a typical error no more than two.

    Parameters
    ----------
    values : array-like of float
        NaN are passed over.
    errors : array-like of float, default=()
        How far each may be off, such as half the width of its interval.

    Returns
    -------
    form : str
        For `written`; with a "+" before it also positive numbers have a sign.

    Examples
    --------
    >>> form = number_form([1.469, -0.277], errors=[0.46, 0.31])
    >>> form, written(-0.277, "+" + form), written(-0.001, "+" + form)
    (',.2f', '-0.28', '0.00')
    >>> written(1_250_000, number_form([1_250_000]))
    '1,250,000'
    >>> number_form([1.5e-7])
    ',.1e'
    """
    largest = _sizes(values).max(initial=0)
    error = np.median(_sizes(errors)) if len(_sizes(errors)) else 0
    digits = [n - _exponent(size) for n, size in ((2, largest), (1, error)) if size > 0]
    n_decimals = max(min(digits, default=0), 0)
    if largest >= _PLAIN or n_decimals > _MOST_DECIMALS:
        return ",.1e"
    return f",.{n_decimals}f"


def written(value, form):
    """Return a number as str, "-" for NaN; what is zero once it is rounded has no sign."""
    if np.isnan(value):
        return "-"
    text = format(value, form)
    return text if text.strip("+-0.,e") else text.lstrip("+-")


def shortened(value, n_digits, sign=""):
    """Return a number with so many digits, or with all those before the decimal point if it has more.

    Examples
    --------
    >>> shortened(3.14159, 4), shortened(123_456.7, 4), shortened(2_000, 3, "+")
    ('3.142', '123,457', '+2,000')
    """
    return format(value, f"{sign},.0f" if 10**n_digits - 0.5 <= abs(value) < _PLAIN else f"{sign}.{n_digits}g")


def _sizes(numbers):
    sizes = np.abs(np.asarray(numbers, dtype=np.float64))
    return sizes[np.isfinite(sizes) & (sizes > 0)]


def _exponent(size):
    """Return the place of the first digit of a positive number: 0 for 1.2, -1 for 0.12."""
    return int(format(size, ".1e").partition("e")[2])
