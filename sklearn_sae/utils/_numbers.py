"""Numbers that are written as text: 4,5 and 1,234 and 45% and $3.50."""

import re
import unicodedata
from typing import NamedTuple

import numpy as np

_MOSTLY = 0.5  # a column of which more than this share are numbers was meant to be one of numbers
_GROUP = "[ '’\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}]"  # between thousands, beside "." and ","
_GROUPED = re.compile(rf"(?<=\d){_GROUP}(?=\d{{3}}(?!\d))")
_PLAIN = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_MAY_BE_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?![\d.,])")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")


class WrittenNumbers(NamedTuple):
    """The numbers that some strings stand for."""

    values: np.ndarray  # (n,) float64
    note: str  # how they were read where it could be read otherwise, else ""


class _Written(NamedTuple):
    point: float | None  # the value if "." is the decimal sign and "," stands between thousands
    comma: float | None  # the value the other way round
    unit: str  # "%", a currency sign or ""


def parse_numbers(written, rows=None):
    """Return the numbers that strings stand for, or None if most of them are no numbers.

    What "," and "." mean is decided for all strings together: where one can only be a decimal comma, all are.

    Parameters
    ----------
    written : sequence of str
    rows : sequence or None, default=None
        What to call each of them in an error; None: its number from 0.

    Returns
    -------
    numbers : WrittenNumbers or None

    Raises
    ------
    ValueError
        If more than half of the strings are numbers, but not all, or not all written in one way. The message is the
        end of a sentence whose subject is the column.

    Examples
    --------
    >>> parse_numbers(["4,5", "3", "1.204,25"]).values
    array([   4.5 ,    3.  , 1204.25])
    >>> parse_numbers(["1,250", "80"]).note
    "has commas between thousands ('1,250' is 1250)"
    >>> parse_numbers(["yes", "no"])
    """
    rows = range(len(written)) if rows is None else rows
    known = {text: _parse(text) for text in dict.fromkeys(written)}
    parsed = [known[text] for text in written]
    are_numbers = np.array([one is not None for one in parsed])
    if are_numbers.mean() <= _MOSTLY:
        return None
    if not are_numbers.all():
        first = int(are_numbers.argmin())
        raise ValueError(
            f"holds {are_numbers.sum():,} numbers and {(~are_numbers).sum():,} other values, the first "
            f"{written[first]!r} in row {rows[first]}"
        )
    units = {one.unit for one in parsed}
    if len(units) > 1:
        one, other = (next(i for i, one in enumerate(parsed) if one.unit == unit) for unit in sorted(units)[:2])
        raise ValueError(
            f"holds numbers of different units, such as {written[one]!r} in row {rows[one]} and "
            f"{written[other]!r} in row {rows[other]}"
        )
    points, commas = ([one[side] for one in parsed] for side in (0, 1))
    if None not in points:
        values, sign = points, ","
    elif None not in commas:
        values, sign = commas, "."
    else:
        with_point, with_comma = commas.index(None), points.index(None)
        raise ValueError(
            f"holds numbers with a decimal comma, such as {written[with_comma]!r} in row {rows[with_comma]}, and "
            f"numbers with a decimal point, such as {written[with_point]!r} in row {rows[with_point]}"
        )
    return WrittenNumbers(np.array(values, dtype=np.float64), _note(written, values, sign, *units))


def _parse(text):
    """Return what one string may stand for, or None if it is no number."""
    text = unicodedata.normalize("NFKC", text).strip().replace("\N{MINUS SIGN}", "-")
    unit = ""
    for _ in range(2):  # the sign may stand before or behind the unit: -$3, $-3
        for part in (text[:1], text[-1:]):
            if part and not unit and (part == "%" or unicodedata.category(part) == "Sc"):
                unit, text = part, (text[1:] if part == text[:1] else text[:-1]).strip()
    negative = text[:1] == "-"
    if text[:1] in ("-", "+"):
        text = text[1:].strip()
        if not unit and text and unicodedata.category(text[0]) == "Sc":
            unit, text = text[0], text[1:].strip()
    text = _GROUPED.sub("", text)
    point, comma = (
        None if value is None else (-value if negative else value)
        for value in (_value(text), _value(text.translate(_SWAPPED)))
    )
    return None if point is None and comma is None else _Written(point, comma, unit)


_SWAPPED = str.maketrans(".,", ",.")


def _value(text):
    if _PLAIN.fullmatch(text):
        return float(text)
    return float(text.replace(",", "")) if _THOUSANDS.fullmatch(text) else None


def _note(written, values, sign, unit):
    """Say how the numbers were read, with an example, unless nobody could read them otherwise."""
    hows = []
    pointed = [i for i, text in enumerate(written) if "." in text]
    if sign == "," and pointed and all(_MAY_BE_THOUSANDS.search(written[i]) for i in pointed):
        i = pointed[0]
        hows.append(
            f"decimal points ({written[i]!r} is {values[i]:.10g}), each before three digits as between thousands"
        )
    thousands = [i for i, text in enumerate(written) if sign in text]
    decimals = [i for i, text in enumerate(written) if sign == "." and "," in text]
    what = {",": "commas", ".": "points"}[sign]
    for rows, how in ((decimals, "decimal commas"), (thousands, f"{what} between thousands")):
        if rows:
            hows.append(f"{how} ({written[rows[0]]!r} is {values[rows[0]]:.10g})")
    if unit:
        hows.append(f"the sign {unit!r}, which is left out")
    return f"has {' and '.join(hows)}" if hows else ""
