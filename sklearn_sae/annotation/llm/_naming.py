"""The names of neurons, asked for by the texts that were chosen for each."""

import math
from collections import Counter
from itertools import islice
from typing import NamedTuple

import numpy as np

from sklearn_sae.annotation._sampling import draw
from sklearn_sae.annotation.llm._asking import interpret, missing_in_words
from sklearn_sae.annotation.llm._cut import excerpt
from sklearn_sae.annotation.llm._prompts import interpretation_prompt
from sklearn_sae.annotation.llm._requests import NOT_STORED
from sklearn_sae.annotation.llm._templates import read_template
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.server import REFUSED

_FEWEST = 2  # activating texts, because one alone has too many properties


class Shown(NamedTuple):
    """The texts that the interpreter is shown at once, by their rows."""

    activating: dict
    others: dict

    def parts(self):
        """Return every other text of either group, and the rest."""
        return [Shown(*(dict(islice(group.items(), i, None, 2)) for group in self)) for i in (0, 1)]


def name_neurons(annotator, texts, examples, neurons, marker):
    """Return the names of neurons.

    Where the provider refuses what one of the texts says, and does not say which, a part of them is shown in their
    place.

    Parameters
    ----------
    annotator : LLMHypothesisAnnotator
        Only its parameters count, and what it has spent.
    texts : list of str
    examples : list of Examples
    neurons : ndarray of int
        Columns in the encoder's output.
    marker : Latents, OfSentences or None
        What marks the parts of a text in which the neuron is active. The rest is then left out, up to a sentence on
        either side, and so is a text that is cut before any such part.

    Returns
    -------
    names : list of dict of str to float
        For each neuron, each name with the share of the activating texts shown that the interpreter says it holds for.
    missing : str
        In words, how many answers are missing and why.
    """
    n = annotator.n_candidates
    draws = [one for some in zip(examples, neurons, strict=True) for one in _draws(annotator, texts, *some, marker)]
    shown, smaller, answers = list(draws), [_smaller(one) for one in draws], [None] * len(draws)
    asked, failures, first = list(range(len(draws))), Counter(), None
    while asked or first is None:
        prompts = [[] for _ in neurons]
        for i in asked:
            prompts[i // n].append(_prompt(annotator, shown[i], is_marked=marker is not None))
        questions, missing = interpret(annotator, prompts)
        failures += missing
        first = questions if first is None else first
        again = []
        given = [one for some in questions.candidates() for one in some]
        for i, answer, is_refused in zip(asked, given, questions.are_refused(), strict=True):
            answers[i] = answer
            may_be_part = is_refused or (annotator.cached_only and answer is None)
            if may_be_part and (part := next(smaller[i], None)) is not None:
                shown[i] = part
                again.append(i)
        failures -= Counter({NOT_STORED if annotator.cached_only else REFUSED: len(again)})
        asked = again
    _say_what_was_left_out(neurons, draws, shown, answers, n)
    names = [{} for _ in neurons]
    for i, answer in enumerate(answers):
        if answer is not None:
            names[i // n][answer.phrase] = answer.share(len(shown[i].activating))
    return names, missing_in_words(annotator, failures, first)


def _draws(annotator, texts, examples, neuron, marker):
    """Return what is shown of a neuron, as often as candidates are wanted, each time another draw of the examples."""
    activating = {row: texts[row] for row in examples.activating.tolist()}
    if marker is not None:
        marked = zip(activating, marker.highlight(list(activating.values()), neuron), strict=True)
        activating = {row: excerpt(text) for row, text in marked if "<<" in text} or activating
    n_silent = annotator.n_examples // 2
    n_shown = min(annotator.n_examples - n_silent, len(activating))
    return [
        Shown(
            {row: activating[row] for row in draw(np.array(list(activating)), n_shown, number).tolist()},
            {row: texts[row] for row in draw(examples.non_activating, n_silent, number).tolist()},
        )
        for number in range(annotator.n_candidates)
    ]


def _smaller(shown):
    """Yield a half of the texts, the other half, then the halves of that one; log2 of their number are the most."""
    for _ in range(int(math.log2(max(len(shown.activating) + len(shown.others), 1))) // 2):
        if len(shown.activating) < 2 * _FEWEST:
            return
        yield from (halves := shown.parts())
        shown = halves[1]


def _prompt(annotator, shown, *, is_marked):
    return interpretation_prompt(
        list(shown.activating.values()),
        list(shown.others.values()),
        instructions=annotator.instructions,
        highlighted=is_marked,
        template=read_template(annotator.interpreter_prompt, "interpreter_prompt"),
    )


def _say_what_was_left_out(neurons, draws, shown, answers, n_candidates):
    """Warn of the neurons that were named by a part of their texts."""
    left_out = {}
    for i, (before, after, answer) in enumerate(zip(draws, shown, answers, strict=True)):
        if answer is not None and len(after.activating) < len(before.activating):
            rows = {row for group in before for row in group} - {row for group in after for row in group}
            left_out.setdefault(int(neurons[i // n_candidates]), set()).update(rows)
    if left_out:
        kinds = "; ".join(f"neuron {neuron} without {sorted(rows)}" for neuron, rows in left_out.items())
        warn(
            "The provider refuses what some example texts say, and not which, so these neurons were named without all "
            f"of the texts in these rows: {kinds}."
        )
