"""What a report says, as plain data: pages, Markdown and workbooks show the same."""

from typing import Any, NamedTuple

import numpy as np

from sklearn_sae.report._excerpt import Excerpt


class Score(NamedTuple):
    """How well something predicts the texts held out."""

    label: str
    value: float
    of: str  # "nothing", "words", "hypotheses", "as many words", "embedding", "offset" or "offset and hypotheses"


class Estimate(NamedTuple):
    """A difference with its confidence interval; NaN is what is not known."""

    value: float
    low: float
    high: float
    pvalue: float
    significant: bool


class Effect(NamedTuple):
    """What a hypothesis says of the target, or of one class of it."""

    of: str  # the class; "" for a target without classes and for two classes
    own: Estimate  # on its own, in units of the target
    joint: Estimate  # beside all other hypotheses; log-odds for classes
    sentence: str  # `own` in words


class Example(NamedTuple):
    """A text that is shown."""

    row: int
    target: str  # its value
    excerpts: tuple[Excerpt, ...]  # one, or the two texts of a pair, after its prompt if there is one


class Hypothesis(NamedTuple):
    """A hypothesis, its tests and the texts that show it."""

    number: int  # from 1
    name: str  # all that is tested
    short: str  # one line of it
    effects: tuple[Effect, ...]  # one, or one of each class
    n_holds: int
    n_answered: int
    fidelity: float  # F1 of the name against its neuron; NaN is not known
    facts: tuple[str, ...]  # further sentences: what it adds, fidelity, with what it goes together
    examples: dict[str, tuple[Example, ...]]  # by what they show; empty without texts
    back: str = ""  # in how many fits with other seeds it comes back; "" where there are none


class Report(NamedTuple):
    """What a report says."""

    title: str
    question: tuple[str, ...]  # sentences: the file, its rows, the target, what was left out and why
    answer: tuple[str, ...]  # three sentences
    metric: str  # "R²" or "AUC"
    scores: tuple[Score, ...]  # without a split, of the rows that are tested, cross-fitted
    unit: str  # of the effects, such as "stars" or "points"
    confidence: float  # level of the intervals
    level: str  # what "significant" means, as a sentence
    hypotheses: tuple[Hypothesis, ...]
    correlations: np.ndarray  # (n_hypotheses, n_hypotheses), of annotations
    notes: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]  # names and values
    versions: tuple[tuple[str, str], ...]
    methods: str  # words for a section on methods
    references: tuple[str, ...]
    bibtex: str
    texts: str  # "all", "fragments" or "none"
    marks: dict[str, str]  # what a marked "sentence" or "word" is
    noun: str = "texts"  # what rows are called: "reviews", "pairs" ...
    target: str = "target"  # the name of the target
    beside: tuple = ()  # of Beside: corrected effects and those of annotations alone, where labels corrected them
    by: Any = None  # By, effects by subgroup or period, if these were asked for
    explained: tuple = ()  # of Explained: three predictions of a discovery
