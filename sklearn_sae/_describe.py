"""The target, the split and the reader of a discovery in words."""

import os

from sklearn_sae._beyond_controls import has_residual
from sklearn_sae.utils._controls import named_controls
from sklearn_sae.utils._decimals import shortened
from sklearn_sae.utils._validation import counted


def describe(target, name, n_train, n_test, encoder, controls=(), by=None, looks_by=True, n_rounds=1, noun="text"):
    """Return what the target is, how texts are split and what reads them, in two or three lines.

    Parameters
    ----------
    target : Target
    name : str or None
        The name of the target.
    n_train, n_test : int
    encoder : Pipeline
    controls : sequence of str, default=()
        Their names.
    by : Subgroups or None, default=None
    looks_by : bool, default=True
        Whether neurons are also selected by it.
    n_rounds : int, default=1
        In how many hypotheses are found.
    noun : str, default="text"
        What a row is: a text, or a pair of texts.
    """
    y = target.values
    if target.scale:
        what = (
            f"places 1 to {len(target.scale)} on the scale {target.scale[0]} to {target.scale[-1]}, mean {y.mean():.3g}"
        )
    elif target.task == "regression":
        what = f"numbers from {shortened(y.min(), 4)} to {shortened(y.max(), 4)}, mean {shortened(y.mean(), 3)}"
    elif noun == "pair":
        y = y.mean()
        labels = [str(label) for label in target.classes[::-1]]
        if [label.casefold() for label in labels] == ["first", "second"]:
            what = f"which text wins: the first ({y:.0%}) or the second"
        else:
            what = f"which text wins: the first ({labels[0]}, {y:.0%}) or the second ({labels[1]})"
    elif target.task == "binary":
        what = f"{target.classes[1]!s} (effects are on its share, {y.mean():.0%}) or {target.classes[0]!s}"
    else:
        what = f"{len(target.classes)} classes, each against the rest"
    rows = "pairs of texts" if noun == "pair" else "texts"
    return (
        f"{n_train + n_test:,} {rows}; the target{'' if name is None else f' {name!r}'} is {what}.\n"
        f"Hypotheses are found on {counted(n_train, noun)} and tested on the other {n_test:,}.{_read_by(encoder)}"
        f"{_beyond(target, controls)}{_by(by, looks_by)}{_in_rounds(n_rounds)}"
    )


def _read_by(encoder):
    if "read" not in encoder.named_steps:
        return ""
    model = encoder["read"].model
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else f"a loaded {type(model).__name__}"
    return f"\nTheir words are read in context by {name}."


def _beyond(target, controls):
    if not controls:
        return ""
    if has_residual(target):
        are_several = len(controls) > 1 or controls[0].endswith("s") or controls[0].startswith("the predictions")
        leave = "leave" if are_several else "leaves"
        return f"\nThey are found in what {named_controls(controls)} {leave} of the target, and tested beyond that."
    return f"\nThey are tested beyond {named_controls(controls)}."


def _by(by, looks_by):
    if by is None:
        return ""
    n = len(by.labels)
    parts = counted(n, "period") if by.times is not None else counted(n, "subgroup")
    if not looks_by:
        return f"\nThey are also tested by {by.name} ({parts})."
    return f"\nThey are also looked for where effects differ by {by.name} ({parts}), and tested by that."


def _in_rounds(n_rounds):
    if n_rounds == 1:
        return ""
    later = "the second" if n_rounds == 2 else "the later ones"
    return f"\nThey are found in {n_rounds} rounds: in {later} for what those before leave of the target."
