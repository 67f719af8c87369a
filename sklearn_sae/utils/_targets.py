"""What every stage asks of a target: one rule for which values are numbers, which are classes, and in what order."""

import datetime
import re
from collections import Counter
from decimal import Decimal
from numbers import Number
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import DataConversionWarning

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._numbers import parse_numbers
from sklearn_sae.utils._scales import scale_of
from sklearn_sae.utils._validation import counted, is_missing, refuse_masked, row_labels, text_identity, visible

_FEW_VALUES = 5  # whole numbers of at most so many values may be codes of classes
_LEAST_ROWS = 20  # of fewer rows no pattern is noted
_TAIL_ROWS, _TAIL_SHARE = 0.01, 0.5  # a hundredth of the rows that holds half of the variance is a long tail
_TIME = r"(?:,?[T ]\s*\d{1,2}:\d{2}.*)?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}})|\d{{4}}年\d{{1,2}}月\d{{1,2}}日){_TIME}|"
    rf"(?:[^\W\d]+\.?,? )?(?:{_DAY}[-. ](?:of )?{_MONTH}[-, ] ?|{_MONTH} {_DAY},? ?)\d{{4}}{_TIME}|"
    rf"\d{{1,2}}\.? (?:de )?[^\W\d]{{3,}}\.? (?:de )?(?:1[5-9]|20)\d{{2}}{_TIME}|"  # in other languages
    rf"(?:[^\W\d]+,? )?{_MONTH} \d{{1,2}},? \d{{1,2}}:\d{{2}}(?::\d{{2}})? .*\d{{4}}",  # as programs print it
    re.IGNORECASE,
)
_FIRST_DAY, _LAST_DAY = 1800_01_01, 2199_12_31  # of dates that are written as one number
_ANSWERS = (("yes", "no"), ("true", "false"))  # of which one letter may stand for the whole
_PYTHON_DATES = (datetime.date, datetime.time)
TASKS = ("auto", "regression", "binary", "multiclass", "ordinal")


class Target(NamedTuple):
    """A target, ready for arithmetic."""

    task: str  # "regression", "binary" or "multiclass"
    values: np.ndarray  # (n_samples,) float64 for a regression, else int64 codes into classes
    classes: np.ndarray | None  # (n_classes,) in order; None for a regression
    notes: tuple = ()  # sentences that say how the values were taken where it could be done otherwise
    scale: tuple = ()  # the answers whose places 1, 2, ... are the values of task="ordinal"


def check_target(y, *, task="auto", n_samples=None, name="y"):
    """Return `y` as a `Target`.

    A constant target passes; `check_target_varies` refuses it, after the sizes have been checked.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Numbers, text that spells numbers ("4,5", "45%", "1.2k"), or classes. Classes that differ only in case, spaces,
        unseen characters or Unicode form are one class, and so are "y" and "yes". By "auto", two distinct values, or
        bool, are binary; values that all are numbers, or spell numbers, are a regression, star ratings among them; all
        others, and a categorical type, are multiclass.
    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        "ordinal" takes the places 1, 2, ... of ordered classes as numbers.
    n_samples : int or None, default=None
        The length that `y` must have.
    name : str, default="y"
        What to call the argument in an error.

    Returns
    -------
    target : Target

    Raises
    ------
    ValueError
        If `y` is missing, has another length or several columns, has missing, empty or infinite values, holds dates or
        several values a row, has not two classes for ``task="binary"``, is not numeric for ``task="regression"``,
        or has no order for ``task="ordinal"``.
    """
    if y is None:
        raise ValueError(f"{name} is required: pass the target, one value a row.")
    rows = row_labels(y, len(y)) if hasattr(y, "__len__") else ()
    values = _one_column(y, name, rows)
    if len(values) == 0:
        raise ValueError(f"{name} is empty: pass the target, one value a row.")
    if n_samples is not None and len(values) != n_samples:
        raise ValueError(
            f"{name} has {counted(len(values), 'value')} for {counted(n_samples, 'row')}; "
            "found input variables with inconsistent numbers of samples."
        )
    order = _category_order(y)
    is_category = str(getattr(y, "dtype", "")) == "category"
    _refuse_missing(values, name, rows)
    _refuse_dates(values, name, as_classes=task in ("binary", "multiclass") or is_category)
    numbers, note = (None, "") if is_category else _numbers(values, task, name, rows)
    if task == "auto":
        if values.dtype == bool or len(_distinct(values if numbers is None else numbers)) == 2:
            task = "binary"
        else:
            task = "multiclass" if numbers is None else "regression"
            if task == "multiclass" and len(_joined_classes(values)[0]) == 2:  # "yes" and "Yes " are one
                task = "binary"
    if task == "binary" and numbers is not None and len(_distinct(values)) > 2:  # "1" and "1.0" are one
        values = numbers.astype(np.int64) if (numbers == np.round(numbers)).all() else numbers
    if task == "regression":
        if numbers is None:
            numbers, note = _category_numbers(values, name)
        notes = [note, *_notes_on_numbers(numbers)]
        return Target(task, numbers, None, _sentences(notes, name))
    return _class_target(values, task, order, name)


