"""The prompts that ask for the names of neurons, from the texts that were chosen for each."""

import numpy as np

from sklearn_sae.annotation._sampling import draw
from sklearn_sae.annotation.llm._cut import excerpt
from sklearn_sae.annotation.llm._prompts import interpretation_prompt
from sklearn_sae.annotation.llm._templates import read_template


def naming_prompts(annotator, texts, examples, neuron, marker):
    """Return the prompts of one neuron, as many as candidates are wanted; each shows another draw of the examples.

    Parameters
    ----------
    annotator : LLMHypothesisAnnotator
        Only its parameters count.
    texts : list of str
    examples : Examples
    neuron : int
        Its column in the encoder's output.
    marker : Latents, OfSentences or None
        What marks the parts of a text in which the neuron is active. The rest is then left out, up to a sentence on
        either side.

    Returns
    -------
    prompts : list of Prompt
    """
    n_silent = annotator.n_examples // 2
    activating = {row: texts[row] for row in examples.activating.tolist()}
    if marker is not None:
        marked = marker.highlight(list(activating.values()), neuron)
        activating = dict(zip(activating, map(excerpt, marked), strict=True))
    template = read_template(annotator.interpreter_prompt, "interpreter_prompt")
    return [
        interpretation_prompt(
            [activating[row] for row in draw(examples.activating, annotator.n_examples - n_silent, number).tolist()],
            [texts[row] for row in draw(examples.non_activating, n_silent, number).tolist()],
            instructions=annotator.instructions,
            highlighted=marker is not None,
            template=template,
        )
        for number in range(annotator.n_candidates)
    ]


def share_of(interpretation, annotator, examples):
    """Return the share of the activating texts shown that an interpretation is said to hold for, NaN if none is."""
    n_shown = min(annotator.n_examples - annotator.n_examples // 2, len(examples.activating))
    if interpretation.n_holds is None or interpretation.n_holds > n_shown:
        return np.nan
    return interpretation.n_holds / n_shown
