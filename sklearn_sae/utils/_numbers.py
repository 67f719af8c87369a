"""Numbers that are written as text: 4,5 and 1,234 and 45% and $3.50 and 1.2k and (4)."""

import unicodedata
from typing import NamedTuple

import numpy as np
import regex as re

from sklearn_sae.utils._validation import counted, visible

_MOSTLY = 0.5  # a column of which more than this share are numbers was meant to be one of numbers
_GROUP = "[ '’\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}]"  # between thousands, beside "." and ","
_GROUPED = re.compile(rf"(?<=\d){_GROUP}(?=\d{{3}}(?!\d))")
_PLAIN = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_MAY_BE_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?![\d.,])")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_LAKHS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?")  # as in India
_ZEROS_FIRST = re.compile(r"0\d+")
# Currencies by their signs, their codes and what is written beside a price.
_CODES = (
    r"AED|AUD|BDT|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|KRW|MXN|MYR|NGN|NOK|NZD|PEN|"
    r"PHP|PKR|PLN|RMB|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR|euros?|dollars?|Rs\.?|kr\.?|zł|Kč|Ft"
)
_UNIT = rf"%|[A-Z]{{0,2}}\p{{Sc}}|(?i:{_CODES})"
_BEFORE, _BEHIND = re.compile(rf"({_UNIT})(?!\p{{L}})\s*(.*)"), re.compile(rf"(.*?)\s*(?<!\p{{L}})({_UNIT})")
_TENS = {
    **dict.fromkeys(("k", "K", "thousand", "tsd"), 3),
    **dict.fromkeys(("lakh", "lakhs"), 5),
    **dict.fromkeys(("M", "mn", "mio", "mln", "million", "millions"), 6),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys(("bn", "mrd", "billion", "billions"), 9),
}  # what is written behind a number, and the power of ten that it stands for
_FEW_LETTERS = re.compile(r"(?:\P{L}*+\p{L}){0,12}+\P{L}*+")  # so a text is seen at once to be no number
_UNSURE_TENS = {"m": 6, "b": 9, "B": 9}  # may as well be minutes, metres or bytes
_WITH_TENS = re.compile(r"(.*[\d.,])\s*(\p{L}+)\.?")


class WrittenNumbers(NamedTuple):
    """The numbers that some strings stand for."""

    values: np.ndarray  # (n,) float64
    note: str  # how they were read where it could be read otherwise, else ""