def check_target_varies(target, *, name="y"):
    """Refuse a target with one distinct value."""
    if np.ptp(target.values) == 0:
        raise ValueError(
            f"{name} is constant: all {len(target.values):,} rows have the same target, so nothing can predict it. "
            "(In cross-validation of rows that are sorted by target, shuffle them: cv=KFold(5, shuffle=True).)"
        )


def as_given(target):
    """Return the target in a form that every stage takes for the same: numbers, or ordered categories."""
    if target.task == "regression":
        return target.values
    import pandas as pd

    categories = (
        pd.Index(target.classes.tolist(), dtype=object) if target.classes.dtype.kind in "OU" else target.classes
    )
    return pd.Series(pd.Categorical.from_codes(target.values, categories=categories, ordered=True))


# One column of values


def _one_column(y, name, rows):
    """Return `y` as an array of shape (n_samples,)."""
    refuse_masked(y, name)
    try:
        values = np.asarray(y)
    except ValueError:  # rows of different lengths
        values = np.empty(len(y), dtype=object)
        values[:] = list(y)
    if values.ndim == 2 and values.shape[1] == 1:
        warn("A column-vector y was passed when a 1d array was expected; it is taken as one.", DataConversionWarning)
        values = values[:, 0]
    if values.ndim != 1:
        hint = f"; {values.shape[1]} values a row: pass one column at a time" if values.ndim == 2 else ""
        raise ValueError(f"{name} should be a 1d array, got an array of shape {values.shape} instead{hint}.")
    if values.dtype == object:
        for row, value in zip(rows, values, strict=True):
            if isinstance(value, (list, tuple, set, frozenset, dict, np.ndarray)):
                raise ValueError(
                    f"{name} holds several values in row {row} ({_named_type(value)}); it must hold one value a row: "
                    "for several labels a text, test one label at a time."
                )
    return values


def _named_type(value):
    kind = type(value).__name__
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _refuse_missing(values, name, rows):
    if values.dtype.kind == "f":
        _refuse_not_finite(values, name, rows)
    elif values.dtype == object or values.dtype.kind == "U":
        for row, value in zip(rows, values.tolist(), strict=True):
            if is_missing(value) or (isinstance(value, str) and not visible(value)):
                raise ValueError(f"{_as_input(name)} contains NaN: row {row} has no target; drop the row.")


def _refuse_not_finite(numbers, name, rows):
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = rows[int(bad.argmax())]
        what = "NaN" if np.isnan(numbers).any() else "infinity or a value too large for float64"
        raise ValueError(f"{_as_input(name)} contains {what}: see row {row}; mend or drop it.")


def _as_input(name):
    return f"Input {name}" if name.isidentifier() else name  # as scikit-learn says it


def _refuse_dates(values, name, *, as_classes):
    kind, hint = None, ""
    if values.dtype.kind in "mM":
        kind = "durations" if values.dtype.kind == "m" else "dates"
    elif values.dtype == object:
        first = values[0]
        if isinstance(first, datetime.timedelta):
            kind = "durations"
        elif isinstance(first, _PYTHON_DATES) or type(first).__name__ == "Period":
            kind = "dates"
    if kind is None and not as_classes and _are_written_dates(values):
        shown = visible(values[0]) if isinstance(values[0], str) else f"{values[0]:.0f}"
        kind, hint = "dates", f" (all are written as {shown!r} is)"
        how = ', format="%Y%m%d"' if shown.isdecimal() else ""
    if kind == "dates":
        parsed = f", after y = pandas.to_datetime(y{how})" if hint else ""
        raise ValueError(
            f"{name} holds dates{hint}, which are no outcome by themselves; pass a number made of them, such as the "
            f"days since the first, (y - y.min()).dt.days, or the year, y.dt.year{parsed}."
        )
    if kind == "durations":
        raise ValueError(f"{name} holds durations; pass them as numbers, in days say: y / pandas.Timedelta(days=1).")


