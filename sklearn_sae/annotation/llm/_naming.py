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
        either side, and so is a text that is cut before any such part.

    Returns
    -------
    prompts : list of Prompt
    n_shown : int
        How many activating texts each of them shows.
    """
    activating = {row: texts[row] for row in examples.activating.tolist()}
    if marker is not None:
        marked = zip(activating, marker.highlight(list(activating.values()), neuron), strict=True)
        activating = {row: excerpt(text) for row, text in marked if "<<" in text} or activating
    n_silent = annotator.n_examples // 2
    n_shown = min(annotator.n_examples - n_silent, len(activating))
    template = read_template(annotator.interpreter_prompt, "interpreter_prompt")
    prompts = [
        interpretation_prompt(
            [activating[row] for row in draw(np.array(list(activating)), n_shown, number).tolist()],
            [texts[row] for row in draw(examples.non_activating, n_silent, number).tolist()],
            instructions=annotator.instructions,
            highlighted=marker is not None,
            template=template,
        )
        for number in range(annotator.n_candidates)
    ]
    return prompts, n_shown
