"""What `discover` asks of its target and groups, before the work begins."""

import numpy as np

from sklearn_sae.utils._targets import check_target, check_target_varies


def check_discovery_target(y, task, n_texts, name):
    """Return the checked target, which varies and has few classes for so many texts."""
    target = check_target(y, task=task, n_samples=n_texts, name=name)
    check_target_varies(target, name=name)
    if target.classes is not None and len(target.classes) > max(2, n_texts / 5):
        many = f"{name} has {len(target.classes):,} different values in {n_texts:,} rows"
        if task == "auto":
            raise ValueError(f"{many} and they are not numbers; it must be a number or one of a few classes.")
        raise ValueError(f'{many}, too many for task="{task}"{_if_numbers(y)}.')
    return target


def _if_numbers(y):
    """Say that a target of too many classes is one of numbers, if it is."""
    try:
        numbers = check_target(y).task == "regression"
    except ValueError:  # dates, say
        numbers = False
    return "; without it they count as the numbers that they are" if numbers else "; leave out or join the rare ones"


def refuse_useless_groups(groups, texts, y):
    """Refuse groups that are the texts or the target."""
    if groups is None:
        return
    labels = np.asarray(groups, dtype=object)
    for other, what in ((texts, "texts"), (y, "target")):
        if np.array_equal(labels, np.asarray(other, dtype=object)):
            raise ValueError(
                f"groups and the {what} are the same; groups must say what several texts have in common, such as their "
                "author."
            )
