"""What a run is going to ask and cost, and what it has asked."""

import math

from sklearn_sae._spending import amount, planned_cost
from sklearn_sae._text_pairs import annotator_of


def print_cost(plan):
    """Print what servers are to be asked, if any are."""
    cost = planned_cost(plan)
    if not cost:
        return
    if "requests" not in cost:
        print(f"To be asked of the server that embeds: {in_words(cost)} (an estimate)", flush=True)
        return
    annotator = annotator_of(plan.pipeline)
    print(f"To be asked, if every reply can be read: {in_words(cost)}")
    n_spare = annotator.encoder["select"].n_spare
    n_more = n_spare * annotator.n_candidates * (1 + 2 * (annotator.n_scoring_examples // 2))
    if n_more:
        print(f"Up to {n_more:,} requests more, where names do not fit and spare neurons are named in their place.")
    print(
        "Tokens are estimates, and what is in the cache is not asked for. The hidden thoughts of reasoning models,\n"
        "which are billed as completion tokens, are unknown before and not counted.",
        flush=True,
    )


def in_words(counts):
    """Return counts of requests and tokens in words, with their price if it is known."""
    names = [name for name in counts if name not in ("price", "cache_bytes")]
    said = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)
    return said if math.isnan(counts["price"]) else f"{said}, {amount(counts['price'])} dollars"
