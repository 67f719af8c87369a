"""Short reviews with planted concepts."""

from functools import cache
from itertools import chain
from numbers import Integral, Real

import numpy as np
from scipy.special import ndtri
from sklearn.utils import Bunch, check_random_state

from sklearn_sae.datasets._phrases import CONCEPTS, FILLERS, OPENERS, SLOTS
from sklearn_sae.datasets._templates import parse, spell
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, validate_params

_CLASSES = np.array(["app", "email", "website"])
_MOOD = 0.3  # The mood of the text is this share of the variance of the latent normal of a concept.
_SPREAD = 0.75  # The standard deviation that concepts @ coef has if the concepts are independent.
_MAX_CONCEPTS = 5  # A text has at most so many.
_MAX_SENTENCES = 6


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_concepts": [Interval(Integral, 1, len(CONCEPTS), closed="both")],
        "task": [StrOptions({"regression", "binary", "multiclass"})],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_concept_texts(n_samples=1000, n_concepts=10, *, task="regression", noise=0.5, random_state=None):
    """Make short restaurant reviews that carry known concepts, and a target that depends on some of them.

    The truth is known, so what a method recovers can be scored. Each text has two to six sentences: one
    for each concept that is true of it, the others neutral or misleading ("There was no wait for a
    table." where no long wait for the food is mentioned). A concept has hundreds of wordings or more,
    and its words also occur without it, so that no single word marks it.

    Parameters
    ----------
    n_samples : int, default=1000
        The number of texts.
    n_concepts : int, default=10
        The number of concepts, at most 22. They are always the first `n_concepts` of the same list,
        in which complaints, praise and neutral facts are mixed.
    task : {"regression", "binary", "multiclass"}, default="regression"
        What the target is.

        - "regression": a float like a star rating, with mean 3, mostly between 1 and 5 and not clipped:
          ``intercept + concepts @ coef + noise * e`` with standard normal ``e``.
        - "binary": 0 or 1 by a logistic model, 1 with probability
          ``expit((intercept + concepts @ coef) / noise)``.
        - "multiclass": "app", "email" or "website", where the review was written, with probabilities
          ``softmax((intercept + concepts @ coef.T) / noise)``.
    noise : float, default=0.5
        The size of the noise in units of `coef`. For a regression, its standard deviation in units of
        the target; for the others, what the scores are divided by to give log-odds. With 0 the concepts
        determine the target.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same texts and target at every call.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        data : list of str, of length n_samples
            The texts.
        target : ndarray of shape (n_samples,)
            float64, int64 (0 and 1) or str, by `task`.
        concepts : ndarray of shape (n_samples, n_concepts), int64
            1 where the concept is true of the text, else 0.
        concept_names : list of str, of length n_concepts
            Each concept as an annotator would put it.
        coef : ndarray of shape (n_concepts,), or (3, n_concepts) for ``task="multiclass"``
            The effect of each concept on the target, in its units. 60 % of the concepts (rounded up, drawn
            at random) have one; for the others it is 0. Complaints lower the target, praise raises it,
            neutral facts do either; for a multiclass target, each raises one class (rows in sorted order
            of the classes). Sizes are drawn between 0.5 and 1.5 and scaled to the same total: were the
            concepts independent, all effects together would have a standard deviation of 0.75.
        intercept : float, or ndarray of shape (3,) for ``task="multiclass"``
            Makes the mean of the target 3 for a regression, and centers the scores for the others.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    match_hypotheses : Scores what was found of the concepts.
    sklearn.datasets.fetch_20newsgroups : Real texts, by topic.
    sklearn.datasets.make_regression : Planted effects of numbers instead of texts.

    Notes
    -----
    Each concept is true of 7 to 30 % of the texts. Texts have a mood, so praise comes a little more often
    with praise and complaints with complaints. A text has at most five concepts, and never two that
    contradict each other: a long wait and quick food, friendly and rude staff, high prices and good value,
    noise and outdoor seats, coming back and falling ill. How well simple methods do on these texts is in
    docs/datasets.md.

    The same `random_state` gives the same texts for every `task` and `noise`, and the same coefficients
    for every `n_samples`.

    Examples
    --------
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(n_samples=200, n_concepts=5, random_state=0)
    >>> print(reviews.data[6])
    Dinner with a friend from work on Thursday. As dessert we had the cheesecake, perfect to the last
    crumb. The staff was friendly. The prices are neither low nor high. My partner and I have worked
    together for five years.
    >>> [name for name, true in zip(reviews.concept_names, reviews.concepts[6]) if true]
    ['praises a friendly or attentive server', 'praises a dessert']
    >>> reviews.concepts.shape, reviews.target.shape, reviews.coef.shape
    ((200, 5), (200,), (5,))
    """
    rng = check_random_state(random_state)
    bank = CONCEPTS[:n_concepts]
    coef = _draw_coef(bank, task, rng)
    concepts = _draw_concepts(n_samples, bank, rng)
    texts = _write(concepts, bank, rng)
    intercept, target = _draw_target(concepts, coef, task, noise, rng)
    return Bunch(
        data=texts,
        target=target,
        concepts=concepts.astype(np.int64),
        concept_names=[concept.name for concept in bank],
        coef=coef,
        intercept=intercept,
    )


