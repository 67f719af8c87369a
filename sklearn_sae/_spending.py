"""What a run of `discover` will ask of servers, and whether that is more than it may cost."""

import math

from sklearn_sae._text_pairs import annotator_of, is_of_pairs, texts_of
from sklearn_sae.annotation import LLMHypothesisAnnotator
from sklearn_sae.annotation.llm._cost import estimate, tokens_in
from sklearn_sae.annotation.llm._requests import price
from sklearn_sae.embedding import EmbeddingTransformer
from sklearn_sae.utils._pair_text import join_pair


def amount(price):
    """Return a price in digits: two behind the point, or two that tell something."""
    return f"{price:,.2f}" if price >= 0.1 else f"{price:.2g}"


def planned_cost(plan):
    """Return what a run is to ask of a language model, as `LLMHypothesisAnnotator.estimate_cost` does, and to embed.

    Where a server embeds, ``embedded_tokens`` are those of all texts, and their price is in ``price``.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    cost : dict
        Empty if nothing is asked.
    """
    annotator = annotator_of(plan.pipeline)
    asks = isinstance(annotator, LLMHypothesisAnnotator)
    texts = annotated = plan.texts.tolist()
    if is_of_pairs(plan.pipeline):
        annotated = [
            join_pair(*row[-2:], *row[:-2]) for row in texts if row[-2] != row[-1]
        ]  # equal texts are not asked
        texts = texts_of(plan.texts)
    cost = estimate(annotator, None, texts=annotated, fits_on_texts=True) if asks else {}
    embedder = embedder_on_a_server(annotator.encoder)
    if embedder is None:
        return cost
    prompt = [embedder.prompt or ""]
    n_texts, tokens_per_text = tokens_in(texts)
    n_tokens = math.ceil(n_texts * (tokens_per_text + tokens_in(prompt)[1]))
    prices = (annotator.prices or {}) if asks else {}
    total = cost.pop("price", 0) + price(n_tokens, 0, prices.get(embedder.model))
    return {**cost, "embedded_tokens": n_tokens, "price": total}


def embedder_on_a_server(encoder):
    """Return the `EmbeddingTransformer` in an encoder that asks a server, or None."""
    steps = [encoder, *encoder.get_params().values()]
    embedders = [step for step in steps if isinstance(step, EmbeddingTransformer) and step._asks_a_server()]
    return embedders[0] if embedders else None


def check_cost(plan, max_cost):
    """Refuse a run that is estimated to cost more than `max_cost`, or whose cost cannot be known.

    Parameters
    ----------
    plan : Plan
    max_cost : float or None
        None: it may cost anything.

    Raises
    ------
    ValueError
    """
    if max_cost is None:
        return
    cost = planned_cost(plan)
    annotator = annotator_of(plan.pipeline)
    if not isinstance(annotator, LLMHypothesisAnnotator):
        raise ValueError("max_cost is for naming by a language model; leave it out.")
    if math.isnan(cost["price"]):
        embedder = embedder_on_a_server(annotator.encoder)
        models = [annotator.interpreter, annotator.annotator, *([] if embedder is None else [embedder.model])]
        models = dict.fromkeys(models)
        unknown = " and ".join(model for model in models if model not in (annotator.prices or {}))
        raise ValueError(f"max_cost needs prices, and none is known for {unknown}; pass prices=.")
    if cost["price"] > max_cost:
        raise ValueError(
            f"the run is estimated to cost {amount(cost['price'])}, more than max_cost={max_cost:g}; nothing was asked."
        )
