"""How many requests and tokens a run takes, before anything is sent, and what tokens cost.

Tokens are estimated at four characters each and six characters a word, with replies as short as the prompts ask for.
The hidden thoughts of a reasoning model, which only the bill shows, are not counted, nor is what the cache saves.
"""

import math
from collections import Counter
from numbers import Real

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._prompts import annotation_prompt, interpretation_prompt

_CHARACTERS_PER_TOKEN = 4  # English prose with the tokenizers of 2024 and later; other scripts take more tokens
_WORD = "words "
_INTERPRETATION_TOKENS = 15
_BATCH_DISCOUNT = 0.5  # of the price of a token, wherever batches are offered at all


def count_interpretations(n_requests, *, n_examples=40, instructions=None, words_per_text=256):
    """Return the requests and tokens of `n_requests` requests for an interpretation.

    Parameters
    ----------
    n_requests : int
    n_examples : int, default=40
        Texts in each prompt, both groups together.
    instructions : str or None, default=None
    words_per_text : int, default=256

    Returns
    -------
    count : Counter
        ``requests``, ``prompt_tokens``, ``completion_tokens``.
    """
    text, half = _WORD * words_per_text, n_examples // 2
    prompt = interpretation_prompt([text] * (n_examples - half), [text] * half, instructions=instructions)
    return _count(n_requests, prompt, _INTERPRETATION_TOKENS)


def count_annotations(n_texts, concepts, *, concepts_per_call=1, words_per_text=256, answers=None):
    """Return the requests and tokens that it takes to annotate `n_texts` texts by `concepts`.

    Parameters
    ----------
    n_texts : int
    concepts : list of str
    concepts_per_call : int, default=1
    words_per_text : int, default=256
    answers : dict of str -> float, or None, default=None

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
        total.update(_count(n_texts, annotation_prompt(_WORD * words_per_text, some, names), completion_tokens))
    return total


def _count(n, prompt, completion_tokens):
    prompt_tokens = math.ceil(len("".join(prompt)) / _CHARACTERS_PER_TOKEN)
    return Counter(requests=n, prompt_tokens=n * prompt_tokens, completion_tokens=n * completion_tokens)


def price(prompt_tokens, completion_tokens, prices, *, batch=False):
    """Return what tokens cost at `prices` for a million of each kind; NaN for None."""
    if prices is None:
        return math.nan
    discount = _BATCH_DISCOUNT if batch else 1.0
    return discount * (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6


def check_prices(prices):
    """Refuse prices that are not two numbers for each model.

    Parameters
    ----------
    prices : dict of str -> (float, float), or None

    Raises
    ------
    ValueError
    """
    for model, pair in (prices or {}).items():
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not is_pair or not all(isinstance(value, Real) and 0 <= value < math.inf for value in pair):
            raise ValueError(
                f"prices[{model!r}] must be two numbers of at least 0: the price of a million prompt tokens and of a "
                f"million completion tokens."
            )
