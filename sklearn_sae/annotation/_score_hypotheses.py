"""How well names that are given fit neurons that are given."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_consistent_length, check_random_state

from sklearn_sae.annotation._candidates import score_candidates
from sklearn_sae.annotation._fidelity import Fidelity
from sklearn_sae.annotation._keyword_hypothesis_annotator import KeywordHypothesisAnnotator
from sklearn_sae.annotation._llm_hypothesis_annotator import LLMHypothesisAnnotator
from sklearn_sae.annotation._neurons import as_columns, column, density_of
from sklearn_sae.annotation._sampling import score_then_name
from sklearn_sae.utils._validation import check_texts


def score_hypotheses(hypotheses, activations, texts, *, annotator=None):
    """Score how well given names fit given neurons.

    Each name is annotated on texts that activate its neuron, spread over the range of its activations, and on as many
    others, as an annotator does with the candidates for a name.

    Parameters
    ----------
    hypotheses : sequence of str
    activations : {array-like, sparse matrix} of shape (n_texts, n_hypotheses)
        Column i is the neuron that hypothesis i shall name; it is active where it is above 0.
    texts : sequence of str of shape (n_texts,)
    annotator : LLMHypothesisAnnotator, KeywordHypothesisAnnotator or None, default=None
        What judges, with its `n_scoring_examples` and `random_state`. It is not changed and need not be fitted, and its
        `encoder` and `hypotheses` do not count. None: an `LLMHypothesisAnnotator` as it comes.

    Returns
    -------
    scores : DataFrame
        One row a hypothesis: ``hypothesis``, ``fidelity_f1``, ``fidelity_precision``, ``fidelity_recall``,
        ``fidelity_correlation``, ``n_scored`` (the number of texts, half of them activating) and ``density`` (the share
        of texts that activate the neuron). What was asked is in ``scores.attrs["usage"]``.

    Raises
    ------
    TypeError, ValueError
        If a hypothesis or a text is missing, empty or no str, or quotes no word for a `KeywordHypothesisAnnotator` to
        look for; there are not as many columns as hypotheses or rows as texts; or the annotator scores on no texts or
        does not judge by the name alone.

    See Also
    --------
    LLMHypothesisAnnotator : Names neurons, and scores the names in the same way.
    match_hypotheses : Scores annotations by concepts that are known.

    Examples
    --------
    >>> from sklearn_sae import KeywordHypothesisAnnotator, score_hypotheses
    >>> texts = ["Cold soup.", "Hot soup.", "Cold, cold tea.", "A cold day."]
    >>> scores = score_hypotheses(
    ...     ['mentions "cold"', 'mentions "tea"'],
    ...     [[1, 0], [0, 0], [2, 3], [0, 0]],
    ...     texts,
    ...     annotator=KeywordHypothesisAnnotator(random_state=0),
    ... )
    >>> scores["fidelity_recall"].tolist()
    [1.0, 1.0]
    """
    hypotheses, texts = check_texts(hypotheses, name="hypotheses"), check_texts(texts, name="texts")
    activations = as_columns(check_array(activations, accept_sparse=("csr", "csc"), input_name="activations"))
    check_consistent_length(activations, texts)
    if activations.shape[1] != len(hypotheses):
        raise ValueError(
            f"activations must have one column for each hypothesis; got {activations.shape[1]} columns and "
            f"{len(hypotheses)} hypotheses."
        )
    judge = _judge_like(LLMHypothesisAnnotator() if annotator is None else annotator)
    if isinstance(judge, KeywordHypothesisAnnotator):
        _check_quoted_words(hypotheses)
    rng = check_random_state(judge.random_state)
    examples = [
        score_then_name(
            column(activations, i), n_scoring=judge.n_scoring_examples, rng=rng, max_share=1.0, n_examples=0
        )
        for i in range(len(hypotheses))
    ]
    candidates = [[hypothesis] for hypothesis in hypotheses]
    scored = score_candidates(judge._annotate, judge._shorten(texts), activations, examples, candidates)
    scores = pd.DataFrame([score for [(_, score)] in scored], columns=Fidelity._fields, dtype=np.float64)
    table = scores.add_prefix("fidelity_")
    table.insert(0, "hypothesis", hypotheses)
    table["n_scored"] = [len(some.scoring) for some in examples]
    table["density"] = density_of(activations)
    table.attrs["usage"] = getattr(judge, "usage_", {})
    return table


def _judge_like(annotator):
    """Return a new annotator with the parameters of `annotator`, for names and activations that are given."""
    if not isinstance(annotator, (LLMHypothesisAnnotator, KeywordHypothesisAnnotator)):
        raise TypeError(
            "annotator must be an LLMHypothesisAnnotator or a KeywordHypothesisAnnotator, which judge by the name "
            f"alone; got {type(annotator).__name__}."
        )
    parameters = annotator.get_params(deep=False)
    nothing = dict.fromkeys({"encoder", "hypotheses"} & parameters.keys())
    judge = type(annotator)(**parameters | nothing)
    judge._validate_params()
    judge._check_parameters()
    if not judge.n_scoring_examples:
        raise ValueError("score_hypotheses needs texts to score on; set n_scoring_examples to 2 or more.")
    return judge


def _check_quoted_words(hypotheses):
    for i, hypothesis in enumerate(hypotheses):
        if hypothesis.count('"') < 2:
            raise ValueError(
                f"hypotheses[{i}] quotes no word to look for, as 'mentions \"soup\"' does; an LLMHypothesisAnnotator "
                "judges any sentence."
            )
