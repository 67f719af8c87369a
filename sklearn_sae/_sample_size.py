"""How many hypotheses the texts can test, and what is said of few texts, rare classes and copies."""

import numpy as np

from sklearn_sae.utils._validation import counted

_FEW_TEXTS = 200
_FEW_OF_CLASS = 10
_WHERE_FEW = "expect chance findings and an unsure score"
_MOST_HYPOTHESES = 20
_TESTED_ON = 10  # texts, or groups of them, that test a hypothesis, so that it has a chance to pass


def n_hypotheses_for(n_units):
    """Return how many hypotheses so many different texts, or groups of them, can test."""
    return min(max(n_units // _TESTED_ON, 1), _MOST_HYPOTHESES)


def notes_on_size(n_hypotheses, n_texts, n_units, what, *, noun="text"):
    """Yield a note if texts are few, or hypotheses fewer than usual; `what` is one and several of the units."""
    few = f"{counted(n_texts, noun)} are few: {_WHERE_FEW}" if n_texts < _FEW_TEXTS else ""
    fewer = n_hypotheses == "auto" and n_hypotheses_for(n_units) < _MOST_HYPOTHESES
    if fewer:
        few += "; " if few else ""
        some = n_hypotheses_for(n_units)
        few += f"{some} hypothes{'is is' if some == 1 else 'es are'} looked for, one for every {_TESTED_ON} of the "
        few += f"{counted(n_units, *what)} to test on"
    if few:
        yield f"{few}."


def notes_on_classes(target, test, *, noun="text"):
    """Yield a note if a class is rare among the texts to test on."""
    if target.classes is None:
        return
    counts = np.bincount(target.values[test], minlength=len(target.classes))
    rare = np.flatnonzero(counts < _FEW_OF_CLASS)
    if len(rare):
        some = ", ".join(f"{counts[i]} of {target.classes.tolist()[i]!s}" for i in rare[:3])
        more = f" and few of {len(rare) - 3} other classes" if len(rare) > 3 else ""
        yield f"The {counted(len(test), noun)} to test on have only {some}{more}: tests and AUC are unsure."


def notes_on_copies(of_copies, groups, n_units, *, noun="text"):
    """Yield notes on texts that are copies, and on groups that they join."""
    sizes = np.bincount(of_copies)
    if len(sizes) < len(of_copies):
        n_copied = sizes[sizes > 1].sum()
        n_groups = int((sizes > 1).sum())
        if noun == "pair":
            yield (
                f"{n_copied:,} of {len(of_copies):,} pairs share a prompt or, at least nearly, a text with others: "
                f"they are {counted(n_groups, 'group')}, which stay together in the split and in the standard errors."
            )
        else:
            yield (
                f"{n_copied:,} of {len(of_copies):,} texts have copies, near ones too: they are "
                f"{counted(n_groups, 'different text')}. Copies stay together in the split and in the standard errors."
            )
    if groups is not None and n_units < len(np.unique(groups)):
        yield (
            f"{len(np.unique(groups)):,} groups count as {n_units:,}, because those that have copies of one text are "
            "joined; leave such texts out where authors only happen to say the same."
        )


def notes_on_weights(weights, *, noun="text"):
    """Return notes on rows of weight 0, as a list."""
    n_without = int((weights == 0).sum())
    are = "is" if n_without == 1 else "are"
    return [f"{counted(n_without, noun)} {are} left out, of weight 0."] if n_without else []
