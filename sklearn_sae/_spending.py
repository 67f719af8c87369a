"""What a run of `discover` will ask of a language model, and whether that is more than it may cost."""

import math

from sklearn_sae.annotation import LLMHypothesisAnnotator
from sklearn_sae.annotation.llm._cost import estimate


def amount(price):
    """Return a price in digits: two behind the point, or two that tell something."""
    return f"{price:,.2f}" if price >= 0.1 else f"{price:.2g}"


def planned_cost(plan):
    """Return what a run is to ask, as `LLMHypothesisAnnotator.estimate_cost` does; None if it asks nothing.

    Parameters
    ----------
    plan : Plan
    """
    annotator = plan.pipeline["hypotheses"]
    if not isinstance(annotator, LLMHypothesisAnnotator):
        return None
    return estimate(annotator, None, texts=plan.texts.tolist(), fits_on_texts=True)


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
    if cost is None:
        raise ValueError("max_cost is for naming by a language model; leave it out.")
    if math.isnan(cost["price"]):
        annotator = plan.pipeline["hypotheses"]
        models = dict.fromkeys([annotator.interpreter, annotator.annotator])
        unknown = " and ".join(model for model in models if model not in (annotator.prices or {}))
        raise ValueError(f"max_cost needs prices, and none is known for {unknown}; pass prices=.")
    if cost["price"] > max_cost:
        raise ValueError(
            f"the run is estimated to cost {amount(cost['price'])}, more than max_cost={max_cost:g}; nothing was asked."
        )