def _are_written_dates(values):
    """Return whether all values are dates as text, or as whole numbers such as 20200105."""
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        return False
    if values.dtype.kind in "iuf":
        if not ((values >= _FIRST_DAY) & (values <= _LAST_DAY)).all():
            return False
        values = np.unique(values).astype(np.int64)
    elif values.dtype.kind not in "OU":
        return False
    return all(
        _is_day(value) if isinstance(value, int) else isinstance(value, str) and _is_written_date(value)
        for value in values.tolist()
    )


def _is_written_date(text):
    text = visible(text)
    return _is_day(int(text)) if len(text) == 8 and text.isdecimal() else _DATE.fullmatch(text) is not None


def _is_day(number):
    """Return whether a number is a year, a month and a day."""
    if isinstance(number, bool) or not _FIRST_DAY <= number <= _LAST_DAY:
        return False
    try:
        datetime.date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return False
    return True


# Numbers


def _numbers(values, task, name, rows=None):
    """Return the values as numbers, or None if they are none, and how text was taken for numbers."""
    if values.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers, which have no order; pass real ones.")
    if values.dtype.kind in "iuf":
        return values.astype(np.float64), ""
    if values.dtype.kind not in "OU":
        return None, ""
    are_text = np.array([isinstance(value, (str, np.str_)) for value in values.tolist()])
    others = values[~are_text].tolist()
    if any(isinstance(value, (bool, np.bool_)) or not isinstance(value, (Number, Decimal)) for value in others):
        return None, ""
    note = ""
    try:
        if are_text.any():
            found = parse_numbers([value if isinstance(value, str) else f"{value}" for value in values.tolist()], rows)
            if found is None:
                return None, ""
            numbers, note = found
        else:
            numbers = np.array([float(value) for value in others])
    except TypeError:  # a complex number
        return None, ""
    except OverflowError:
        raise ValueError(f"{name} holds a number that is too large for float64.") from None
    except ValueError as error:
        if task in ("binary", "multiclass"):
            return None, ""
        raise ValueError(
            f'{name} {error}; mend or empty those, or pass task="multiclass" if all are classes.'
        ) from None
    _refuse_not_finite(numbers, name, range(len(numbers)) if rows is None else rows)
    return numbers, note


def _category_numbers(values, name):
    """Return the values as numbers where numbers were asked for."""
    try:
        return values.astype(np.float64), ""
    except (TypeError, ValueError):
        raise ValueError(f'{name} is not numeric, which task="regression" needs; pass numbers.') from None


def _notes_on_numbers(numbers):
    """Yield what should be known of the numbers, as ends of sentences whose subject is the target."""
    distinct = np.unique(numbers)
    if len(numbers) < _LEAST_ROWS:
        return
    are_whole = bool((numbers == np.round(numbers)).all())
    if are_whole and 2 < len(distinct) <= _FEW_VALUES:
        listed = ", ".join(f"{value:.10g}" for value in distinct)
        yield f'has {len(distinct)} values ({listed}) and counts as a number; for classes pass task="multiclass"'
    elif are_whole and len(distinct) == len(numbers) and np.ptp(np.diff(distinct)) == 0:
        yield "counts up in equal steps, as row numbers and IDs do; is it an outcome?"
    scaled = numbers / max(np.abs(numbers).max(), 1)  # the squares of huge numbers are beyond float64
    spread = np.sort((scaled - scaled.mean()) ** 2)
    n_tail = int(np.ceil(_TAIL_ROWS * len(numbers)))
    if len(numbers) >= 5 * _LEAST_ROWS and spread[-n_tail:].sum() > _TAIL_SHARE * spread.sum() > 0:
        hold = "holds" if n_tail == 1 else "hold"
        yield (
            f"has a long tail: {n_tail} of {len(numbers):,} rows {hold} more than half of its variance; its logarithm "
            "or ranks may be the better target"
        )


# Classes


def _class_target(values, task, order, name):
    labels, spellings = _joined_classes(values)
    if order is not None:
        classes = [label for label in order if label in labels]
        classes = _as_object(classes)
    else:
        classes = _distinct(_as_object(labels) if values.dtype == object else np.array(list(labels), values.dtype))
    code = {label: i for i, label in enumerate(classes.tolist())}
    codes = np.array([code[label] for label in spellings], dtype=np.int64)
    notes = [_note_on_joined(values, spellings)]
    scale = order if order is None else classes.tolist()
    if order is None and task in ("ordinal", "multiclass"):
        scale = scale_of(classes.tolist())
    if task == "ordinal":
        return _ordinal_target(values, classes, codes, scale, notes, name)
    if task == "binary" and len(classes) > 2:
        raise ValueError(
            f"{name} has {len(classes)} classes where a binary statistic was asked for; "
            'pass task="multiclass" for one class against the rest.'
        )
    if task == "multiclass" and scale is not None and len(classes) > 2:
        notes.append(
            f"has ordered classes, {scale[0]} to {scale[-1]}, which are taken one by one; "
            f'task="ordinal" takes their places 1 to {len(scale)} as numbers'
        )
    return Target(task, codes, classes, _sentences(notes, name))