def _draw_concepts(n_samples, bank, rng):
    """Return which concepts are true of each text: bool (n_samples, n_concepts)."""
    # The concepts have a Gaussian copula, in which the mood correlates them and leaves each its own prevalence.
    loading = np.sqrt(_MOOD) * np.array([concept.valence for concept in bank])
    mood = rng.standard_normal((n_samples, 1))
    own = rng.standard_normal((n_samples, len(bank)))
    latent = mood * loading + own * np.sqrt(1 - loading**2)
    true = latent < ndtri([concept.prevalence for concept in bank])
    return _thin(true, bank, np.full(n_samples, _MAX_CONCEPTS), rng)


def _thin(chosen, bank, most, rng):
    """Drop entries of `chosen` at random, so that one a group stays and at most ``most[i]`` in row i."""
    priority = np.where(chosen, rng.random_sample(chosen.shape), -1.0)
    for columns in _columns_by_group(bank):
        losers = priority[:, columns] < priority[:, columns].max(axis=1, keepdims=True)
        priority[:, columns] = np.where(losers, -1.0, priority[:, columns])
    rank = (-priority).argsort(axis=1).argsort(axis=1)
    return (priority >= 0) & (rank < most[:, None])


def _columns_by_group(bank):
    groups = {}
    for column, concept in enumerate(bank):
        groups.setdefault(concept.group, []).append(column)
    return list(groups.values())


def _draw_coef(bank, task, rng):
    """Return the effects, (n_concepts,) or for a multiclass target (n_classes, n_concepts)."""
    n_concepts = len(bank)
    effects = rng.uniform(0.5, 1.5, size=n_concepts)
    signs = np.array([concept.valence for concept in bank])
    signs = np.where(signs == 0, rng.choice([-1, 1], size=n_concepts), signs)
    effects[rng.permutation(n_concepts)[-(-3 * n_concepts // 5) :]] = 0.0
    prevalence = np.array([concept.prevalence for concept in bank])
    effects *= _SPREAD / np.sqrt(effects**2 @ (prevalence * (1 - prevalence)))
    raised = rng.randint(len(_CLASSES), size=n_concepts, dtype=np.int64)
    if task == "multiclass":
        return effects * (raised == np.arange(len(_CLASSES))[:, None])
    return effects * signs + 0.0  # turns -0.0 into 0.0


def _draw_target(concepts, coef, task, noise, rng):
    """Return the intercept and the target (n_samples,)."""
    score = concepts @ coef.T
    intercept = (3.0 if task == "regression" else 0.0) - score.mean(axis=0)
    score = score + intercept
    if task == "regression":
        return intercept, score + noise * rng.standard_normal(len(score))
    if task == "binary":
        return intercept, (score + noise * rng.logistic(size=len(score)) > 0).astype(np.int64)
    # The largest of scores with Gumbel noise is a draw from their softmax.
    return intercept, _CLASSES[(score + noise * rng.gumbel(size=score.shape)).argmax(axis=1)]


@cache
def _trees():
    """Return the parsed phrase bank: (says, near) of each concept, the openers, the fillers."""

    def parse_all(templates):
        return [parse(template, SLOTS) for template in templates]

    concepts = [(parse_all(concept.says), parse_all(concept.near)) for concept in CONCEPTS]
    return concepts, parse_all(OPENERS), parse_all(FILLERS)


def _write(concepts, bank, rng):
    """Return the texts."""
    n_samples = len(concepts)
    trees, openers, fillers = _trees()
    n_said = concepts.sum(axis=1)
    near = _thin(
        _may_mislead(concepts, bank),
        bank,
        np.minimum(rng.randint(3, size=n_samples, dtype=np.int64), _MAX_SENTENCES - n_said),
        rng,
    )
    n_carried = n_said + near.sum(axis=1)
    n_neutral = np.clip(n_carried + rng.randint(3, size=n_samples, dtype=np.int64), 2, _MAX_SENTENCES) - n_carried
    has_opener = (n_neutral > 0) & (rng.random_sample(n_samples) < 0.6)
    filler_order = rng.random_sample((n_samples, len(fillers))).argsort(axis=1)
    draw = chain.from_iterable(iter(lambda: rng.random_sample(4096).tolist(), None)).__next__

    def one_of(options, skew=1):
        return spell(options[int(draw() ** skew * len(options))], draw)

    texts = []
    for i in range(n_samples):
        # The plainest wordings of a concept come first in the bank and occur most often in texts.
        body = [one_of(trees[column][0], skew=2) for column in np.flatnonzero(concepts[i])]
        body += [one_of(trees[column][1]) for column in np.flatnonzero(near[i])]
        body += [spell(fillers[k], draw) for k in filler_order[i, : n_neutral[i] - has_opener[i]]]
        rng.shuffle(body)
        texts.append(" ".join([one_of(openers), *body] if has_opener[i] else body))
    return texts


def _may_mislead(concepts, bank):
    """Return which concepts a text may hint at: those of whose group none is true of it."""
    free = np.empty_like(concepts)
    for columns in _columns_by_group(bank):
        free[:, columns] = ~concepts[:, columns].any(axis=1, keepdims=True)
    return free
