"""Which neurons are named first, which take the place of one that is passed over, and which names are offered."""

from textwrap import shorten
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from sklearn_sae.annotation._candidates import UNCLEAR
from sklearn_sae.annotation._fidelity import Fidelity
from sklearn_sae.annotation._outputs import last_step
from sklearn_sae.annotation._sampling import Examples
from sklearn_sae.utils._validation import text_identity

_LEAST_F1 = 0.4  # docs/discover.md says what it keeps out
_LEAST_SCORED = 6  # texts; a fidelity on fewer says too little
# Absolute correlations of the annotations of two names of which one is offered: where annotations cost nothing, other
# names are at hand; where a language model makes them, the texts of a pair are all that is left.
_ALIKE, _NEARLY_SAME = 0.7, 0.9
_SAME, NEARLY, _MISFIT = "whose name another has", "whose name says nearly the same", "whose name does not fit"
_ADDS_LESS = "whose name tells less of the target beside the others"
_UNCLEAR = "whose texts share nothing that is clear"


class Named(NamedTuple):
    """A neuron with its name."""

    place: int  # among the neurons that may be named
    sentence: str
    score: Fidelity
    examples: Examples
    says: np.ndarray | None = None  # (n_compared,) annotations of some texts, where these cost nothing
    misfit: str = ""  # why it does not fit, where that is known already


class Succession(NamedTuple):
    """The order in which neurons are named, and how many names are wanted."""

    order: list  # of places
    rank: np.ndarray  # (n_places,) the lower, the more the neuron predicts
    n_wanted: int
    is_strict: bool  # whether others are there to take the place of one that is passed over

    @classmethod
    def of(cls, encoder, neurons, n_outputs):
        """Return the succession of some of an encoder's outputs.

        If its last step is a selector with spare neurons, those that it wants come first and then the spare ones.
        """
        last = last_step(encoder)
        places = np.arange(len(neurons))
        if not getattr(last, "n_spare", 0) or last.get_support().sum() != n_outputs:
            return cls(places.tolist(), places, len(places), False)
        rank = last.ranking_[last.get_support()][neurons]
        is_spare = rank > last.n_neurons
        return cls(np.lexsort([np.where(is_spare, rank, 0), is_spare]).tolist(), rank, last.n_neurons, True)


def offer(kept, new, rank, *, is_strict=True):
    """Return the names that are offered, and those passed over with why: (list of Named, list of (Named, str)).

    A neuron is passed over if what its texts share is called unclear. Strictly, so is one whose name does not fit, or
    says the same as that of a neuron which predicts more.

    Parameters
    ----------
    kept : list of Named
        Those offered already.
    new : list of Named
    rank : ndarray
        As in a `Succession`.
    is_strict : bool, default=True
        As in a `Succession`.
    """
    kept, passed = list(kept), []
    for one in sorted(new, key=lambda one: rank[one.place]):
        why = _why_not(one, kept, is_strict)
        if why is None:
            kept.append(one)
        else:
            passed.append((one, why))
    return kept, passed


def can_select_names(encoder):
    """Return whether the selector at the end of an encoder can select from names too.

    A function that scores neurons may know them by their place, so it is asked about neurons only.
    """
    return isinstance(getattr(last_step(encoder), "method", None), str)


def most_telling(kept, annotations, y, selector, params):
    """Return the names that a selector selects by what they say of the texts, and the others with why.

    Parameters
    ----------
    kept : list of Named
    annotations : ndarray of shape (n_texts, n_kept)
    y : array-like of shape (n_texts,)
    selector : estimator
        With the parameters `n_neurons` and `n_spare`; a clone of it is fitted to the annotations.
    params : dict
        What its `fit` takes beside the target, a value a row.
    """
    selector = clone(selector).set_params(n_spare=0)
    n_wanted = selector.n_neurons
    if getattr(selector, "max_fdr", None) is not None:  # the neurons have passed it
        selector.set_params(max_fdr=None)
    ranking = np.asarray(selector.fit(annotations, y, **params).ranking_)
    chosen = set(np.argsort(ranking, kind="stable")[:n_wanted].tolist())
    return (
        [one for i, one in enumerate(kept) if i in chosen],
        [(one, _ADDS_LESS) for i, one in enumerate(kept) if i not in chosen],
    )


