"""The activations of each distinct text, computed once: what is missing in the store is put there batch by batch."""

import numpy as np

from sklearn_sae.pretrained._pooling import Pooled, aggregate, stack
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import digest, fill, open_store

_LOOK_UP = 1024  # texts whose activations are taken from the store at once, so that it is never in memory as a whole


def pooled_activations(
    texts, identity, pool_texts, *, aggregation, n_latents, chunk_size, cache_dir, verbose, model=None
):
    """Return the pooled activations of `texts`, a CSR array of shape (len(texts), n_latents), float32.

    What is stored serves every aggregation. Several processes may share the work.

    Parameters
    ----------
    texts : list of str
    identity : str
        All that the activations depend on beside a text.
    pool_texts : callable
        Takes a list of texts of like length and yields, batch by batch, (their places in it, their `Pooled`).
    aggregation : str
        One of `AGGREGATIONS`.
    n_latents : int
    chunk_size : int
        The most texts that `pool_texts` is given.
    cache_dir : "auto", path-like or None
        As `open_store`; None stores nothing.
    verbose : bool
    model : str or None, default=None
        As `open_store`.

    Raises
    ------
    OSError
        If the store cannot be used or is damaged.
    """
    if cache_dir is None:
        rows = _compute_uncached(texts, pool_texts, aggregation, chunk_size, verbose)
        return stack((rows[text] for text in texts), n_latents)
    keys = [digest("activations", identity, text) for text in texts]
    with open_store(cache_dir, "activations", model=model) as store:
        _compute_missing(store, dict(zip(keys, texts, strict=True)), pool_texts, chunk_size, verbose)
        return stack(_stored_rows(store, keys, aggregation, n_latents), n_latents)


def _compute_uncached(texts, pool_texts, aggregation, chunk_size, verbose):
    """Return a dict from text to its (latents, values)."""
    texts = sorted(dict.fromkeys(texts), key=len, reverse=True)  # as `_compute_missing` does it
    rows = {}
    with progress(desc="Reading", total=len(texts), unit="text", verbose=verbose) as bar:
        for start in range(0, len(texts), chunk_size):
            chunk = texts[start : start + chunk_size]
            for places, pooled in pool_texts(chunk):
                for i, one in zip(places, pooled, strict=True):
                    rows[chunk[i]] = one.latents, aggregate(one, aggregation)
                bar.update(len(places))
    return rows


def _compute_missing(store, text_of, pool_texts, chunk_size, verbose):
    """Compute and store the activations that are missing of the texts in `text_of`, a dict from key to text."""
    # The longest texts come first, because texts of like length pad each other least, and because a text that does not
    # fit into memory then fails at once. A chunk is cut from all texts, stored or not, because the batches after a kill
    # must be the same as without it: the last digits depend on them.
    keys = sorted(text_of, key=lambda key: len(text_of[key]), reverse=True)
    missing = text_of.keys() - store.stored(keys)
    with progress(desc="Reading", total=len(missing), unit="text", verbose=verbose) as bar:

        def compute(some):
            for places, pooled in pool_texts([text_of[key] for key in some]):
                store.put((some[i], _to_bytes(one)) for i, one in zip(places, pooled, strict=True))
                bar.update(len(places))

        def on_progress(found):
            bar.update(len(found & missing))

        if missing:
            fill(store, keys, compute, chunk_size=chunk_size, on_progress=on_progress)


def _stored_rows(store, keys, aggregation, n_latents):
    """Yield the (latents, values) of each of `keys` from the store."""
    for start in range(0, len(keys), _LOOK_UP):
        some = keys[start : start + _LOOK_UP]
        values = store.get(set(some))
        for key in some:
            if key not in values:
                raise OSError(f"The cache file {store.path} was damaged and lost activations just now; run again.")
            pooled = _from_bytes(values[key], n_latents, store.path)
            yield pooled.latents, aggregate(pooled, aggregation)


def _to_bytes(pooled):
    columns = zip(pooled[:4], ("<i4", "<f4", "<f4", "<i4"), strict=True)
    return np.int32(pooled.n_tokens).astype("<i4").tobytes() + b"".join(c.astype(t).tobytes() for c, t in columns)


def _from_bytes(value, n_latents, path):
    n = (len(value) - 4) // 16
    if len(value) == 4 + 16 * n:
        latents, maximum, total, count = (
            np.frombuffer(value, dtype=kind, count=n, offset=4 + 4 * n * i)
            for i, kind in enumerate(("<i4", "<f4", "<f4", "<i4"))
        )
        if n == 0 or (latents.min() >= 0 and latents.max() < n_latents):
            return Pooled(latents, maximum, total, count, int.from_bytes(value[:4], "little"))
    raise OSError(f"The cache file {path} holds damaged activations; move it away, or pass another cache_dir.")
