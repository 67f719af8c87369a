"""How many requests and tokens a run takes and what they cost, before anything is sent.

Tokens are estimated at four characters each and six characters a word, with replies as short as the prompts ask for.
The hidden thoughts of a reasoning model, which only the bill shows, are not counted, nor is what the cache saves.
"""

import math
from collections import Counter
from numbers import Integral

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._prompts import annotation_prompt, interpretation_prompt
from sklearn_sae.annotation.llm._requests import price
from sklearn_sae.annotation.llm._templates import read_template

_CHARACTERS_PER_TOKEN = 4  # English prose with the tokenizers of 2024 and later; other scripts take more tokens
_WORD = "words "
_TYPICAL_HYPOTHESIS = "mentions a long wait for the food or for a table"  # stands in before there are any
_INTERPRETATION_TOKENS = 25
_REASON_TOKENS = 40  # with what stands around it in JSON


def count_interpretations(n_requests, *, n_examples=40, words_per_text=256, **words):
    """Return the requests and tokens of `n_requests` requests for an interpretation.

    Parameters
    ----------
    n_requests : int
    n_examples : int, default=40
        Texts in each prompt, both groups together.
    words_per_text : int, default=256
    **words
        What `interpretation_prompt` takes beside the texts.

    Returns
    -------
    count : Counter
        ``requests``, ``prompt_tokens``, ``completion_tokens``.
    """
    text, half = _WORD * words_per_text, n_examples // 2
    prompt = interpretation_prompt([text] * (n_examples - half), [text] * half, **words)
    return _count(n_requests, prompt, _INTERPRETATION_TOKENS)


def count_annotations(
    n_texts, concepts, *, concepts_per_call=1, words_per_text=256, answers=None, rationale=False, **words
):
    """Return the requests and tokens that it takes to annotate `n_texts` texts by `concepts`.

    Parameters
    ----------
    n_texts : int
    concepts : list of str
    concepts_per_call : int, default=1
    words_per_text : int, default=256
    answers : dict of str -> float, or None, default=None
    rationale : bool, default=False
    **words
        What `annotation_prompt` takes beside these.

    Returns
    -------
    count : Counter
        As `count_interpretations`.
    """
    names, _ = check_answers(answers)
    answer_tokens = math.ceil(max(map(len, names or ["yes"])) / _CHARACTERS_PER_TOKEN)
    total = _count(0, "", 0)
    for start in range(0, len(concepts), concepts_per_call):
        some = concepts[start : start + concepts_per_call]
        completion_tokens = answer_tokens if len(some) == 1 else (5 + answer_tokens) * len(some)
        completion_tokens += rationale * _REASON_TOKENS * len(some)
        prompt = annotation_prompt(_WORD * words_per_text, some, names, rationale=rationale, **words)
        total.update(_count(n_texts, prompt, completion_tokens))
    return total


def _count(n, prompt, completion_tokens):
    prompt_tokens = math.ceil(len("".join(prompt)) / _CHARACTERS_PER_TOKEN)
    return Counter(requests=n, prompt_tokens=n * prompt_tokens, completion_tokens=n * completion_tokens)


def estimate(annotator, concepts, *, n_texts, n_neurons, n_fits, words_per_text):
    """Return what it takes to name neurons and to annotate texts.

    Parameters
    ----------
    annotator : LLMHypothesisAnnotator
        Only its parameters count.
    concepts : list of str or None
        The hypotheses, if it has some.
    n_texts, n_neurons, n_fits, words_per_text
        As `LLMHypothesisAnnotator.estimate_cost` takes them.

    Returns
    -------
    cost : dict
        ``requests``, ``prompt_tokens``, ``completion_tokens`` and their ``price``.
    """
    if n_neurons is not None or concepts is None:
        concepts = [_TYPICAL_HYPOTHESIS] * (n_neurons or _n_neurons(annotator))
    n_named = len(concepts) * n_fits if annotator.hypotheses is None else 0
    words = words_per_text or annotator.max_words or 256
    if annotator.max_words is not None:
        words = min(words, annotator.max_words)
    naming = count_interpretations(
        n_named * annotator.n_candidates,
        n_examples=annotator.n_examples,
        words_per_text=words,
        instructions=annotator.instructions,
        template=read_template(annotator.interpreter_prompt, "interpreter_prompt"),
    )
    options = {
        "words_per_text": words,
        "answers": annotator.answers,
        "concepts_per_call": annotator.concepts_per_call,
        "rationale": annotator.rationale,
        "instructions": annotator.annotator_instructions,
        "template": read_template(annotator.annotator_prompt, "annotator_prompt"),
    }
    n_scored = n_named * 2 * (annotator.n_scoring_examples // 2)
    annotating = count_annotations(n_texts * max(n_fits, 1), concepts, **options)
    annotating.update(count_annotations(n_scored, [_TYPICAL_HYPOTHESIS] * annotator.n_candidates, **options))
    if annotator.min_label_score is not None:
        annotating.update(count_annotations(n_scored, [_TYPICAL_HYPOTHESIS], **options))
    prices = annotator.prices or {}
    cost = {key: naming[key] + annotating[key] for key in naming}
    cost["price"] = sum(
        price(count["prompt_tokens"], count["completion_tokens"], prices.get(model), batch=annotator.batch)
        for count, model in [(naming, annotator.interpreter), (annotating, annotator.annotator)]
        if count["requests"]
    )
    return cost


def _n_neurons(annotator):
    """Return how many neurons an annotator is to name, as far as its parameters tell."""
    if isinstance(annotator.neurons, str):
        params = {} if annotator.encoder is None else annotator.encoder.get_params()
        selected = [value for name, value in params.items() if name.endswith("n_neurons")]
        if len(selected) != 1:
            raise ValueError('n_neurons is needed: with neurons="all" the number is not known before fit.')
        return selected[0]
    return int(annotator.neurons) if isinstance(annotator.neurons, Integral) else len(annotator.neurons)