def at_least_one(kept, passed, why_not):
    """Return the names that are offered and those passed over, of which the best is offered if no other is.

    Raises
    ------
    ValueError
        If no neuron has a name; `why_not` says why some have none.
    """
    if not kept:  # a name that fits badly is better than an error
        misfits = [one for one, why in passed if why != _UNCLEAR]
        if not misfits:
            all_unclear = f"the interpreter calls the texts of {len(passed)} unclear" if passed else ""
            raise ValueError(f"No neuron could be named: {'; '.join(filter(None, [why_not, all_unclear]))}.")
        kept = [max(misfits, key=lambda one: one.score.f1)]
        passed = [(one, why) for one, why in passed if one is not kept[0]]
    return kept, passed


def sentence_on(passed, n_kept, n_wanted):
    """Return one sentence on the neurons that were passed over, "" if there are none.

    Those whose names tell less than others are none of them: out of several times as many as are wanted, they were not
    selected.
    """
    reasons = [why for _, why in passed]
    known = (_UNCLEAR, _SAME, NEARLY, _MISFIT)
    others = sorted({*reasons} - {*known, _ADDS_LESS})
    limits = {_MISFIT: f" (F1 below {_LEAST_F1})"}
    counts = [f"{reasons.count(why)} {why}{limits.get(why, '')}" for why in (*known, *others) if why in reasons]
    if not counts:
        return ""
    instead = "" if n_kept < n_wanted else " for the next best"
    fewer = f"; {n_kept} of {n_wanted} hypotheses {'is' if n_kept == 1 else 'are'} left" if n_kept < n_wanted else ""
    return f"Neurons were passed over{instead}: {', '.join(counts)}{fewer}."


def first_of_near_copies(annotations, merit):
    """Return the columns that say nearly the same as none of more merit, and for the others which one it is.

    Parameters
    ----------
    annotations : ndarray of shape (n_texts, n_hypotheses)
    merit : array-like of shape (n_hypotheses,)

    Returns
    -------
    kept : list of int
        In order.
    same_as : dict of int to int
    """
    kept, same_as = [], {}
    for place in np.argsort(-np.asarray(merit), kind="stable").tolist():
        first = next((one for one in kept if _are_nearly_same(*annotations[:, [one, place]].T, _NEARLY_SAME)), None)
        if first is None:
            kept.append(place)
        else:
            same_as[place] = first
    return sorted(kept), same_as


def sentence_on_near_copies(names, same_as):
    """Return one sentence on the names that are left out by `first_of_near_copies`."""
    pairs = [" as ".join(repr(shorten(names[one], 50, placeholder=" …")) for one in pair) for pair in same_as.items()]
    more = f" and {len(pairs) - 2} more" if len(pairs) > 2 else ""
    return (
        f"Hypotheses are left out, {len(same_as)} of {len(names)}, that say nearly the same of the texts as a "
        f"better one (correlation above {_NEARLY_SAME}): {', '.join(pairs[:2])}{more}."
    )


def _why_not(one, kept, is_strict):
    if one.sentence == UNCLEAR:
        return _UNCLEAR
    if not is_strict:
        return None
    if one.misfit:
        return one.misfit
    if len(one.examples.scoring) >= _LEAST_SCORED and one.score.f1 < _LEAST_F1:
        return _MISFIT
    if any(text_identity(one.sentence) == text_identity(other.sentence) for other in kept):
        return _SAME
    if any(_are_nearly_same(one.says, other.says, _ALIKE) for other in kept):
        return NEARLY
    return None


def _are_nearly_same(a, b, most_alike):
    if a is None or b is None:
        return False
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    if not len(a) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return False
    return abs(np.corrcoef(a, b)[0, 1]) > most_alike
