"""The target, the split and the reader of a discovery in words."""

import os

from sklearn_sae.utils._validation import counted


def describe(target, name, n_train, n_test, encoder):
    """Return what the target is, how texts are split and what reads them, in two or three lines.

    Parameters
    ----------
    target : Target
    name : str or None
        The name of the target.
    n_train, n_test : int
    encoder : Pipeline
    """
    y = target.values
    if target.scale:
        what = (
            f"places 1 to {len(target.scale)} on the scale {target.scale[0]} to {target.scale[-1]}, mean {y.mean():.3g}"
        )
    elif target.task == "regression":
        what = f"numbers from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.3g}"
    elif target.task == "binary":
        what = f"{target.classes[1]!s} (effects are on its share, {y.mean():.0%}) or {target.classes[0]!s}"
    else:
        what = f"{len(target.classes)} classes, each against the rest"
    return (
        f"{n_train + n_test:,} texts; the target{'' if name is None else f' {name!r}'} is {what}.\n"
        f"Hypotheses are found on {counted(n_train, 'text')} and tested on the other {n_test:,}.{_read_by(encoder)}"
    )


def _read_by(encoder):
    if "read" not in encoder.named_steps:
        return ""
    model = encoder["read"].model
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else f"a loaded {type(model).__name__}"
    return f"\nTheir words are read in context by {name}."