def _ordinal_target(values, classes, codes, scale, notes, name):
    if scale is None:
        numbers, _ = _numbers(values, "ordinal", name)
        if numbers is None:
            raise ValueError(
                f'{name} has classes of no known order, which task="ordinal" needs; write them as numbers, 1 for '
                "the lowest, or in Python pass a pandas Categorical with ordered=True, its categories from low to high."
            )
        distinct, places = np.unique(numbers, return_inverse=True)
        scale, places = [f"{value:.10g}" for value in distinct], places + 1
    else:
        place = {label: i for i, label in enumerate(scale, 1)}
        places = np.array([place[label] for label in classes.tolist()])[codes]
    notes.append(f"counts as a number, the place on the scale from {scale[0]} (1) to {scale[-1]} ({len(scale)})")
    return Target("regression", places.astype(np.float64), None, _sentences(notes, name), tuple(map(str, scale)))


def _joined_classes(values):
    """Return the distinct classes as a dict, and the class of each row; spellings of one class are joined."""
    rows = values.tolist()
    if not any(isinstance(value, str) for value in rows):
        return dict.fromkeys(rows), rows
    given, key = Counter(rows), _identities(rows)
    counts = {}
    for value, n in given.items():
        counts.setdefault(key[value], Counter())[visible(value) if isinstance(value, str) else value] += n
    label = {
        key: min(some, key=lambda spelling: (len(str(spelling)) == 1 < len(str(key)), -some[spelling], str(spelling)))
        for key, some in counts.items()
    }  # the word, where a letter stands for it, else as most rows spell it
    joined = [label[key[value]] for value in rows]
    return dict.fromkeys(joined), joined


def _identities(values):
    """Return what the spellings of one class have in common, by value: "Yes", "yes " and "y" beside it are one."""
    key = {value: text_identity(value) if isinstance(value, str) else value for value in dict.fromkeys(values)}
    found = set(key.values())
    letters = {one for one in found if isinstance(one, str) and len(one) == 1}
    for answers in _ANSWERS:
        whole = {answer[0]: answer for answer in answers}
        if letters <= set(whole):  # with another letter beside them they may be anything
            key = {value: whole[one] if one in letters and whole[one] in found else one for value, one in key.items()}
    return key


def same_class(*several):
    """Return lists of str for lists of classes, in which those that `check_target` joins are equal."""
    several = [np.asarray(y).tolist() for y in several]
    key = _identities([value for y in several for value in y])
    return [[key[value] if isinstance(value, str) else repr(value) for value in y] for y in several]


def _note_on_joined(values, spellings):
    pairs = {(given, label) for given, label in zip(values.tolist(), spellings, strict=True) if given != label}
    if not pairs:
        return ""
    some = ", ".join(f"{given!r} is {label!r}" for given, label in sorted(pairs, key=str)[:3])
    return f"spells classes in several ways, which are joined: {some}" + (", ..." if len(pairs) > 3 else "")


def _category_order(y):
    """Return the categories of a pandas categorical that is ordered, from low to high, else None."""
    dtype = getattr(y, "dtype", None)
    if str(dtype) == "category" and getattr(dtype, "ordered", False):
        return [visible(one) if isinstance(one, str) else one for one in dtype.categories.tolist()]
    return None


def _distinct(values):
    if values.dtype.kind not in "OU":
        return np.unique(values)
    distinct = set(values.tolist())
    try:
        ordered = sorted(distinct, key=_sort_key)
    except TypeError:  # mixed types have no order of their own
        ordered = sorted(distinct, key=lambda v: (not isinstance(v, Number), str(v)))
    return _as_object(ordered) if values.dtype == object else np.array(ordered, dtype=values.dtype)


def _sort_key(value):
    return (value.casefold(), value) if isinstance(value, str) else value


def _as_object(values):
    values = list(values)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _sentences(notes, name):
    return tuple(f"{name} {note}{'' if note.endswith('?') else '.'}" for note in notes if note)
