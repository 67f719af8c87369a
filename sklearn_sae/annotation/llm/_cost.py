"""How many requests and tokens a run takes and what they cost, before anything is sent.

Tokens are estimated by the kinds of characters, with replies as short as the prompts ask for. The hidden thoughts of a
reasoning model, which only the bill shows, are not counted, nor is what the cache saves.
"""

import math
from collections import Counter
from numbers import Integral

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._cut import cut_between_sentences
from sklearn_sae.annotation.llm._prompts import annotation_prompt, interpretation_prompt
from sklearn_sae.annotation.llm._requests import price
from sklearn_sae.annotation.llm._templates import read_template
from sklearn_sae.annotation.llm._tokens import count_tokens
from sklearn_sae.utils._validation import check_texts

_TOKENS_PER_WORD = 1.3  # of English prose, where only the number of words is known
_MOST_COUNTED = 1000  # texts whose tokens are counted; they stand for all
_AROUND_MESSAGES = 9  # tokens that the chat format adds to the two messages of a request
_TYPICAL_HYPOTHESIS = "mentions a long wait for the food or for a table"  # stands in before there are any
_INTERPRETATION_TOKENS = 25
_REASON_TOKENS = 40  # with what stands around it in JSON


def count_interpretations(n_requests, *, n_examples, tokens_per_text, **words):
    """Return the requests and tokens of `n_requests` requests for an interpretation.

    Parameters
    ----------
    n_requests : int
    n_examples : int
        Texts in each prompt, both groups together.
    tokens_per_text : float
    **words
        What `interpretation_prompt` takes beside the texts.

    Returns
    -------
    count : Counter
        ``requests``, ``prompt_tokens``, ``completion_tokens``.
    """
    half = n_examples // 2
    prompt = interpretation_prompt([""] * (n_examples - half), [""] * half, **words)
    return _count(n_requests, prompt, n_examples * tokens_per_text, _INTERPRETATION_TOKENS)


def count_annotations(
    n_texts, concepts, *, concepts_per_call=1, tokens_per_text, answers=None, rationale=False, **words
):
    """Return the requests and tokens that it takes to annotate `n_texts` texts by `concepts`.

    Parameters
    ----------
    n_texts : int
    concepts : list of str
    concepts_per_call : int, default=1
    tokens_per_text : float
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
    answer_tokens = max(math.ceil(count_tokens(name)) for name in names or ["yes"])
    total = Counter(requests=0, prompt_tokens=0, completion_tokens=0)
    for start in range(0, len(concepts), concepts_per_call):
        some = concepts[start : start + concepts_per_call]
        completion_tokens = answer_tokens if len(some) == 1 else (5 + answer_tokens) * len(some)
        completion_tokens += rationale * _REASON_TOKENS * len(some)
        prompt = annotation_prompt("", some, names, rationale=rationale, **words)
        total.update(_count(n_texts, prompt, tokens_per_text, completion_tokens))
    return total


def _count(n, prompt, tokens_of_texts, completion_tokens):
    prompt_tokens = math.ceil(sum(map(count_tokens, prompt)) + tokens_of_texts + _AROUND_MESSAGES)
    return Counter(requests=n, prompt_tokens=n * prompt_tokens, completion_tokens=n * completion_tokens)


def estimate(annotator, concepts, *, texts, n_neurons=None, n_fits=1, words_per_text=None, fits_on_texts=False):
    """Return what it takes to name neurons and to annotate texts.

    Parameters
    ----------
    annotator : LLMHypothesisAnnotator
        Only its parameters count.
    concepts : list of str or None
        The hypotheses, if it has some.
    texts : int or sequence of str
        As `n_texts` of `LLMHypothesisAnnotator.estimate_cost`.
    n_neurons, n_fits, words_per_text
        As `LLMHypothesisAnnotator.estimate_cost` takes them.
    fits_on_texts : bool, default=False
        Whether neurons are named from some of these texts, so that the annotations of the best candidates on the texts
        that candidates are scored on count once.

    Returns
    -------
    cost : dict
        ``requests``, ``prompt_tokens``, ``completion_tokens`` and their ``price``.
    """
    if n_neurons is not None or concepts is None:
        concepts = [_TYPICAL_HYPOTHESIS] * (n_neurons or _n_neurons(annotator))
    n_named = len(concepts) * n_fits if annotator.hypotheses is None else 0
    n_texts, tokens_per_text = _sizes(texts, words_per_text, annotator)
    naming = count_interpretations(
        n_named * annotator.n_candidates,
        n_examples=annotator.n_examples,
        tokens_per_text=tokens_per_text,
        instructions=annotator.instructions,
        template=read_template(annotator.interpreter_prompt, "interpreter_prompt"),
    )
    options = {
        "tokens_per_text": tokens_per_text,
        "answers": annotator.answers,
        "concepts_per_call": annotator.concepts_per_call,
        "rationale": annotator.rationale,
        "instructions": annotator.annotator_instructions,
        "template": read_template(annotator.annotator_prompt, "annotator_prompt"),
    }
    n_scored = n_named * 2 * (annotator.n_scoring_examples // 2)
    annotating = count_annotations(n_texts * max(n_fits, 1), concepts, **options)
    saves = fits_on_texts and annotator.cache_dir is not None and annotator.concepts_per_call == 1
    n_anew = annotator.n_candidates - saves
    annotating.update(count_annotations(n_scored, [_TYPICAL_HYPOTHESIS] * n_anew, **options))
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


def _sizes(texts, words_per_text, annotator):
    """Return how many texts there are and, about, how many tokens of each are sent."""
    max_words = annotator.max_words
    if isinstance(texts, Integral):
        words = words_per_text or max_words or 256
        return texts, _TOKENS_PER_WORD * (words if max_words is None else min(words, max_words))
    if words_per_text is not None:
        raise ValueError("words_per_text goes with a number of texts; texts that are given are counted themselves.")
    if max_words is None:
        return tokens_in(check_texts(texts))
    return tokens_in(check_texts(texts), lambda text: cut_between_sentences(text, max_words, annotator.truncate))


def tokens_in(texts, cut=str):
    """Return how many different texts there are and, about, how many tokens each has after a cut."""
    texts = list(dict.fromkeys(texts))  # equal texts are asked about once
    some = [cut(text) for text in texts[:: -(-len(texts) // _MOST_COUNTED)]]
    return len(texts), sum(map(count_tokens, some)) / len(some)


def _n_neurons(annotator):
    """Return how many neurons an annotator is to name, as far as its parameters tell."""
    if isinstance(annotator.neurons, str):
        params = {} if annotator.encoder is None else annotator.encoder.get_params()
        selected = [value for name, value in params.items() if name.endswith("n_neurons")]
        if len(selected) != 1:
            raise ValueError('n_neurons is needed: with neurons="all" the number is not known before fit.')
        return selected[0]
    return int(annotator.neurons) if isinstance(annotator.neurons, Integral) else len(annotator.neurons)
