"""What `discover` does otherwise where rows are pairs of texts."""

import numpy as np

from sklearn_sae._auto_linear_model import AutoLinearModel
from sklearn_sae._split import joined
from sklearn_sae.annotation import LLMHypothesisAnnotator
from sklearn_sae.compose import PairTransformer
from sklearn_sae.utils._controls import Controls
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._pair_targets import first_wins, says_which_wins

NOTE_ON_LENGTH = (
    "The difference in length is a control, because the longer of two texts often wins, whatever it says; "
    "control_length=False leaves it out."
)

BY_OF_PAIRS = "by is for single texts; of pairs, annotate and call evaluate_hypotheses(by=)."


def annotator_of(pipeline):
    """Return the annotator in a pipeline of `make_hypothesis_pipeline`, also where it stands in a `PairTransformer`."""
    step = pipeline["hypotheses"]
    return getattr(step, "transformer_", step.transformer) if isinstance(step, PairTransformer) else step


def is_of_pairs(pipeline):
    """Return whether a pipeline takes pairs of texts."""
    return isinstance(pipeline["hypotheses"], PairTransformer)


def over_pairs(pipeline, task):
    """Return a pipeline that was built for single texts as one for pairs, with a model without an intercept.

    Words and quotes name neurons of single texts, which names agree with best; see docs/compose.md. A language model
    compares, so it names neurons of differences and judges pairs.
    """
    annotator = pipeline["hypotheses"]
    annotator.encoder["select"].set_params(task="auto")  # because a text is given the mean over its pairs
    if isinstance(annotator, LLMHypothesisAnnotator):
        annotator.encoder["sae"].set_params(signed=True)
        step = PairTransformer(annotator, order="before", judge="pairs")
    else:
        step = PairTransformer(annotator)
    return pipeline.set_params(hypotheses=step, model=AutoLinearModel(fit_intercept=False, task=task))


def embedded_pairs(pipeline, pairs):
    """Return the embeddings of the first texts minus those of the second, by a fitted pipeline of pairs."""
    step, embed = pipeline["hypotheses"], annotator_of(pipeline).encoder_[0]
    if step.order == "before":
        return embed.transform(pairs)
    first, second = (embed.transform(texts.tolist()) for texts in pairs[:, -2:].T)
    return first - second


def texts_of(pairs):
    """Return the two texts of each pair as one list, first and second in turn."""
    return pairs[:, -2:].ravel().tolist()


def check_winner(target, name):
    """Return a target of pairs whose later class is that the first text wins, or a lead of the first."""
    if target.task == "regression":
        return target
    if not says_which_wins(target):
        given = ", ".join(map(repr, target.classes.tolist()[:5]))
        raise ValueError(
            f"{name} must say which text of a pair wins: 1 or 0, True or False, first or second, a or b, or the lead "
            f"of the first over the second as a number; it has {given}. Leave ties out, or code wins as 1, ties as 0 "
            "and losses as -1."
        )
    return first_wins(target)


def copies_of_pairs(pairs):
    """Return the group that each pair is in, as a number: of those that share a text, nearly too, or a prompt.

    Prompts that are nearly the same are no copies, because many are made from one template.
    """
    of_texts = joined(np.repeat(np.arange(len(pairs)), 2), copies(pairs[:, -2:].ravel().tolist()))[::2]
    if pairs.shape[1] == 2:
        return of_texts
    return joined(of_texts, np.unique(pairs[:, 0].astype(str), return_inverse=True)[1])


def unit_of_pairs(unit, naming):
    """Return the unit to embed: a language model names differences, and of these only whole texts have some."""
    asks = naming == "llm" or isinstance(naming, LLMHypothesisAnnotator)
    if asks and unit == "sentence":
        raise ValueError('unit="sentence" is not for pairs that a language model judges; leave it out.')
    return "document" if asks else unit


def with_length(controls, texts):
    """Return the controls with the length of texts; of pairs, with its difference.

    Length is in characters, on the scale of logarithms too. Of pairs a third column levels off where one text is much
    longer, as its chances to win do: without it, three times as many false effects remain; see docs/compose.md.
    """
    rows = texts[:, -2:] if len(texts.shape) == 2 else ([text] for text in texts)
    n = np.array([[len(text) for text in row] for row in rows], dtype=np.float64)
    length = np.stack([np.log(n), n], axis=2)
    if n.shape[1] == 2:
        length = length[:, 0] - length[:, 1]
        bent = np.tanh(length[:, 0] / (length[:, 0].std() or 1.0))
        length = np.column_stack([length, bent])
    else:
        length = length[:, 0]
    if controls is None:
        return Controls(length, (), ("length",))
    return Controls(np.hstack([length, controls.values]), controls.factors, ("length", *controls.names))