class _Written(NamedTuple):
    point: float | None  # the value if "." is the decimal sign and "," stands between thousands
    comma: float | None  # the value the other way round
    unit: str  # "%", a currency or ""
    tens: str = ""  # "k", "M" or the like
    in_brackets: bool = False


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
        If more than half of the strings are numbers, but not all, or not all written in one way, or in a way that may
        mean something else. The message is the end of a sentence whose subject is the column.

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
    parsed = _without_unsure([known[text] for text in written], written, rows)
    are_numbers = np.array([one is not None for one in parsed])
    if are_numbers.mean() <= _MOSTLY:
        return None
    if not are_numbers.all():
        first = int(are_numbers.argmin())
        raise ValueError(
            f"holds {counted(are_numbers.sum(), 'number')} and {counted((~are_numbers).sum(), 'other value')}, the "
            f"first {written[first]!r} in row {rows[first]}"
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
    return WrittenNumbers(np.array(values, dtype=np.float64), _note(written, parsed, values, sign))


def _without_unsure(parsed, written, rows):
    """Return what the strings stand for without those that only the others could tell to be numbers, and do not."""
    numbers = [one for one in parsed if one is not None]
    for is_unsure, what in (
        (lambda one: one.in_brackets, "in brackets, which may be negative ones or a numbering"),
        (lambda one: one.tens in _UNSURE_TENS, "with a letter behind them that may stand for millions or for a unit"),
    ):
        sure = (one for one in numbers if not is_unsure(one))
        told = any(sure if "brackets" in what else (one.tens for one in sure))
        unsure = [i for i, one in enumerate(parsed) if one is not None and is_unsure(one)]
        if not unsure or told:
            continue
        if len(numbers) == len(parsed):
            i = unsure[0]
            raise ValueError(f"holds numbers {what}, such as {written[i]!r} in row {rows[i]}")
        parsed = [None if one is not None and is_unsure(one) else one for one in parsed]
    return parsed


def _parse(text):
    """Return what one string may stand for, or None if it is no number."""
    if not _FEW_LETTERS.fullmatch(text):
        return None
    text = unicodedata.normalize("NFKC", visible(text)).replace("\N{MINUS SIGN}", "-")
    unit = tens = ""
    in_brackets = negative = signed = False
    for _ in range(2):  # the sign may stand before or behind the unit: -$3, $-3, ($3), $(3)
        for pattern, of_unit, of_rest in ((_BEFORE, 1, 2), (_BEHIND, 2, 1)):
            match = None if unit else pattern.fullmatch(text)
            if match:
                unit, text = match[of_unit], match[of_rest]
        if text[:1] == "(" and text[-1:] == ")" and not in_brackets:
            in_brackets, text = True, text[1:-1].strip()
        elif text[:1] in ("-", "+") and not signed:
            signed, negative, text = True, text[0] == "-", text[1:].strip()
    if signed and in_brackets:
        return None
    if match := _WITH_TENS.fullmatch(text):
        text, tens = match.groups()
        if tens not in _UNSURE_TENS and tens not in _TENS:
            tens = tens.lower()
        if tens not in _UNSURE_TENS and tens not in _TENS:
            return None
    text = _GROUPED.sub("", text)
    power = _TENS.get(tens) or _UNSURE_TENS.get(tens, 0)
    sign = -1 if negative or in_brackets else 1
    is_lakhs = _LAKHS.fullmatch(text) is not None
    point, comma = (
        None if value is None else sign * value
        for value in (
            _value(text.replace(",", "") if is_lakhs else text, power),
            _value(text.translate(_SWAPPED), power),
        )
    )
    if point is None and comma is None:
        return None
    return _Written(point, comma, _plain_unit(unit), tens, in_brackets)


_SWAPPED = str.maketrans(".,", ",.")


def _plain_unit(unit):
    plain = unit.rstrip(".")
    return {"EUROS": "EUR", "EURO": "EUR", "DOLLARS": "DOLLAR"}.get(plain.upper(), plain.upper())


def _value(text, power):
    if not _PLAIN.fullmatch(text):
        if not _THOUSANDS.fullmatch(text):
            return None
        text = text.replace(",", "")
    if not power:
        return float(text)
    return None if "e" in text.lower() else float(f"{text}e{power}")  # exactly, which 1.1 * 1e6 is not


def _note(written, parsed, values, sign):
    """Say how the numbers were read, with an example, unless nobody could read them otherwise."""
    hows = []
    pointed = [i for i, text in enumerate(written) if "." in text]
    if sign == "," and pointed and all(_MAY_BE_THOUSANDS.search(written[i]) for i in pointed):
        i = pointed[0]
        hows.append(
            f"decimal points ({written[i]!r} is {values[i]:.10g}), each before three digits as between thousands"
        )
    thousands = [i for i, text in enumerate(written) if sign in text.rstrip(".")]
    decimals = [i for i, text in enumerate(written) if sign == "." and "," in text]
    what = {",": "commas", ".": "points"}[sign]
    tens = [i for i, one in enumerate(parsed) if one.tens]
    brackets = [i for i, one in enumerate(parsed) if one.in_brackets]
    zeros = [i for i, text in enumerate(written) if _ZEROS_FIRST.fullmatch(text.strip())]
    for rows, how in (
        (decimals, "decimal commas"),
        (thousands, f"{what} between thousands"),
        (tens, "powers of ten in letters"),
        (brackets, "negative numbers in brackets"),
    ):
        if rows:
            hows.append(f"{how} ({written[rows[0]]!r} is {values[rows[0]]:.10g})")
    if unit := parsed[0].unit:
        hows.append(f"the {'unit' if unit.isalpha() else 'sign'} {unit!r}, which is left out")
    if zeros:
        i = zeros[0]
        hows.append(
            f"leading zeros ({written[i]!r} is {values[i]:.10g}), as IDs and postcodes have, which are no outcome"
        )
    return f"has {' and '.join(hows)}" if hows else ""
