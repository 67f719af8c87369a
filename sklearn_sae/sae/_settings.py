"""The parameters of the estimator that the loss depends on, checked against each other and resolved."""

from numbers import Integral
from typing import NamedTuple

from sklearn_sae.sae._sizes import suggest_k, suggest_size


class Settings(NamedTuple):
    """The settings of the loss."""

    k: int
    batch_topk: bool = False
    pursuit: bool = False  # whether matching pursuit encodes; it excludes batch_topk, prefixes, multi_weight, signed
    prefixes: tuple | None = None
    aux_k: int = 1
    aux_weight: float = 0.0
    multi_k: int = 1
    multi_weight: float = 0.0
    signed: bool = False  # whether entries largest in magnitude are kept, with their signs


def check_encoder(sae):
    """Raise ValueError if matching pursuit is combined with a parameter that it excludes."""
    clashes = {
        "sparsity='batch_topk'": sae.sparsity == "batch_topk",
        "matryoshka_prefixes": sae.matryoshka_prefixes is not None,
        "multi_weight above 0": sae.multi_weight > 0,
        "signed=True": sae.signed,
    }
    for other, is_set in clashes.items():
        if sae.encoder == "matching_pursuit" and is_set:
            raise ValueError(f"encoder='matching_pursuit' does not go with {other}; leave one of them out.")


def resolve_settings(sae, n_samples, *, fitted):
    """Return M and the `Settings` for a number of rows.

    Parameters
    ----------
    sae : TopKSAETransformer
    n_samples : int
    fitted : bool
        Whether to go on from the fitted weights, and so with their M.

    Raises
    ------
    ValueError
        If `n_components` differs from that of the fitted weights; if `k`, `aux_k` or `multi_k` exceeds it; if the
        prefixes do not increase strictly or not end in it.
    """
    n_components, k = sae.n_components, sae.k
    if n_components == k == "auto":
        n_components, k = (sae.n_components_, sae.k_) if fitted else suggest_size(n_samples)
    if fitted:
        if n_components not in ("auto", sae.n_components_):
            raise ValueError(
                f"n_components={n_components}, but the fitted weights to continue from have {sae.n_components_} "
                "neurons; keep the number, or start anew with warm_start=False."
            )
        n_components = sae.n_components_
    if n_components == "auto":
        n_components = suggest_size(n_samples)[0]
        if k != "auto":
            n_components = max(n_components, k)
    if k == "auto":
        k = suggest_k(n_components)
    if k > n_components:
        raise ValueError(f"k={k} is larger than n_components={n_components}; a row has at most so many active neurons.")
    for name in ("aux_k", "multi_k"):
        if (value := getattr(sae, name)) is not None and value > n_components:
            raise ValueError(f"{name}={value} is larger than n_components={n_components}; choose it no larger.")
    return int(n_components), Settings(
        k=int(k),
        batch_topk=sae.sparsity == "batch_topk",
        pursuit=sae.encoder == "matching_pursuit",
        prefixes=_check_prefixes(sae.matryoshka_prefixes, n_components),
        aux_k=int(min(2 * k, n_components) if sae.aux_k is None else sae.aux_k),
        aux_weight=sae.aux_weight,
        multi_k=int(min(4 * k, n_components) if sae.multi_k is None else sae.multi_k),
        multi_weight=sae.multi_weight,
        signed=sae.signed,
    )


def _check_prefixes(prefixes, n_components):
    if prefixes is None:
        return None
    steps = list(prefixes)
    if (
        not steps
        or not all(isinstance(p, Integral) for p in steps)
        or any(a >= b for a, b in zip([0, *steps], steps, strict=False))
        or steps[-1] != n_components
    ):
        raise ValueError(
            "matryoshka_prefixes must be positive integers that increase strictly and end in "
            f"n_components={n_components}; got {steps}."
        )
    return tuple(int(p) for p in steps)
